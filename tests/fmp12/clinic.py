"""A simulator's data set as a database file: the same record ids, modification ids, values, names and bytes.

Of any size: records and objects are made while they are written, and each file's bytes are held alone. A container that
the host knows and whose file it has lost becomes an object without a file; one that only points elsewhere, a path.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from fmsim.dataset import DataSet, Layout, Record
from tests.fmp12 import writer
from tests.fmp12.writer import Cell, FieldSpec, FileSpec, ObjectSpec, RecordSpec, Ref, Styled, TableSpec

_TYPES = {"timeStamp": "timestamp"}


def as_clinic(
    data: DataSet,
    path: Path,
    *,
    tables: Collection[str] = (),
    damaged: Collection[tuple[str, str]] = (),
    renumber: int = 0,
) -> Path:
    """Write `data`, each table with the fields of its first layout; of all `tables`, or those that are named.

    `damaged` are record ids and fields whose bytes are not those of their MD5. `renumber` is added to every record id,
    as a clone that was filled by an import has other ones.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    first = {one.table: one for one in reversed(data.layouts)}
    specs = [
        _table(number, layout, data.tables[layout.table], damaged, renumber)
        for number, layout in enumerate(first.values(), 129)
        if not tables or layout.table in tables
    ]
    writer.write(path, FileSpec(specs))
    return path


def bytes_of(value: Any) -> bytes:
    """The file of a container value; b"" for one that is missing."""
    return b"".join(value.blob.chunks()) if value and value.blob else b""


def _table(
    number: int, layout: Layout, rows: list[Record], damaged: Collection[tuple[str, str]], renumber: int
) -> TableSpec:
    fields = [
        FieldSpec(place, one.name, _TYPES.get(one.result, one.result), is_global=one.is_global)
        for place, one in enumerate(layout.fields, 1)
    ]
    rows = sorted(rows, key=lambda row: int(row.record_id))

    def records() -> Iterator[RecordSpec]:
        key = 0
        for row in rows:
            values: dict[tuple[int, int], Cell] = {}
            for spec, value in _filled(row, fields):
                if spec.type != "container":
                    values[spec.id, 1] = str(value)
                elif value.reference:
                    values[spec.id, 1] = Styled("file:elsewhere.jpg")
                else:
                    key += 1
                    values[spec.id, 1] = Ref(key)
            yield RecordSpec(int(row.record_id) + renumber, values, int(row.mod_id))

    def objects() -> Iterator[ObjectSpec]:
        key = 0
        for row in rows:
            for spec, value in _filled(row, fields):
                if spec.type == "container" and not value.reference:
                    key += 1
                    digest = bytes(16) if (row.record_id, spec.name) in damaged else None
                    if value.missing:
                        streams = {b"FNAM": writer.fnam(("file", "", value.name))}
                    else:
                        streams = writer.picture(bytes_of(value), value.name)
                    yield ObjectSpec(key, streams, digest=digest)

    return TableSpec(number, layout.table, fields, records(), {}, objects())


def _filled(row: Record, fields: list[FieldSpec]) -> Iterator[tuple[FieldSpec, Any]]:
    """What a record holds, in the order of the fields: records and objects count their keys by it."""
    for spec in fields:
        value = row.values.get(spec.name, "")
        if value != "" and value is not None and not spec.is_global:
            yield spec, value
