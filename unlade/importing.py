"""Runs one import from the settings: locks, builds the parts, sails, and closes the books whatever happens."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import FrameType

from django.db import InterfaceError, OperationalError, transaction

from unlade.cargo import SourceRecord
from unlade.crew import Bridge, LedgerToll
from unlade.dryrun import Forecast, look_ahead
from unlade.errors import (
    HostBusy,
    Interrupted,
    LimitReached,
    NotNow,
    SettingsError,
    SourceError,
    Transient,
    UnladeError,
)
from unlade.filemaker import DataApiSource
from unlade.filemaker.edit import DataApiMarkerWriter
from unlade.governor.breaker import BreakerState
from unlade.governor.governor import Governor
from unlade.importer import ContainerImport
from unlade.ledger.allowance import Allowance
from unlade.ledger.books import Books
from unlade.ledger.catchup import catch_up
from unlade.ledger.lock import source_lock
from unlade.ledger.models import Host, Run
from unlade.ledger.permits import SharedPermits
from unlade.options import RunOptions
from unlade.owners import OwnerFinder
from unlade.rigging import Rigging, utc_now
from unlade.schedule.quiet import curfew
from unlade.ship import Ship
from unlade.store import Store
from unlade.voyage import Reporter, Voyage, outcome_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its number in the ledger and what to tell the user."""

    books: Books
    outcome: str
    exit_code: int
    error: UnladeError | None = None
    retry_at: datetime | None = None


def run_import(
    importer: ContainerImport,
    rig: Rigging,
    options: RunOptions,
    reporter: Reporter,
    *,
    on_start: Callable[[Voyage], None] | None = None,
) -> Ended:
    """One run of one import, from lock to closed books.

    Raises `SettingsError`, `LockedElsewhere` before a run is opened; afterwards every error is the run's outcome.
    `on_start` gets the voyage, so that signals can interrupt it.
    """
    with ExitStack() as stack:
        store, spool = rig.store(), rig.spool()
        stack.callback(store.close)
        line = _Line(importer, rig, options)
        mark = marker(importer, line.source, rig) if options.write_marker else None
        stack.enter_context(source_lock(importer.name))
        books = Books.open(
            importer,
            rig.clock(),
            road=line.source.road,
            options=options.to_json(),
            owners=OwnerFinder(importer.owner),
            uploaded_by=rig.settings.text("UNLADE_UPLOADED_BY"),
        )
        line.allowance.run = books.run
        permits = line.shared_permits(books.run)
        decoders = stack.enter_context(rig.decoders())
        nap = sleeper(line.governor)
        ship = Ship(importer, line.source, store, spool, decoders, line.toll, rig.clock, nap)
        voyage = Voyage(
            books,
            ship,
            line.governor,
            line.bridge,
            line.toll,
            options,
            reporter,
            clock=rig.clock,
            prepare=lambda: prepare(importer, books, store, rig),
            mark=mark,
            share_permits=lambda: permits.refresh(lambda: line.governor.permits_in_use),
            curfew=curfew(rig.quiet_hours(options.quiet_hours), rig.clock),
        )
        if on_start is not None:
            on_start(voyage)
        error = _sail(voyage, line.governor, line.source, options, rig, reporter)
        line.hang_up()
        outcome, exit_code = outcome_of(error, books)
        retry_at = _retry_at(error, line.governor)
        books.run.troubles = [trouble.downloads for trouble in line.governor.troubles][:100]
        books.close(
            outcome,
            rig.clock(),
            reason=str(error) if error else "",
            exit_code=exit_code,
            retry_at=retry_at,
            **voyage.counters(),
        )
        return Ended(books, outcome, exit_code, error, retry_at)


def run_dry(importer: ContainerImport, rig: Rigging, options: RunOptions) -> Forecast:
    """List what a run would carry; writes nothing but the bookings of what the listing costs."""
    line = _Line(importer, rig, options)
    try:
        curfew(rig.quiet_hours(options.quiet_hours), rig.clock)()
        line.governor.check()
        return look_ahead(importer, line.source, options)
    except Transient as error:
        raise _unreadable(error, line.governor) from error
    finally:
        line.source.close()
        line.hang_up()


class _Line:
    """The line to the host: what books its bytes, what paces it, and the source at its other end."""

    def __init__(self, importer: ContainerImport, rig: Rigging, options: RunOptions) -> None:
        config, host = rig.filemaker_config(), rig.host()
        self._rig, self._options, self.host = rig, options, host
        self._permits: SharedPermits | None = None
        self.bridge = Bridge()
        self.allowance = Allowance(host, rig.limits(options.max_bytes), run=None, clock=rig.clock, others=rig.others())
        self.toll = LedgerToll(self.bridge, self.allowance)
        self.governor = Governor(
            rig.governor_settings(options.concurrency),
            BreakerState.from_json(host.breaker),
            clock=rig.clock,
            on_change=lambda state: self.bridge.post(lambda: save_breaker(host, state)),
            permits=self,
        )
        self.source = DataApiSource(
            config,
            layout=importer.layout,
            containers=importer.containers,
            portals=importer.portals,
            response_layout=importer.response_layout or None,
            sort=sort_of(importer, options.order),
            toll=self.toll,
            gate=self.governor,
            clock=rig.clock,
            sleep=sleeper(self.governor),
        )
        self.governor.probe = self.source.ping

    def shared_permits(self, run: Run) -> SharedPermits:
        """From now on the permits are shared with other runs on this host."""
        with transaction.atomic():
            run.host = self.host
            run.save(update_fields=["host"])
            self._permits = SharedPermits(run, self.host, self._options.concurrency, self._rig.clock)
            self._permits.refresh(lambda: 0)
        return self._permits

    def share(self, most: int) -> int:
        """See `governor.PermitSource`: all of them while no run is open."""
        return self._permits.share(most) if self._permits else most

    def hang_up(self) -> None:
        """Book what was still on its way to the books."""
        self.bridge.serve(0)
        self.bridge.close()


def _sail(
    voyage: Voyage, governor: Governor, source: DataApiSource, options: RunOptions, rig: Rigging, reporter: Reporter
) -> UnladeError | None:
    """Run the voyage, with `wait` as often as it takes; returns what ended it."""
    try:
        while True:
            try:
                voyage.curfew()
                governor.check()
                voyage.run()
            except NotNow as error:
                if not options.wait or error.retry_at is None:
                    return error
                reporter.note(f"{error} Going on at {error.retry_at:%H:%M:%S} UTC.")
                if not _slept_until(error.retry_at, rig, voyage):
                    return Interrupted()
                voyage.again()
            except Transient as error:
                return _unreadable(error, governor)
            except UnladeError as error:
                return error
            except (OperationalError, InterfaceError) as error:
                log.exception("the database could not be used")
                return UnladeError(
                    f"The database could not be used: {str(error).splitlines()[0]}",
                    remedy="Nothing is lost: run it again when the database is there.",
                )
            else:
                return None
    finally:
        source.close()


def _retry_at(error: UnladeError | None, governor: Governor) -> datetime | None:
    """When to try again: by the error itself, or by the governor, which learnt from it."""
    if not isinstance(error, NotNow) or isinstance(error, LimitReached) or error.retry_at is not None:
        return getattr(error, "retry_at", None)
    try:
        governor.check()
    except NotNow as resting:
        return resting.retry_at
    except UnladeError:
        pass  # a refused sign-in has no date
    return None


def _unreadable(error: Transient, governor: Governor) -> UnladeError:
    """A source that could not even be counted: the run has failed, or, when the breaker opened over it, rests."""
    try:
        governor.check()
    except UnladeError as resting:
        return resting
    if isinstance(error, HostBusy):
        return NotNow(str(error), remedy=error.remedy, retry_at=utc_now() + timedelta(minutes=1))
    return SourceError(str(error), remedy=error.remedy or "Run it again later; nothing is lost.")


def _slept_until(moment: datetime, rig: Rigging, voyage: Voyage) -> bool:
    """False when a person broke the sleep."""
    while (left := (moment - rig.clock()).total_seconds()) > 0:
        if voyage.interrupted:
            return False
        time.sleep(min(left, 0.5))
    return not voyage.interrupted


def sleeper(governor: Governor) -> Callable[[float], None]:
    """Sleeps in short naps; wakes with what the governor says when nothing may pass any more."""

    def sleep(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            governor.check()
            time.sleep(min(left, 0.1))

    return sleep


def sort_of(importer: ContainerImport, order: str) -> list[tuple[str, str]]:
    """The host's sort for an order (CONTRACT B4); [] for its own. Raises `SettingsError` without the field for it."""
    order = order or importer.order
    field = {
        "newest first": importer.taken_on.field if importer.taken_on else "",
        "owners first": importer.owner.field if importer.owner else "",
    }.get(order)
    if field is None:
        return []
    if not field:
        raise SettingsError(
            f"The import {importer.name!r} cannot be taken {order}: it declares no field for that",
            remedy="Declare `taken_on` or `owner`, or leave the host's own order.",
        )
    return [(field, "descend" if order == "newest first" else "ascend")]


def save_breaker(host: Host, state: BreakerState) -> None:
    """Remember the breaker for every process (DESIGN 5.5)."""
    Host.objects.filter(pk=host.pk).update(
        breaker=state.to_json(),
        retry_at=state.retry_at if state.phase == "open" else None,
        resting_because=(state.detail or state.cause)[:200] if state.phase == "open" else "",
    )


def prepare(importer: ContainerImport, books: Books, store: Store, rig: Rigging) -> None:
    """Before the first download: the store proves itself, a restored ledger is caught up, the run leaves its mark.

    Raises the `StoreError` that the probe met.
    """
    store.probe().check()
    newest = store.newest_run(importer.name)
    if newest is not None and newest >= books.run.number:
        catch_up(importer, books.source, store, rig.clock())
        with transaction.atomic():
            books.run.number = newest + 1
            books.run.save(update_fields=["number"])
    store.put_run_mark(importer.name, books.run.number)


def marker(importer: ContainerImport, source: DataApiSource, rig: Rigging) -> Callable[[SourceRecord], str]:
    """Stamps a record in FileMaker and returns its new modification id; only built when it was asked for.

    Raises `SettingsError` when the declaration names no marker field.
    """
    if not importer.marker:
        raise SettingsError(
            f"UNLADE_WRITE_MARKER is on, but the import {importer.name!r} declares no marker field",
            remedy="Declare `marker`, or switch UNLADE_WRITE_MARKER off.",
        )
    writer = DataApiMarkerWriter(source, zone=rig.zone())
    return lambda record: writer.mark(record, importer.marker, rig.clock().isoformat())


@contextmanager
def interruptible(voyage: Voyage, last_words: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends the run in order, a second one at once (exit 130); both lose nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            voyage.interrupt()
        else:
            last_words()
            _leave_at_once()

    signals = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, handle) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_at_once() -> None:
    os._exit(130)
