"""What a declaration covers, and what stays "not covered"."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from unlade.survey.covering import Verdict, Waived, counted, split_name, verdicts
from unlade.survey.values import FieldFound, SurveyFound, TableFound

NOW = datetime(2026, 11, 25, tzinfo=UTC)


class Declared:
    """A declaration, as far as covering asks."""

    def __init__(self, *containers: str, layout: str = "", table: str = "", needs: tuple[str, ...] = ()) -> None:
        self.name, self.layout, self.response_layout, self.table = "plates", layout, "", table
        self.containers = containers
        self._needs = [*needs, *(name.partition("(")[0] for name in containers)]

    def fields_needed(self) -> list[str]:
        return self._needs


def found(**more: Any) -> FieldFound:
    facts: dict[str, Any] = {
        "layouts": ["Fat"],
        "records": 10,
        "looked_at": 10,
        "filled": 4,
        "repeated": Counter({1: 4}),
    }
    return FieldFound("Plates", "photo", **(facts | more))


def judge(one: FieldFound, *declared: Declared, waived: tuple[Waived, ...] = (), road: str = "api") -> Verdict:
    tables = [
        TableFound("Plates", 10, 10, ["Lean", "Fat"], ["id", "photo"]),
        TableFound("Other", 1, 1, ["Else"], ["id"]),
    ]
    return verdicts(SurveyFound(road, "x", NOW, tables=tables, fields=[one]), declared, waived)[0]


def test_the_layout_or_another_of_its_table_covers_it() -> None:
    assert judge(found(), Declared("photo", layout="Fat")).state == "covered"
    assert judge(found(), Declared("photo", layout="Lean")).by == ("plates",)
    assert judge(found(), Declared("photo", layout="Else")).state == "not covered"
    assert judge(found(), Declared("PHOTO", layout="Lean")).state == "covered"
    assert judge(found(), Declared("picture", layout="Lean")).state == "not covered"


def test_a_repetition_that_nobody_names_is_left() -> None:
    one = found(repetitions=3, repeated=Counter({1: 4, 3: 1}))
    verdict = judge(one, Declared("photo", layout="Lean"))
    assert (verdict.state, verdict.missing, verdict.by) == ("not covered", (3,), ("plates",))
    assert judge(one, Declared("photo", "photo(3)", layout="Lean")).state == "covered"


def test_a_file_is_covered_by_the_table_or_by_the_declared_fields() -> None:
    assert judge(found(layouts=[]), Declared("photo", layout="API", table="plates"), road="file").state == "covered"
    assert judge(found(layouts=[]), Declared("photo", layout="API", needs=("id",)), road="file").state == "covered"
    assert judge(found(layouts=[]), Declared("photo", needs=("id", "gone")), road="file").state == "not covered"


def test_what_repeats_is_set_apart_and_what_is_empty_is_nothing() -> None:
    assert judge(found(is_global=True)).state == "set apart"
    assert judge(found(kind="calculation")).state == "set apart"
    assert judge(found(filled=0, repeated=Counter())).state == "empty"
    # A sample that met nothing proves nothing.
    assert judge(found(filled=0, repeated=Counter(), looked_at=5)).state == "not covered"


def test_a_waiver_is_for_its_field_or_for_the_whole_table() -> None:
    why = Waived("plates", "photo", "kept elsewhere", "anna", NOW)
    verdict = judge(found(), waived=(why,))
    assert verdict.state == "waived"
    assert verdict.as_json()["waived"] == {"reason": "kept elsewhere", "by": "anna", "at": NOW.isoformat()}
    assert judge(found(), waived=(Waived("Plates", "", "old", "", NOW),)).state == "waived"
    assert judge(found(), waived=(Waived("Plates", "scan", "old", "", NOW),)).state == "not covered"
    nameless = FieldFound("", "photo", layouts=["Fat"], records=1, looked_at=1, filled=1)
    assert judge(nameless, waived=(Waived("Fat", "photo", "old", "", NOW),)).state == "waived"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (found(), "4 of 10"),
        (found(records=1000, looked_at=100, filled=50), "about 500 of 1,000 (403 to 596)"),
        (found(records=1000, looked_at=100, filled=0), "none of 100 looked at, of 1,000"),
        (found(records=None), "4 of 10 looked at"),
        (found(looked_at=0, filled=0), "not looked at"),
        (found(is_global=True), "one for all"),
    ],
)
def test_counts_never_say_more_than_is_known(one: FieldFound, words: str) -> None:
    assert counted(one) == words


def test_values_come_back_from_the_ledger_as_they_were() -> None:
    whole = SurveyFound("api", "Clinic", NOW, True, True, 3, [TableFound("T", 1, 2, ["L"], ["f"])], [found()], ["note"], 4, 5, 6)  # fmt: skip
    assert SurveyFound.from_json(whole.as_json()) == whole


def test_names_to_waive() -> None:
    assert split_name("Plates::photo") == ("Plates", "photo")
    assert split_name("Plates") == ("Plates", "")
    with pytest.raises(ValueError, match="names no table"):
        split_name("::photo")
