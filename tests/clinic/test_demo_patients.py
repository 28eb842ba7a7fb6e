"""Patients for the demo come from the simulator's own records, as often as one likes."""

from __future__ import annotations

import json
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from clinic.patients.demo import Loaded, load
from clinic.patients.models import Clinic, Patient
from tests.clinic.cargo import NOW


def write(folder: Path, table: str, *rows: dict[str, Any]) -> None:
    (folder / "records").mkdir(exist_ok=True)
    lines = [json.dumps({"recordId": str(n), "modId": "1", "fieldData": row}) for n, row in enumerate(rows, 1)]
    (folder / "records" / f"{table}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def person(ref: str, **more: Any) -> dict[str, Any]:
    return {"id": ref, "First name": "Ada", "Last name": "Example", "Date of birth": "12/31/1980"} | more


def test_rows_are_made_once_and_kept_up_to_date(database: str, tmp_path: Path) -> None:
    write(tmp_path, "Clinics", {"id": "C-1", "Name": "North"})
    write(tmp_path, "Patients", person("P-1", id_Clinic="C-1"), person("p-1"), person(""), person("P-1"), person("P-2"))
    assert load(tmp_path) == Loaded(clinics=1, patients=3)
    patient = Patient.objects.get(filemaker_id="P-1")
    assert (patient.first_name, patient.last_name, patient.date_of_birth) == ("Ada", "Example", date(1980, 12, 31))
    assert patient.clinic == Clinic.objects.get(name="North")
    Patient.objects.filter(pk=patient.pk).update(archived_at=NOW)
    write(tmp_path, "Patients", person("P-1", **{"First name": "Bea", "Date of birth": "?"}))
    assert load(tmp_path).patients == 1
    again = Patient.objects.get(filemaker_id="P-1")
    assert (again.pk, again.first_name, again.date_of_birth, again.archived) == (patient.pk, "Bea", None, True)
    assert (Patient.objects.count(), Clinic.objects.count()) == (3, 1)


def test_the_command(db: None, tmp_path: Path) -> None:
    write(tmp_path, "Patients", person("P-1"))
    out = StringIO()
    call_command("make_demo_patients", str(tmp_path), stdout=out)
    assert out.getvalue() == "1 patients and 0 clinics are here.\n"
    with pytest.raises(SystemExit) as caught:
        call_command("make_demo_patients", str(tmp_path / "nothing"), stderr=StringIO())
    assert caught.value.code == 2
