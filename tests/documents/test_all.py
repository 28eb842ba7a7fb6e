"""One command for all imports: in order, within limits that hold for all, past a source that fails, and on from there."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management.base import CommandError

from clinic.documents.models import Document
from clinic.images.models import Image
from fmsim import DataSet, clinic
from tests.documents.pier import PierMaker
from tests.voyage.harness import add_patients
from unlade.commands import ExitLater
from unlade.ledger.management.commands.import_filemaker_all import Room
from unlade.ledger.models import Notice, Run
from unlade.options import RunOptions
from unlade.voyage import Voyage


@pytest.fixture
def data() -> DataSet:
    return clinic.build(images=6, documents=8)


def truth_of(table: str) -> dict[str, int]:
    fates = [fate for fate in clinic.truth(images=6, documents=8).values() if fate.table == table]
    return {state: sum(fate.state == state for fate in fates) for state in {fate.state for fate in fates}}


@pytest.mark.slow
def test_all_within_a_limit_and_to_the_end(pier: PierMaker, data: DataSet) -> None:
    with pier(data) as here:
        add_patients(data)
        code, told = here.all("--limit", "8")
        assert (code, told["exit"], told["outcome"]) == (0, 0, "limit")
        assert list(told["sources"]) == ["clinics", "patients", "images", "documents"], (
            "whom files belong to comes first"
        )
        assert (told["sources"]["images"]["found"], told["sources"]["documents"]["found"]) == (6, 8)
        assert [run.downloads for run in Run.objects.order_by("pk")] == [0, 0, 6, 2], "the limit is for both"
        code, told = here.all("--limit", "0")
        assert (code, told["sources"]["images"]["outcome"], told["sources"]["documents"]["outcome"]) == (
            0,
            "done",
            "limit",
        )
        code, told = here.all()
        assert (code, told["outcome"]) == (0, "done")
        for name, table in (("images", "Images"), ("documents", "Documents")):
            totals = told["sources"][name]["totals"]
            assert totals | truth_of(table) == totals and totals["pending"] == 0
        downloads = here.sim.stats()["downloads"]
        assert all(count == 1 for fields in downloads.values() for count in fields.values())
        assert (Image.objects.count(), Document.objects.count()) == (6, 8)


@pytest.mark.slow
def test_a_source_that_fails_keeps_no_other_from_its_turn(pier: PierMaker, data: DataSet) -> None:
    layout = next(each for each in data.layouts if each.name == "API_Images")
    data.layouts.remove(layout)
    with pier(data) as here:
        add_patients(data)
        code, told = here.all()
        assert (code, told["exit"], told["outcome"]) == (1, 1, "failed")
        images, documents = told["sources"]["images"], told["sources"]["documents"]
        assert (images["outcome"], images["exit"]) == ("failed", 1) and "API_Images" in images["reason"]
        assert (documents["outcome"], documents["exit"], documents["totals"]["imported"]) == ("done", 0, 8)
        noted = {(notice.kind, notice.payload["source"]) for notice in Notice.objects.all()}
        assert noted == {
            ("failed", "images"),
            *(("completed", name) for name in ("clinics", "patients", "documents")),
        }
    data.layouts.append(layout)
    with pier(data) as here:
        code, told = here.all()
        assert (code, told["sources"]["images"]["totals"]["imported"]) == (0, 6)
        assert told["sources"]["documents"]["this_run"]["imported"] == 0


@pytest.mark.slow
def test_while_the_host_rests_nothing_is_asked_for_the_next(pier: PierMaker, data: DataSet) -> None:
    with pier(data, faults=[{"on": "container", "do": {"status": 502, "body": "html"}}]) as here:
        code, told = here.all()
        assert (code, told["outcome"]) == (75, "paused")
        images, documents = told["sources"]["images"], told["sources"]["documents"]
        assert (images["exit"], documents["exit"], documents["requests"]) == (75, 75, 0)
        assert images["retry_at"] and documents["retry_at"]
        assert here.sim.stats()["logins"] == 3


def test_settings_that_are_wrong_are_said_of_each(pier: PierMaker, data: DataSet) -> None:
    with pier(data) as here:
        here.environ["FILEMAKER_PASSWORD"] = "wrong"
        code, told = here.all()
        assert (code, {entry["exit"] for entry in told["sources"].values()}) == (1, {1})
        assert here.sim.stats()["requests"]["session"] == 1, "a refused sign-in is not tried again"


def test_a_dry_run_foretells_each(pier: PierMaker, data: DataSet) -> None:
    with pier(data) as here:
        code, told = here.all("--dry-run")
        assert (code, told["outcome"]) == (0, "done")
        assert {name: entry["dry_run"]["found"] for name, entry in told["sources"].items()} == {
            "clinics": 3,
            "patients": len(data.tables["Patients"]),
            "images": 6,
            "documents": 8,
        }
        assert not Run.objects.exists()


@pytest.mark.parametrize("option", [["--only", "5"], ["--expect", "0"], ["--metadata", "x.csv"]])
def test_what_speaks_of_one_import_is_refused(pier: PierMaker, data: DataSet, option: list[str]) -> None:
    with pier(data) as here:
        code, told = here.all(*option)
        assert (code, told["exit"]) == (2, 2)
        assert here.sim.stats()["requests"]["session"] == 0


def test_it_takes_no_name(pier: PierMaker, data: DataSet) -> None:
    with pier(data) as here, pytest.raises(CommandError):
        here.all("images")


def test_after_an_interrupt_no_other_begins(pier: PierMaker, data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    bind = ExitLater.bind

    def interrupted_at_once(later: ExitLater, voyage: Voyage) -> None:
        bind(later, voyage)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(ExitLater, "bind", interrupted_at_once)
    with pier(data) as here:
        code, told = here.all()
        assert (code, told["exit"], told["outcome"]) == (130, 130, "interrupted")
        assert [entry["run"] for entry in told["sources"].values()] == [1, None, None, None]


@pytest.mark.slow
def test_a_person_reads_how_each_ended(pier: PierMaker, data: DataSet) -> None:
    with pier(data) as here:
        assert "documents: A limit was reached before its turn." in here.said("--max-time", "0.001s")
        text = here.said()
        assert text.index("images, run ") < text.index("documents, run 1: done")
        assert "{" not in text


def test_what_is_left_of_the_limits() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    now = start
    asked = RunOptions(limit=10, max_bytes=1000, max_time=timedelta(minutes=5))
    room = Room(asked, lambda: now, start)
    assert room.left() == asked
    room.book(Run(downloads=7, api_bytes=100, container_bytes=500, header_bytes=50))
    now += timedelta(minutes=2)
    assert room.left() == RunOptions(limit=3, max_bytes=350, max_time=timedelta(minutes=3))
    now += timedelta(minutes=3)
    assert room.left() is None
    now = start
    room.book(Run(downloads=7, container_bytes=400))
    assert room.left() is None
    assert Room(RunOptions(limit=5), lambda: now, start, downloads=7).left() == RunOptions(limit=0)
