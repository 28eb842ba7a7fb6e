"""The leaves of a damaged file: what can be read, in order, and what is lost.

A leaf states the full path of its entries, so pages can be put in order without chain and index: stretches of the
chain that agree with one another stay together, and are sorted by their first entry. Only pages that keep every rule
are used; a page that breaks one is lost as a whole, since nobody can tell which of its entries are right.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from threading import Lock

from unlade.fmp12.errors import DamagedFile, DatabaseFileError
from unlade.fmp12.index import Leaf
from unlade.fmp12.pages import FIRST_LEAF, FREE_LEVEL, PageFile, PageHead, page_head
from unlade.fmp12.stretch import Stretch
from unlade.fmp12.tokens import Entry, Path, index_entries, leaf_entries
from unlade.fmp12.tree import full

_LEAVES_KEPT = 64
_LOST_KEPT = 100_000
#: Neighbours behind the end are no reason to give up a page: the file may have been cut.
_ANY = 1 << 32


@dataclass(frozen=True, slots=True)
class LostPage:
    """A page that cannot be used, and the rule that it breaks."""

    page: int
    why: str


class _View:
    """First and last entry of a sound leaf, and its header."""

    __slots__ = ("entries", "first", "head", "last")

    def __init__(self, head: PageHead, entries: list[Entry]) -> None:
        self.head = head
        self.entries = entries
        self.first = full(entries[0])
        self.last = full(entries[-1])


class SalvagedLeaves:
    """All sound leaves of a file in order. Reads the whole file once when it is made; keeps 5 bytes a page."""

    def __init__(self, file: PageFile) -> None:
        self._file = file
        self.lost: list[LostPage] = []  #: at most 100,000 of them
        self.lost_count = 0
        self._order = array("I")
        self._gaps = bytearray()
        self._recent: dict[int, _View] = {}
        self._lock = Lock()
        self._arrange()

    def leaves(self, target: Path = (), stretch: Stretch | None = None) -> Iterator[Leaf]:
        """See `Leaves`. Every leaf is parsed here."""
        start = 0
        if target:
            start = max(bisect_right(_Firsts(self), target) - 1, 0)
        for place in range(start, len(self._order)):
            number = self._order[place]
            yield Leaf(number, self._look(number).entries, bool(self._gaps[place]))

    def __len__(self) -> int:
        return len(self._order)

    def first(self, place: int) -> Path:
        """First entry of the leaf at `place`."""
        return self._look(self._order[place]).first

    def _look(self, number: int) -> _View:
        view = self._recent.get(number)
        if view is None:
            page = self._file.page(number)
            head = page_head(page, number, _ANY)
            view = _View(head, leaf_entries(page, head.end, number))
            with self._lock:
                while len(self._recent) >= _LEAVES_KEPT:
                    del self._recent[next(iter(self._recent))]
                self._recent[number] = view
        return view

    # -- once, at the beginning --

    def _arrange(self) -> None:
        self._set_order(self._runs())
        self._drop_misfits()

    def _runs(self) -> list[tuple[Path, array[int]]]:
        """Stretches of the chain: (first entry, pages). Broken pages go to `lost`."""
        following = array("I", bytes(4 * self._file.count))
        is_head = bytearray(self._file.count)
        sound = bytearray(self._file.count)
        for number in range(FIRST_LEAF, self._file.count):
            view = self._try(number)
            if view is not None:
                sound[number] = is_head[number] = 1
                following[number] = view.head.next
        for number in range(FIRST_LEAF, self._file.count):
            after = following[number]
            if not sound[number] or not after:
                continue
            if after >= self._file.count or not sound[after] or self._look(after).head.previous != number:
                following[number] = 0
            else:
                is_head[after] = 0
        heads = (number for number in range(FIRST_LEAF, self._file.count) if is_head[number])
        # What is sound and behind no head is a loop; it is cut open at its lowest page.
        loops = (number for number in range(FIRST_LEAF, self._file.count) if sound[number])
        runs = []
        for number in chain(heads, loops):
            if not sound[number]:
                continue
            run = array("I")
            after = number
            while after and sound[after]:
                sound[after] = 0
                run.append(after)
                after = following[after]
            runs.append((self._look(number).first, run))
        return runs

    def _try(self, number: int) -> _View | None:
        """The leaf if it is a sound one; notes a loss if it is a broken one, not if it is an index or free page."""
        page = self._file.page(number)
        level = int.from_bytes(page[12:14], "big")
        try:
            head = page_head(page, number, _ANY)
            if head.level == 0:
                entries = leaf_entries(page, head.end, number)
                return _View(head, entries) if entries else None
        except DamagedFile as error:
            if level != FREE_LEVEL:
                self._lose(LostPage(number, error.why))
            return None
        if level != FREE_LEVEL and not _is_index(page, head, number):
            self._lose(LostPage(number, "it is no page of a kind that we know"))
        return None

    def _lose(self, page: LostPage) -> None:
        self.lost_count += 1
        if self.lost_count <= _LOST_KEPT:
            self.lost.append(page)

    def _set_order(self, runs: list[tuple[Path, array[int]]]) -> None:
        runs.sort(key=lambda run: run[0])
        for _, run in runs:
            self._order.extend(run)

    def _drop_misfits(self) -> None:
        """Take out leaves that do not stand between their neighbours, and mark the holes.

        With one leaf to look ahead, it can be told which of two is the odd one.
        """
        kept, gaps = array("I"), bytearray()
        before: _View | None = None
        before_number = 0
        for place, number in enumerate(self._order):
            view = self._look(number)
            ahead = self._look(self._order[place + 1]) if place + 1 < len(self._order) else None
            odd = before is not None and view.first <= before.last
            if not odd and ahead is not None and view.last >= ahead.first:
                odd = before is None or ahead.first > before.last
            if odd:
                self._lose(LostPage(number, "its keys do not stand between those of its neighbours"))
                continue
            joined = before is not None and (before.head.next == number or view.head.previous == before_number)
            start = before is None and number == FIRST_LEAF
            kept.append(number)
            gaps.append(0 if joined or start else 1)
            before, before_number = view, number
        if not kept:
            raise DatabaseFileError(f"Nothing can be read from {self._file.path.name}: no page of it is sound.")
        self._order, self._gaps = kept, gaps

    def holes(self) -> Iterator[tuple[Path | None, Path]]:
        """(last entry before, first entry behind) of every place where something may be lost."""
        for place, gap in enumerate(self._gaps):
            if gap:
                before = self._look(self._order[place - 1]).last if place else None
                yield before, self.first(place)


class _Firsts:
    """The first entries of all leaves, as a sequence to search in."""

    def __init__(self, leaves: SalvagedLeaves) -> None:
        self._leaves = leaves

    def __len__(self) -> int:
        return len(self._leaves)

    def __getitem__(self, place: int) -> Path:
        return self._leaves.first(place)


def _is_index(page: bytes, head: PageHead, number: int) -> bool:
    try:
        index_entries(page, head.end, number)
    except DamagedFile:
        return False
    return head.level < 16
