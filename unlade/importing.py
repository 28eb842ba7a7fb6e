"""Runs one import from the settings: locks, builds the parts, sails, and closes the books whatever happens."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import FrameType
from typing import Protocol

from django.db import InterfaceError, OperationalError, transaction

from unlade.cargo import Road
from unlade.dryrun import Forecast, look_ahead
from unlade.endings import outcome_of
from unlade.errors import (
    HostBusy,
    Interrupted,
    LimitReached,
    NotNow,
    SourceError,
    Transient,
    UnladeError,
)
from unlade.importer import ContainerImport
from unlade.ledger.agreement import weigh
from unlade.ledger.books import Books
from unlade.ledger.catchup import catch_up
from unlade.ledger.lock import source_lock
from unlade.options import RunOptions
from unlade.owners import OwnerFinder
from unlade.progress import Reporter
from unlade.rigging import Rigging, utc_now
from unlade.roads import Line, open_line
from unlade.schedule.quiet import curfew
from unlade.ship import Ship
from unlade.signals import run_finished, run_started, send
from unlade.source import Gatekeeper, Source
from unlade.store import Store
from unlade.stowing import patient
from unlade.voyage import Voyage

log = logging.getLogger(__name__)

LineOpener = Callable[[ContainerImport, Rigging, RunOptions], Line]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its number in the ledger and what to tell the user."""

    books: Books
    outcome: str
    exit_code: int
    error: UnladeError | None = None
    retry_at: datetime | None = None
    voyage: Voyage | None = None  #: of an import of files


class Sailing(Protocol):
    """What can be sailed: a voyage for files, or one for records alone."""

    interrupted: bool
    curfew: Callable[[], None]

    def interrupt(self) -> None: ...
    def again(self) -> None: ...
    def run(self) -> None: ...
    def counters(self) -> dict[str, int]: ...


def run_import(
    importer: ContainerImport,
    rig: Rigging,
    options: RunOptions,
    reporter: Reporter,
    *,
    on_start: Callable[[Voyage], None] | None = None,
    line_of: LineOpener = open_line,
) -> Ended:
    """One run of one import, from lock to closed books.

    Raises `SettingsError`, `LockedElsewhere` before a run is opened; afterwards every error is the run's outcome.
    `on_start` gets the voyage, so that signals can interrupt it; `line_of` opens the line to the source.
    """
    with ExitStack() as stack:
        store, spool = rig.store(), rig.spool()
        stack.callback(store.close)
        line = line_of(importer, rig, options)
        mark = line.marker(importer, rig) if options.write_marker else None
        stack.enter_context(source_lock(importer.name))
        books = Books.open(
            importer,
            rig.clock(),
            road=line.source.road,
            options=options.to_json(),
            owners=OwnerFinder(importer.owner),
            uploaded_by=rig.settings.text("UNLADE_UPLOADED_BY"),
        )
        line.bind(books.run)
        if line.source.road is Road.FOLDER:
            weigh_ids(books, line.source, reporter)
        decoders = stack.enter_context(rig.decoders())
        ship = Ship(importer, line.source, store, spool, decoders, line.toll, rig.clock, line.nap)
        ship.thumbnails = not options.no_thumbnails
        if line.source.road is Road.FOLDER:
            ship.link_age = float("inf")  # a file's place does not age
        voyage = Voyage(
            books,
            ship,
            line.gate,
            line.bridge,
            line.toll,
            options,
            reporter,
            clock=rig.clock,
            prepare=lambda: prepare(importer, books, store, rig, line.nap),
            mark=mark,
            share_permits=line.share_permits,
            curfew=curfew(rig.quiet_hours(options.quiet_hours), rig.clock),
        )
        if on_start is not None:
            on_start(voyage)
        return replace(sail_and_close(voyage, books, line, options, rig, reporter), voyage=voyage)


def weigh_ids(books: Books, source: Source, reporter: Reporter) -> None:
    """Settle whether an export's record ids may be used beside identities, and say so (CONTRACT B5)."""
    books.agreement = weigh(books, lambda offset, limit: source.page(offset, limit).records)
    if books.agreement.text:
        reporter.note(books.agreement.text)
        books.run.options = {**books.run.options, "ids": books.agreement.as_json()}


def sail_and_close(
    voyage: Sailing, books: Books, line: Line, options: RunOptions, rig: Rigging, reporter: Reporter
) -> Ended:
    """Sail, hang up and close the books, whatever ended the run."""
    for note in line.notes:
        reporter.note(note)
    send(run_started, books.importer, run=books.run)
    error = _sail(voyage, line, options, rig, reporter)
    line.hang_up()
    outcome, exit_code = outcome_of(error, books)
    retry_at = _retry_at(error, line.gate)
    books.run.troubles = line.troubles()
    books.close(
        outcome,
        rig.clock(),
        reason=str(error) if error else "",
        exit_code=exit_code,
        retry_at=retry_at,
        **voyage.counters(),
    )
    send(run_finished, books.importer, run=books.run, outcome=outcome, exit_code=exit_code)
    return Ended(books, outcome, exit_code, error, retry_at)


def run_dry(
    importer: ContainerImport, rig: Rigging, options: RunOptions, *, line_of: LineOpener = open_line
) -> Forecast:
    """List what a run would carry; writes nothing but the bookings of what the listing costs."""
    line = line_of(importer, rig, options)
    try:
        curfew(rig.quiet_hours(options.quiet_hours), rig.clock)()
        line.gate.check()
        forecast = look_ahead(importer, line.source, options)
        forecast.notes = line.notes
        return forecast
    except Transient as error:
        raise unreadable(error, line.gate) from error
    finally:
        line.source.close()
        line.hang_up()


def _sail(voyage: Sailing, line: Line, options: RunOptions, rig: Rigging, reporter: Reporter) -> UnladeError | None:
    """Run the voyage, with `wait` as often as it takes; returns what ended it."""
    try:
        while True:
            try:
                voyage.curfew()
                line.gate.check()
                voyage.run()
            except NotNow as error:
                if not options.wait or error.retry_at is None:
                    return error
                reporter.note(f"{error} Going on at {error.retry_at:%H:%M:%S} UTC.")
                if not _slept_until(error.retry_at, rig, voyage):
                    return Interrupted()
                voyage.again()
            except Transient as error:
                return unreadable(error, line.gate)
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
        line.source.close()


def _retry_at(error: UnladeError | None, gate: Gatekeeper) -> datetime | None:
    """When to try again: by the error itself, or by the governor, which learnt from it."""
    if not isinstance(error, NotNow) or isinstance(error, LimitReached) or error.retry_at is not None:
        return getattr(error, "retry_at", None)
    try:
        gate.check()
    except NotNow as resting:
        return resting.retry_at
    except UnladeError:
        pass  # a refused sign-in has no date
    return None


def unreadable(error: Transient, gate: Gatekeeper) -> UnladeError:
    """A source that could not even be counted: the run has failed, or, when the breaker opened over it, rests."""
    try:
        gate.check()
    except UnladeError as resting:
        return resting
    if isinstance(error, HostBusy):
        return NotNow(str(error), remedy=error.remedy, retry_at=utc_now() + timedelta(minutes=1))
    return SourceError(str(error), remedy=error.remedy or "Run it again later; nothing is lost.")


def _slept_until(moment: datetime, rig: Rigging, voyage: Sailing) -> bool:
    """False when a person broke the sleep."""
    while (left := (moment - rig.clock()).total_seconds()) > 0:
        if voyage.interrupted:
            return False
        time.sleep(min(left, 0.5))
    return not voyage.interrupted


def prepare(
    importer: ContainerImport, books: Books, store: Store, rig: Rigging, nap: Callable[[float], None] | None = None
) -> None:
    """Before the first download: the store proves itself, a restored ledger is caught up, the run leaves its mark.

    Raises the `StoreError` that the probe met.
    """
    patient(nap, lambda: store.probe().check(), "probe")
    newest = store.newest_run(importer.name)
    if newest is not None and newest >= books.run.number:
        catch_up(importer, books.source, store, rig.clock())
        with transaction.atomic():
            books.run.number = newest + 1
            books.run.save(update_fields=["number"])
    patient(nap, lambda: store.put_run_mark(importer.name, books.run.number), "mark")


class Interruptible(Protocol):
    """What can be asked to end soon, from a signal handler."""

    def interrupt(self) -> None: ...


@contextmanager
def interruptible(voyage: Interruptible, last_words: Callable[[], None]) -> Iterator[None]:
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
