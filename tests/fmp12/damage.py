"""Damage done to the bytes of a file, and what any reader may do about it: say so, and never say wrong bytes are right."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from unlade.errors import UnladeError
from unlade.fmp12 import DamagedFile, DatabaseFile, OutsideMissing, State, open_file

PAGE = 4096


def flip(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 40))):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def overwrite(data: bytes, rng: random.Random) -> bytes:
    """A stretch of zeros, of noise, or of another place of the file."""
    place, size = rng.randrange(len(data)), rng.choice((1, 2, 4, 16, 512, 4096))
    other = rng.randrange(len(data))
    stretch = rng.choice((bytes(size), rng.randbytes(size), data[other : other + size]))
    return data[:place] + stretch + data[place + len(stretch) :]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def cut_pages(data: bytes, rng: random.Random) -> bytes:
    """A cut between pages, with the root's count put right, so that only the tree can tell."""
    pages = rng.randrange(3, len(data) // PAGE + 1)
    return data[: PAGE + 8] + (pages - 1).to_bytes(4, "big") + data[PAGE + 12 : pages * PAGE]


def swap(data: bytes, rng: random.Random) -> bytes:
    a, b = (rng.randrange(1, len(data) // PAGE) * PAGE for _ in range(2))
    out = bytearray(data)
    out[a : a + PAGE], out[b : b + PAGE] = data[b : b + PAGE], data[a : a + PAGE]
    return bytes(out)


def double(data: bytes, rng: random.Random) -> bytes:
    a, b = (rng.randrange(1, len(data) // PAGE) * PAGE for _ in range(2))
    return data[:a] + data[b : b + PAGE] + data[a + PAGE :]


def relink(data: bytes, rng: random.Random) -> bytes:
    """A page's neighbours point somewhere else: loops, jumps, dead ends."""
    page = rng.randrange(1, len(data) // PAGE) * PAGE + rng.choice((4, 8))
    return data[:page] + rng.randrange(len(data) // PAGE + 2).to_bytes(4, "big") + data[page + 4 :]


def head(data: bytes, rng: random.Random) -> bytes:
    """One bit of a page's header: flips elsewhere seldom hit one."""
    out = bytearray(data)
    out[rng.randrange(1, len(data) // PAGE) * PAGE + rng.randrange(20)] ^= 1 << rng.randrange(8)
    return bytes(out)


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip, flip, flip, overwrite, overwrite, cut, cut_pages, swap, swap, double, relink, head, head,
)  # fmt: skip


def digests(path: Path, outside: Path | None = None) -> set[str]:
    """SHA-256 of every file in the undamaged database: all that may ever be called verified."""
    found = set()
    with open_file(path, outside=[outside] if outside else []) as database:
        for table in database.tables:
            for thing in database.objects(table):
                with suppress(OutsideMissing), database.open_object(table, thing) as stream:
                    found.add(hashlib.sha256(b"".join(stream.chunks())).hexdigest())
    return found


def read_all(path: Path, *, salvage: bool, right: set[str]) -> str:
    """Read everything that can be read. Returns how it ended; fails when wrong bytes are said to be right."""
    try:
        with open_file(path, salvage=salvage) as database:
            for _ in _read(database, right):
                pass
            proof = database.proof()
            if salvage:
                report = database.salvage_report()
                assert report is not None
                assert report.line()
                return "salvaged"
            return "whole" if proof.ok else "faulty"
    except UnladeError:
        return "refused"


def _read(database: DatabaseFile, right: set[str]) -> Iterator[None]:
    for table in database.tables:
        for record in database.records(table):
            assert record.modification >= 0
            yield
        yield from _read_objects(database, table, right)
        for container in database.containers(table):
            str(container)
            database.object(container)


def _read_objects(database: DatabaseFile, table, right: set[str]) -> Iterator[None]:
    for thing in database.objects(table):
        try:
            with database.open_object(table, thing, keep_damaged=True) as stream:
                data = b"".join(stream.chunks())
                if stream.state in (State.VERIFIED, State.VERIFIED_OUTSIDE):
                    assert hashlib.sha256(data).hexdigest() in right, "wrong bytes were said to be right"
        except DamagedFile:
            raise
        except UnladeError:
            pass  # said what is wrong with this one
        yield
