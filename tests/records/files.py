"""Patients, clinics and phones as FileMaker would hand them over: in database files and in exports."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from fmsim import DataSet, Record
from fmsim.clinic.tables import PHONES
from tests.desktop.writers import fmpxml, quoted
from tests.fmp12 import writer
from tests.fmp12.writer import FieldSpec, FileSpec, RecordSpec, TableSpec

PATIENT = ("id", "First name", "Last name", "Date of birth", "id_Clinic", "E-mail", "Phone")
PHONE = ("id", "id_Patient", "Kind", "Number")
COLUMNS = {"Patients": PATIENT, "Clinics": ("id", "Name", "City"), "Phones": PHONE}
_TYPES = {"Date of birth": "date"}


def rows_of(data: DataSet, table: str) -> list[tuple[str, str, dict[str, str]]]:
    """Record id, modification id and values of every row."""
    if table == "Phones":
        return [
            (
                str(row["recordId"]),
                str(row["modId"]),
                {name.removeprefix("Phones::"): str(value) for name, value in row.items() if "::" in name}
                | {"id_Patient": str(patient.values["id"])},
            )
            for patient in data.tables["Patients"]
            for row in patient.portals.get(PHONES, [])
        ]
    names = COLUMNS[table]
    return [
        (row.record_id, row.mod_id, {name: str(row.values.get(name, "")) for name in names})
        for row in data.tables[table]
    ]


def as_database(
    data: DataSet,
    path: Path,
    tables: Sequence[str] = ("Clinics", "Patients", "Phones"),
    *,
    order: int = 0,
    left_out: Collection[str] = (),
    called: Mapping[str, str] = {},
    kinds: Mapping[str, int] = {},
) -> Path:
    """These tables as a database file; with `order` 1 its dates are day first."""
    specs = []
    for number, table in enumerate(tables, 129):
        fields = [
            FieldSpec(place, name, _TYPES.get(name, "text"), kinds.get(name, 1))
            for place, name in enumerate(COLUMNS[table], 1)
            if name not in left_out
        ]
        records = []
        for record_id, mod_id, values in rows_of(data, table):
            cells = {}
            for field in fields:
                text = values.get(field.name, "")
                if field.type == "date" and text and order == 1:
                    month, day, year = text.split("/")
                    text = f"{day}/{month}/{year}"
                if text and field.kind == 1:
                    cells[field.id, 1] = text
            records.append(RecordSpec(int(record_id), cells, int(mod_id)))  # type: ignore[arg-type]
        specs.append(TableSpec(number, called.get(table, table), fields, sorted(records, key=lambda each: each.id)))
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.write(path, FileSpec(specs, order=order))
    return path


def as_csv(data: DataSet, path: Path, table: str = "Patients", **changed: str) -> Path:
    """With a header, dates in US form. `changed` values stand in every row."""
    rows = [list((values | changed).values()) for _, _, values in rows_of(data, table)]
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(rows_of(data, table)[0][2])
    path.write_text(quoted([names, *rows]), encoding="utf-8", newline="")
    return path


def as_xml(data: DataSet, path: Path, table: str = "Patients") -> Path:
    """FMPXMLRESULT: it tells record ids, modification ids and how dates are written."""
    names = COLUMNS[table]
    kinds = [(name, "DATE" if name == "Date of birth" else "TEXT") for name in names]
    rows = [(rid, mod, [values[name] for name in names]) for rid, mod, values in rows_of(data, table)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(fmpxml(kinds, rows), encoding="utf-8")  # type: ignore[arg-type]
    return path


def phones(number: int, *numbers: str, first: int = 1) -> list[dict[str, Any]]:
    """Portal rows of patient `number`."""
    return [
        {
            "recordId": str(number * 1000 + place),
            "modId": "1",
            "Phones::id": f"phone-{number}-{place}",
            "Phones::Kind": "home",
            "Phones::Number": text,
        }
        for place, text in enumerate(numbers, first)
    ]


def with_phones(record: Record, rows: list[dict[str, Any]]) -> Record:
    record.portals[PHONES] = rows
    return record
