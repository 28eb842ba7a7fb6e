"""The file as numbered pages of 4096 bytes (FMP12.md 2).

Read in blocks through a small cache rather than mapped: a mapped file that is cut short or whose network drive goes
away kills the process, and a block is as quick. One `PageFile` may be used from several threads.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from threading import Lock
from typing import BinaryIO, NamedTuple

from unlade.fmp12.errors import CutShort, DamagedFile, DatabaseFileError

PAGE = 4096
HEADER = 20  #: bytes of a page's own header
ROOT = 1  #: root of the index tree
FIRST_LEAF = 2
FREE_LEVEL = 0xFFFF

_BLOCK_BITS = 5
_BLOCK_PAGES = 1 << _BLOCK_BITS
_BLOCKS_KEPT = 64  #: 8 MiB in all
_HEAD = struct.Struct(">4xIIHHI")
_LEAF = struct.Struct(">IIIHH")


class PageHead(NamedTuple):
    """The header of a page. `end` is the offset behind its payload, `level` 0 for a leaf, `FREE_LEVEL` if unused."""

    previous: int
    next: int
    level: int
    end: int
    counter: int


class PageFile:
    """Pages by number. Close it, or use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open `path` for reading. Raises `DatabaseFileError` when the system does not let us."""
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb", buffering=0)
        except OSError as error:
            raise DatabaseFileError(
                f"{path.name} cannot be opened: {error.strerror or error}.",
                remedy="Check the path and its permissions, and close the file in FileMaker.",
            ) from error
        status = os.fstat(self._file.fileno())
        self.size, self._modified = status.st_size, status.st_mtime_ns
        self.count = self.size // PAGE
        self._lock = Lock()
        self._blocks: dict[int, bytes] = {}

    def __enter__(self) -> PageFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        self._file.close()
        self._blocks.clear()

    def page(self, number: int) -> bytes:
        """The 4096 bytes of page `number`. Raises `CutShort` past the end."""
        block = number >> _BLOCK_BITS
        data = self._blocks.get(block)
        if data is None:
            data = self._load(block)
        start = number % _BLOCK_PAGES * PAGE
        page = data[start : start + PAGE]
        if len(page) != PAGE:
            raise CutShort(f"{self.path.name} ends before page {number}.")
        return page

    def _load(self, block: int) -> bytes:
        with self._lock:
            if (data := self._blocks.get(block)) is not None:
                return data
            try:
                self._file.seek(block * _BLOCK_PAGES * PAGE)
                data = _read_fully(self._file, _BLOCK_PAGES * PAGE)
            except (OSError, ValueError) as error:
                raise DatabaseFileError(f"{self.path.name} can no longer be read: {error}.") from error
            while len(self._blocks) >= _BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[block] = data
        return data

    def is_unchanged(self) -> bool:
        """Whether the file still has the size and time of change that it was opened with."""
        status = os.fstat(self._file.fileno())
        return (status.st_size, status.st_mtime_ns) == (self.size, self._modified)

    def head(self, number: int) -> PageHead:
        """The checked header of page `number`. Raises `DamagedFile`."""
        return page_head(self.page(number), number, self.count)


def _read_fully(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) == length or not data:
        return data
    parts = [data]
    while (length := length - len(data)) and (data := file.read(length)):
        parts.append(data)
    return b"".join(parts)


def sound_leaf(page: bytes, before: int | None, count: int) -> tuple[int, int] | None:
    """The next leaf's number and where the payload ends, of a leaf whose header keeps every rule and names `before`
    (None: any) as the one before it. None for all others: `page_head` says what is wrong. Called for every page."""
    zeros, previous, following, level, free = _LEAF.unpack_from(page)
    if zeros or level or free > PAGE - HEADER or following >= count or previous >= count:
        return None
    if before is not None and previous != before:
        return None
    return following, PAGE - free


def page_head(page: bytes, number: int, count: int) -> PageHead:
    """The header of `page`, every number in it checked against the file's page `count`. Raises `DamagedFile`."""
    previous, following, level, free, counter = _HEAD.unpack_from(page)
    if page[:4] != b"\0\0\0\0":
        raise DamagedFile(number, "it does not start like a page")
    if free > PAGE - HEADER:
        raise DamagedFile(number, "it claims more free space than a page has")
    if previous >= count or (following >= count and number != ROOT):
        raise DamagedFile(number, "its neighbour lies outside the file")
    return PageHead(previous, following, level, PAGE - free, counter)
