"""Asks a host for a survey as politely as everything does: booked, paced, left alone while it rests or sleeps."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.markup import escape

from unlade.cargo import Wire
from unlade.doctor.books import HostBooks
from unlade.errors import Interrupted, Transient, UsageError
from unlade.filemaker import DataApiSource
from unlade.importing import unreadable
from unlade.rigging import Rigging
from unlade.schedule.quiet import curfew
from unlade.source import Booking, RequestKind, Toll
from unlade.survey.api import Cost, HostSurvey
from unlade.survey.values import SurveyFound
from unlade.units import format_count, format_size

#: What may be asked without a question: about as much as a dozen pictures.
MOST_BYTES, MOST_REQUESTS = 20_000_000, 400

#: Records that a sample looks at in each table.
SAMPLE = 200


class CountedBooking:
    """A booking that tells what came."""

    def __init__(self, booking: Booking, came: Callable[[Wire], None]) -> None:
        self._booking, self._came = booking, came

    def raise_to(self, total: int) -> None:
        """See `source.Booking`."""
        self._booking.raise_to(total)

    def settle(self, wire: Wire) -> None:
        """See `source.Booking`."""
        self._booking.settle(wire)
        self._came(wire)


class CountedToll:
    """Books by another toll, and counts."""

    def __init__(self, toll: Toll) -> None:
        self._toll = toll
        self.requests, self.wire = 0, Wire()

    def reserve(self, kind: RequestKind, expected: int) -> Booking:
        """See `source.Toll`."""
        booking = self._toll.reserve(kind, expected)
        self.requests += 1
        return CountedBooking(booking, self._add)

    def _add(self, wire: Wire) -> None:
        self.wire += wire


class Consent:
    """Says what a survey costs before it arises, and asks where that is much. `yes` answers for scripts."""

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        yes: bool,
        ask: Callable[[str], str] = input,
        terminal: bool | None = None,
    ) -> None:
        self._say, self._yes, self._ask = say, yes, ask
        self._terminal = terminal
        self._requests, self._bytes = 0, 0

    def __call__(self, cost: Cost) -> None:
        """Raises `UsageError` where nobody can be asked, `Interrupted` for a no."""
        what = f"{cost.what}: {format_count(cost.requests)} request{'' if cost.requests == 1 else 's'}, about {format_size(cost.bytes)}"
        self._say(f"To be read: {what}; no file.")
        self._requests, self._bytes = self._requests + cost.requests, self._bytes + cost.bytes
        if self._yes or (self._requests <= MOST_REQUESTS and self._bytes <= MOST_BYTES):
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty() if self._terminal is None else self._terminal):
            raise UsageError(
                f"The survey would read {what}",
                remedy="Say --yes if that is meant, or name layouts with --layout, or a smaller --sample.",
            )
        if self._ask("Read it? [y/N] ").strip().lower() not in ("y", "yes"):
            raise Interrupted("Nothing more was read.")
        self._yes = True


@contextmanager
def speaking(console: Console, *, quiet: bool = False) -> Iterator[tuple[Callable[[str], None], Callable[[str], None]]]:
    """What says a line and what shows how far it is (on a terminal, in place); neither while `quiet`."""
    with ExitStack() as stack:
        tell: Callable[[str], None] = _silent
        if console.is_terminal and not quiet:
            status = stack.enter_context(console.status("Signing in"))
            tell = lambda message: status.update(escape(message))  # noqa: E731
        yield (_silent if quiet else lambda message: console.print(message, markup=False, highlight=False)), tell


def _silent(message: str) -> None:
    """Say nothing."""


def survey_host(
    rig: Rigging,
    *,
    only: Sequence[str] = (),
    sample: int = SAMPLE,
    full: bool = False,
    agree: Callable[[Cost], None],
    tell: Callable[[str], None],
    keep: Callable[[SurveyFound], None],
) -> SurveyFound:
    """One survey of the host that the settings name. `keep` is given what was found, also when an error ends it.

    Raises what asking a host raises, and what `agree` does.
    """
    config = rig.filemaker_config()
    books = HostBooks(rig)
    toll = CountedToll(books.toll)
    curfew(rig.quiet_hours(), rig.clock)()
    books.gate.check()
    source = DataApiSource(config, layout="", toll=toll, gate=books.gate, clock=rig.clock)
    books.gate.probe = source.ping
    asked = HostSurvey(source, place=config.database, sample=sample, full=full, clock=rig.clock, agree=agree, tell=tell)
    try:
        books.sign_in(source)
        asked.run(only)
    except Transient as error:
        raise unreadable(error, books.gate) from error
    finally:
        source.close()
        found = asked.found
        found.requests, found.api_bytes, found.header_bytes = toll.requests, toll.wire.api, toll.wire.headers
        if found.fields or found.complete:
            keep(found)
    return found
