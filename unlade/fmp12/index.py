"""The leaves in order, and where in them a path begins: the chain, and the index tree above it (FMP12.md 2, 4).

The chain is what is read; the index is a hint where to start, checked against the leaf it leads to, so that a wrong
index can cost time but never hide an entry.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from threading import Lock
from typing import NamedTuple, Protocol

from unlade.fmp12.errors import DamagedFile
from unlade.fmp12.pages import FIRST_LEAF, ROOT, PageFile, page_head, sound_leaf
from unlade.fmp12.stretch import Stretch
from unlade.fmp12.tokens import Entry, Path, full, index_entries, leaf_entries

_INDEX_KEPT = 64
_LEAVES_KEPT = 16
_PARTS_KEPT = 263  #: segments of a stretch that are taken out together
_MAX_LEVEL = 16
#: How far the index may be off. With a sound index one step back is enough.
_MAX_STEPS = 64


class Leaf(NamedTuple):
    """One leaf. `gap` tells that something between the leaf before and this one is lost (salvage only)."""

    number: int
    entries: list[Entry]
    gap: bool = False


class Leaves(Protocol):
    """The leaves of a file in rising order of their entries."""

    def leaves(self, target: Path = (), stretch: Stretch | None = None) -> Iterator[Leaf]:
        """All leaves from the one on that can hold the first entry at or behind `target`.

        Leaves behind the first that hold only the next segments of `stretch` may go there instead; then an empty leaf
        comes from time to time, so that somebody takes them out.
        """


class ChainLeaves:
    """The leaves of a sound file, by the chain. Raises `DamagedFile` at the page where a rule is broken.

    Remembers, two bits a page, which leaves kept every rule, so that the proof need not read them again.
    """

    def __init__(self, file: PageFile) -> None:
        self._file = file
        self._sound = bytearray(file.count // 8 + 1)  # parsed, and in order behind the leaf that it names as before
        self._in_row = bytearray(file.count // 8 + 1)  # of those: between the page before and the next page
        self._index: dict[int, tuple[list[Path], list[int]]] = {}
        self._recent: dict[int, list[Entry]] = {}
        self._lock = Lock()

    def leaves(self, target: Path = (), stretch: Stretch | None = None) -> Iterator[Leaf]:
        number = self._start(target) if target else FIRST_LEAF
        before = None if target else 0
        last: Path = ()
        stretched = 0  # the number of the next segment, while the leaf before was one of the stretch
        while number:
            page = self._file.page(number)
            following, end = self._leaf_head(page, number, before)
            if stretch is not None and stretch.number and before is not None:
                first = stretch.number
                if (stretched == first or stretch.place(first) > last) and stretch.take(page, end):
                    stretched = stretch.number
                    self._note(number, before, following)
                    if len(stretch.parts) >= _PARTS_KEPT:
                        # Whoever takes them out may follow another value from here.
                        last, stretched = stretch.place(stretched - 1), 0
                        yield Leaf(number, [])
                    before, number = number, following
                    continue
                if stretched:
                    last, stretched = stretch.place(stretched - 1), 0
            # Only where somebody starts is likely to be asked for again.
            entries = self._entries(page, end, number) if before is None else leaf_entries(page, end, number)
            if entries:
                if full(entries[0]) <= last:
                    raise DamagedFile(number, "its keys are out of order with the leaf before")
                last = full(entries[-1])
            if before is not None:
                self._note(number, before, following)
            yield Leaf(number, entries)
            before, number = number, following

    def walk(self) -> Iterator[int]:
        """Numbers of all leaves in order, each of them proven: it keeps every rule, now or when it was read before.

        Raises `DamagedFile`.
        """
        number, before = FIRST_LEAF, 0
        last: Path | None = ()
        while number:
            place, bit = number >> 3, 1 << (number & 7)
            if self._in_row[place] & bit and before == number - 1:
                last = None
                yield number
                before, number = number, number + 1
                continue
            page = self._file.page(number)
            following, end = self._leaf_head(page, number, before)
            if self._sound[place] & bit:
                last = None
            else:
                if last is None:
                    last = self._last_of(before)
                entries = leaf_entries(page, end, number)
                if entries:
                    if full(entries[0]) <= last:
                        raise DamagedFile(number, "its keys are out of order with the leaf before")
                    last = full(entries[-1])
                self._note(number, before, following)
            yield number
            before, number = number, following

    def _leaf_head(self, page: bytes, number: int, before: int | None) -> tuple[int, int]:
        """The number of the next leaf, and where the payload ends; what leads here is checked."""
        if (sound := sound_leaf(page, before, self._file.count)) is not None:
            return sound
        head = page_head(page, number, self._file.count)
        if head.level != 0:
            raise DamagedFile(number, "the chain of leaves leads to another kind of page")
        # Each leaf names the one before it, which also makes a loop impossible.
        if before is not None and head.previous != before:
            raise DamagedFile(number, "the chain of leaves does not lead back")
        return head.next, head.end

    def _note(self, number: int, before: int, following: int) -> None:
        # Two threads may undo each other's bit, which costs a second reading and no more.
        place, bit = number >> 3, 1 << (number & 7)
        self._sound[place] |= bit
        if before == number - 1 and following == number + 1:
            self._in_row[place] |= bit

    def _last_of(self, number: int) -> Path:
        """The last entry of the leaves up to `number`; empty leaves are passed over."""
        while number:
            page = self._file.page(number)
            head = page_head(page, number, self._file.count)
            if entries := leaf_entries(page, head.end, number):
                return full(entries[-1])
            number = head.previous
        return ()

    def _entries(self, page: bytes, end: int, number: int) -> list[Entry]:
        entries = self._recent.get(number)
        if entries is None:
            entries = leaf_entries(page, end, number)
            with self._lock:
                while len(self._recent) >= _LEAVES_KEPT:
                    del self._recent[next(iter(self._recent))]
                self._recent[number] = entries
        return entries

    def _first(self, number: int) -> tuple[Path | None, int]:
        """First (path, key) of leaf `number`, None if it is empty, and the number of the leaf before."""
        page = self._file.page(number)
        head = page_head(page, number, self._file.count)
        if head.level != 0:
            raise DamagedFile(number, "the index leads to a page that is no leaf")
        entries = self._entries(page, head.end, number)
        return ((*entries[0][0], entries[0][1]) if entries else None), head.previous

    def _start(self, target: Path) -> int:
        """A leaf that begins at or before `target`, by the index, near to it."""
        number = self._descend(target)
        for _ in range(_MAX_STEPS):
            first, before = self._first(number)
            if number == FIRST_LEAF or (first is not None and first <= target):
                return number
            if not before:
                raise DamagedFile(number, "the chain of leaves does not start where it should")
            number = before
        raise DamagedFile(number, "the index and the chain of leaves do not agree")

    def _descend(self, target: Path) -> int:
        number, level = ROOT, None
        for _ in range(_MAX_LEVEL):
            separators, children, own = self._node(number)
            if level is not None and own != level:
                raise DamagedFile(number, "it has the wrong level in the index")
            number = children[max(bisect_right(separators, target) - 1, 0)]
            if own == 1:
                return number
            level = own - 1
        raise DamagedFile(number, "the index is too deep")

    def _node(self, number: int) -> tuple[list[Path], list[int], int]:
        head = self._file.head(number)
        if not 1 <= head.level <= _MAX_LEVEL:
            raise DamagedFile(number, "it should be a page of the index")
        node = self._index.get(number)
        if node is None:
            node = index_entries(self._file.page(number), head.end, number)
            with self._lock:
                while len(self._index) >= _INDEX_KEPT:
                    del self._index[next(iter(self._index))]
                self._index[number] = node
        return *node, head.level


def index_leaves(file: PageFile) -> Iterator[int]:
    """Numbers of all leaves in order, by the index alone; to be compared with the chain. Raises `DamagedFile`."""
    level = _index_level(file, ROOT)
    walk: list[tuple[int, Iterator[int]]] = [(level, iter(_children(file, ROOT)))]
    seen = 0
    while walk:
        level, children = walk[-1]
        number = next(children, None)
        if number is None:
            walk.pop()
            continue
        seen += 1
        if seen > file.count:
            raise DamagedFile(number, "the index leads in circles")
        if level == 1:
            yield number
            continue
        if _index_level(file, number) != level - 1:
            raise DamagedFile(number, "it has the wrong level in the index")
        walk.append((level - 1, iter(_children(file, number))))


def _index_level(file: PageFile, number: int) -> int:
    level = file.head(number).level
    if not 1 <= level <= _MAX_LEVEL:
        raise DamagedFile(number, "it should be a page of the index")
    return level


def _children(file: PageFile, number: int) -> list[int]:
    children = index_entries(file.page(number), file.head(number).end, number)[1]
    if any(not FIRST_LEAF <= child < file.count for child in children):
        raise DamagedFile(number, "the index leads out of the file")
    return children
