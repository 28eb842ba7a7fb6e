"""Data sets without a fault in them: plain pictures of known sizes, on the clinic's own layouts.

Every file has its own bytes (a comment segment with its number), so that nothing can be found by its digest; the
pictures behind them are few, since drawing thousands would take longer than what is measured.
"""

from __future__ import annotations

import io
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from PIL import Image

from bench.thumbnails import picture
from fmsim.clinic.tables import layouts
from fmsim.dataset import Account, Blob, ContainerValue, DataSet, GeneratedBlob, Record
from fmsim.folder import write

#: Pictures of about a megapixel, as FileMaker containers of ten years ago hold them.
PIXELS = (1100, 825)

_PLATES = 24
_GROUP = 4  # images of one patient and day, the median of a real clinic


@dataclass(frozen=True, slots=True)
class Numbered:
    """A JPEG with its number in a comment segment."""

    plate: bytes
    number: int

    @property
    def size(self) -> int:
        return len(self.plate) + 4 + 16

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        comment = b"\xff\xfe\x00\x12" + f"{self.number:016d}".encode()
        yield (self.plate[:2] + comment + self.plate[2:])[start:]


def plates(smallest: int, largest: int, pixels: tuple[int, int] = PIXELS, seed: int = 1) -> list[bytes]:
    """JPEGs of about evenly spread sizes (bytes) between the two bounds, never outside of them."""
    drawn = [picture(pixels, 0.1) for _ in range(4)]
    step = (largest - smallest) / _PLATES
    return [_jpeg(drawn[place % 4], int(smallest + (place + 1) * step) - 20, smallest) for place in range(_PLATES)]


def _jpeg(image: Image.Image, most: int, least: int) -> bytes:
    """The best quality that stays within `most` bytes, filled up by a comment if it is below `least`."""
    data = b""
    low, high = 2, 95
    while low <= high:
        quality = (low + high) // 2
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= most:
            data, low = buffer.getvalue(), quality + 1
        else:
            high = quality - 1
    if not data:
        raise ValueError(f"no JPEG of {image.size} is as small as {most} bytes")
    if len(data) < least:
        room = least - len(data) - 4
        data = data[:2] + b"\xff\xfe" + (room + 2).to_bytes(2, "big") + b" " * room + data[2:]
    return data


def clinic(folder: Path, images: int, smallest: int, largest: int, pixels: tuple[int, int] = PIXELS) -> None:
    """Write a data set: `images` records with one good JPEG each, four for each patient and day."""
    stock = plates(smallest, largest, pixels)
    random.Random(1).shuffle(stock)
    blobs: list[Blob] = [Numbered(stock[number % len(stock)], number) for number in range(images)]
    _write(folder, blobs, "jpg", "image/jpeg")


def one_large(folder: Path, size: int) -> None:
    """Write a data set of one record whose file has `size` bytes that are kept nowhere: made while they are sent."""
    _write(folder, [GeneratedBlob(size, 7)], "bin", "application/octet-stream")


def _write(folder: Path, blobs: list[Blob], extension: str, content_type: str) -> None:
    groups = (len(blobs) + _GROUP - 1) // _GROUP
    people = [_id("patient", number) for number in range(max(1, groups // 2))]
    fields = layouts()[0].fields
    records = []
    for number, blob in enumerate(blobs):
        group = number // _GROUP
        day = date(2016, 1, 4) + timedelta(group % 3000)
        values: dict[str, object] = {field.name: "" for field in fields}
        values |= {
            "id": _id("image", number),
            "id_Contact": people[group % len(people)],
            "date": f"{day.month:02d}/{day.day:02d}/{day.year}",
            "Type": "intraoral",
            "Name of file": f"IMG {number:05d}.{extension}",
            "Serial": number,
            "image_Full": ContainerValue(blob, f"IMG {number:05d}.{extension}", content_type),
        }
        records.append(Record(str(number + 1), "1", values))
    patients = [
        Record(str(number + 1), "1", {"id": identity, "First name": "A", "Last name": f"B{number}"})
        for number, identity in enumerate(people)
    ]
    data = DataSet(
        "Bench",
        [Account("bench", "bench", frozenset({"fmrest"}))],
        [layout for layout in layouts() if layout.name in ("API_Images", "API_Patients")],
        {"Images": records, "Patients": patients},
    )
    write(data, folder)


def _id(kind: str, number: int) -> str:
    return str(uuid.UUID(int=random.Random(f"{kind} {number}").getrandbits(128), version=4)).upper()
