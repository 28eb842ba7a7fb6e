"""`unlade tables`: every record of a database file as SQLite, JSON Lines or CSV, so that nothing is left behind.

Columns come as they are needed: a repetition, or the text of a value that is not what its field should hold, gets its
own column when the first one appears.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from unlade import keys
from unlade.errors import UsageError
from unlade.fmp12 import Container, DatabaseFile, FieldType, Record, Table, Value
from unlade.standalone.manifest import Identity, read_manifest
from unlade.standalone.targets import private_folder

RECORD, MODIFICATION, MORE = "_record", "_modification", "_more"
TYPED = " (as typed)"  #: behind the name of a column that holds what was typed
_SUFFIXES = (".sqlite", ".sqlite3", ".db")
_BATCH = 2000
_MOST_COLUMNS = 1900  #: SQLite takes 2000; what does not fit goes into `_more` as JSON
_LONE = re.compile("[\ud800-\udfff]")
_DECLARED = {
    FieldType.NUMBER: "NUMERIC",
    FieldType.DATE: "DATE",
    FieldType.TIME: "TIME",
    FieldType.TIMESTAMP: "TIMESTAMP",
}

Cell = str | int | float | None


@dataclass
class Written:
    """What was written. `misfits` are values that are not written as their field's type has it; they are kept as typed."""

    tables: int = 0
    records: int = 0
    values: int = 0
    misfits: int = 0
    damaged: int = 0  #: values of which part is lost
    incomplete: int = 0  #: records of which part may be lost
    to: str = ""

    @property
    def exit_code(self) -> int:
        """3 when something of the records is lost."""
        return 3 if self.damaged or self.incomplete else 0

    def line(self) -> str:
        """One line for a person."""
        text = f"{self.tables:,} tables, {self.records:,} records, {self.values:,} values are in {self.to}."
        if self.misfits:
            text += (
                f" {self.misfits:,} values are no date, time or number as their field wants; they are kept as typed."
            )
        if self.exit_code:
            text += f" {self.damaged:,} values and {self.incomplete:,} records are damaged in the file."
        return text

    def as_json(self) -> dict[str, Any]:
        return {"outcome": "done", **asdict(self), "exit": self.exit_code}


def write_tables(database: DatabaseFile, to: Path, *, manifest: Path | None = None, as_csv: bool = False) -> Written:
    """Write all tables to a new SQLite file (by its suffix) or into a new folder.

    `manifest` is that of a pull of the same file: container columns then hold the pulled files' paths. Raises
    `UsageError`, `DamagedFile`, `OSError`.
    """
    if to.exists() and (to.is_file() or any(to.iterdir())):
        raise UsageError(f"{to} is there already", remedy="Name another place, or move it away first.")
    files: dict[Identity, str] = {}
    if manifest is not None:
        if not manifest.is_file():
            raise UsageError(f"{manifest} is not there", remedy="Name the manifest.jsonl of a pull.")
        files = {line.identity: line.file for line in read_manifest(manifest) if line.file is not None}
    written = Written(to=str(to))
    to.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".unlade-", dir=to.parent) as desk:
        base = Path(desk) / "tables.sqlite"
        with closing(sqlite3.connect(base, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")
            db.execute("BEGIN")
            _write(database, db, files, written)
            db.execute("COMMIT")
            if to.suffix.lower() not in _SUFFIXES:
                private_folder(to)
                _dump(db, to, as_csv=as_csv)
                return written
        with base.open("rb+") as file:
            os.fsync(file.fileno())
        base.chmod(0o600)
        base.replace(to)
    return written


def _write(database: DatabaseFile, db: sqlite3.Connection, files: Mapping[Identity, str], written: Written) -> None:
    db.execute("CREATE TABLE _fields (tbl, field, type, kind, is_global, repetitions, storage)")
    db.execute("CREATE TABLE _globals (tbl, field, value, as_typed)")
    for table in database.tables:
        for field in table.fields:
            row = (table.name, field.name, field.type, field.kind, field.is_global, field.repetitions, field.storage)
            db.execute("INSERT INTO _fields VALUES (?, ?, ?, ?, ?, ?, ?)", tuple(map(_plain, row)))
        writer = _TableWriter(database, db, table, files, written)
        for record in database.records(table):
            writer.add(record)
        writer.flush()
        for name, cells in writer.cells_of(database.globals(table)).items():
            db.execute("INSERT INTO _globals VALUES (?, ?, ?, ?)", (clean(table.name), clean(name), *cells))
        written.tables += 1


class _TableWriter:
    def __init__(
        self,
        database: DatabaseFile,
        db: sqlite3.Connection,
        table: Table,
        files: Mapping[Identity, str],
        written: Written,
    ) -> None:
        self._database, self._db, self._table, self._files, self._written = database, db, table, files, written
        name = table.name.casefold()
        reserved = name.startswith("sqlite_") or name in ("_fields", "_globals")
        self._name = clean(f"_{table.name}" if reserved else table.name)
        self._columns: dict[tuple[str, bool], int] = {}  # by name, and whether it is for what was typed
        self._types = {field.name: _DECLARED.get(field.type, "TEXT") for field in table.fields}
        self._rows: list[dict[int, Cell]] = []
        db.execute(
            f"CREATE TABLE {_quoted(self._name)} ({RECORD} INTEGER PRIMARY KEY, {MODIFICATION} INTEGER, {MORE} TEXT)"
        )
        self._order = [RECORD, MODIFICATION, MORE]
        for field in table.fields:
            if not field.is_global:
                self._column(field.name, False, self._types[field.name])

    def add(self, record: Record) -> None:
        """One record."""
        self._written.records += 1
        self._written.incomplete += not record.complete
        row: dict[int, Cell] = {0: record.id, 1: record.modification}
        more: dict[str, Cell] = {}
        for name, (cell, typed) in self.cells_of(record).items():
            stem = name if name in self._types else name.rpartition("(")[0]
            self._put(row, more, name, False, cell, self._types.get(stem, "TEXT"))
            self._put(row, more, name, True, typed, "TEXT")
        if more:
            row[2] = json.dumps(more, ensure_ascii=False)
        self._rows.append(row)
        if len(self._rows) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if not self._rows:
            return
        width = range(len(self._order))
        marks = ", ".join("?" * len(self._order))
        rows = ([row.get(place) for place in width] for row in self._rows)
        self._db.executemany(f"INSERT INTO {_quoted(self._name)} VALUES ({marks})", rows)
        self._rows = []

    def cells_of(self, record: Record) -> dict[str, tuple[Cell, str | None]]:
        """What goes into each column, and what was typed where that is something else."""
        cells: dict[str, tuple[Cell, str | None]] = {}
        for name, value in record.values.items():
            cells[name] = _cell(value)
            self._written.values += 1
            self._written.misfits += value.misfit
            self._written.damaged += value.damaged
        for name, container in record.containers.items():
            cells[name] = self._container(container), None
            self._written.values += 1
        return cells

    def _container(self, value: Container) -> str:
        identity = (value.table.name, value.record_name, value.field.name, value.repetition)
        if identity in self._files:
            return self._files[identity]
        thing = self._database.object(value)
        name = thing.file_name if thing is not None else value.reference
        return clean(name or "unnamed")

    def _put(self, row: dict[int, Cell], more: dict[str, Cell], name: str, typed: bool, cell: Cell, type_: str) -> None:
        if cell is None:
            return
        place = self._column(name, typed, type_)
        if place is None:
            more[name + TYPED if typed else name] = cell
        else:
            row[place] = cell

    def _column(self, name: str, typed: bool, type_: str) -> int | None:
        """The place of a column, made when it is new; None when the table is full."""
        place = self._columns.get((name, typed))
        if place is None and len(self._order) < _MOST_COLUMNS:
            shown = clean(name + TYPED if typed else name)
            taken = {one.casefold() for one in self._order}
            while shown.casefold() in taken:
                shown += "_"
            self.flush()
            self._db.execute(f"ALTER TABLE {_quoted(self._name)} ADD COLUMN {_quoted(shown)} {type_}")
            place = self._columns[name, typed] = len(self._order)
            self._order.append(shown)
        return place


def _cell(value: Value) -> tuple[Cell, str | None]:
    """A value for a column, and what was typed where the value does not say it all."""
    meant = value.value
    cell: Cell
    exact = True
    if isinstance(meant, int):
        exact = -(2**63) <= meant < 2**63
        cell = meant if exact else float(meant) if abs(meant) < 10**300 else None
    elif isinstance(meant, Decimal):
        cell = float(meant)
        exact = len(meant.as_tuple().digits) <= 15 and abs(cell) < 1e300 and (cell != 0 or meant == 0)
        cell = cell if abs(cell) < 1e300 else None
    elif isinstance(meant, datetime):
        cell = meant.isoformat(sep=" ", timespec="microseconds" if meant.microsecond else "seconds")
    elif isinstance(meant, date):
        cell = meant.isoformat()
    elif isinstance(meant, timedelta):
        cell = clock_text(meant)
    elif meant is None:
        cell = None
    else:
        cell = clean(meant)
    return cell, None if exact and meant is not None and not value.misfit else clean(value.text)


def clock_text(span: timedelta) -> str:
    """`HH:MM:SS`, also beyond a day and below zero."""
    whole, micros = divmod(abs(span), timedelta(seconds=1))
    text = f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
    fraction = f".{micros.microseconds:06}" if micros else ""
    return ("-" if span < timedelta(0) else "") + text + fraction


def _dump(db: sqlite3.Connection, folder: Path, *, as_csv: bool) -> None:
    """Every table as a file of its own."""
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")]
    for name in names:
        found = db.execute(f"SELECT * FROM {_quoted(name)}")
        columns = [column[0] for column in found.description]
        path = folder / f"{keys.encode_segment(name)}.{'csv' if as_csv else 'jsonl'}"
        with path.open("x", encoding="utf-8", newline="") as file:
            if as_csv:
                table = csv.writer(file)
                table.writerow(columns)
                table.writerows(found)
            else:
                for row in _rows(found, columns):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _rows(found: sqlite3.Cursor, columns: list[str]) -> Iterator[dict[str, Cell]]:
    for row in found:
        yield {name: cell for name, cell in zip(columns, row, strict=True) if cell is not None}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(value: object) -> Cell:
    return int(value) if isinstance(value, int) else clean(str(value))


def clean(text: str) -> str:
    """Text that can be written as UTF-8; FileMaker may hold half a character. Without NUL, which ends names in SQLite."""
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return _LONE.sub("\ufffd", text).replace("\0", "\ufffd")
