"""The commands: under their own names, by the general one, all in order, and when a process dies between pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clinic.images.models import Image
from clinic.patients.demo import load
from clinic.patients.management.commands.import_filemaker_clinics import Command as ImportClinics
from clinic.patients.management.commands.import_filemaker_patients import Command as ImportPatients
from clinic.patients.models import Clinic, Patient
from fmsim import clinic
from fmsim.folder import write
from tests.records.conftest import DeskMaker
from tests.records.desk import Desk, data, patient
from unlade.importer import declared, declared_all, get_import
from unlade.ledger.management.commands.filemaker_resolve import Command as Resolve
from unlade.ledger.management.commands.filemaker_status import Command as Status
from unlade.ledger.management.commands.filemaker_worklist import Command as Worklist
from unlade.ledger.management.commands.import_filemaker import Command as ImportNamed
from unlade.ledger.models import Item, Run
from unlade.linking import relink

ROOT = Path(__file__).resolve().parents[2]


def test_records_come_before_files() -> None:
    names = list(declared_all())
    assert names.index("clinics") < names.index("patients") < names.index("images")
    assert "patients" not in declared(), "what speaks of files is not asked of records"


def test_commands_of_their_own_and_by_name(desk: DeskMaker) -> None:
    with desk(data(patient(0), patient(1, **{"Date of birth": "soon"}))) as here:
        code, told = here.command(ImportClinics)
        assert (code, told["source"], told["totals"]["imported"]) == (0, "clinics", 2)
        code, lines = here._call(ImportPatients, "--json", "--dry-run")
        assert (code, json.loads(lines[-1])["dry_run"]["would"]) == (0, {"new": 2})
        code, told = here.command(ImportPatients)
        assert (code, told["totals"]["imported"], told["misfits"]) == (0, 2, {"Date of birth": 1})
        code, told = here.command(ImportNamed, "patients")
        assert (code, told["this_run"]["skipped"], told["misfits"]) == (0, 2, {})
        code, told = here.command(ImportPatients, "--from", "export")
        assert (code, told["exit"]) == (2, 2)
        code, told = here.command(Status)
        assert told["sources"]["patients"]["totals"]["imported"] == 2


def test_patients_of_the_demo_are_updated(desk: DeskMaker, tmp_path: Path) -> None:
    whole = clinic.build(images=2, documents=0, patients=12)
    write(whole, tmp_path / "data")
    with desk(whole) as here:
        loaded = load(tmp_path / "data")
        before = set(Patient.objects.values_list("pk", flat=True))
        code, told = here.command(ImportClinics)
        assert (code, told["totals"]["imported"]) == (0, loaded.clinics)
        code, told = here.command(ImportPatients)
        assert (code, told["totals"]["imported"]) == (0, loaded.patients)
        assert set(Patient.objects.values_list("pk", flat=True)) == before
        assert Clinic.objects.count() == loaded.clinics


@pytest.mark.slow
def test_images_that_came_first_are_linked_afterwards(desk: DeskMaker) -> None:
    whole = clinic.build(images=6, documents=0, patients=12)
    with desk(whole) as here:
        alone = here.run("images")["totals"]["unlinked"]
        assert alone and Image.objects.exclude(batch__patient=None).count() == 0
        here.bring("clinics")
        here.bring("patients")
        assert relink(get_import("images")).linked >= 1
        assert Image.objects.exclude(batch__patient=None).exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spot", "there"),
    [
        ("unlade.records.books:RecordBooks.write_page@before#2", 4),
        ("unlade.records.books:RecordBooks.write_page@after#2", 4),
        ("unlade.records.voyage:RecordVoyage._took@after#2", 7),
    ],
)
def test_killed_between_pages(desk: DeskMaker, spot: str, there: int) -> None:
    with desk(data(*(patient(number) for number in range(11)))) as here:
        here.bring("clinics")
        died = process(here, spot, "import_filemaker_patients", "--json", "--batch-size", "4")
        assert died.returncode != 0, died.stderr
        assert Patient.objects.count() == there, "a page is written whole or not at all"
        assert Item.objects.filter(source__name="patients", state="imported").count() == there
        told = here.bring(batch_size=4)
        assert told["totals"]["imported"] == 11 == Patient.objects.count()
        assert told["this_run"]["imported"] == 11 - there
        assert list(
            Run.objects.filter(source__name="patients").order_by("number").values_list("outcome", flat=True)
        ) == [
            "died",
            "done",
        ]


def process(desk: Desk, spot: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own that kills itself at `spot`."""
    before = {name: value for name, value in os.environ.items() if not name.startswith(("FILEMAKER_", "UNLADE_"))}
    environ = {**before, **desk.settings(), "DJANGO_DEBUG": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.voyage.crash", spot, *words]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)


def test_open_records_are_listed_and_closed_by_a_person(desk: DeskMaker) -> None:
    with desk(data(patient(0), patient(1, id=""))) as here:
        here.bring("clinics")
        here.bring()
        code, told = here.command(Worklist, "patients")
        assert (code, [item["record"] for item in told["items"]]) == (0, ["2"])
        code, _ = here.command(Resolve, "patients", "2", "--accept", "a test patient", "--by", "me")
        assert code == 0
        told = here.bring()
        assert (told["totals"]["accepted"], told["totals"]["failed"], told["this_run"]["skipped"]) == (1, 0, 2)
        code, _ = here.command(Resolve, "patients", "2", "--again")
        assert code == 2, "what brings files is not for records"
