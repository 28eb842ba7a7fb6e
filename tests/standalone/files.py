"""Database files for the tests of the `unlade` command, and a way to run it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fmp12 import writer
from tests.fmp12.writer import FieldSpec, FileSpec, ObjectSpec, RecordSpec, Ref, Styled, TableSpec
from unlade.standalone.__main__ import main

FIELDS = [
    FieldSpec(1, "id"),
    FieldSpec(2, "photo", "container", repetitions=2),
    FieldSpec(3, "taken", "date"),
    FieldSpec(4, "weight", "number"),
    FieldSpec(5, "logo", "container", is_global=True),
]


def jpeg(seed: int, size: int = 3000) -> bytes:
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + random.Random(seed).randbytes(size) + b"\xff\xd9"


def images(
    path: Path,
    count: int = 10,
    *,
    damaged: tuple[int, ...] = (),
    reference: int = 0,
    changed: tuple[int, ...] = (),
    picture: Callable[[int], bytes] = jpeg,
) -> Path:
    """A file of `count` records with one picture each; the first has two, and there is a global one.

    `damaged` are records whose bytes do not fit their MD5, `reference` one that holds a path only; `changed` records were
    edited and hold another picture. `picture` makes one for a number; by default it only looks like one from outside.
    """
    records, objects = [], []
    for number in range(1, count + 1):
        values: dict[tuple[int, int], Any] = {(1, 1): f"id {number}", (2, 1): Ref(number), (3, 1): "5/31/2024"}
        if number == 1:
            values[2, 2] = Ref(count + 1)
        if number == reference:
            values[2, 1] = Styled("image:x.jpg")
        edited = number in changed
        records.append(RecordSpec(number, values, 2 if edited else 1))
        data = picture(number + 1000 * edited)
        streams = writer.picture(data, f"IMG {number}.jpg")
        objects.append(ObjectSpec(number, streams, digest=bytes(16) if number in damaged else None))
    objects.append(ObjectSpec(count + 1, writer.picture(b"hello", "a note.txt", type_=b"FILE")))
    objects.append(ObjectSpec(count + 2, writer.picture(picture(5000), "logo.jpg")))
    tables = [
        TableSpec(129, "Images", FIELDS, records, {(5, 1): Ref(count + 2)}, objects),
        TableSpec(130, "Notes", [FieldSpec(1, "id")], [RecordSpec(1, {(1, 1): "x"})]),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.write(path, FileSpec(tables))
    return path


class Unlade:
    """Runs the command in this process: exit code, JSON object or text, standard error."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
        code = main([*map(str, arguments), "--json"])
        out, self.err = self._capsys.readouterr()
        return code, json.loads(out.splitlines()[-1])

    def say(self, *arguments: str | Path) -> tuple[int, str]:
        code = main([*map(str, arguments)])
        out, self.err = self._capsys.readouterr()
        return code, out
