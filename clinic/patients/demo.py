"""Patients for demo and tests, from a data set folder as `python -m fmsim write FOLDER` makes it (CONTRACT A5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from clinic.patients.models import Clinic, Patient
from clinic.texts import storable
from unlade.dates import parse_date
from unlade.errors import UsageError

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many rows of each kind the folder has."""

    clinics: int
    patients: int


@transaction.atomic
def load(folder: Path) -> Loaded:
    """Make or update a row for each record, known by its FileMaker id. May be repeated; what is archived stays so.

    Raises `UsageError` when `folder` is no data set.
    """
    clinics = [
        Clinic(filemaker_id=values["id"], name=_text(values, "Name"))
        for values in _records(folder, "Clinics", needed=False)
    ]
    Clinic.objects.bulk_create(
        clinics, _ROWS_AT_ONCE, update_conflicts=True, unique_fields=["filemaker_id"], update_fields=["name"]
    )
    by_ref = {clinic.filemaker_id: clinic for clinic in Clinic.objects.exclude(filemaker_id=None)}
    patients = [
        Patient(
            filemaker_id=values["id"],
            first_name=_text(values, "First name"),
            last_name=_text(values, "Last name"),
            date_of_birth=parse_date(_text(values, "Date of birth")),
            modified_on=parse_date(_text(values, "modified")),
            clinic=by_ref.get(_text(values, "id_Clinic")),
        )
        for values in _records(folder, "Patients")
    ]
    Patient.objects.bulk_create(
        patients,
        _ROWS_AT_ONCE,
        update_conflicts=True,
        unique_fields=["filemaker_id"],
        update_fields=["first_name", "last_name", "date_of_birth", "modified_on", "clinic"],
    )
    return Loaded(len(clinics), len(patients))


def _text(values: dict[str, Any], name: str) -> str:
    return str(storable(str(values.get(name) or ""))).strip()[:150]


def _records(folder: Path, table: str, *, needed: bool = True) -> Iterator[dict[str, Any]]:
    """The field values of each record that has an id; of two records with one id the first."""
    path = folder / "records" / f"{table}.jsonl"
    if not path.is_file():
        if needed:
            raise UsageError(f"{path} is not there", remedy="Make a data set with `python -m fmsim write FOLDER`.")
        return
    seen = set()
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.strip():
                continue
            values = json.loads(line)["fieldData"]
            values["id"] = _text(values, "id")
            if values["id"] and values["id"] not in seen:
                seen.add(values["id"])
                yield values
