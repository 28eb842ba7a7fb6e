"""Hostile and huge files: bounded time and memory, whatever they claim."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest

from tests.fmp12 import writer
from tests.fmp12.writer import FieldSpec, FileSpec, ObjectSpec, RecordSpec, Ref, TableSpec
from unlade.fmp12 import DamagedFile, DamagedObject, DatabaseFileError, State, open_file

PAGE = 4096


def test_an_index_that_leads_in_circles_ends(tmp_path: Path) -> None:
    records = [RecordSpec(n, {(1, 1): "x" * 900}) for n in range(1, 200)]
    spec = FileSpec([TableSpec(129, "T", [FieldSpec(1, "a")], records)], layout=writer.Layout(fan=3))
    data = bytearray(writer.build(spec))
    # Every index page but the lowest points to itself.
    for number in range(1, len(data) // PAGE):
        level = int.from_bytes(data[number * PAGE + 12 : number * PAGE + 14], "big")
        if 1 < level < 100:
            page = writer.index_payload([((b"\2",), number), ((b"\x80\1",), number)], root=number == 1)
            data[number * PAGE : (number + 1) * PAGE] = writer.page_bytes(
                page, 0, len(data) // PAGE - 1 if number == 1 else 0, level
            )
    path = tmp_path / "a.fmp12"
    path.write_bytes(bytes(data))
    with pytest.raises(DamagedFile, match="level"):
        open_file(path)
    with open_file(path, salvage=True) as database:
        assert sum(1 for _ in database.records(database.tables[0])) == 199


def test_an_index_of_doubled_branches_ends(tmp_path: Path) -> None:
    """A few pages that name each other many times stand for more leaves than there are atoms."""
    payloads = []
    for level in range(15, 0, -1):
        below = 3 + (15 - level) + 1 if level > 1 else 2
        children = [((bytes([n]),), below) for n in range(1, 200)]
        payloads.append(writer.page_bytes(writer.index_payload(children, root=False), level=level))
    root = writer.page_bytes(writer.index_payload([((b"",), 3)], root=True), 0, 2 + len(payloads), 16)
    leaf = next(writer.leaf_payloads([((b"\2",), b"\3", b"x")]))[1]
    data = writer.header_page(FileSpec([])) + root + writer.page_bytes(leaf) + b"".join(payloads)
    path = tmp_path / "a.fmp12"
    path.write_bytes(data)
    with open_file(path) as database:
        proof = database.proof()
        assert not proof.ok and not proof.chain_is_index


def test_more_fields_than_any_database_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlade.fmp12.catalogue._MOST", 50)
    fields = [FieldSpec(n, f"f{n}") for n in range(1, 80)]
    writer.write(tmp_path / "a.fmp12", FileSpec([TableSpec(129, "T", fields)]))
    with pytest.raises(DatabaseFileError, match="more than 50 fields"):
        open_file(tmp_path / "a.fmp12")


def test_huge_texts_are_cut_and_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlade.fmp12.records.MAX_TEXT", 50_000)
    monkeypatch.setattr("unlade.fmp12.records.MAX_RECORD", 120_000)
    values = {(n, 1): "x" * 45_000 for n in range(1, 6)} | {(6, 1): "y" * 60_000}
    fields = [FieldSpec(n, f"f{n}") for n in range(1, 7)]
    records = [RecordSpec(1, values), RecordSpec(2, {(6, 1): "y" * 60_000}), RecordSpec(3, {(1, 1): "z"})]
    writer.write(tmp_path / "a.fmp12", FileSpec([TableSpec(129, "T", fields, records)]))
    with open_file(tmp_path / "a.fmp12") as database:
        full, long, short = database.records(database.tables[0])
    assert (len(full.values), full.complete) == (2, False)
    assert long.values["f6"].damaged and len(long.values["f6"].text) <= 50_000 and not long.complete
    assert short.complete


def packed_zeros(size: int) -> bytes:
    pack = zlib.compressobj(9, wbits=31)
    return b"".join(pack.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)) + pack.flush()


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Three sizes of picture and one that swells a thousandfold: the same few megabytes."""
    rng = random.Random(1)
    noise = rng.randbytes(8_000_000)
    objects = [ObjectSpec(n, writer.picture(noise[: n * 2_000_000])) for n in (1, 2, 3)]
    objects.append(ObjectSpec(4, {b"ZLIB": packed_zeros(200_000_000)}))
    records = [RecordSpec(n, {(1, 1): Ref(n)}) for n in range(1, 5)]
    writer.write(
        tmp_path / "a.fmp12", FileSpec([TableSpec(129, "T", [FieldSpec(1, "p", "container")], records, {}, objects)])
    )
    del noise, objects
    peaks, sizes = [], []
    with open_file(tmp_path / "a.fmp12") as database:
        for container in database.containers():
            tracemalloc.start()
            with database.open(container) as stream:
                sizes.append(sum(len(chunk) for chunk in stream.chunks()))
                assert stream.state is State.VERIFIED
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert sizes == [2_000_000, 4_000_000, 6_000_000, 200_000_000]
    assert max(peaks) < 14_000_000  # 8 MiB of it are the cache of pages


@pytest.mark.parametrize("name", [b"~~~~", b"AAAA"])
def test_a_directory_that_claims_the_impossible(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "a.fmp12"
    thing = ObjectSpec(1, {name: b"x" * 3000})
    writer.write(
        path,
        FileSpec(
            [TableSpec(129, "T", [FieldSpec(1, "p", "container")], [RecordSpec(1, {(1, 1): Ref(1)})], {}, [thing])]
        ),
    )
    data = path.read_bytes()
    place = data.index(name + struct.pack(">I", 3000))
    path.write_bytes(data[: place + 4] + b"\xff\xff\xff\xff" + data[place + 8 :])
    with open_file(path) as database:
        assert database.state(next(database.containers())) is State.MISMATCH
        with database.open(next(database.containers()), keep_damaged=True) as stream:
            stream.seek(0xFFFF0000)
            with pytest.raises(DamagedObject, match=r"missing|2\.1 GB"):
                stream.read(100)
