"""The commands around an import know one of records: doctor, plan, trace, verify, schedule, daemon."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clinic.patients.management.commands.import_filemaker_patients import Command as ImportPatients
from clinic.patients.models import Patient
from fmsim.clinic.tables import PHONES
from tests.records.conftest import DeskMaker
from tests.records.desk import data, patient
from tests.records.files import as_database, phones, with_phones
from tests.voyage.harness import name_of
from unlade.ledger.management.commands.filemaker_daemon import _last_of
from unlade.ledger.management.commands.filemaker_doctor import Command as Doctor
from unlade.ledger.management.commands.filemaker_plan import Command as Plan
from unlade.ledger.management.commands.filemaker_schedule import Command as Schedule
from unlade.ledger.management.commands.filemaker_status import Command as Status
from unlade.ledger.management.commands.filemaker_trace import Command as Trace
from unlade.ledger.management.commands.filemaker_verify import Command as Verify
from unlade.ledger.models import Run
from unlade.schedule.daemon import Came, told


def test_verify_says_found_ledger_and_rows(desk: DeskMaker) -> None:
    with desk(data(*(patient(number) for number in range(6)))) as here:
        here.bring("clinics")
        here.bring()
        here.environ["UNLADE_STORE"] = "nowhere://at/all"  # records have no store
        code, verdict = here.command(Verify, "patients")
        assert (code, verdict["found"], verdict["stored"], verdict["rows"]) == (0, 6, 6, 6)
        assert sum(verdict["totals"].values()) == 6
        Patient.objects.get(filemaker_id=name_of("patient", 3)).delete()
        Patient.objects.filter(filemaker_id=name_of("patient", 4)).update(filemaker_id="another")
        code, verdict = here.command(Verify, "patients")
        assert code == 1 and verdict["rows"] == 5
        assert {(each["record"], each["kind"]) for each in verdict["differences"]} == {
            ("4", "record_missing"),
            ("5", "record_id"),
        }
        _, lines = here._call(Verify, "patients")
        page = "\n".join(lines)
        assert "files stored" not in page and "import_filemaker_patients" in page
        here.bring()
        assert here.command(Verify, "patients")[1]["rows"] == 6, "the next run wrote what was missing"


def test_doctor_looks_at_fields_and_portals(desk: DeskMaker) -> None:
    rows = data(with_phones(patient(0), phones(0, "555 0100")))
    with desk(rows) as here:
        code, told_ = here.command(Doctor, "patients")
        said = {(line["topic"], line["level"], line["message"]) for line in told_["lines"]}
        assert ("patients fields", "ok", f"portal {PHONES} shows id, Kind, Number") in said
        assert any(topic == "patients records" and level == "ok" for topic, level, _ in said)
        assert not any(topic == "patients files" for topic, _, _ in said), "records have none"
    for layout in rows.layouts:
        layout.fields[:] = [field for field in layout.fields if field.name != "Last name"]
        layout.portals.clear()
    with desk(rows) as here:
        code, told_ = here.command(Doctor, "patients")
        wrong = " ".join(line["message"] for line in told_["lines"] if line["level"] == "error")
        assert code == 1 and "Last name is not on layout" in wrong and f"no portal {PHONES}" in wrong


def test_trace_tells_a_patients_story(desk: DeskMaker) -> None:
    with desk(data(patient(0), patient(1, **{"Date of birth": "soon"}))) as here:
        here.bring("clinics")
        here.bring()
        code, found = here.command(Trace, name_of("patient", 1))
        assert (code, found["items"][0]["source"], found["items"][0]["row"]["now"]) == (0, "patients", "there")
        assert found["items"][0]["owner"] == name_of("clinic", 1)
        _, lines = here._call(Trace, name_of("patient", 1))
        page = " ".join(" ".join(lines).split())
        assert "patients, record 2" in page and "Date of birth: no date" in page
        assert "soon" not in page, "no value of a field is told"


def test_plan_counts_what_records_cost(desk: DeskMaker) -> None:
    with desk(data(*(patient(number) for number in range(40)))) as here:
        here.bring("clinics")
        here.bring(limit=10, batch_size=10)
        code, plan = here.command(Plan, "patients")
        assert code == 0
        assert plan["sources"]["patients"]["items"] == 30
        over_api = [road for road in plan["roads"].values() if road["bytes"] and road["needed"]]
        assert over_api and all(road["bytes"][2] < 1_000_000 for road in over_api), "not what pictures weigh"


def test_schedule_and_daemon_take_all_and_records(desk: DeskMaker, tmp_path: Path) -> None:
    with desk(data(patient(0))) as here:
        for name in ("all", "patients"):
            code, shown = here.command(Schedule, "show", name, "--daily", "02:00", "--as", "cron")
            assert code == 0 and f"import_filemaker_{name}" in json.dumps(shown["steps"])
        assert here.command(Schedule, "show", "nobody", "--daily", "02:00", "--as", "cron")[0] == 2
        assert _last_of(["clinics", "patients"]) is None
        here.bring("clinics")
        here.bring()
        first, second = Run.objects.order_by("pk")
        last = _last_of(["clinics", "patients", "images"])
        assert last is not None and last.started_at == min(first.started_at, second.started_at)
        assert last.go_on_at is None
        Run.objects.filter(pk=second.pk).update(outcome="interrupted")
        last = _last_of(["clinics", "patients"])
        assert last is not None and last.go_on_at == second.started_at, "it goes on at once"


def test_the_daemon_reads_an_answer_for_several() -> None:
    at = datetime(2026, 1, 2, 3, tzinfo=UTC)
    came = Came(
        75,
        {
            "outcome": "paused",
            "exit": 75,
            "sources": {
                "patients": {"outcome": "done", "retry_at": None},
                "images": {"outcome": "paused", "retry_at": at.isoformat()},
            },
        },
    )
    assert came.retry_at == at
    assert "images paused" in told(came, timedelta(seconds=3))


def test_a_dry_run_as_json_is_one_line_on_every_road(desk: DeskMaker, tmp_path: Path) -> None:
    rows = data(patient(0))
    path = as_database(rows, tmp_path / "c.fmp12")
    with desk(rows) as here:
        code, told_ = here.command(ImportPatients, "--dry-run", "--from", str(path), "--yes")
        assert (code, told_["dry_run"]["would"]["new"]) == (0, 1)
        _, lines = here._call(ImportPatients, "--dry-run", "--from", str(path), "--yes")
        assert any("Table Patients: 1 records" in line for line in lines)
        here.bring("clinics", from_path=str(path), yes=True)
        code, told_ = here.command(ImportPatients, "--from", str(path), "--yes")
        assert (code, told_["related"]) == (0, {PHONES: {}})
        assert here.command(Status)[1]["sources"]["patients"]["totals"]["imported"] == 1
