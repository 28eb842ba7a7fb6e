"""The marker in FileMaker: written after the commit, in worker threads, only when it was asked for (LESSONS 2, 7)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from unlade.cargo import SourceRecord
from unlade.crew import Bridge
from unlade.errors import NotNow, SourceError, UnladeError
from unlade.ledger.books import Books
from unlade.ledger.models import Item
from unlade.source import Source

log = logging.getLogger(__name__)

#: Markers that are missing are taken from the ledger in portions.
_PORTION = 100


@dataclass
class Markers:
    """Writes markers for one run; `mark` stamps a record and returns its new modification id, None when not asked for.

    Belongs to the run loop's thread, but for the work that it makes. `halt` ends the run: the host does not let us write.
    """

    mark: Callable[[SourceRecord], str] | None
    books: Books
    source: Source
    bridge: Bridge
    clock: Callable[[], datetime]
    halt: Callable[[UnladeError], None]
    _writing: set[int] = field(default_factory=set)
    _tried: set[int] = field(default_factory=set)

    @property
    def busy(self) -> bool:
        """Whether markers are being written."""
        return bool(self._writing)

    def missing(self) -> list[Item]:
        """Recorded items whose marker is not written, and was not tried by this run."""
        if self.mark is None:
            return []
        return list(self.books.unmarked().exclude(pk__in=self._tried)[:_PORTION])

    def work(self, item: Item, record: SourceRecord | None) -> Callable[[], None] | None:
        """What a worker does to stamp `item`; None when markers were not asked for. Without a record it is read first."""
        if self.mark is None:
            return None
        mark = self.mark
        self._writing.add(item.pk)
        self._tried.add(item.pk)

        def work() -> None:
            mod_id = None
            try:
                mod_id = mark(record or self.source.read(item.record_id))
            except UnladeError as error:
                problem = error
                log.warning("record %s: the marker was not written: %s", item.record_id, error)
                if isinstance(error, (NotNow, SourceError)):
                    self.bridge.post(lambda: self.halt(problem))
            except Exception:
                log.exception("record %s: the marker was not written", item.record_id)
            finally:
                self.bridge.post(lambda: self._done(item.pk, mod_id))

        return work

    def _done(self, item_id: int, mod_id: str | None) -> None:
        self._writing.discard(item_id)
        if mod_id is not None:
            self.books.marked(item_id, mod_id, self.clock())
