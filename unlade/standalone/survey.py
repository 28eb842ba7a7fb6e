"""`unlade survey`: what a database file holds, before anything is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from unlade.fmp12 import Container, DatabaseFile, Field, Proof, SalvageReport, Table


@dataclass
class FieldSurvey:
    """One container field. `bytes` are what the file states, compressed files as compressed; each value counts.

    `where` counts values: `inside`, `open` (beside the file, readable), `secure` (beside it, encrypted), `reference` (only
    a path was stored), `unreadable`, `lost` (the file does not hold the object).
    """

    column: Field
    filled: int = 0
    bytes: int = 0
    types: Counter[str] = field(default_factory=Counter)
    where: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        return {
            "field": self.column.name,
            "kind": str(self.column.kind),
            "global": self.column.is_global,
            "repetitions": self.column.repetitions,
            "storage": str(self.column.storage),
            "filled": self.filled,
            "bytes": self.bytes,
            "types": dict(self.types.most_common()),
            "where": dict(self.where.most_common()),
        }


@dataclass
class TableSurvey:
    """One table."""

    table: Table
    records: int = 0
    containers: list[FieldSurvey] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "table": self.table.name,
            "records": self.records,
            "fields": len(self.table.fields),
            "containers": [one.as_json() for one in self.containers],
        }


@dataclass
class Survey:
    """All tables of a file, and the proof that it was read completely."""

    database: DatabaseFile
    tables: list[TableSurvey] = field(default_factory=list)
    proof: Proof = field(default_factory=Proof)
    lost: SalvageReport | None = None

    @property
    def exit_code(self) -> int:
        """0, or 1 when the file does not add up."""
        return 0 if self.proof.ok else 1

    def as_json(self) -> dict[str, Any]:
        header = self.database.header
        return {
            "outcome": "done",
            "file": self.database.path.name,
            "kind": header.kind,
            "closed": header.closed,
            "written_by": list(header.programs),
            "language": header.locale.language_name,
            "date_order": header.locale.date_order,
            "warnings": list(header.warnings),
            "tables": [table.as_json() for table in self.tables],
            "proof": self.proof.as_json(),
            "salvage": self.lost.as_json() if self.lost else None,
            "exit": self.exit_code,
        }


def survey(database: DatabaseFile, *, objects: bool = False) -> Survey:
    """Look at everything; with `objects` also at the bytes of every file, against their MD5.

    Raises `DamagedFile` unless the file was opened with `salvage`.
    """
    found = Survey(database)
    for table in database.tables:
        one = TableSurvey(table, database.count(table), [FieldSurvey(column) for column in table.containers])
        by_id = {each.column.id: each for each in one.containers}
        for value in database.containers(table):
            _add(database, by_id[value.field.id], value)
        found.tables.append(one)
    found.lost = database.salvage_report()
    found.proof = database.proof(objects=objects)
    return found


def _add(database: DatabaseFile, one: FieldSurvey, value: Container) -> None:
    one.filled += 1
    if value.object_key is None:
        one.where["unreadable" if value.reference is None else "reference"] += 1
        return
    thing = database.object(value)
    if thing is None:
        one.where["lost"] += 1
        return
    one.where["secure" if thing.secure else "open" if thing.outside else "inside"] += 1
    one.bytes += thing.stored_size or 0
    suffix = PurePosixPath(thing.file_name or "").suffix.lower()
    one.types[suffix if 1 < len(suffix) <= 11 else (thing.main or "unknown").strip()] += 1
