"""How far a run is, on a terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TaskProgressColumn, TextColumn
from rich.text import Text

from unlade.cargo import Wire
from unlade.progress import Meter
from unlade.units import format_size


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
