"""The file as one sorted tree: entries of a directory as they come by, single values, long values (FMP12.md 4, 5).

Nothing here holds more than a page: whoever asks for a directory gets a stream of entries.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from unlade.fmp12.index import Leaves
from unlade.fmp12.stretch import SEGMENT, Stretch
from unlade.fmp12.tokens import LAST_KEY, Entry, Path, decode_integer, full

HEADER_KEY = b"\0"

#: Stands in a stream of entries where some may be lost; only ever seen in salvage.
GAP: Entry = ((b"gap", LAST_KEY), b"", b"")


class Tree:
    """All entries of a file in their order."""

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves

    def batches(self, prefix: Path, start: Path = (), stretch: Stretch | None = None) -> Iterator[list[Entry]]:
        """Entries whose path begins with `prefix`, from key `start` (below the prefix) on: a list for each leaf.

        A batch of one `GAP` says that entries may be missing there. With a `stretch`, which must lie below the prefix,
        leaves that fit it go there; an empty batch says that some did. Raises `DamagedFile` (never in salvage).
        """
        target = prefix + start if start else (*prefix, b"")
        end, depth = (*prefix, LAST_KEY), len(prefix)
        started = False
        for leaf in self._leaves.leaves(target, stretch):
            entries = leaf.entries
            if not entries:
                if stretch is not None and stretch.parts:
                    yield entries
                continue
            if leaf.gap and (started or full(entries[0]) > target):
                yield [GAP]
            if not started:
                entries = entries[bisect_left(entries, target, key=full) :]
                started = bool(entries)
            if entries and entries[-1][0][:depth] != prefix:
                if inside := entries[: bisect_left(entries, end, key=full)]:
                    yield inside
                return
            if entries:
                yield entries

    def directory(self, prefix: Path, start: Path = ()) -> Iterator[Entry]:
        """The same entries one by one, a `GAP` among them where some may be missing."""
        for batch in self.batches(prefix, start):
            yield from batch

    def children(self, prefix: Path) -> Iterator[bytes]:
        """Keys right below `prefix`, values and directories alike, each once; jumps over what lies inside them."""
        start: Path = ()
        while True:
            for entry in self.directory(prefix, start):
                if entry is not GAP:
                    break
            else:
                return
            key = child_of(entry, len(prefix))
            yield key
            start = (key, LAST_KEY)

    def value(self, path: Path, key: bytes) -> bytes | None:
        """One short value, or None when it is not there."""
        for entry in self.directory(path, (key,)):
            return entry[2] if entry is not GAP and entry[0] == path and entry[1] == key else None
        return None


def child_of(entry: Entry, depth: int) -> bytes:
    """The element of an entry's full path at `depth`."""
    path, key, _ = entry
    return path[depth] if len(path) > depth else key


class LongValue:
    """Puts one long value together as its parts come: a header, then segments 1, 2, 3 ...

    `header` is the value of key 00. What is missing shows in the number of bytes, so parts need not be of a size.
    """

    def __init__(self) -> None:
        self.header = b""
        self.size = 0

    @property
    def stated(self) -> int | None:
        """Bytes that the header states; None without a header."""
        return int.from_bytes(self.header[:4], "big") if len(self.header) >= 4 else None

    def add(self, key: bytes, value: bytes) -> bytes | None:
        """The bytes of a segment; None when the key is the header's or none of ours."""
        if key == HEADER_KEY:
            self.header = value
            return None
        if decode_integer(key) is None:
            return None
        self.size += len(value)
        return value


__all__ = ["GAP", "HEADER_KEY", "SEGMENT", "BrokenValue", "LongValue", "Stretch", "Tree", "child_of", "full"]


class BrokenValue(Exception):
    """The parts of a stream do not fit together; who knows the object says so of it."""
