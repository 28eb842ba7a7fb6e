"""The survey of a database file: every table, every record, without FileMaker and exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from unlade.fmp12 import Container, DatabaseFile, Field, Proof, SalvageReport, Table
from unlade.survey.values import FieldFound, SurveyFound, TableFound


@dataclass
class FieldSurvey:
    """One container field. `bytes` are what the file states, compressed files as compressed; each value counts.

    `records` hold at least one value, `filled` counts values, `repeated` counts them by repetition. `where`: `inside`,
    `open` (beside the file, readable), `secure` (beside it, encrypted), `reference` (only a path was stored),
    `unreadable`, `lost` (the file does not hold the object). `absent` of those in open storage are not beside the file.
    """

    column: Field
    filled: int = 0
    records: int = 0
    bytes: int = 0
    absent: int = 0
    types: Counter[str] = field(default_factory=Counter)
    where: Counter[str] = field(default_factory=Counter)
    repeated: Counter[int] = field(default_factory=Counter)
    _last: int | None = -1

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "field": self.column.name,
            "kind": str(self.column.kind),
            "global": self.column.is_global,
            "repetitions": self.column.repetitions,
            "storage": str(self.column.storage),
            "filled": self.filled,
            "records": self.records,
            "bytes": self.bytes,
            "types": dict(self.types.most_common()),
            "where": dict(self.where.most_common()),
            "absent": self.absent,
        }

    def meets(self, record: int | None) -> None:
        """A value of this record; a record's values come one after the other."""
        self.filled += 1
        self.records += record != self._last
        self._last = record


@dataclass
class TableSurvey:
    """One table."""

    table: Table
    records: int = 0
    containers: list[FieldSurvey] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
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
        """Plain values."""
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


def survey(
    database: DatabaseFile, *, objects: bool = False, seen: Callable[[TableSurvey, Container], None] | None = None
) -> Survey:
    """Look at everything; with `objects` also at the bytes of every file, against their MD5.

    `seen` is told of every value that holds a file. Raises `DamagedFile` unless the file was opened with `salvage`.
    """
    found = Survey(database)
    for table in database.tables:
        one = TableSurvey(table, database.count(table), [FieldSurvey(column) for column in table.containers])
        by_id = {each.column.id: each for each in one.containers}
        for value in database.containers(table):
            if count_value(database, by_id[value.field.id], value) and seen is not None:
                seen(one, value)
        found.tables.append(one)
    found.lost = database.salvage_report()
    found.proof = database.proof(objects=objects)
    return found


def count_value(database: DatabaseFile, one: FieldSurvey, value: Container) -> bool:
    """Count a value; whether it holds a file that can be had here."""
    one.meets(value.record)
    one.repeated[value.repetition] += 1
    if value.object_key is None:
        one.where["unreadable" if value.reference is None else "reference"] += 1
        return False
    thing = database.object(value)
    if thing is None:
        one.where["lost"] += 1
        return False
    one.where["secure" if thing.secure else "open" if thing.outside else "inside"] += 1
    here = database.is_here(thing)
    one.absent += thing.outside is not None and not here
    one.bytes += thing.stored_size or 0
    suffix = PurePosixPath(thing.file_name or "").suffix.lower()
    one.types[suffix if 1 < len(suffix) <= 11 else (thing.main or "unknown").strip()] += 1
    return here


def advice_on(found: Survey) -> Iterable[str]:
    """What a person should do about where the files are."""
    where = sum((one.where for table in found.tables for one in table.containers), Counter[str]())
    if where["secure"]:
        yield (
            f"{where['secure']:,} files are in secure storage, which only FileMaker reads: save a self-contained copy "
            "(FileMaker Pro, File > Save a Copy As) and read that."
        )
    absent = sum(one.absent for table in found.tables for one in table.containers)
    if where["open"] > absent:
        beside = where["open"] - absent
        yield f"{beside:,} files lie beside the database in open storage: keep that folder with the file."
    if absent:
        yield (
            f"{absent:,} files should lie beside the database in open storage, and do not: put the folder of container "
            "files beside it."
        )
    if where["reference"]:
        yield f"{where['reference']:,} values hold only a path; their files were never in the database."
    if where["lost"]:
        yield f"{where['lost']:,} values name an object that the file does not hold: have FileMaker Pro recover a copy."


def as_found(surveys: Sequence[Survey], at: datetime) -> SurveyFound:
    """What the surveys of one solution's files found, in the values that all roads share."""
    found = SurveyFound(
        road="file",
        place=", ".join(one.database.path.name for one in surveys),
        at=at,
        full=True,
        complete=all(one.proof.ok for one in surveys),
    )
    for one in surveys:
        for table in one.tables:
            if not table.containers:
                continue
            names = [column.name for column in table.table.fields]
            found.tables.append(TableFound(table.table.name, table.records, table.records, [], names))
            found.fields += [_field(table, each) for each in table.containers]
        name = one.database.path.name
        found.notes.append(f"{name}: {one.proof.line() if one.lost is None else one.lost.line()}")
        found.notes += [f"{name}: {sentence}" for sentence in (*one.database.header.warnings, *advice_on(one))]
    return found


def _field(table: TableSurvey, one: FieldSurvey) -> FieldFound:
    column = one.column
    return FieldFound(
        table=table.table.name,
        field=column.name,
        kind=str(column.kind),
        is_global=column.is_global,
        repetitions=column.repetitions,
        records=table.records,
        looked_at=1 if column.is_global else table.records,
        filled=one.records,
        repeated=Counter(one.repeated),
        where=Counter(one.where),
        types=Counter(one.types),
        bytes=one.bytes,
    )
