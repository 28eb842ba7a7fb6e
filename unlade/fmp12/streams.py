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
from unlade.fmp12.tree import GAP, HEADER_KEY, SEGMENT, BrokenValue, Tree

CHUNK = 262_144  #: about so many bytes are handed on at a time

_SEGMENT_KEYS = [encode_integer(number) for number in range(0x1000)]


class ObjectPass:
    """One pass over the streams of one object, in the order of its directory; checks sizes, order and MD5.

    Iterate `pieces`; afterwards `digest` is the MD5 found. Raises `BrokenValue` in words where parts do not fit.
    """

    def __init__(self, tree: Tree, table: bytes, thing: Object) -> None:
        self._tree = tree
        self._path = object_path(table, thing.key)
        self._sizes = {stream.type.encode("latin-1"): stream.size for stream in thing.streams}
        self._order = list(self._sizes)

    def pieces(self) -> Iterator[tuple[bytes, bytes]]:
        """(type, bytes) of every stream; a long one comes in several pieces of at most about `CHUNK`."""
        expected = iter(self._order)
        current, size, number = b"", 0, 0
        parts: list[bytes] = []
        for batch in self._tree.batches(self._path):
            if number and (more := _whole_segments(batch, current, number)) and not size % SEGMENT:
                # The usual case, millions of times: a leaf that holds the next segments and nothing else.
                parts += more
                number += len(more)
                size += SEGMENT * len(more)
                if len(parts) * SEGMENT >= CHUNK:
                    yield current, b"".join(parts)
                    parts = []
                continue
            for path, key, value in batch:
                if len(path) == 5 and path[4] == current and number:
                    if key != _segment_key(number):
                        raise BrokenValue(f"part {number} of stream {_shown(current)} is not where it should be")
                    if size % SEGMENT:
                        raise BrokenValue(f"stream {_shown(current)} goes on behind its last part")
                    number += 1
                    size += len(value)
                    parts.append(value)
                    continue
                if batch[0] is GAP:
                    raise BrokenValue("part of it is lost")
                if number:
                    self._check(current, size)
                    yield current, b"".join(parts)
                    parts, number = [], 0
                if len(path) == 4:
                    if len(key) != 4:
                        continue
                    self._take(key, expected)
                    self._check(key, len(value))
                    yield key, value
                elif len(path) == 5 and len(path[4]) == 4:
                    current, size, number = path[4], 0, 1
                    self._take(current, expected)
                    if key != HEADER_KEY or int.from_bytes(value, "big") != self._sizes[current]:
                        raise BrokenValue(f"the header of stream {_shown(current)} is damaged")
            if number and len(parts) * SEGMENT >= CHUNK:
                yield current, b"".join(parts)
                parts = []
        if number:
            self._check(current, size)
            yield current, b"".join(parts)
        if (missing := next(expected, None)) is not None:
            raise BrokenValue(f"stream {_shown(missing)} is missing")

    def _take(self, name: bytes, expected: Iterator[bytes]) -> None:
        if next(expected, None) != name:
            raise BrokenValue(f"stream {_shown(name)} is not in the object's list, or another is missing")

    def _check(self, name: bytes, size: int) -> None:
        if self._sizes[name] != size:
            raise BrokenValue(f"stream {_shown(name)} has {size} bytes where {self._sizes[name]} are stated")


def _whole_segments(batch: list[Entry], current: bytes, number: int) -> list[bytes]:
    """The values of a leaf's entries if they are full segments of stream `current` from `number` on, else nothing."""
    path = batch[0][0]
    if batch[-1][0] is not path or path[-1] != current or len(path) != 5:
        return []
    values = []
    for _, key, value in batch:
        if len(value) != SEGMENT or key != _segment_key(number):
            return []
        number += 1
        values.append(value)
    return values


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
