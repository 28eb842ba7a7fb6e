"""The ports' cargo as a database file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from fmsim import DataSet
from tests.fmp12 import writer
from tests.fmp12.clinic import bytes_of
from tests.fmp12.writer import Cell, FieldSpec, FileSpec, ObjectSpec, RecordSpec, Ref, Styled, TableSpec
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
