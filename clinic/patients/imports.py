"""The clinic's records that files belong to: clinics, then their patients."""

from __future__ import annotations

from typing import Any

from unlade.cargo import SourceRecord
from unlade.dates import parse_date
from unlade.records import Column, Link, RecordImport, Rows, day, one_line, phone
from unlade.records.converting import plain


class ClinicImport(RecordImport):
    """Clinics, by their FileMaker id."""

    name = "clinics"
    layout = "API_Clinics"
    model = "patients.Clinic"
    fields = {"name": Column("Name", one_line)}
    noun = ("clinic", "clinics")


class PatientImport(RecordImport):
    """Patients with their phones, by their FileMaker ids. What is archived here stays so."""

    name = "patients"
    layout = "API_Patients"
    model = "patients.Patient"
    fields = {
        "first_name": Column("First name", one_line),
        "last_name": Column("Last name", one_line),
        "date_of_birth": Column("Date of birth", day),
        "clinic": Link("id_Clinic", model="patients.Clinic"),
    }
    portals = {
        "PatientPhones": Rows(
            model="patients.Phone",
            parent="patient",
            identity="Phones::id",
            fields={"kind": Column("Phones::Kind", one_line), "number": Column("Phones::Number", phone)},
            table="Phones",
            key="Phones::id_Patient",
            gone="gone_at",
        ),
    }
    noun = ("patient", "patients")

    def record(self, row: Any, record: SourceRecord) -> None:  # type: ignore[override]
        """Keep the day of the last change, which an export or a file may not have (`archive_patients` asks for it)."""
        if "modified" in record.fields:
            row.modified_on = parse_date(plain(record.fields["modified"]))
