"""Imports of records without files: FileMaker's patients and clinics become the project's own rows.

class PatientImport(RecordImport):
    name = "patients"
    layout = "API_Patients"
    identity = "id"
    model = "patients.Patient"
    match = "filemaker_id"
    fields = {
        "last_name": Column("Last name", one_line),
        "date_of_birth": Column("Date of birth", day),
        "clinic": Link("id_Clinic", model="patients.Clinic"),
    }
"""

from unlade.records.converting import (
    Invalid,
    boolean,
    day,
    day_first,
    decimal,
    email,
    one_line,
    phone,
    text,
    whole,
)
from unlade.records.declaring import Column, Link, RecordImport, Rows

__all__ = [
    "Column",
    "Invalid",
    "Link",
    "RecordImport",
    "Rows",
    "boolean",
    "day",
    "day_first",
    "decimal",
    "email",
    "one_line",
    "phone",
    "text",
    "whole",
]
