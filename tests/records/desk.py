"""What the tests of record imports work at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fmsim import DataSet, Record
from fmsim.clinic import READER, WRITER
from fmsim.clinic.tables import layouts
from tests.documents.pier import Pier
from tests.voyage.harness import name_of
from unlade.importer import get_any_import
from unlade.options import RunOptions
from unlade.progress import QuietReporter
from unlade.records import RecordImport
from unlade.records.running import RecordForecast, RecordsEnded, dry_records, run_records
from unlade.report.runs import run_json


class Notes(QuietReporter):
    """Remembers what was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


@dataclass
class Desk(Pier):
    """A pier for records."""

    def bring(self, name: str | RecordImport = "patients", **options: Any) -> dict[str, Any]:
        """One run; CONTRACT A4's object."""
        on_start: Callable[..., None] | None = options.pop("on_start", None)
        self.notes = Notes()
        self.ended: RecordsEnded = run_records(
            declaration(name), self.rigging(), RunOptions(**options), self.notes, on_start=on_start
        )
        return run_json(self.ended.books.run)

    def look(self, name: str = "patients", **options: Any) -> RecordForecast:
        """A dry run."""
        return dry_records(declaration(name), self.rigging(), RunOptions(**options))

    def settings(self) -> dict[str, str]:
        """What a process of its own is told by its environment."""
        return {
            "FILEMAKER_URL": self.sim.url,
            "FILEMAKER_DATABASE": self.sim.database,
            "FILEMAKER_ACCOUNT": self.sim.account,
            "FILEMAKER_PASSWORD": self.sim.password,
            "UNLADE_STORE": (self.folder / "store").as_uri(),
            "UNLADE_SPOOL": str(self.folder / "spool"),
            "UNLADE_PACE": "off",
            **self.environ,
        }

    def rows(self, table: str = "Patients") -> list[Any]:
        """The host's own rows."""
        return list(self.sim.host.tables.named(table).rows)

    def edit(self, place: int, values: dict[str, Any], table: str = "Patients") -> None:
        """Change a record as a person would: its modification id moves."""
        self.sim.host.tables.named(table).change(self.rows(table)[place], values)

    def delete(self, place: int, table: str = "Patients") -> None:
        """Take a record away."""
        self.sim.host.tables.named(table).remove(self.rows(table)[place])


def declaration(name: str | RecordImport) -> RecordImport:
    found = get_any_import(name) if isinstance(name, str) else name
    assert isinstance(found, RecordImport)
    return found


def patient(number: int, **values: Any) -> Record:
    """Patient `number` of clinic 0 or 1; `values` by the field's name."""
    plain = {
        "id": name_of("patient", number),
        "First name": f"First{number}",
        "Last name": f"Last{number}",
        "Date of birth": "02/03/1970",
        "id_Clinic": name_of("clinic", number % 2),
        "E-mail": "",
        "Phone": "",
        "modified": "",
        "portrait": "",
    }
    return Record(str(number + 1), "1", plain | values)


def data(*patients: Record, clinics: int = 2) -> DataSet:
    rows = [
        Record(str(number + 1), "1", {"id": name_of("clinic", number), "Name": f"Clinic {number}", "City": ""})
        for number in range(clinics)
    ]
    return DataSet("Clinic", [READER, WRITER], layouts(), {"Patients": list(patients), "Clinics": rows})
