"""All imports from one database file, from several, and from a folder of exports; killed in the middle, and on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clinic.documents.models import Document
from clinic.images.models import Image
from clinic.patients.models import Clinic, Patient, Phone
from fmsim import DataSet, clinic
from tests.fmp12.clinic import as_clinic
from tests.fmp12.writer import FileSpec, RecordSpec, TableSpec, write
from tests.folder.exports import as_tree
from tests.records.conftest import DeskMaker
from tests.records.desk import Desk
from tests.records.files import as_csv, as_database
from tests.records.test_commands import ROOT
from unlade.ledger.management.commands.import_filemaker import Command as ImportNamed
from unlade.ledger.models import Item, Run


@pytest.fixture
def whole() -> DataSet:
    return clinic.build(images=6, documents=8, patients=12)


def split(data: DataSet, folder: Path) -> tuple[Path, Path]:
    """A solution of two files: people, and what belongs to them."""
    files = as_clinic(data, folder / "Files.fmp12", tables=["Images", "Documents"])
    return as_database(data, folder / "People.fmp12"), files


def counts() -> tuple[int, int, int, int, int]:
    return tuple(model.objects.count() for model in (Clinic, Patient, Phone, Image, Document))  # type: ignore[return-value]


def outcomes(told: dict[str, Any]) -> dict[str, str]:
    return {name: each["outcome"] for name, each in told["sources"].items()}


def test_all_from_two_files_and_nothing_twice(desk: DeskMaker, whole: DataSet, tmp_path: Path) -> None:
    (tmp_path / "solution").mkdir()
    people, files = split(whole, tmp_path / "solution")
    with desk(whole) as here:
        code, told = here.all("--from", str(people), "--from", str(files), "--yes", "--dry-run")
        assert (code, Item.objects.count()) == (0, 0)
        assert told["sources"]["patients"]["dry_run"]["would"] == {"new": 12, "with a link that is open": 12}
        code, told = here.all("--from", str(people), "--from", str(files), "--yes")
        assert outcomes(told) == dict.fromkeys(["clinics", "patients", "images", "documents"], "done")
        assert code == told["exit"] and told["sources"]["patients"]["totals"]["imported"] == 12
        there = counts()
        assert there[:2] == (3, 12) and all(there)
        code, told = here.all("--from", str(tmp_path / "solution"), "--yes")
        assert all(not any(_brought(each).values()) for each in told["sources"].values())
        code, told = here.all()
        assert counts() == there and outcomes(told) == dict.fromkeys(outcomes(told), "done")
        assert here.sim.stats()["downloads"] == {} or told["sources"]["images"]["this_run"]["imported"] == 0


def _brought(told: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in told["this_run"].items() if name in ("imported", "unlinked", "empty")}


def test_one_file_without_some_of_it(desk: DeskMaker, whole: DataSet, tmp_path: Path) -> None:
    path = as_database(whole, tmp_path / "People.fmp12")
    with desk(whole) as here:
        code, told = here.all("--from", str(path), "--yes")
        assert (code, told["exit"], told["outcome"]) == (0, 0, "done")
        assert outcomes(told) == {"clinics": "done", "patients": "done", "images": "skipped", "documents": "skipped"}
        assert "People.fmp12" in told["sources"]["images"]["reason"]
        assert "images: skipped. No table of People.fmp12" in here.said("--from", str(path), "--yes")


def test_a_table_that_lacks_a_field_is_an_error_and_not_skipped(
    desk: DeskMaker, whole: DataSet, tmp_path: Path
) -> None:
    path = as_database(whole, tmp_path / "People.fmp12", left_out=["Date of birth"])
    with desk(whole) as here:
        code, told = here.all("--from", str(path), "--yes")
        assert (code, told["sources"]["patients"]["outcome"]) == (1, "failed")
        assert "Patients in People.fmp12 lacks Date of birth" in told["sources"]["patients"]["reason"]
        assert told["sources"]["clinics"]["outcome"] == "done"


def test_nothing_there_at_all(desk: DeskMaker, whole: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "Other.fmp12"
    write(path, FileSpec([TableSpec(129, "Other", [], [RecordSpec(1, {})])]))
    (tmp_path / "empty").mkdir()
    with desk(whole) as here:
        assert here.all("--from", str(path), "--yes")[0] == 2
        assert here.all("--from", str(tmp_path / "empty"))[0] == 2
        assert here.all("--from", str(tmp_path / "nowhere"))[0] == 2
        assert not Item.objects.exists()


def test_a_folder_of_exports(desk: DeskMaker, whole: DataSet, tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    as_csv(whole, exports / "Clinics.csv", "Clinics")
    as_csv(whole, exports / "patients.csv")
    as_csv(whole, exports / "PatientPhones.csv", "Phones")
    as_tree(whole, exports / "images")
    with desk(whole) as here:
        code, told = here.all("--from", str(exports))
        assert outcomes(told) == {"clinics": "done", "patients": "done", "images": "done", "documents": "skipped"}
        assert (told["sources"]["documents"]["exit"], code) == (0, told["sources"]["images"]["exit"])
        assert counts()[:2] == (3, 12) and Phone.objects.exists() and Image.objects.exists()
        code, told = here.all("--from", str(exports))
        assert told["sources"]["patients"]["this_run"]["skipped"] == 12


@pytest.mark.slow
def test_killed_in_the_middle_of_all(desk: DeskMaker, whole: DataSet, tmp_path: Path) -> None:
    (tmp_path / "solution").mkdir()
    split(whole, tmp_path / "solution")
    words = ("import_filemaker_all", "--json", "--from", str(tmp_path / "solution"), "--yes", "--batch-size", "4")
    with desk(whole) as here:
        for spot in (
            "unlade.records.books:RecordBooks.write_page@after#2",
            "unlade.ledger.books:Books.settle_many@after#1",
        ):
            died = process(here, spot, *words)
            assert died.returncode != 0, died.stderr[-500:]
        done = process(here, "unlade.records.books:RecordBooks.write_page@after#99999", *words)
        told = json.loads(done.stdout.splitlines()[-1])
        assert outcomes(told) == dict.fromkeys(["clinics", "patients", "images", "documents"], "done"), done.stderr
        assert done.returncode == told["exit"]
        assert told["sources"]["patients"]["totals"]["imported"] == 12 == Patient.objects.count()
        assert all(sum(each["totals"].values()) == each["found"] for each in told["sources"].values())
        assert Run.objects.filter(outcome="died").count() == 2


def process(desk: Desk, spot: str, *words: str) -> subprocess.CompletedProcess[str]:
    before = {name: value for name, value in os.environ.items() if not name.startswith(("FILEMAKER_", "UNLADE_"))}
    environ = {**before, **desk.settings(), "DJANGO_DEBUG": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.voyage.crash", spot, *words]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)


def test_one_import_from_several_files(desk: DeskMaker, whole: DataSet, tmp_path: Path) -> None:
    people, files = split(whole, tmp_path)
    with desk(whole) as here:
        _, told = here.command(ImportNamed, "images", "--from", str(people), "--from", str(files), "--yes")
        assert told["found"] == 6 and Image.objects.exists()


def test_without_any_host_in_the_settings(desk: DeskMaker, whole: DataSet, tmp_path: Path) -> None:
    path = as_database(whole, tmp_path / "People.fmp12")
    with desk(whole) as here:
        here.environ |= dict.fromkeys(("FILEMAKER_URL", "FILEMAKER_DATABASE"), "")
        code, lines = here._call(ImportNamed, "patients", "--from", str(path), "--yes")
        assert code == 0 and "12 of 12 patients (100 %)" in "\n".join(lines)
        assert here.all("--from", str(path), "--yes")[0] == 0
