"""`filemaker_survey` against simulated hosts: what is found, what it costs, what is kept."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from fmsim import Simulator
from tests.survey.hosts import environ, estate
from unlade.ledger.models import Host, TransferUsage, Waiver
from unlade.survey.values import FieldFound, SurveyFound

pytestmark = pytest.mark.django_db


class Survey:
    """Runs the command in this process."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch = folder, monkeypatch

    def at(self, host: Simulator, **more: str) -> None:
        for name, value in environ(host, self._folder, **more).items():
            self._monkeypatch.setenv(name, value)

    def __call__(self, *words: str, code: int = 0) -> dict[str, Any]:
        text = self.say(*words, "--json", code=code)
        return json.loads(text.strip().splitlines()[-1])  # type: ignore[no-any-return]

    def say(self, *words: str, code: int = 0) -> str:
        out, err = io.StringIO(), io.StringIO()
        try:
            call_command("filemaker_survey", *words, stdout=out, stderr=err)
            ended = 0
        except SystemExit as error:
            ended = int(error.code or 0)
        self.err = err.getvalue()
        assert ended == code, self.err
        return out.getvalue()


@pytest.fixture
def survey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Survey:
    return Survey(tmp_path, monkeypatch)


def by_name(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in told["fields"]}


def test_every_container_is_found_once_and_counted(survey: Survey) -> None:
    with Simulator(estate()) as host:
        survey.at(host)
        told = survey("--full")
        stats = host.stats()
    fields = by_name(told)
    assert set(fields) == {
        *("Plates::photo", "Plates::scan", "Plates::logo", "Plates::preview", "Owners::face"),
        *("Letters::paper", "People::portrait", "People::signature"),
    }
    photo = fields["Plates::photo"]
    assert (photo["filled"], photo["records"], photo["exact"]) == (40, 60, True)
    assert photo["layouts"] == ["Lean", "Fat"]
    assert photo["where"] == {"link": 36, "reference": 4}
    assert fields["Plates::scan"]["by_repetition"] == {"1": 30, "2": 1}
    assert fields["Plates::scan"]["repetitions"] == 2
    assert (fields["People::portrait"]["filled"], fields["People::portrait"]["state"]) == (4, "not covered")
    assert fields["People::signature"]["state"] == "empty"
    assert fields["Plates::logo"]["state"] == fields["Plates::preview"]["state"] == "set apart"
    assert (fields["Letters::paper"]["filled"], fields["Letters::paper"]["looked_at"]) == (30, 60)
    assert fields["Letters::paper"]["records"] is None
    assert fields["Letters::paper"]["portals"] == ["Fat"]
    assert fields["Owners::face"]["filled"] == 12
    # No file was touched, and every byte is in the books.
    assert stats["requests"]["container"] == 0
    assert sum(row.charged for row in TransferUsage.objects.all()) == sum(stats["bytes"].values())
    assert told["bytes"] == {"api": stats["bytes"]["api"], "headers": stats["bytes"]["headers"]}
    assert told["requests"] == sum(stats["requests"][kind] for kind in ("session", "metadata", "records"))
    assert stats["open_sessions"] == 0


def test_a_sample_reads_lean_layouts_and_says_how_sure_it_is(survey: Survey) -> None:
    with Simulator(estate(300, fat=20_000)) as host:
        survey.at(host)
        told = survey("--sample", "30", "--layout", "Lean", "--layout", "Fat")
        photo = by_name(told)["Plates::photo"]
        assert photo["looked_at"] == 30
        assert photo["estimate"]["low"] <= 200 <= photo["estimate"]["high"]
        # `scan` is on the fat layout alone, so its sample is read there, and nothing is read twice.
        assert host.stats()["bytes"]["api"] < 33 * 21_000


def test_it_states_its_cost_and_asks_where_that_is_much(survey: Survey) -> None:
    with Simulator(estate(400, fat=60_000)) as host:
        survey.at(host)
        survey.say("--full", code=2)
        assert "The survey would read" in survey.err
        assert "--yes" in survey.err
        read = host.stats()["bytes"]["api"]
        assert read < 100_000
        # What came until then is kept: the fields are known, if not how many records fill them.
        kept = SurveyFound.from_json(Host.objects.get().survey)
        assert not kept.complete
        assert {one.field for one in kept.fields} >= {"photo", "portrait"}


def test_a_part_leaves_the_rest_as_it_was(survey: Survey) -> None:
    with Simulator(estate()) as host:
        survey.at(host)
        survey("--full")
        told = survey("--layout", "People", "--sample", "3")
        assert not told["full"]
    fields = by_name(told)
    assert fields["Plates::photo"]["filled"] == 40
    assert fields["Plates::photo"]["layouts"] == ["Lean", "Fat"]
    assert len(fields) == 8


def test_records_that_this_account_does_not_see(survey: Survey) -> None:
    data = estate()
    data.accounts[0].hides = {"People": frozenset({"1", "2"})}
    with Simulator(data) as host:
        survey.at(host)
        told = survey("--full", "--layout", "People")
    assert any("sees 10 of 12 records" in note for note in told["notes"])
    assert by_name(told)["People::portrait"]["filled"] == 2


def test_an_old_host_names_no_table(survey: Survey) -> None:
    with Simulator(estate(version="17.0.2.205")) as host:
        survey.at(host)
        told = survey("--full")
    fields = by_name(told)
    assert fields["Lean::photo"]["filled"] == fields["Fat::photo"]["filled"] == 40
    assert fields["Lean::photo"]["table"] is None


def test_a_layout_that_is_not_there_hides_no_other(survey: Survey) -> None:
    with Simulator(estate()) as host:
        survey.at(host)
        told = survey("--layout", "Lean", "--layout", "Gone")
    assert set(by_name(told)) == {"Plates::photo"}
    assert any("layout Gone could not be looked at" in note for note in told["notes"])


def test_a_resting_host_and_a_spent_allowance_are_left_alone(survey: Survey) -> None:
    with Simulator(estate()) as host:
        survey.at(host, UNLADE_ALLOWANCE="3KB")
        survey.say(code=75)
        assert "limit for one year" in survey.err
        assert host.stats()["bytes"]["api"] < 3000


def test_what_is_waived_says_who_and_why_and_can_be_taken_back(survey: Survey) -> None:
    with Simulator(estate()) as host:
        survey.at(host)
        survey.say("--waive", "People::portrait", code=2)
        assert "--waive needs a reason" in survey.err
        survey.say("--waive", "People::portrait", "--reason", "why", code=2)
        assert "No survey was made yet" in survey.err
        survey("--full")
        survey.say("--waive", "People::nothing", "--reason", "why", code=2)
        assert "met no container" in survey.err
        survey("--waive", "people::PORTRAIT", "--reason", "kept by HR")
        row = Waiver.objects.get()
        assert (row.table, row.field, row.reason) == ("People", "portrait", "kept by HR")
        told = survey("--last")
        assert by_name(told)["People::portrait"]["waived"]["reason"] == "kept by HR"
        assert "People::portrait" not in [one["name"] for one in told["not_covered"]]
        assert "waived: kept by HR" in survey.say("--last")
        assert "People::portrait" in survey.say("--unwaive", "People::portrait")
        survey.say("--unwaive", "People::portrait", code=2)
        asked = host.stats()["requests"]["session"]
        survey("--last")
        assert host.stats()["requests"]["session"] == asked


def test_the_status_names_what_is_left_until_it_is_waived(survey: Survey) -> None:
    def status(*words: str) -> str:
        out = io.StringIO()
        call_command("filemaker_status", *words, stdout=out)
        return out.getvalue()

    assert json.loads(status("--json"))["not_covered"] == []
    with Simulator(estate()) as host:
        survey.at(host)
        survey("--full")
        told = json.loads(status("--json"))
        names = [one["name"] for one in told["not_covered"]]
        assert names == ["Letters::paper", "Owners::face", "People::portrait", "Plates::photo", "Plates::scan"]
        assert told["surveyed_at"]
        text = status()
        assert "Not covered" in text
        assert "People::portrait" in text
        survey("--waive", "People", "--reason", "gone to HR")
        told = json.loads(status("--json"))
        assert "People::portrait" not in [one["name"] for one in told["not_covered"]]
        assert [one["name"] for one in told["waived"]] == ["People::portrait"]
        assert "gone to HR" in status()
        assert "no declaration takes" in status("--markdown")


def test_the_page_holds_itself_and_no_value(survey: Survey, tmp_path: Path) -> None:
    with Simulator(estate()) as host:
        survey.at(host)
        survey.say("--full", "--html", str(tmp_path / "survey.html"))
    page = (tmp_path / "survey.html").read_text("utf-8")
    assert "People" in page
    assert "portrait" in page
    assert "://" not in page
    assert "P-1" not in page


def test_estimates_hold_the_truth() -> None:
    for looked_at, filled in ((200, 3), (200, 100), (50, 50), (400, 0)):
        low, likely, high = FieldFound("T", "f", records=6664, looked_at=looked_at, filled=filled).estimate() or (
            0,
            0,
            0,
        )
        assert low <= likely <= high <= 6664
