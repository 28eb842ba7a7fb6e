"""The demo and a load set, built once: they are only read here."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from fmsim import clinic
from fmsim.dataset import Blob, ContainerValue, DataSet, Record

register_heif_opener()

FIELDS = ["image_Full", "image_Ex_large", "image_large", "image_medium", "image_small"]


def read(blob: Blob) -> bytes:
    return b"".join(blob.chunks())


def sha256(blob: Blob) -> str:
    return hashlib.sha256(read(blob)).hexdigest()


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def identity(record: Record) -> str:
    return str(record.values["id"]).strip("{}").upper()


def full(record: Record) -> Any:
    return record.values["image_Full"]


def filled(data: DataSet) -> list[ContainerValue]:
    return [
        value
        for rows in data.tables.values()
        for row in rows
        for value in row.values.values()
        if isinstance(value, ContainerValue)
    ]


@pytest.fixture(scope="session")
def demo() -> DataSet:
    return clinic.build(documents=24)


@pytest.fixture(scope="session")
def demo_truth() -> dict[str, clinic.Expected]:
    return clinic.truth(documents=24)


@pytest.fixture(scope="session")
def load() -> DataSet:
    return clinic.build(images=2_000, documents=2_000, patients=300)


@pytest.fixture(scope="session")
def load_truth() -> dict[str, clinic.Expected]:
    return clinic.truth(images=2_000, documents=2_000, patients=300)
