"""What the verbs say to a person: tables, sentences, and a bar while they work."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as Grid

from unlade.standalone.common import Tick
from unlade.standalone.pull import PROVEN, Pulled
from unlade.standalone.survey import Survey, advice_on
from unlade.standalone.verify import Verified
from unlade.survey.text import field_marks
from unlade.units import format_duration, format_size

_EVERY = 30.0  #: seconds between two lines where there is no terminal


@contextmanager
def watched(noun: str) -> Iterator[Tick]:
    """A bar on a terminal, a line now and then elsewhere; both on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain(noun)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TextColumn("{task.fields[size]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(noun, total=0, size="")

        def tick(done: int, total: int, size: int) -> None:
            progress.update(task, completed=done, total=total, size=format_size(size))

        yield tick


def _plain(noun: str) -> Tick:
    last = time.monotonic()

    def tick(done: int, total: int, size: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            print(f"{noun}: {done:,} of {total:,}, {format_size(size)}", file=sys.stderr, flush=True)

    return tick


def show_survey(console: Console, found: Survey) -> None:
    """What a database file holds."""
    header = found.database.header
    by = f", written by {header.programs[-1]}" if header.programs else ""
    console.print(f"[bold]{escape(found.database.path.name)}[/]  {header.kind}{escape(by)}")
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    grid.add_column("Table", overflow="fold")
    grid.add_column("Records", justify="right")
    grid.add_column("Container field", overflow="fold")
    for title in ("Filled", "Bytes"):
        grid.add_column(title, justify="right")
    for title in ("Where", "Types"):
        grid.add_column(title, overflow="fold")
    for table in found.tables:
        first = (escape(table.table.name), f"{table.records:,}")
        for one in table.containers:
            marks = field_marks(str(one.column.kind), one.column.repetitions, is_global=one.column.is_global)
            name = " ".join([escape(one.column.name), *(f"[dim]{mark}[/]" for mark in marks)])
            size = format_size(one.bytes) if one.bytes else ""
            grid.add_row(*first, name, f"{one.filled:,}", size, _counts(one.where), escape(_counts(one.types)))
            first = ("", "")
        if first[0]:
            grid.add_row(*first)
    console.print(grid)
    console.print()
    console.print(escape(found.proof.line() if found.lost is None else found.lost.line()))
    for warning in header.warnings:
        console.print(f"[yellow]{escape(warning)}[/]")
    for sentence in advice_on(found):
        console.print(f"[yellow]{escape(sentence)}[/]")


def _counts(counts: Counter[str]) -> str:
    shown = [f"{name} {number:,}" for name, number in counts.most_common(4)]
    return ", ".join(shown) + (" ..." if len(counts) > 4 else "")


def show_pull(console: Console, found: Pulled, to: str) -> None:
    """How a pull ended."""
    proven = sum(number for state, number in found.states.items() if state in PROVEN)
    console.print(
        f"[bold]{proven:,} of {found.found:,}[/] files are at {escape(to)}, each proven by the digest that the "
        f"database keeps of it."
    )
    rate = f", {format_size(round(found.bytes / found.seconds))}/s" if found.bytes and found.seconds > 1 else ""
    console.print(
        f"Written now: {found.written:,} ({format_size(found.bytes)}) in {format_duration(found.seconds)}{rate}; "
        f"there already: {found.skipped:,}."
    )
    if found.thumbnails or found.without_thumbnail:
        none = f"; none could be made of {found.without_thumbnail:,} files" if found.without_thumbnail else ""
        console.print(f"Thumbnails: {found.thumbnails:,}{none}.")
    if found.unproven:
        console.print(f"[yellow]{found.unproven:,} values gave no proven file:[/]")
        for sentence in found.trouble:
            console.print(f"  {escape(sentence)}")
        if found.unproven > len(found.trouble):
            console.print("  and more; the manifest has them all.")
    if found.lost is not None:
        console.print(escape(found.lost.line()))
    elif found.proof is not None:
        console.print(escape(found.proof.line(f"{proven:,} of {found.found:,} files by MD5")))


def show_verified(console: Console, found: Verified) -> None:
    """What became of the files of a manifest."""
    console.print(
        f"[bold]{found.good:,} of {found.files:,}[/] files are there and the same ({format_size(found.bytes)})."
    )
    for kind in ("missing", "different", "unreadable"):
        number = getattr(found, f"{kind}_count")
        if number:
            console.print(f"[red]{number:,} {kind}:[/]")
            for name in getattr(found, kind):
                console.print(f"  {escape(name)}")
    if found.thumbnails:
        console.print(f"{found.thumbnails:,} thumbnails are there too.")
    if found.thumbnails_missing:
        console.print(
            f"[red]{found.thumbnails_missing:,} thumbnails are missing[/]; the same pull with --thumbnails makes them again."
        )
    if found.without_file:
        console.print(f"{found.without_file:,} values of the manifest had no file to write.")
    if found.extra:
        console.print(f"{found.extra:,} other files lie there too.")
