"""The worklist as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime, tzinfo
from itertools import groupby

from rich.text import Text

from unlade.importer import ContainerImport
from unlade.report.advice import MANAGE, existing
from unlade.report.paper import WIDTH, Paper
from unlade.report.words import clock, plural
from unlade.units import format_count
from unlade.worklist.tasks import Task

#: So many items of one reason are shown; the CSV and the JSON have all.
MOST = 15

COLUMNS = (
    *("record_id", "identity", "find", "owner", "field", "state", "reason", "what_it_means", "detail"),
    *("attempts", "needs_person", "next_try_at", "what_to_do", "what_to_type"),
)


def render(
    importer: ContainerImport,
    tasks: Iterable[Task],
    now: datetime,
    *,
    waiting: int,
    zone: tzinfo,
    fancy: bool = False,
    width: int = WIDTH,
) -> str:
    """The page, ending with a line break. `tasks` come with those of one reason together."""
    paper, body = Paper(fancy=fancy, width=width), Paper(fancy=fancy, width=width)
    count = people = 0
    for _, group in groupby(tasks, key=lambda task: (task.state, task.reason, task.person)):
        many, persons = _group(body, list_of(group), now, zone)
        count, people = count + many, people + persons
    if not count:
        paper.put(f"{importer.name}: nothing is open.", style="green bold")
    else:
        rest = "" if people == count else f", {format_count(people)} need a person"
        paper.put(f"{importer.name}: {plural(count, ('open item', 'open items'))}{rest}", style="bold")
    text = paper.text() + body.text()
    foot = Paper(fancy=fancy, width=width)
    if waiting:
        foot.put()
        foot.put(
            f"Besides, {plural(waiting, importer.noun)} {'waits' if waiting == 1 else 'wait'} for an owner that is not "
            "here yet (--all lists them); once the owners are here:",
            style="dim",
        )
        foot.command(existing("relink_filemaker", importer.name) or f"{MANAGE} filemaker_status {importer.name}")
    if count:
        foot.put()
        foot.put("As a table for a spreadsheet:", style="dim")
        foot.command(f"{MANAGE} filemaker_worklist {importer.name} --csv worklist.csv")
    return text + foot.text()


def list_of(group: Iterable[Task]) -> tuple[list[Task], int]:
    """The first `MOST` tasks of a group, and how many there are in all."""
    shown, count = [], 0
    for task in group:
        count += 1
        if count <= MOST:
            shown.append(task)
    return shown, count


def _group(paper: Paper, group: tuple[list[Task], int], now: datetime, zone: tzinfo) -> tuple[int, int]:
    shown, count = group
    first = shown[0]
    paper.heading(first.sentence, f"{first.state}, {first.reason}: {format_count(count)}")
    paper.put(first.remedy, indent=2)
    for command in first.commands:
        paper.command(command if count == 1 else _for_any(command, first), indent=4)
    for task in shown:
        _line(paper, task, now, zone)
    if count > len(shown):
        paper.put(f"... and {format_count(count - len(shown))} more; --csv FILE lists all.", style="dim", indent=2)
    return count, count if first.person else 0


def _for_any(command: str, task: Task) -> str:
    """The command with a placeholder for the record of one of several."""
    return command.replace(f"filemaker_resolve {task.source} {task.record_id} ", f"filemaker_resolve {task.source} ID ")


def _line(paper: Paper, task: Task, now: datetime, zone: tzinfo) -> None:
    tries = plural(task.tries, ("try", "tries"))
    due = f", next {clock(task.due, now, zone)}" if task.due and not task.person else ""
    field = f"  {task.field}" if task.field else ""
    paper.put(Text.assemble((f"record {task.record_id}", "bold"), field, (f"  {tries}{due}", "dim")), indent=2)
    if task.find:
        paper.put(Text.assemble(("find   ", "dim"), task.find), indent=4)
    if task.owner_ref:
        paper.put(Text.assemble(("owner  ", "dim"), task.owner_ref), indent=4)
    if task.detail:
        paper.put(task.detail, style="dim", indent=4)


def as_csv(tasks: Iterable[Task]) -> str:
    """A table with a header; texts that a spreadsheet would take for a formula are written as texts."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for task in tasks:
        due = task.due.isoformat() if task.due else ""
        row = (
            *(task.record_id, task.identity, task.find, task.owner_ref, task.field, task.state, task.reason),
            *(task.sentence, task.detail, task.tries, "yes" if task.person else "no", due, task.remedy),
            " | ".join(task.commands),
        )
        writer.writerow([_plain(value) for value in row])
    return out.getvalue()


def _plain(value: object) -> object:
    """`="==17"` is how a spreadsheet is told that a cell that begins like a formula is none."""
    if isinstance(value, str) and value[:1] in tuple("=+-@\t\r"):
        quoted = value.replace('"', '""')
        return f'="{quoted}"'
    return value
