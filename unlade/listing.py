"""Walking a source page by page so that nothing is lost and nothing twice, while the source changes (pure).

FileMaker pages by offset. Offsets shift when a record before them disappears, so each page begins with the last
record of the page before (the anchor). Where that record no longer is, everything behind it has moved towards the
front: the walk steps back until a page begins with a record that it knows, and goes on from there. This holds as long
as the order is stable and new records come at the end (LESSONS 1; FILEMAKER.md 2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from unlade.cargo import Page


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Records `offset` (from 1) to `offset + limit - 1`, for the named part of the work."""

    part: str
    offset: int
    limit: int


class Walk:
    """One walk through the source's order, from `start` (a place whose record is known) or from the first record.

    `known(record_ids)` returns which of them the walk has met: for a resumed listing those in the ledger, for a full
    pass those seen in this pass. It is asked before the page is taken. `batch` is records per request, two at the
    least: without an anchor records would be lost when others disappear.
    """

    def __init__(
        self,
        part: str,
        batch: int,
        known: Callable[[list[str]], Container[str]],
        *,
        start: int = 0,
    ) -> None:
        self.part = part
        self.batch = max(2, batch)
        self.complete = False
        self.reached = start  #: place of the last record that was taken
        self.drifted = False
        self._known = known
        self._next = max(1, start)

    def request(self, most: int | None = None) -> PageRequest | None:
        """The next page to ask for, with at most `most` records that are new; None when the walk is over."""
        if self.complete:
            return None
        limit = self.batch if most is None else max(2, min(self.batch, most + 1))
        return PageRequest(self.part, self._next, limit)

    def took(self, request: PageRequest, page: Page) -> bool:
        """Take the answer to `request`. True when the page's records continue the walk without a gap.

        On False the records are true all the same, but some before them are still to come.
        """
        ids = [record.record_id for record in page.records]
        if not ids:
            return self._past_the_end(request, page.count.found)
        anchored = request.offset == self.reached
        if anchored and request.offset > 1 and ids[0] not in self._known(ids[:1]):
            self._step_back(request.offset)
            return False
        last = request.offset + len(ids) - 1
        self.reached = last
        if last >= page.count.found:
            self.complete = True
        self._next = last
        if len(ids) == 1 and not self.complete:
            # Only the anchor came although there is more: ask for the record behind it, or the walk stands still.
            self._next = last + 1
        return True

    def _past_the_end(self, request: PageRequest, found: int) -> bool:
        behind = request.offset > self.reached  # not asked with an anchor: nothing there is what one would expect
        if found == 0 or request.offset <= 1 or (behind and found >= self.reached):
            self.complete = True
            return True
        self._step_back(min(request.offset, found + 1))
        return False

    def _step_back(self, offset: int) -> None:
        """Go back by a page; its first record must be one that the walk knows."""
        self.drifted = True
        self._next = self.reached = max(1, offset - self.batch + 1)


def windows(positions: list[int], batch: int) -> list[tuple[int, int]]:
    """Groups sorted places into (offset, limit) so that each page holds as many of them as it can."""
    found: list[tuple[int, int]] = []
    index = 0
    while index < len(positions):
        first = positions[index]
        last = first
        while index < len(positions) and positions[index] < first + batch:
            last = positions[index]
            index += 1
        found.append((first, last - first + 1))
    return found
