"""How far a run is: a bar on a terminal, plain lines under cron, nothing when asked to be quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TaskProgressColumn, TextColumn
from rich.text import Text

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


class _Figures(ProgressColumn):
    """Bytes, rate and time left, as short as they can be."""

    def render(self, task: Task) -> Text:
        return Text(str(task.fields.get("figures", "")), style="dim")


class BarReporter:
    """A progress bar for a person at a terminal; the denominator is the source's own count."""

    def __init__(
        self,
        noun: str,
        console: Console,
        left: Callable[[int, float | None], str] | None = None,
        allowance: Callable[[], str] = lambda: "",
    ) -> None:
        """`left` says how long so many items take at a rate (None: unknown); `allowance` what may still be moved."""
        self._noun, self._console, self._left, self._allowance = noun, console, left, allowance
        self._meter = Meter()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def begin(self, found: int, settled: int) -> None:
        """Show the bar."""
        self._meter.begin(settled)
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None, complete_style="cyan", finished_style="green"),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TaskProgressColumn(),
            _Figures(),
            console=self._console,
            expand=True,
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(self._noun, total=found, completed=settled, figures="")

    def note(self, message: str) -> None:
        """A line above the bar."""
        self._console.print(message)

    def progress(self, *, found: int, settled: int, kept: int, wire: Wire, in_hand: int) -> None:
        """Move the bar."""
        if self._bar is None or self._task is None:
            return
        rate = self._meter.rate(settled)
        moved = wire.total or kept  # our own disk has no wire
        figures = [
            format_size(moved) if moved else "",
            (f"{rate:.1f}/s" if rate < 100 else f"{rate:,.0f}/s") if rate else "",
            self._time_left(settled, found, rate),
        ]
        if self._console.width >= 100:
            figures.append(self._allowance())
        self._bar.update(
            self._task, total=found, completed=settled, figures=" · ".join(figure for figure in figures if figure)
        )

    def _time_left(self, settled: int, found: int, rate: float | None) -> str:
        """By the rate, which is of this moment; by the plan where a limit or rest will stand in the way."""
        planned = self._left(found - settled, rate) if self._left else ""
        return planned if planned.startswith("done") else self._meter.left(settled, found)

    def end(self) -> None:
        """Take the bar away; the summary follows."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
