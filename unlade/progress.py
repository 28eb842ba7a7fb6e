"""How far a run is: a bar on a terminal (`unlade.progressbar`), plain lines under cron, nothing when asked to be quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from unlade.cargo import Wire
from unlade.units import format_count, format_duration, format_size

#: Seconds between two plain lines.
_EVERY = 30.0


class Reporter(Protocol):
    """Shows a person how far the run is. Called by the run loop's thread."""

    def begin(self, found: int, settled: int) -> None: ...
    def note(self, message: str) -> None: ...
    def progress(self, *, found: int, settled: int, kept: int, wire: Wire, in_hand: int) -> None: ...
    def end(self) -> None: ...


class Meter:
    """Rate and time left from what was settled in this run."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began = monotonic()
        self._first = 0

    def begin(self, settled: int) -> None:
        """Start counting from here."""
        self._began, self._first = self._monotonic(), settled

    def rate(self, settled: int) -> float | None:
        """Items a second; None while too little is known."""
        elapsed = self._monotonic() - self._began
        done = settled - self._first
        return done / elapsed if done >= 3 and elapsed >= 1 else None

    def left(self, settled: int, found: int) -> str:
        """How long the rest takes at this rate, "" while unknown."""
        rate = self.rate(settled)
        return format_duration(max(0, found - settled) / rate) + " left" if rate else ""


class QuietReporter:
    """Says nothing."""

    def begin(self, found: int, settled: int) -> None:
        """Nothing to show."""

    def note(self, message: str) -> None:
        """Nothing to show."""

    def progress(self, *, found: int, settled: int, kept: int, wire: Wire, in_hand: int) -> None:
        """Nothing to show."""

    def end(self) -> None:
        """Nothing to show."""


class PlainReporter:
    """A line every half minute, for logs."""

    def __init__(self, noun: str, out: TextIO | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._noun, self._out, self._monotonic = noun, out or sys.stderr, monotonic
        self._meter = Meter(monotonic)
        self._last = monotonic()

    def begin(self, found: int, settled: int) -> None:
        """Say where the run begins."""
        self._meter.begin(settled)
        self._say(f"{format_count(settled)} of {format_count(found)} {self._noun} are settled; going on.")

    def note(self, message: str) -> None:
        """Say something that a reader of the log should know."""
        self._say(message)

    def progress(self, *, found: int, settled: int, kept: int, wire: Wire, in_hand: int) -> None:
        """Say how far it is, now and then."""
        if self._monotonic() - self._last < _EVERY:
            return
        self._last = self._monotonic()
        left = self._meter.left(settled, found)
        moved = f"{format_size(wire.total)} transferred" if wire.total or not kept else f"{format_size(kept)} stored"
        parts = [f"{format_count(settled)} of {format_count(found)}", moved, left]
        self._say(", ".join(part for part in parts if part))

    def end(self) -> None:
        """The summary follows."""

    def _say(self, message: str) -> None:
        print(message, file=self._out, flush=True)
