"""A pilot's page on a terminal."""

from __future__ import annotations

from datetime import datetime, tzinfo

from rich.table import Table
from rich.text import Text

from unlade.pilot.learning import Learnt
from unlade.pilot.words import (
    ahead_lines,
    kinds_lines,
    policy_lines,
    sample_line,
    size_line,
    speed_line,
    thumbnail_line,
)
from unlade.report.paper import STYLES, WIDTH, Paper, grid
from unlade.units import format_count, format_duration, format_size


def render(found: Learnt, now: datetime, *, zone: tzinfo, fancy: bool = False, width: int = WIDTH) -> str:
    """The page, ending with a line break."""
    paper = Paper(fancy=fancy, width=width)
    run = found.run
    paper.put(f"{found.name}, pilot (run {run.number}): what was learnt", style="bold")
    if found.error:
        paper.put(found.error, style="yellow", indent=2)
    paper.put(sample_line(found), indent=2)
    paper.put(_facts(found), indent=2)
    _fields(paper, found)
    _kinds(paper, found)
    _troubles(paper, found)
    paper.heading("What the rest will take")
    table = grid("l", "w")
    for name, line in ahead_lines(found, now, zone):
        table.add_row(Text(name, "dim"), line)
    paper.put(table, indent=2)
    if found.page:
        paper.put("")
        paper.put("The same as a page, to be opened in a browser:", indent=2)
        paper.command(found.page, indent=4)  # never broken, so that it can be copied
    paper.heading("Next")
    paper.put(next_step(found), indent=2)
    paper.command(found.command, indent=4)
    return paper.text()


def next_step(found: Learnt) -> str:
    """What to do with what was learnt."""
    people = sum(trouble.count for trouble in found.troubles if trouble.person)
    if not found.taken and not found.error:
        return "The listing has nothing that is still to be carried."
    if people:
        return f"Look at the {format_count(people)} above that need a person, then let it run:"
    return "Nothing speaks against the real run; what is here is not fetched again:"


def _facts(found: Learnt) -> Table:
    run = found.run
    table = grid("l", "w")
    states = Text(", ").join(
        [Text(f"{format_count(count)} {state}", STYLES.get(state, "")) for state, count in _sorted(found)]
    )
    table.add_row(Text("came to", "dim"), states if found.states else Text("nothing"))
    table.add_row(Text("took", "dim"), format_duration(run.seconds))
    requests = f"{format_count(run.requests)} requests, {format_count(run.logins)} sign-in, "
    if found.road == "api":
        table.add_row(
            Text("cost", "dim"),
            f"{requests}{format_size(run.wire.total)} over the wire ({format_size(run.wire.api)} of it records)",
        )
    table.add_row(Text("speed", "dim"), speed_line(found))
    if found.sizes is not None:
        table.add_row(Text("sizes", "dim"), size_line(found.sizes))
    if found.types:
        table.add_row(Text("types", "dim"), ", ".join(f"{name} {count:,}" for name, count in found.types))
    table.add_row(Text("thumbnails", "dim"), thumbnail_line(found))
    for number, line in enumerate(policy_lines(found)):
        table.add_row(Text("" if number else "containers", "dim"), line)
    for state, why, count in found.settled_by_listing:
        word = f"{state}: {why.replace('_', ' ')}" if why else state
        table.add_row(Text("listing alone", "dim"), f"{format_count(count)} {word}")
    return table


def _sorted(found: Learnt) -> list[tuple[str, int]]:
    return [(state, found.states[state]) for state in STYLES if found.states.get(state)]


def _fields(paper: Paper, found: Learnt) -> None:
    if not found.by_field:
        return
    paper.heading("By the field that was taken")
    table = grid("l", "w")
    for one in found.by_field:
        table.add_row(one.field, size_line(one))
    paper.put(table, indent=2)


def _kinds(paper: Paper, found: Learnt) -> None:
    lines = kinds_lines(found)
    if not lines:
        return
    paper.heading("What the sample has of what the listing shows")
    table = grid("r", "l", "w")
    for name, listed, taken in lines:
        share = format_count(taken) if taken == listed else f"{format_count(taken)} of {format_count(listed)}"
        table.add_row(share, name, "")
    paper.put(table, indent=2)


def _troubles(paper: Paper, found: Learnt) -> None:
    if not found.troubles:
        return
    paper.heading("What went wrong, and what to do")
    table = grid("r", "w")
    for one in found.troubles:
        text = Text.assemble((f"{one.state} ", STYLES.get(one.state, "")), (one.reason, "bold"), f"  {one.sentence}")
        table.add_row(format_count(one.count), text)
        table.add_row("", Text(f"-> {one.remedy}", "cyan" if one.person else "dim"))
        table.add_row("", Text(f"   records {', '.join(one.records)}{' ...' if one.count > 5 else ''}", "dim"))
    paper.put(table, indent=2)
