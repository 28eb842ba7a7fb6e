"""The clinic's records that files belong to: clinics, then their patients."""

from __future__ import annotations

from unlade.records import Column, Link, RecordImport, day, one_line


class ClinicImport(RecordImport):
    """Clinics, by their FileMaker id."""

    name = "clinics"
    layout = "API_Clinics"
    model = "patients.Clinic"
    fields = {"name": Column("Name", one_line)}
    noun = ("clinic", "clinics")


class PatientImport(RecordImport):
    """Patients, by their FileMaker id. What is archived here stays so."""

    name = "patients"
    layout = "API_Patients"
    model = "patients.Patient"
    fields = {
        "first_name": Column("First name", one_line),
        "last_name": Column("Last name", one_line),
        "date_of_birth": Column("Date of birth", day),
        "clinic": Link("id_Clinic", model="patients.Clinic"),
    }
    noun = ("patient", "patients")
