"""The ports' cargo as a database file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from fmsim import DataSet
from tests.fmp12 import writer
from tests.fmp12.writer import Cell, FieldSpec, FileSpec, ObjectSpec, RecordSpec, Ref, Styled, TableSpec
from tests.folder.exports import bytes_of
from tests.voyage.harness import FIELDS

PLAIN = ("id", "id_Contact", "Type", "Name of file", "Notes", "date", "NexusExportDate", "modified")
TYPES = {"date": "date", "modified": "timestamp"}
NAMES = (*PLAIN, *FIELDS)


def fields(left_out: Collection[str] = ()) -> list[FieldSpec]:
    return [
        FieldSpec(number, name, "container" if name in FIELDS else TYPES.get(name, "text"))
        for number, name in enumerate(NAMES, 1)
        if name not in left_out
    ]


def as_database(
    data: DataSet,
    path: Path,
    *,
    damaged: Collection[tuple[str, str]] = (),
    left_out: Collection[str] = (),
    more: Collection[TableSpec] = (),
    order: int = 0,
) -> Path:
    """Write the images of a data set. `damaged` are records and fields whose bytes are not those of their MD5."""
    path.parent.mkdir(parents=True, exist_ok=True)
    records, objects = [], []
    for row in data.tables["Images"]:
        values: dict[tuple[int, int], Cell] = {}
        for number, name in enumerate(NAMES, 1):
            value: Any = row.values[name]
            if not value or name in left_out:
                continue
            if name not in FIELDS:
                text = str(value)
                if order == 1 and name == "date":
                    month, day, year = text.split("/")
                    text = f"{day}/{month}/{year}"
                values[number, 1] = text
            elif value.reference:
                values[number, 1] = Styled("image:IMG.jpg\rimagemac:/Volumes/photos/IMG.jpg")
            else:
                key = len(objects) + 1
                values[number, 1] = Ref(key)
                streams = writer.picture(bytes_of(value), value.name)
                bad = bytes(16) if (row.record_id, name) in damaged else None
                objects.append(ObjectSpec(key, streams, digest=bad))
        records.append(RecordSpec(int(row.record_id), values, int(row.mod_id)))
    table = TableSpec(129, "Images", fields(left_out), records, {}, objects)
    writer.write(path, FileSpec([table, *more], order=order))
    return path


def as_clinic(data: DataSet, path: Path) -> Path:
    """A whole data set as a database file, each table with the fields of its first layout."""
    tables = []
    for number, layout in enumerate({one.table: one for one in reversed(data.layouts)}.values(), 129):
        specs = [
            FieldSpec(place, one.name, _TYPES.get(one.result, one.result), is_global=one.is_global)
            for place, one in enumerate(layout.fields, 1)
        ]
        records: list[RecordSpec] = []
        objects: list[ObjectSpec] = []
        for row in data.tables[layout.table]:
            values: dict[tuple[int, int], Cell] = {}
            for spec in specs:
                value: Any = row.values.get(spec.name, "")
                if value == "" or value is None or spec.is_global:
                    continue
                if spec.type != "container":
                    values[spec.id, 1] = str(value)
                elif value.reference:
                    values[spec.id, 1] = Styled("file:elsewhere.jpg")
                else:
                    key = len(objects) + 1
                    values[spec.id, 1] = Ref(key)
                    if not value.missing:
                        objects.append(ObjectSpec(key, writer.picture(bytes_of(value), value.name)))
                    else:
                        objects.append(ObjectSpec(key, {b"FNAM": writer.fnam(("file", "", value.name))}))
            records.append(RecordSpec(int(row.record_id), values, int(row.mod_id)))
        tables.append(TableSpec(number, layout.table, specs, records, {}, objects))
    writer.write(path, FileSpec(tables))
    return path


_TYPES = {"timeStamp": "timestamp"}
