"""The bytes of container objects: one pass over all streams with the proof, and random access (FMP12.md 7.2).

The file keeps an MD5 over type and bytes of every stream of an object. Whoever reads an object from beginning to end
gets the proof with the last byte.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator

from unlade.fmp12.objects import Object, object_path
from unlade.fmp12.tokens import Entry, Path, encode_integer
from unlade.fmp12.tree import GAP, HEADER_KEY, SEGMENT, BrokenValue, Stretch, Tree

CHUNK = 262_144  #: about so many bytes are handed on at a time

_SEGMENT_KEYS = [encode_integer(number) for number in range(0x1000)]


class ObjectPass:
    """One pass over the streams of one object, in the order of its directory; checks sizes and order.

    `pieces` can be asked for once. Raises `BrokenValue`, in words, where parts do not fit.
    """

    def __init__(self, tree: Tree, table: bytes, thing: Object) -> None:
        self._tree = tree
        self._path = object_path(table, thing.key)
        self._sizes = {stream.type.encode("latin-1"): stream.size for stream in thing.streams}
        self._expected = iter(list(self._sizes))
        # The long stream that we are in: its type, the number of its next segment (0: in none), bytes, what waits.
        self._current, self._number, self._size = b"", 0, 0
        self._node: Path = ()
        self._stretch = Stretch()
        self._parts = self._stretch.parts

    def pieces(self) -> Iterator[tuple[bytes, bytes]]:
        """(type, bytes) of every stream; a long one comes in several pieces of about `CHUNK`."""
        for batch in self._tree.batches(self._path, stretch=self._stretch):
            self._follow_stretch()
            if batch and batch[0] is GAP:
                raise BrokenValue("part of it is lost")
            if batch and not self._take_leaf(batch):
                for entry in batch:
                    yield from self._take(*entry)
            if len(self._parts) * SEGMENT >= CHUNK:
                yield self._joined()
            self._stretch.follow(self._node, 0 if self._size % SEGMENT else self._number)
        self._follow_stretch()
        yield from self._end()
        if (missing := next(self._expected, None)) is not None:
            raise BrokenValue(f"stream {_shown(missing)} is missing")

    def _follow_stretch(self) -> None:
        """Whole segments came by without us."""
        if self._stretch.number > self._number:
            self._size += SEGMENT * (self._stretch.number - self._number)
            self._number = self._stretch.number

    def _take_leaf(self, batch: list[Entry]) -> bool:
        """The usual case, millions of times: a leaf that holds the next whole segments and nothing else."""
        path, number = batch[0][0], self._number
        if not number or batch[-1][0] is not path or len(path) != 5 or path[4] != self._current or self._size % SEGMENT:
            return False
        values = []
        for _, key, value in batch:
            if len(value) != SEGMENT or key != _segment_key(number):
                return False
            number += 1
            values.append(value)
        self._parts += values
        self._size += SEGMENT * len(values)
        self._number = number
        return True

    def _take(self, path: Path, key: bytes, value: bytes) -> Iterator[tuple[bytes, bytes]]:
        if self._number and len(path) == 5 and path[4] == self._current:
            self._add(key, value)
            return
        yield from self._end()
        if len(path) == 4 and len(key) == 4:
            self._begin(key)
            self._check(key, len(value))
            yield key, value
        elif len(path) == 5 and len(path[4]) == 4:
            self._current, self._number, self._size, self._node = path[4], 1, 0, path
            self._begin(self._current)
            if key != HEADER_KEY or int.from_bytes(value, "big") != self._sizes[self._current]:
                raise BrokenValue(f"the header of stream {_shown(self._current)} is damaged")

    def _add(self, key: bytes, value: bytes) -> None:
        if key != _segment_key(self._number):
            raise BrokenValue(f"part {self._number} of stream {_shown(self._current)} is not where it should be")
        if self._size % SEGMENT or len(value) > SEGMENT:
            raise BrokenValue(f"stream {_shown(self._current)} goes on behind its last part")
        self._number += 1
        self._size += len(value)
        self._parts.append(value)

    def _joined(self) -> tuple[bytes, bytes]:
        data = b"".join(self._parts)
        self._parts.clear()
        return self._current, data

    def _end(self) -> Iterator[tuple[bytes, bytes]]:
        """Close the long stream that we are in, if any."""
        if self._number:
            self._check(self._current, self._size)
            self._number = 0
            yield self._joined()

    def _begin(self, name: bytes) -> None:
        if next(self._expected, None) != name:
            raise BrokenValue(f"stream {_shown(name)} is not in the object's list, or another is missing")

    def _check(self, name: bytes, size: int) -> None:
        if self._sizes[name] != size:
            raise BrokenValue(f"stream {_shown(name)} has {size} bytes where {self._sizes[name]} are stated")


def _segment_key(number: int) -> bytes:
    if number < len(_SEGMENT_KEYS):
        return _SEGMENT_KEYS[number]
    try:
        return encode_integer(number)
    except ValueError:
        raise BrokenValue("it is larger than any stream whose form is known (2.1 GB)") from None


def _shown(name: bytes) -> str:
    return name.decode("latin-1").strip()


class StreamDigest:
    """The MD5 over type and bytes of streams, fed piece by piece."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._current = b""

    def add(self, name: bytes, data: bytes) -> None:
        if name != self._current:
            self._md5.update(name)
            self._current = name
        self._md5.update(data)

    def hexdigest(self) -> str:
        return self._md5.hexdigest()


class Segments:
    """Random access to one stream: only the segments that are asked for are read."""

    def __init__(self, tree: Tree, table: bytes, key: bytes, name: str, size: int) -> None:
        self._tree = tree
        self._object = object_path(table, key)
        self._name = name.encode("latin-1")
        self._node: Path = (*self._object, self._name)
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end. Raises `BrokenValue`."""
        length = max(min(length, self.size - offset), 0)
        if not length:
            return b""
        if self.size <= SEGMENT and (value := self._tree.value(self._object, self._name)) is not None:
            return value[offset : offset + length]
        first, skip = divmod(offset, SEGMENT)
        parts: list[bytes] = []
        have, number = -skip, first + 1
        for entry in self._tree.directory(self._node, (_segment_key(number),)):
            if entry is GAP or entry[0] != self._node or entry[1] != _segment_key(number):
                break
            parts.append(entry[2])
            have += len(entry[2])
            number += 1
            if have >= length or len(entry[2]) != SEGMENT:
                break
        if have < length:
            raise BrokenValue(f"part {number} of stream {_shown(self._name)} is missing")
        return b"".join(parts)[skip : skip + length]


def unpack(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of a ZLIB stream: the file, compressed with a gzip header (from the maker's plug-in header only).

    Raises `BrokenValue`. Never more than `CHUNK` bytes at a time, whatever the stream swells to.
    """
    unzip = zlib.decompressobj(wbits=47)
    try:
        for chunk in chunks:
            data = unzip.decompress(chunk, CHUNK)
            while data:
                yield data
                data = unzip.decompress(unzip.unconsumed_tail, CHUNK) if unzip.unconsumed_tail else b""
    except zlib.error as error:
        raise BrokenValue(f"it cannot be decompressed: {error}") from error
    if not unzip.eof:
        raise BrokenValue("its compressed bytes end early")
