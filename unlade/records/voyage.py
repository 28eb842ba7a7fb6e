"""The flow of a run over records: page after page, each written whole or not at all, to the end of the source.

One worker asks the host; the run loop's thread books and writes (`unlade.crew`). An unfinished first listing is gone on
with where it ended; later runs pass over everything, since only that shows what was edited or deleted.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Container
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import InterfaceError, OperationalError, transaction

from unlade.cargo import Page, Road
from unlade.crew import Bridge, Crew, Tolls
from unlade.endings import check_final
from unlade.errors import (
    CountDiffers,
    Interrupted,
    ItemError,
    LimitReached,
    RecordGone,
    SourceError,
    Transient,
    UnladeError,
)
from unlade.ledger.models import Item
from unlade.listing import PageRequest, Walk
from unlade.options import RunOptions
from unlade.progress import Reporter
from unlade.records.books import RecordBooks, RowRefused
from unlade.records.judging import Judge, Verdict
from unlade.source import Gatekeeper, Source
from unlade.states import ItemState

log = logging.getLogger(__name__)

T = TypeVar("T")
S = ItemState

#: So many records that a pass did not meet are asked for one by one before they are called gone.
_CONFIRM = 25

#: So many values that do not fit are told one by one; the ledger has all of them.
_TOLD = 20


class RecordVoyage:
    """One run of one import of records. Call `run` from the thread that made `bridge`."""

    def __init__(
        self,
        books: RecordBooks,
        source: Source,
        gate: Gatekeeper,
        bridge: Bridge,
        toll: Tolls,
        options: RunOptions,
        reporter: Reporter,
        *,
        clock: Callable[[], datetime],
        share_permits: Callable[[], None] = lambda: None,
        curfew: Callable[[], None] = lambda: None,
    ) -> None:
        self.books, self.source, self.gate, self.bridge, self.toll = books, source, gate, bridge, toll
        self.options, self.reporter, self.clock, self.curfew = options, reporter, clock, curfew
        self._share_permits = share_permits
        self._judge = Judge(books.importer, books.source, options, books.road)
        self.interrupted = False
        self.misfits: Counter[str] = Counter()  #: values that did not fit, by the source's field
        self._told = 0
        self._written = 0
        self._settled = 0  #: when the run began
        self._met: set[str] = set()  #: in this pass
        self._counted: set[str] = set()  #: in this run
        self._found = 0
        self._began, self._last_beat = time.monotonic(), 0.0

    # From outside.

    def interrupt(self) -> None:
        """End soon; safe in a signal handler."""
        self.interrupted = True
        self.gate.stop()
        self.bridge.wake()

    def again(self) -> None:
        """After a wait; the counters go on."""

    def counters(self) -> dict[str, int]:
        """The run's figures so far, by the names of `Run`'s fields."""
        wire = self.toll.wire
        return {
            "api_bytes": wire.api,
            "container_bytes": wire.container,
            "header_bytes": wire.headers,
            "requests": self.toll.requests,
            "logins": self.toll.logins,
        }

    # The flow.

    def run(self) -> None:
        """Bring every record that is new, edited or open. Raises what ended the run, if anything did."""
        books, ledger = self.books, self.books.source
        crew = Crew(1, f"unlade-{books.importer.name}")
        counts = books.counts()
        self._settled = sum(counts.values()) - counts[S.PENDING] - counts[S.FAILED]
        # On our own disk a count costs nothing; a host tells it with its first page.
        found = ledger.found if books.road == Road.API else self.source.count().found
        self.reporter.begin(found or 0, min(self._settled, found or 0))
        try:
            # Places are those of the host's order: on other roads every run passes over everything.
            whole = ledger.listing_complete or not ledger.listed_through or self.options.only
            if whole or books.road != Road.API:
                self._pass(crew)
            else:
                self._walk(crew, Walk("new", self.options.batch_size, self._in_ledger, start=ledger.listed_through))
                if books.alive() != self._found:
                    self._pass(crew)  # records vanished meanwhile: only a full pass tells which
        finally:
            crew.close(seconds=0.5 if self.interrupted else 5)
            self._tell_misfits()
            self._tell_related()
            self.reporter.end()
        if self.options.final:
            check_final(self.books)

    def _pass(self, crew: Crew) -> None:
        began = self.clock()
        self._met.clear()
        self._walk(crew, Walk("full", self.options.batch_size, self._met_in_this_pass))
        if not self.options.only:
            self._look_for_gone(crew, began)

    def _walk(self, crew: Crew, walk: Walk) -> None:
        while request := walk.request():
            self._look_around()
            self._took(walk, request, self._ask(crew, lambda wanted=request: self._read(wanted)))  # type: ignore[misc]
            if self.options.limit is not None and self._written >= self.options.limit and not walk.complete:
                raise LimitReached("The number of records that was asked for is reached.")

    def _look_around(self) -> None:
        self.gate.beat()
        if self.interrupted:
            raise Interrupted
        elapsed = timedelta(seconds=time.monotonic() - self._began)
        if self.options.max_time is not None and elapsed >= self.options.max_time:
            raise LimitReached("The time that was asked for is over.")
        self.curfew()

    def _read(self, request: PageRequest) -> Page:
        """In the worker. A single bad answer was tried again below: what is left is a source that cannot be read."""
        try:
            return self.source.page(request.offset, request.limit)
        except Transient:
            raise
        except ItemError as error:
            raise SourceError(str(error), remedy=error.remedy or "Run it again later; nothing is lost.") from error

    def _ask(self, crew: Crew, what: Callable[[], T]) -> T:
        """Have the worker ask the host, and serve its bookings meanwhile."""
        answer: Future[T] = Future()

        def work() -> None:
            try:
                answer.set_result(what())
            except BaseException as error:  # noqa: BLE001 - belongs to the run loop, which waits for it
                answer.set_exception(error)
            self.bridge.wake()

        crew.submit(work)
        while not answer.done():
            self.bridge.serve(0.2)
            self.gate.beat()
            self._show()
        return answer.result()

    # Pages.

    def _took(self, walk: Walk, request: PageRequest, page: Page) -> None:
        """Write one page, and how far the listing has come, in one transaction."""
        self._found = page.count.found
        if self.options.expect is not None and self._found != self.options.expect:
            raise CountDiffers(
                f"The source shows {self._found:,} records to this account; --expect says {self.options.expect:,}.",
                remedy="Compare with FileMaker Pro under full access; the account's privileges may hide records.",
            )
        now = self.clock()
        verdicts = self._within_limit(self._judged(page))
        with transaction.atomic():
            self.books.counted(page.count, now)
            self.books.write_page(verdicts, now, [each for each in verdicts if self._judge.takes_ids(each)])
            in_order = walk.took(request, page)
            self._listed(walk, verdicts, whole=in_order and len(verdicts) == len(page.records))
        self._written += sum(each.settles for each in verdicts)
        self.books.passed_over(verdicts, self._counted)
        self._met.update(each.record.record_id for each in verdicts)
        self._counted |= self._met
        for each in verdicts:
            if each.settles:
                self._tell(each)
        if len(verdicts) < len(page.records):
            raise LimitReached("The number of records that was asked for is reached.")

    def _judged(self, page: Page) -> list[Verdict]:
        """Raises `RowRefused` when the declaration's own code fails."""
        try:
            return self._judge.page(page.records)
        except (UnladeError, OperationalError, InterfaceError):
            raise
        except Exception as error:
            log.exception("a page could not be read by its declaration")
            raise RowRefused(
                f"The records from place {page.offset} on could not be read by their declaration "
                f"({type(error).__name__}); nothing of the page was written.",
                remedy="Correct the declaration (the log has the trace), then run it again: it goes on with this page.",
            ) from error

    def _listed(self, walk: Walk, verdicts: list[Verdict], *, whole: bool) -> None:
        """Remember the place, so that an unfinished listing is gone on with there."""
        ledger = self.books.source
        if (
            self.books.road != Road.API
            or not whole
            or self.options.only
            or (ledger.listing_complete and not walk.complete)
        ):
            return
        anchor = verdicts[-1].record.record_id if verdicts else ledger.anchor
        self.books.listed_through(walk.reached, anchor, walk.complete)

    def _within_limit(self, verdicts: list[Verdict]) -> list[Verdict]:
        """The page as far as `--limit` goes."""
        if self.options.limit is None:
            return verdicts
        left = self.options.limit - self._written
        for place, verdict in enumerate(verdicts):
            if verdict.settles:
                if left <= 0:
                    return verdicts[:place]
                left -= 1
        return verdicts

    def _in_ledger(self, record_ids: list[str]) -> Container[str]:
        return self.books.known(record_ids)

    def _met_in_this_pass(self, record_ids: list[str]) -> Container[str]:
        return self._met

    # Records that are no longer there.

    def _look_for_gone(self, crew: Crew, began: datetime) -> None:
        """What a full pass did not meet is gone, or slipped by while the order shifted: a few are asked for."""
        found = self.books.missing_since(began)
        if self.books.road != Road.API:
            found = found.filter(road=self.books.road)  # a copy or an export does not know what the host has
        missing = list(found)
        for item in missing:
            # Ids of another road cannot be asked for here, and on our own disk no order shifts.
            sure = len(missing) > _CONFIRM or item.road != self.books.road or self.books.road != Road.API
            if sure or self._is_gone(crew, item):
                with transaction.atomic():
                    self.books.gone(item, self.clock())

    def _is_gone(self, crew: Crew, item: Item) -> bool:
        self._look_around()
        try:
            self._ask(crew, lambda: self.source.read(item.record_id))
        except RecordGone:
            return True
        return False

    # Telling.

    def _tell(self, verdict: Verdict) -> None:
        for misfit in verdict.reading.misfits:
            self.misfits[misfit.field] += 1
            self._told += 1
            log.warning("record %s: %s: %s; the value is kept", verdict.record.record_id, misfit.field, misfit.why)
            if self._told <= _TOLD:
                self.reporter.note(
                    f"record {verdict.record.record_id}: {misfit.field}: {misfit.why}; the value is kept"
                )

    def _tell_misfits(self) -> None:
        if self._told > _TOLD:
            said = ", ".join(f"{count:,} in {name}" for name, count in self.misfits.most_common())
            self.reporter.note(f"Values that do not fit their columns, all kept: {said}.")

    def _tell_related(self) -> None:
        for portal, counts in self.books.related.items():
            said = [f"{count:,} {what}" for what, count in sorted(counts.items()) if count]
            if said:
                self.reporter.note(f"Rows of the portal {portal}: {', '.join(said)}.")

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._last_beat < 1.0:
            return
        self._last_beat = now
        self.reporter.progress(
            found=self._found or self.books.source.found or 0,
            settled=self._settled + self.books.new,
            kept=0,
            wire=self.toll.wire,
            in_hand=0,
        )
        with transaction.atomic():
            self._share_permits()
            self.books.beat(self.clock(), **self.counters())
