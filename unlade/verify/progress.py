"""How far a reading is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from unlade.units import format_count, format_size
from unlade.verify.reading import Progress as Step

_EVERY = 30.0  #: seconds between two plain lines


class ReadingShown:
    """Shows the progress of `read_all` on `console` (standard error); nothing when `quiet`."""

    def __init__(self, console: Console, *, quiet: bool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._console, self._quiet, self._monotonic = console, quiet, monotonic
        self._last = monotonic()
        self._bar: Progress | None = None
        if console.is_terminal and not quiet:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"),
                TextColumn("{task.fields[size]}"), console=console, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("Reading", total=None, size="", count="")

    def __enter__(self) -> ReadingShown:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, message: str) -> None:
        """What begins now."""
        if self._bar is not None:
            self._bar.update(self._task, description=message.capitalize())

    def __call__(self, step: Step) -> None:
        size = format_size(step.read_bytes)
        if self._bar is not None:
            count = f"{format_count(step.done)} of {format_count(step.whole)}"
            self._bar.update(
                self._task, description="Reading", completed=step.done, total=step.whole, size=size, count=count
            )
        elif not self._quiet and self._monotonic() - self._last >= _EVERY:
            self._last = self._monotonic()
            self._console.print(
                f"{format_count(step.done)} of {format_count(step.whole)} read, {size}", highlight=False, soft_wrap=True
            )
