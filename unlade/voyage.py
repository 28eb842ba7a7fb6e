"""The main flow: `Voyage.run` carries all that an import has to carry; `carrying.carry` takes one item there.

Write order (DESIGN 5.3): the item is committed as in hand, its bytes go to the spool, the object is confirmed by the
store, then ledger and row are written in one transaction, then the spool lets go of the file, then (if asked for)
FileMaker is stamped. After a crash at any point the next run finds its place from what is durable: spool marks,
objects that say whose they are, the ledger.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from unlade.agenda import Agenda, Order, anything_to_do
from unlade.cargo import Outcome, Road, SourceRecord
from unlade.carrying import Carried, carry
from unlade.crew import Bridge, Crew, Tolls
from unlade.endings import check_final
from unlade.errors import (
    AllowanceSpent,
    CountDiffers,
    Interrupted,
    ItemError,
    LimitReached,
    NotNow,
    SourceError,
    UnladeError,
)
from unlade.hooks import after_commit
from unlade.ledger.books import Books
from unlade.ledger.models import Item, edited_since
from unlade.listing import PageRequest
from unlade.marking import Markers
from unlade.options import RunOptions
from unlade.pilot.gathering import Gathering
from unlade.progress import Reporter
from unlade.recovery import left_by_dead_runs
from unlade.ship import DownloadBooking, Ship
from unlade.source import Gatekeeper
from unlade.states import STORED, ItemState

log = logging.getLogger(__name__)

S = ItemState

#: So many files that prove too large for what is left of a limit do not end a run: smaller ones may follow.
_TOO_LARGE = 5

#: So many items of our own disk are written down together.
_PORTION = 100

#: Seconds in which what our own disk gives comes together: each look of the run loop costs a transaction.
_GATHER = 0.05


class Voyage:
    """One run of one import. Build it with everything ready, call `run` once, from one thread.

    `prepare` is called when there is something to carry, before anything is: the store proves itself, and what it knows
    better than the ledger is caught up.
    """

    def __init__(
        self,
        books: Books,
        ship: Ship,
        gate: Gatekeeper,
        bridge: Bridge,
        toll: Tolls,
        options: RunOptions,
        reporter: Reporter,
        *,
        clock: Callable[[], datetime],
        prepare: Callable[[], None],
        mark: Callable[[SourceRecord], str] | None = None,
        share_permits: Callable[[], None] = lambda: None,
        curfew: Callable[[], None] = lambda: None,
    ) -> None:
        self.books, self.ship, self.gate, self.bridge, self.toll = books, ship, gate, bridge, toll
        self.options, self.reporter, self.clock, self._prepare = options, reporter, clock, prepare
        self._markers = Markers(mark, books, ship.source, bridge, clock, self._halt)
        self._share_permits = share_permits
        self.curfew = curfew  #: raises `NotNow` in quiet hours
        self.interrupted = False
        self._prepared = False
        self._agenda: Agenda | None = None
        self._crew: Crew | None = None
        self._stop: UnladeError | None = None
        self._in_hand: dict[int, Item] = {}
        self._local = books.road != Road.API
        #: Twice the permits: while one half fetches, the other hashes, decodes and stores. Our own disk has no permits.
        self._most_in_hand = (2 * options.concurrency + 2) * (24 if self._local else 1)
        self._together: list[tuple[Item, Carried]] = []  #: carried, not written down yet
        self._fetching = 0  #: items in hand for which a download is to be expected
        self._downloads = 0  #: items for which a download was started
        self._kept = 0
        self._page_asked = False
        self._page_waits = False  #: a page found no room in a limit; what is in hand may give some back
        self._settled = 0
        self._too_large = 0  #: downloads that were broken off because of their size
        self._sizes: deque[int] = deque(maxlen=200)
        self._began = time.monotonic()
        self._last_beat = 0.0

    # From outside.

    def interrupt(self) -> None:
        """End soon: what is being fetched is finished, nothing new is begun. Safe in a signal handler."""
        self.interrupted = True
        self.gate.stop()
        self.bridge.wake()

    def again(self) -> None:
        """Forget what ended the last `run`, after a wait; the counters go on."""
        self._stop = None

    @property
    def pilot(self) -> Gathering | None:
        """With `--pilot`: the sample, and what of the listing it stands for."""
        return self._agenda.pilot if self._agenda is not None else None

    # The flow.

    def run(self) -> None:
        """Carry everything there is to carry. Raises what ended the run, if anything did."""
        count = self.ship.source.count()
        with transaction.atomic():
            self.books.counted(count, self.clock())
        expected = self.options.expect
        if expected is not None and count.found != expected:
            raise CountDiffers(
                f"The source shows {count.found:,} records to this account; --expect says {expected:,}.",
                remedy="Compare with FileMaker Pro under full access; the account's privileges may hide records.",
            )
        if not anything_to_do(self.books, count.found, self.clock(), self.options):
            return
        if not self._prepared:
            self._prepare()
            self._prepared = True
        counts = self.books.counts()
        self._settled = sum(counts.values()) - counts[S.PENDING] - counts[S.FAILED]
        with transaction.atomic():
            recovered, left = left_by_dead_runs(self.books, self.ship, self.clock())
            started = self.books.run.started_at
            self._agenda = Agenda(
                self.books, self.options, started, recovered, found=count.found, pilot=self.pilot, left=left
            )
        # Twice the permits: while one half fetches, the other hashes, decodes and stores.
        self._crew = Crew(2 * self.options.concurrency + 2, f"unlade-{self.books.importer.name}")
        self.reporter.begin(count.found, self._settled)
        try:
            self._loop(self._agenda)
        except BaseException:
            # The ledger cannot be written: let nobody wait for its answer.
            self.gate.stop()
            self.bridge.close()
            raise
        finally:
            self._crew.close(seconds=0.5 if self.interrupted else 5)
            self.reporter.end()
        if self._stop is not None:
            raise self._stop
        if self.options.final:
            check_final(self.books)
            self._tell_edited()
        if self.options.pilot:
            raise LimitReached("The sample that was asked for is done.")

    def _tell_edited(self) -> None:
        if edited := edited_since(self.books.source).count():
            self.reporter.note(
                f"{edited:,} records were edited after their files were fetched; whether a file was replaced is not "
                "known. --refetch-changed fetches them once more."
            )

    def _loop(self, agenda: Agenda) -> None:
        while True:
            self._look_around()
            if self._stop is None:
                self._dispatch(agenda)
                self._ask_for_page(agenda)
            if not self._in_hand and not self._page_asked and not self._markers.busy:
                if self._stop is not None:
                    return
                if (
                    not agenda.ready
                    and not agenda.listing
                    and not self._more(agenda)
                    and not self._write_late_markers()
                ):
                    return
            self.bridge.serve(0.2, gather=_GATHER if self._local else 0.0)
            self._settle_together()
            self._show()

    def _more(self, agenda: Agenda) -> bool:
        """Whether failures that are due come up now that all else is done."""
        with transaction.atomic():
            pair = agenda.next(self.clock())
            if pair is not None:
                agenda.put_back(*pair)
        return pair is not None

    def _look_around(self) -> None:
        self.gate.beat()
        if self._stop is not None:
            return
        elapsed = timedelta(seconds=time.monotonic() - self._began)
        if self.interrupted:
            self._stop = Interrupted()
        elif self.options.max_time is not None and elapsed >= self.options.max_time:
            self._stop = LimitReached("The time that was asked for is over.")
        elif self._limit_left() == 0 and not self._fetching:
            self._stop = LimitReached("The number of items that was asked for is reached.")
        else:
            try:
                self.curfew()
            except NotNow as error:
                self._stop = error

    def _limit_left(self) -> int | None:
        """Items for which a download may still be started; None without a limit."""
        if self.options.limit is None:
            return None
        return max(0, self.options.limit - self._downloads - self._fetching)

    # Pages.

    def _ask_for_page(self, agenda: Agenda) -> None:
        left = self._limit_left()
        enough = self._most_in_hand
        if self._page_asked or self._page_waits or len(agenda.ready) > enough or left == 0:
            return
        if left is not None and len(agenda.ready) >= left:
            return
        request = agenda.next_page(None if left is None else left - len(agenda.ready))
        if request is None:
            return
        self._page_asked = True
        assert self._crew is not None
        self._crew.submit(lambda: self._read_page(request))

    def _read_page(self, request: PageRequest) -> None:
        """In a worker: one page; what came is taken by the run loop."""
        try:
            page = self.ship.source.page(request.offset, request.limit)
        except UnladeError as error:
            problem = error
            self.bridge.post(lambda: self._page_failed(problem))
        except Exception as error:
            log.exception("a page could not be read")
            problem = SourceError(
                f"The records from place {request.offset} on could not be read: {type(error).__name__}"
            )
            self.bridge.post(lambda: self._page_failed(problem))
        else:
            self.bridge.post(lambda: self._page_came(request, page))

    def _page_failed(self, error: UnladeError) -> None:
        self._page_asked = False
        if isinstance(error, (AllowanceSpent, LimitReached)) and self._in_hand:
            self._page_waits = True
            return
        if isinstance(error, ItemError):
            # A single bad answer was tried again below; what is left is a source that cannot be read.
            error = SourceError(str(error), remedy=error.remedy or "Run it again later; nothing is lost.")
        self._halt(error)

    def _page_came(self, request: PageRequest, page: object) -> None:
        self._page_asked = False
        assert self._agenda is not None
        self._agenda.arrived(request, page, self.clock())  # type: ignore[arg-type]

    # Items.

    def _dispatch(self, agenda: Agenda) -> None:
        """Take items in hand, as many as the crew can hold, and commit that before any of their downloads starts."""
        if self._local and len(self._in_hand) > self._most_in_hand // 2:
            return  # by portions: each costs a transaction
        going: list[tuple[Item, Order, DownloadBooking | None]] = []
        with transaction.atomic():
            while len(self._in_hand) < self._most_in_hand:
                pair = agenda.next(self.clock(), smallest=self.gate.on_trial)
                if pair is None:
                    break
                item, order = pair
                if order.fetches and self._limit_left() == 0:
                    agenda.put_back(item, order)
                    break
                try:
                    booking = self._book(order)
                except (AllowanceSpent, LimitReached) as error:
                    agenda.put_back(item, order)
                    if not self._in_hand and not self._page_asked:
                        self._halt(error)
                    break
                self._in_hand[item.pk] = item
                self._fetching += order.fetches
                going.append((item, order, booking))
            self.books.in_hand(item for item, _, _ in going)
        assert self._crew is not None
        for item, order, booking in going:
            self._crew.submit(self._task(item, order, booking))

    def _book(self, order: Order) -> DownloadBooking | None:
        if not order.fetches:
            return None
        return self.toll.reserve_download(order.item_id, order.expected or self.ship.expected_size)

    def _task(self, item: Item, order: Order, booking: DownloadBooking | None) -> Callable[[], None]:
        def task() -> None:
            if self._local and self.interrupted:
                # Hundreds are in hand, and a person waits. Over the API it is a few, and their bookings are made.
                self.bridge.post(lambda: self._landed(item, order, Carried(None)))
                return
            try:
                carried = carry(order, self.ship, booking)
            except BaseException as error:
                log.exception("record %s: carrying it failed", order.record_id)
                detail = f"{type(error).__name__} while it was carried; the log has the trace"
                carried = Carried(Outcome(S.FAILED, "internal", detail))
            self.bridge.post(lambda: self._landed(item, order, carried))

        return task

    def _landed(self, item: Item, order: Order, carried: Carried) -> None:
        """In the run loop, in a transaction: write down what a worker brought."""
        self._in_hand.pop(item.pk, None)
        self._page_waits = False
        self._fetching -= order.fetches
        self._downloads += carried.started
        now = self.clock()
        if carried.stop is not None:
            self._halt_for(item, carried)
        if carried.gone and self.books.road == Road.API:
            self.books.gone(item, now)
        elif carried.gone:
            self.books.let_go(item)  # this folder does not have it, which says nothing of FileMaker
        elif carried.outcome is None:
            self.books.let_go(item, seen_at=now if order.confirm_gone and carried.stop is None else None)
        elif self._local and carried.record is not None and item.state not in STORED:
            self._together.append((item, carried))
        else:
            self._settle(item, carried, carried.outcome, now)

    def _settle(self, item: Item, carried: Carried, outcome: Outcome, now: datetime) -> None:
        landed = self.books.settle(item, carried.record, outcome, now)
        self._count(outcome)
        transaction.on_commit(lambda: self._after_commit(item, carried, landed))

    def _settle_together(self) -> None:
        """What our own disk gives comes so fast that each item's own queries would be what takes the time."""
        if not self._together or (len(self._together) < _PORTION and self._in_hand and self._stop is None):
            return
        together, self._together = self._together, []
        now, entries = self.clock(), [(i, c.record, c.outcome) for i, c in together if c.record and c.outcome]
        with transaction.atomic():
            try:
                with transaction.atomic():
                    rows = self.books.settle_many(entries, now)
            except Exception:
                log.exception("rows could not be written together; they are tried one by one")
                for item, carried in together:
                    assert carried.outcome is not None
                    self._settle(item, carried, carried.outcome, now)
                return
        for (item, carried), landed in zip(together, rows, strict=True):
            assert carried.outcome is not None
            self._count(carried.outcome)
            self._after_commit(item, carried, landed)

    def _count(self, outcome: Outcome) -> None:
        if outcome.stored is None:
            return
        self._settled += 1
        if not outcome.stored.existed:
            self._kept += outcome.stored.size
        if self._local:
            return  # nothing is booked ahead
        self._sizes.append(outcome.stored.size)
        if len(self._sizes) >= 20:
            recent = sorted(self._sizes)
            self.ship.expected_size = recent[int(len(recent) * 0.95)] + 2000

    def _after_commit(self, item: Item, carried: Carried, landed: tuple[object, object] | None) -> None:
        for parcel in carried.parcels:
            self.ship.spool.discard(parcel)
        if landed is None:
            return
        after_commit(self.books.importer, landed, item.record_id)
        if carried.outcome is not None and carried.outcome.state != S.QUARANTINED:
            self._write_marker(item, carried.record)

    def _write_marker(self, item: Item, record: SourceRecord | None) -> None:
        if self._crew is not None and self._stop is None and (work := self._markers.work(item, record)):
            self._crew.submit(work)

    def _write_late_markers(self) -> bool:
        """Markers that earlier runs could not write any more; whether any are on their way."""
        for item in self._markers.missing():
            self._write_marker(item, None)
        return self._markers.busy

    def _halt_for(self, item: Item, carried: Carried) -> None:
        """An item stopped the run, or only itself: a file too large for what is left lets smaller ones pass."""
        error = carried.stop
        assert error is not None
        too_large = isinstance(error, (AllowanceSpent, LimitReached)) and carried.known_size
        self._too_large += bool(too_large)
        if too_large and self._too_large <= _TOO_LARGE:
            item.known_size = carried.known_size
            Item.objects.filter(pk=item.pk).update(known_size=carried.known_size)
            return
        self._halt(error)

    def _halt(self, error: UnladeError) -> None:
        """Begin nothing new. The first reason stands, unless a graver one comes."""
        if self._stop is None or (
            isinstance(self._stop, (LimitReached, Interrupted)) and not isinstance(error, Interrupted)
        ):
            self._stop = error

    # Signs of life.

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._last_beat < 1.0:
            return
        self._last_beat = now
        self.reporter.progress(
            found=self.books.source.found or 0,
            settled=self._settled,
            kept=self._kept,
            wire=self.toll.wire,
            in_hand=len(self._in_hand),
        )
        with transaction.atomic():
            self._share_permits()
            self.books.beat(self.clock(), **self.counters())

    def counters(self) -> dict[str, int]:
        """The run's figures so far, by the names of `Run`'s fields."""
        wire = self.toll.wire
        return {
            "downloads": self._downloads,
            "api_bytes": wire.api,
            "container_bytes": wire.container,
            "header_bytes": wire.headers,
            "kept_bytes": self._kept,
            "requests": self.toll.requests,
            "logins": self.toll.logins,
        }
