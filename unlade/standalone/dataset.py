"""`unlade dataset`: a database file as a folder that the simulator serves (CONTRACT A5), so that the way over the Data API
can be tried, and compared with a direct read, on one's own data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from unlade import keys
from unlade.errors import UsageError
from unlade.fmp12 import DatabaseFile, Field, FieldType, Record, State, Table, Value
from unlade.standalone.common import Tick, choose, no_tick
from unlade.standalone.manifest import Identity, Line, read_manifest
from unlade.standalone.pull import Pull, Pulled
from unlade.standalone.tables import clean, clock_text
from unlade.standalone.targets import open_target, private_folder

FILES = "files"
ACCOUNT = {"name": "unlade", "password": "unlade", "privileges": ["fmrest"]}
_RESULTS = {FieldType.TIMESTAMP: "timeStamp", FieldType.UNKNOWN: "text"}


@dataclass
class DataSetWritten:
    """What was written; `pulled` says what became of the files."""

    layouts: int
    records: int
    pulled: Pulled
    folder: str

    @property
    def exit_code(self) -> int:
        return self.pulled.exit_code

    def line(self) -> str:
        return (
            f"{self.layouts:,} layouts, {self.records:,} records and {self.pulled.written:,} files are in {self.folder}.\n"
            f"Serve them: python -m fmsim --dataset {self.folder}"
        )

    def as_json(self) -> dict[str, Any]:
        return {**self.pulled.as_json(), "layouts": self.layouts, "records": self.records, "folder": self.folder}


def write_dataset(database: DatabaseFile, folder: Path, *, tick: Tick = no_tick) -> DataSetWritten:
    """Write all tables, each as a layout of its name, and all files into a new folder.

    Raises `UsageError`, `DamagedFile`, `StoreError`, `OSError`.
    """
    if folder.exists() and (folder.is_file() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already", remedy="Name another folder.")
    private_folder(folder)
    target = open_target(str(folder / FILES), write=True)
    try:
        pulled = Pull(database, target, choose(database, []), tick=tick).run()
    finally:
        target.close()
    lines = {line.identity: line for line in read_manifest(folder / FILES / "manifest.jsonl")}
    (folder / "records").mkdir()
    layouts, records = [], 0
    for table in database.tables:
        name = keys.encode_segment(table.name)
        layouts.append({"name": clean(table.name), "table": name, "fields": [_field(one) for one in table.fields]})
        shared = _values(database.globals(table), lines)
        with (folder / "records" / f"{name}.jsonl").open("x", encoding="utf-8") as file:
            for row in _rows(database, table, shared, lines):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                records += 1
    described = {"database": database.path.stem, "accounts": [ACCOUNT], "layouts": layouts}
    (folder / "dataset.json").write_text(json.dumps(described, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return DataSetWritten(len(layouts), records, pulled, str(folder))


def _field(one: Field) -> dict[str, Any]:
    return {
        "name": clean(one.name),
        "result": _RESULTS.get(one.type, str(one.type)),
        "type": one.kind if one.kind in ("calculation", "summary") else "normal",
        "global": one.is_global,
        "maxRepeat": one.repetitions,
    }


def _rows(
    database: DatabaseFile, table: Table, shared: Mapping[str, Any], lines: Mapping[Identity, Line]
) -> Iterator[dict[str, Any]]:
    empty = {clean(field.spelt(n)): "" for field in table.fields for n in range(1, min(field.repetitions, 100) + 1)}
    for record in database.records(table):
        values = {**empty, **shared, **_values(record, lines)}
        yield {"recordId": str(record.id), "modId": str(record.modification), "fieldData": values}


def _values(record: Record, lines: Mapping[Identity, Line]) -> dict[str, Any]:
    """Field data as the simulator takes it: dates in US form, containers by their pulled files."""
    values: dict[str, Any] = {clean(name): _as_host(value) for name, value in record.values.items()}
    for name, one in record.containers.items():
        line = lines.get((one.table.name, one.record_name, one.field.name, one.repetition))
        if line is not None and line.file is not None:
            made: dict[str, Any] = {"file": f"{FILES}/{line.file}", "content_type": line.mime_type}
            made["name"] = line.original_name or Path(line.file).name
        elif line is not None and line.state == State.REFERENCE_ONLY:
            made = {"reference": one.reference or "file:"}
        else:
            made = {"missing": True}
        values[clean(name)] = made
    return values


def _as_host(value: Value) -> Any:
    """A value as the Data API hands it over by default."""
    meant = value.value
    if isinstance(meant, datetime):
        return f"{meant:%m/%d}/{meant.year:04} {meant:%H:%M:%S}"
    if isinstance(meant, date):
        return f"{meant:%m/%d}/{meant.year:04}"
    if isinstance(meant, timedelta):
        return clock_text(meant)
    if isinstance(meant, Decimal):
        return float(meant) if meant == Decimal(repr(float(meant))) else value.text
    return clean(value.text) if meant is None or isinstance(meant, str) else meant
