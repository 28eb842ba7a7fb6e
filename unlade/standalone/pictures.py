"""A sheet of sample pictures for the survey's page: a few of every container field, as thumbnails."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from unlade.cargo import Content, Parcel
from unlade.errors import ItemError
from unlade.fmp12 import Container, DatabaseFile
from unlade.media.workers import DecoderPool
from unlade.standalone.survey import Survey
from unlade.survey.page import Picture
from unlade.units import format_size

#: Pictures where nobody says how many; the box that they fit into, pixels.
MANY, BOX = 40, (300, 300)


def sample_pictures(database: DatabaseFile, found: Survey, many: int, decoders: DecoderPool) -> list[Picture]:
    """Up to `many` files, every container field with its share, spread evenly over the records of each."""
    pictures = []
    with tempfile.TemporaryDirectory(prefix="unlade-") as folder:  # 0700
        for value in _chosen(database, found, many):
            pictures.append(_picture(database, value, Path(folder) / "file", decoders))
    return pictures


def shares(filled: dict[tuple[int, int], int], many: int) -> dict[tuple[int, int], int]:
    """How many of each field: as evenly as there are, what one field has too few of goes to the others."""
    given = dict.fromkeys(filled, 0)
    left = many
    while left > 0 and (hungry := [key for key in filled if given[key] < filled[key]]):
        for key in hungry[:left]:
            given[key] += 1
            left -= 1
    return given


def _chosen(database: DatabaseFile, found: Survey, many: int) -> Iterator[Container]:
    filled = {
        (table.table.id, one.column.id): one.where["inside"] + one.where["open"] - one.absent
        for table in found.tables
        for one in table.containers
    }
    wanted = shares({key: count for key, count in filled.items() if count}, many)
    for table in found.tables:
        met: Counter[int] = Counter()
        if not any(wanted.get((table.table.id, one.column.id)) for one in table.containers):
            continue
        for value in database.containers(table.table):
            key = (table.table.id, value.field.id)
            thing = database.object(value) if wanted.get(key) else None
            if thing is None or not database.is_here(thing):
                continue
            number = met[value.field.id]
            met[value.field.id] += 1
            # The first of each stretch: as many stretches as pictures are wanted.
            if number * wanted[key] // filled[key] != (number - 1) * wanted[key] // filled[key]:
                yield value


def _picture(database: DatabaseFile, value: Container, desk: Path, decoders: DecoderPool) -> Picture:
    place = f"{value.table.name} {value.record_name}, {value.field_name}"
    try:
        content = _look_at(database, value, desk, decoders)
    except ItemError as error:
        return Picture(place, "", why=f"cannot be read: {error.reason.replace('_', ' ')}")
    finally:
        desk.unlink(missing_ok=True)
    pixels = f"{content.width}\N{MULTIPLICATION SIGN}{content.height}" if content.width and content.height else ""
    what = ", ".join(filter(None, (content.mime_type, format_size(content.size), pixels)))
    if content.thumbnail is None:
        why = content.damage or content.thumbnail_error or "no picture of this type"
        return Picture(place, what, why=why.replace("_", " "))
    return Picture(place, what, content.thumbnail.mime_type, content.thumbnail.data)


def _look_at(database: DatabaseFile, value: Container, desk: Path, decoders: DecoderPool) -> Content:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with database.open(value, keep_damaged=True) as stream, desk.open("wb") as file:
        for chunk in stream.chunks():
            sha256.update(chunk)
            md5.update(chunk)
            size += file.write(chunk)
        name = stream.file_name
    parcel = Parcel(desk, value.field_name, size, sha256.hexdigest(), md5.hexdigest(), name=name)
    return decoders.inspect(parcel, name=name, box=BOX)
