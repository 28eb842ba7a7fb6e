"""The end of a run, for programs and for people."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.ledgers import NOW, campaign, items, plates, run, source
from unlade.ledger.models import Run
from unlade.report.runs import run_json
from unlade.report.summary import EXIT_ORDER, run_text, runs_json, worst_exit

#: CONTRACT A4, as outsiders read it.
KEYS = {
    "source", "run", "outcome", "reason", "found", "count_is", "this_run", "totals", "gone", "bytes", "requests", "logins",
    "seconds", "retry_at", "exit",
}  # fmt: skip


@pytest.mark.django_db
class TestRun:
    def test_the_object_of_one_run(self) -> None:
        campaign()
        data = json.loads(json.dumps(run_json(Run.objects.get(number=1), NOW)))
        assert data.keys() >= KEYS
        assert (data["source"], data["run"], data["outcome"], data["reason"]) == ("plates", 1, "limit", None)
        assert data["found"] == sum(data["totals"].values()) == 6664
        assert data["this_run"] == {
            "imported": 80, "empty": 0, "unlinked": 3, "quarantined": 0, "failed": 2, "skipped": 0,
        }  # fmt: skip
        assert data["bytes"] == {"api": 400_000, "container": 160_000_000, "headers": 90_000, "kept": 159_900_000}
        assert (data["requests"], data["logins"], data["seconds"], data["exit"]) == (90, 1, 1800.0, 0)
        assert (data["gone"], data["retry_at"]) == (2, None)
        assert sum(data["by_field"].values()) == 342 + 13 + 2

    def test_a_source_that_was_never_read(self) -> None:
        row = source()
        data = run_json(run(row, 1, outcome="failed", reason="The layout is missing.", exit_code=1), NOW)
        assert (data["found"], data["exit"], data["reason"]) == (None, 1, "The layout is missing.")

    def test_several_sources_in_one_object(self) -> None:
        first, second = source("plates", found=1), source("documents", found=1)
        data = runs_json(
            [
                run_json(run(first, 1, exit_code=3), NOW),
                run_json(run(second, 1, outcome="paused", exit_code=75), NOW),
            ]
        )
        assert (data["outcome"], data["exit"]) == ("paused", 75)
        assert set(data["sources"]) == {"plates", "documents"}

    def test_a_person_reads_what_happened_and_what_to_do(self) -> None:
        row = campaign()
        last = Run.objects.get(number=4)
        row.items.filter(state="failed", reason="missing").update(settled_in=last)
        text = " ".join(run_text(last, plates(), NOW).split())
        assert text.startswith("plates, run 4: paused after 30 min The host rests after three answers")
        assert "80 imported, 3 unlinked, 2 failed" in text
        assert "5 missing The host says that the file is not there." in text
        assert "90 requests, 1 login; 160 MB over the wire, 160 MB kept" in text
        assert "355 of 6,664 plates (5 %)" in text
        assert text.endswith("python manage.py import_filemaker plates")

    def test_a_run_that_found_nothing_to_do(self) -> None:
        row = source(found=2)
        items(row, "imported", 2)
        text = run_text(run(row, 1), plates(), NOW)
        assert "nothing new and nothing due" in text
        assert "2 of 2 plates (100 %), complete" in text


@given(st.lists(st.sampled_from(EXIT_ORDER), min_size=1), st.randoms())
def test_the_gravest_exit_code_holds_in_any_order(codes: list[int], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = codes[:]
    random.shuffle(shuffled)
    assert worst_exit(codes) == worst_exit(shuffled) == next(code for code in EXIT_ORDER if code in codes)


def test_an_exit_code_that_nobody_knows_is_an_error() -> None:
    assert worst_exit([0, 9]) == 1
    assert worst_exit([]) == 0
