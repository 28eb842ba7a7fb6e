"""The crew and the bridge: worker threads carry items, one thread writes the ledger.

Workers never touch the database. What they need from it is a call that they hand to the bridge; the run loop executes
all calls that wait in one transaction and answers after the commit. So a reservation is durable before its download
starts, and many small writes cost one commit.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from django.db import transaction

from unlade.cargo import Wire
from unlade.errors import Interrupted
from unlade.ledger.allowance import Allowance, Ticket
from unlade.ship import DownloadBooking
from unlade.source import FreeBooking, RequestKind

T = TypeVar("T")


@dataclass
class Bridge:
    """Hands calls from the crew to the run loop's thread, which made the bridge."""

    _calls: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any] | None]] = field(default_factory=queue.SimpleQueue)
    _home: int = field(default_factory=threading.get_ident)
    _closed: bool = False

    def call(self, what: Callable[[], T]) -> T:
        """Run `what` in the run loop's thread, in a transaction, and return its answer after the commit.

        Raises what it raises; `Interrupted` when the loop has ended.
        """
        if threading.get_ident() == self._home:
            if transaction.get_connection().in_atomic_block:
                return what()  # part of the caller's transaction; a savepoint for each booking costs more than it does
            with transaction.atomic():
                return what()
        if self._closed:
            raise Interrupted
        answer: Future[T] = Future()
        self._calls.put((what, answer))
        return answer.result()

    def post(self, what: Callable[[], Any]) -> None:
        """Have `what` run in the run loop's thread, without waiting."""
        self._calls.put((what, None))

    def soon(self, what: Callable[[], Any]) -> None:
        """Have `what` run in the run loop's thread: now, if this is it, else without waiting."""
        if threading.get_ident() == self._home:
            self.call(what)
        else:
            self.post(what)

    def wake(self) -> None:
        """Let the run loop look up. Safe in a signal handler."""
        self.post(lambda: None)

    def serve(self, seconds: float, *, gather: float = 0.0) -> None:
        """Wait up to `seconds` for calls, then run all that wait, in one transaction.

        `gather`: let more come for so many seconds after the first, where nobody waits for an answer.
        """
        try:
            batch = [self._calls.get(timeout=seconds)]
        except queue.Empty:
            return
        if gather:
            time.sleep(gather)
        while True:
            try:
                batch.append(self._calls.get_nowait())
            except queue.Empty:
                break
        answers: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with transaction.atomic():
                for what, future in batch:
                    if future is None:
                        what()
                        continue
                    try:
                        with transaction.atomic():
                            answers.append((future, what(), None))
                    except Exception as error:  # noqa: BLE001 - belongs to the caller, who waits for it
                        answers.append((future, None, error))
        except BaseException:
            for _, future in batch:
                if future is not None and not future.done():
                    future.set_exception(Interrupted("the ledger could not be written"))
            raise
        for future, value, problem in answers:
            if problem is None:
                future.set_result(value)
            else:
                future.set_exception(problem)

    def close(self) -> None:
        """Answer what still waits; nothing is run any more."""
        self._closed = True
        while True:
            try:
                _, future = self._calls.get_nowait()
            except queue.Empty:
                return
            if future is not None:
                future.set_exception(Interrupted())


class LedgerBooking:
    """A reservation in the ledger, held by a worker."""

    def __init__(self, toll: LedgerToll, ticket: Ticket) -> None:
        self._toll = toll
        self._ticket = ticket
        self._open = True

    @property
    def ticket_id(self) -> str:
        """Primary key of the ledger's row, for the spool's mark."""
        return str(self._ticket.pk)

    def raise_to(self, total: int) -> None:
        """See `source.Booking`. Without a Content-Length it grows in steps, not with every chunk."""
        if total > self._ticket.reserved:
            ticket, allowance = self._ticket, self._toll.allowance
            self._ticket = self._toll.bridge.call(lambda: allowance.raise_to(ticket, total))

    def settle(self, wire: Wire) -> None:
        """See `source.Booking`."""
        if self._open:
            self._open = False
            ticket = self._ticket
            self._toll.bridge.post(lambda: self._toll.settled(ticket, wire))


class Tolls(Protocol):
    """What books downloads, and the totals of the run. Only the run loop's thread reads the totals."""

    wire: Wire
    requests: int
    logins: int

    def reserve_download(self, item_id: int, expected: int) -> DownloadBooking: ...


class FreeDownload(FreeBooking):
    """A download from our own disk."""

    ticket_id = ""


class LocalToll:
    """The toll of our own disk: free, and nothing to count."""

    wire = Wire()
    requests = 0
    logins = 0

    def reserve_download(self, item_id: int, expected: int) -> FreeDownload:
        """Always fits."""
        return FreeDownload()


class LedgerToll:
    """The toll that the run's source passes; keeps the run's totals. Only the run loop's thread writes them."""

    def __init__(self, bridge: Bridge, allowance: Allowance) -> None:
        self.bridge = bridge
        self.allowance = allowance
        self.wire = Wire()
        self.requests = 0
        self.logins = 0

    def reserve(self, kind: RequestKind, expected: int) -> LedgerBooking:
        """See `source.Toll`."""
        return LedgerBooking(self, self.bridge.call(lambda: self.allowance.reserve(kind, expected)))

    def reserve_download(self, item_id: int, expected: int) -> LedgerBooking:
        """One item's download."""
        ticket = self.bridge.call(lambda: self.allowance.reserve("container", expected, item_id))
        return LedgerBooking(self, ticket)

    def settled(self, ticket: Ticket, wire: Wire) -> None:
        """Book what came of a reservation; one that was never used costs nothing and is no request."""
        self.allowance.settle(ticket, wire)
        if wire.total:
            self.wire += wire
            self.requests += 1
            self.logins += ticket.kind == "login"


class Crew:
    """Threads that carry. `submit` hands in work; what it came to is posted to the bridge by the work itself."""

    def __init__(self, size: int, name: str) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._toil, name=f"{name}-{number}", daemon=True) for number in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], None]) -> None:
        """Have a thread do `work`, which must not raise."""
        self._work.put(work)

    def close(self, seconds: float = 5.0) -> None:
        """Let the threads end; those that hang are left to the end of the process (they are daemons)."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(seconds)

    def _toil(self) -> None:
        while (work := self._work.get()) is not None:
            work()
