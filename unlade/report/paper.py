"""Where text reports are written: rich on a terminal, the same lines without colour and drawing elsewhere."""

from __future__ import annotations

import io
import os
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

#: Reports are made for this width; a wider terminal gets a little more.
WIDTH, WIDEST = 80, 100

#: Colour of each item state and run outcome.
STYLES = {
    "imported": "green",
    "unlinked": "yellow",
    "quarantined": "magenta",
    "failed": "red",
    "pending": "cyan",
    "empty": "dim",
    "accepted": "dim",
    "done": "green",
    "limit": "green",
    "paused": "yellow",
    "interrupted": "yellow",
    "died": "red",
    "running": "cyan",
    "ok": "green",
    "warning": "yellow",
    "error": "red",
}


def console_on(out: TextIO, *, fancy: bool, width: int) -> Console:
    """A console that writes a report: no markup, and no colours unless it is `fancy`."""
    return Console(
        file=out,
        width=width,
        force_terminal=fancy,
        no_color=not fancy,
        color_system="standard" if fancy else None,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
    )


class Paper:
    """Collects a report. `fancy`: colours, bars and signs beyond ASCII."""

    def __init__(self, *, fancy: bool = False, width: int = WIDTH) -> None:
        self.fancy = fancy
        self._out = io.StringIO()
        self._console = console_on(self._out, fancy=fancy, width=max(40, min(width, WIDEST)))

    @property
    def width(self) -> int:
        """Columns of a line."""
        return self._console.width

    def put(self, what: RenderableType = "", style: str = "", indent: int = 0) -> None:
        """One paragraph or table, wrapped at the width."""
        body: RenderableType = Text(what, style=style) if isinstance(what, str) else what
        self._console.print(Padding(body, (0, 0, 0, indent)) if indent else body)

    def heading(self, title: str, note: str = "") -> None:
        """A section's first line, with a blank one above it."""
        self._console.print()
        self._console.print(Text.assemble((title, "bold"), (f"  {note}" if note else "", "dim")))

    def command(self, text: str, indent: int = 2) -> None:
        """What to type; never broken into two lines, so that it can be copied."""
        self._console.print(Text(" " * indent + text, style="bold cyan"), soft_wrap=True)

    def bar(self, parts: list[tuple[int, str]], whole: int, width: int) -> None:
        """Shares of `whole` side by side; only where it can be drawn."""
        if not self.fancy or whole <= 0:
            return
        line = Text("  ")
        for count, style in parts:
            # A part that exists is seen, and the bar is never full before everything is there.
            cells = min(max(1, count * width // whole) if count else 0, width + 2 - len(line))
            line.append("━" * cells, style=style)
        line.append("━" * (width + 2 - len(line)), style="bright_black")
        self._console.print(line)

    def text(self) -> str:
        """All that was put down; lines end without blanks."""
        return "\n".join(line.rstrip() for line in self._out.getvalue().split("\n"))


def grid(*justify: str, gap: int = 2) -> Table:
    """A table without lines; one letter a column: `l`, `r`, or `w` for the one that takes the rest and wraps."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, gap, 0, 0), expand=False)
    for letter in justify:
        table.add_column(
            justify="right" if letter == "r" else "left",
            no_wrap=letter != "w",
            overflow="fold",
            ratio=1 if letter == "w" else None,
        )
    table.expand = "w" in justify
    return table


def fancy_for(stream: Any, *, no_color: bool = False) -> bool:
    """Whether `stream` is a terminal that wants colours and can show the signs."""
    if no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    return bool(getattr(stream, "isatty", lambda: False)()) and encoding.startswith("utf")
