"""A container's file as a stream that proves itself (FMP12.md 7.2, 7.3).

Read from beginning to end, the last bytes come out only after the whole object's MD5 has been checked: a damaged file
never looks complete. Seeking reads only what is asked for, and proves nothing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from unlade.fmp12.errors import RECOVER, DamagedFile, DamagedObject
from unlade.fmp12.objects import Object
from unlade.fmp12.streams import CHUNK, ObjectPass, Segments, StreamDigest, unpack
from unlade.fmp12.tree import BrokenValue, Tree

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class State(StrEnum):
    """What is known about one container value (FMP12.md 10)."""

    VERIFIED = "verified"  #: in the file, byte for byte by the MD5 that the file keeps
    VERIFIED_OUTSIDE = "verified-outside"  #: beside the file, by size and MD5
    OUTSIDE_MISSING = "outside-file-missing"  #: should be beside the file, and is not there or was changed
    REFERENCE_ONLY = "reference-only"  #: only the path of a file elsewhere was ever stored
    SECURE = "secure-storage"  #: beside the file, encrypted by FileMaker
    MISMATCH = "mismatch"  #: the bytes do not fit their MD5 or their sizes
    OBJECT_MISSING = "object-missing"  #: the value names an object that is not in the file
    UNREADABLE = "unreadable"  #: the value is no reference of a kind we know
    LEFT_OVER = "left-over"  #: an object that no value refers to any more

    @property
    def proof(self) -> str:
        """What proves the bytes: `md5`, `md5-external` or `none` (CONTRACT A4)."""
        return {State.VERIFIED: "md5", State.VERIFIED_OUTSIDE: "md5-external"}.get(self, "none")


class Reader(Protocol):
    """Where a stream's bytes come from."""

    size: int | None

    def chunks(self) -> Iterator[bytes]:
        """All bytes from the beginning; raises `BrokenValue` at the latest behind the last one."""

    def read(self, offset: int, length: int) -> bytes:
        """Some bytes; raises `BrokenValue`."""


class InsideReader:
    """A stream inside the database file."""

    def __init__(self, tree: Tree, table: bytes, thing: Object, name: str) -> None:
        stored = next((stream.size for stream in thing.streams if stream.type == name), 0)
        self._tree, self._table, self._thing, self._name = tree, table, thing, name
        self._packed = name == "ZLIB"
        self._segments = Segments(tree, table, thing.key, name, stored)
        self.size: int | None = None if self._packed else stored

    def chunks(self) -> Iterator[bytes]:
        stored = self._stored()
        return unpack(stored) if self._packed else stored

    def _stored(self) -> Iterator[bytes]:
        digest, wanted = StreamDigest(), self._name.encode("latin-1")
        for name, data in ObjectPass(self._tree, self._table, self._thing).pieces():
            digest.add(name, data)
            if name == wanted and data:
                yield data
        # With a file outside, the MD5 covers that file as well: its short streams inside cannot be proven alone.
        if self._thing.outside is None and digest.hexdigest() != self._thing.md5:
            raise BrokenValue("its bytes do not fit the MD5 that the file keeps of them")

    def read(self, offset: int, length: int) -> bytes:
        if self._packed:
            raise io.UnsupportedOperation("a compressed stream can only be read from its beginning")
        return self._segments.read(offset, length)


class OutsideReader:
    """A file in open storage. Both its own MD5 and the object's, over the logical streams, are checked."""

    def __init__(self, tree: Tree, table: bytes, thing: Object, path: Path) -> None:
        assert thing.outside is not None
        self._tree, self._table, self._thing, self._path = tree, table, thing, path
        self._outside = thing.outside
        self.size: int | None = thing.outside.size

    def chunks(self) -> Iterator[bytes]:
        outside, own, before = self._outside, hashlib.md5(usedforsecurity=False), StreamDigest()
        kept = list(self._logical())  # short: names and paths
        for name, data in kept:
            if name < outside.type.encode("latin-1"):
                before.add(name, data)
        size = 0
        with self._path.open("rb") as file:
            while data := file.read(CHUNK):
                own.update(data)
                before.add(outside.type.encode("latin-1"), data)
                size += len(data)
                if size > outside.size:
                    break
                yield data
        for name, data in kept:
            if name > outside.type.encode("latin-1"):
                before.add(name, data)
        if size != outside.size or own.hexdigest() != outside.md5:
            raise BrokenValue("the file beside the database is not the one that was put into the container")
        if before.hexdigest() != self._thing.md5:
            raise BrokenValue("the file and its description do not fit the MD5 that the database keeps")

    def _logical(self) -> Iterator[tuple[bytes, bytes]]:
        for name, data in ObjectPass(self._tree, self._table, self._thing).pieces():
            if name.decode("latin-1") in ("FNAM", "REMO") or not name.rstrip().islower():
                yield name, data

    def read(self, offset: int, length: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(offset)
            return file.read(max(min(length, self._outside.size - offset), 0))


class ContainerStream(io.RawIOBase):
    """One container's file. A binary file object that can also `chunks()`.

    `size` is None for a compressed stream until it was read. `state` is None until the stream was read through from
    its beginning; then it is what was proven (still None for a short stream of an object whose file lies outside). A
    stream that does not prove true raises `DamagedObject` before its last bytes, or with `keep_damaged` ends where its
    bytes end, with the state `mismatch`.
    """

    def __init__(
        self,
        reader: Reader,
        good: State | None,
        label: str,
        *,
        name: str | None,
        type_: str,
        keep_damaged: bool = False,
    ) -> None:
        super().__init__()
        self._reader, self._good, self._label, self._keep = reader, good, label, keep_damaged
        self.file_name = name
        self.type = type_
        self.state: State | None = None
        self.why = ""  #: with the state `mismatch`, what did not fit
        self._position = 0
        self._front: Iterator[bytes] | None = None  # the pass from the beginning
        self._front_at = 0  # where it stands
        self._rest = b""

    @property
    def size(self) -> int | None:
        return self._reader.size

    def chunks(self) -> Iterator[bytes]:
        """All bytes from the beginning, in pieces of about 256 KB; the last one only after the proof.

        Raises `DamagedObject` and `DamagedFile`.
        """
        held: bytes | None = None
        total = 0
        try:
            for chunk in self._reader.chunks():
                if held is not None:
                    yield held
                held = chunk
                total += len(chunk)
        except BrokenValue as error:
            self._broken(str(error))
        except DamagedFile as error:
            self._broken(f"page {error.page} is damaged: {error.why}")
        else:
            self.state = self._good
            if self._reader.size is None:
                self._reader.size = total
        if held is not None:
            yield held

    def _broken(self, why: str) -> None:
        self.state, self.why = State.MISMATCH, why
        if not self._keep:
            raise DamagedObject(f"{self._label}: {why}.", remedy=RECOVER)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._reader.size is not None

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another place; back to 0 and to the end again gives the proof again."""
        if whence == io.SEEK_CUR:
            offset += self._position
        elif whence == io.SEEK_END:
            if self.size is None:
                raise io.UnsupportedOperation("the size of a compressed stream is not known before it was read")
            offset += self.size
        if offset < 0:
            raise ValueError("there is nothing before the beginning")
        self._position = offset
        return offset

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._take(len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _take(self, length: int) -> bytes:
        if self._position == 0:
            self._front, self._front_at, self._rest = self.chunks(), 0, b""
        if self._front is None or self._position != self._front_at:
            return self._random(length)
        if not self._rest:
            self._rest = next(self._front, b"")
        data, self._rest = self._rest[:length], self._rest[length:]
        self._front_at += len(data)
        return data

    def _random(self, length: int) -> bytes:
        try:
            return self._reader.read(self._position, length)
        except BrokenValue as error:
            raise DamagedObject(f"{self._label}: {error}.", remedy=RECOVER) from error
