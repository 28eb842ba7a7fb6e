"""Leaves taken by their one spelling say what the parser says of them, and a proof that spares itself a second reading
finds what a proof that reads everything finds.
"""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.fmp12 import writer
from tests.fmp12.damage import DAMAGES
from tests.fmp12.writer import FieldSpec, FileSpec, Layout, ObjectSpec, RecordSpec, Ref, TableSpec
from unlade.errors import UnladeError
from unlade.fmp12 import open_file
from unlade.fmp12.stretch import Stretch

SIZES = (1, 999, 1000, 1001, 3999, 4000, 12_345, 131_000, 140_500)  # up to keys of two bytes


def build(layout: Layout | None = None, sizes: tuple[int, ...] = SIZES) -> bytes:
    fields = [FieldSpec(1, "photo", "container")]
    records = [RecordSpec(n, {(1, 1): Ref(n)}) for n in range(1, len(sizes) + 1)]
    objects = [
        ObjectSpec(n, writer.picture(random.Random(n).randbytes(size), f"{n}.jpg")) for n, size in enumerate(sizes, 1)
    ]
    return writer.build(FileSpec([TableSpec(129, "Images", fields, records, {}, objects)], layout=layout or Layout()))


def read_objects(path: Path) -> list[object]:
    """What comes out of every container, or how it is refused."""
    found: list[object] = []
    try:
        with open_file(path) as database:
            for one in database.containers():
                try:
                    with database.open(one, keep_damaged=True) as stream:
                        found.append((str(one), b"".join(stream.chunks()), stream.state))
                except UnladeError as error:
                    found.append((str(one), str(error)))
    except UnladeError as error:
        found.append(str(error))
    return found


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stretch, "take", lambda *_: False)


@pytest.mark.parametrize("layout", [Layout(), Layout(shuffle=3), Layout(fill=1500, free_pages=3)])
def test_the_same_bytes_with_and_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: Layout) -> None:
    path = tmp_path / "x.fmp12"
    path.write_bytes(build(layout))
    taken: list[bool] = []
    real = Stretch.take

    def counted(self: Stretch, page: bytes, end: int) -> bool:
        taken.append(real(self, page, end))
        return taken[-1]

    monkeypatch.setattr(Stretch, "take", counted)
    quick = read_objects(path)
    assert sum(taken) > 60  # most leaves were taken so
    without(monkeypatch)
    assert quick == read_objects(path) and len(quick) == len(SIZES)


def test_the_same_of_damaged_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, path, rng = build(sizes=(4000, 40_000, 9_000)), tmp_path / "x.fmp12", random.Random(5)
    wrong = 0
    for turn in range(150):
        path.write_bytes(DAMAGES[turn % len(DAMAGES)](data, rng))
        quick = read_objects(path)
        with monkeypatch.context() as patched:
            without(patched)
            assert quick == read_objects(path)
        wrong += quick != read_objects_of(data, tmp_path)
    assert wrong > 50


def read_objects_of(data: bytes, folder: Path) -> list[object]:
    path = folder / "whole.fmp12"
    path.write_bytes(data)
    return read_objects(path)


def test_a_proof_after_reading_finds_what_a_fresh_one_finds(tmp_path: Path) -> None:
    data, path, rng = build(sizes=(4000, 40_000, 9_000)), tmp_path / "x.fmp12", random.Random(11)
    faulty = 0
    for turn in range(150):
        path.write_bytes(DAMAGES[turn % len(DAMAGES)](data, rng))
        try:
            with open_file(path) as fresh:
                expected = asdict(fresh.proof(objects=False))
        except UnladeError:
            continue
        read_then_prove(path, expected)
        faulty += expected["fault_count"] > 0
    assert faulty > 20


def read_then_prove(path: Path, expected: dict[str, object]) -> None:
    with open_file(path) as database:
        try:
            for one in database.containers():
                try:
                    for _ in database.open(one, keep_damaged=True).chunks():
                        pass
                except UnladeError:
                    continue
        except UnladeError:
            pass  # as far as it can be read
        assert asdict(database.proof(objects=False)) == expected


def test_a_file_that_is_written_to_meanwhile_is_not_proven(tmp_path: Path) -> None:
    path = tmp_path / "x.fmp12"
    path.write_bytes(build())
    with open_file(path) as database:
        assert database.proof(objects=False).ok
        with path.open("r+b") as file:
            file.seek(0, 2)
            file.write(b"x")
        proof = database.proof(objects=False)
    assert not proof.ok and "written to while it was read" in proof.line()
