"""The comparison of all roads as a page of text: what is to come, the table, the recommendation, what it rests on."""

from __future__ import annotations

from rich.text import Text

from unlade.plan.advice import Advice
from unlade.plan.compare import Comparison
from unlade.plan.futures import year_left
from unlade.plan.roads import Road
from unlade.plan.words import about, counts, days, money, sizes, times
from unlade.report.paper import WIDTH, Paper, grid
from unlade.report.words import day, plural
from unlade.units import format_size


def render(found: Comparison, command: str = "", *, fancy: bool = False, width: int = WIDTH) -> str:
    """The page, ending with a line break; `command`: what to type to take the recommended road."""
    paper = Paper(fancy=fancy, width=width)
    for number, line in enumerate(headlines(found)):
        paper.put(line, style="" if number else "bold")
    for stock in found.uncounted:
        paper.put(f"{stock.name}: not counted yet, so left out; any run counts it.", style="yellow")
    if found.ground.items:
        _table(paper, found)
        _asks(paper, found)
    paper.heading("Recommended")
    _recommended(paper, found.advice, command)
    if found.ground.items:
        paper.heading("What this rests on")
        table = grid("l", "w")
        for what, line in found.assumptions:
            table.add_row(Text(what, "dim"), Text(line, "dim"))
        paper.put(table, indent=2)
    return paper.text()


def headlines(found: Comparison) -> list[str]:
    """What is to come, and what is left of the allowance."""
    parts = [plural(stock.outlook.items, stock.noun) for stock in found.stocks if stock.counted]
    size = sizes(found.road("G").bytes)
    still = f"{' and '.join(parts)} still to come" if parts else "Nothing is counted yet"
    lines = [f"{still}, {size} over the Data API" if found.ground.items else still]
    left = year_left(found.ground.budget, found.now)
    if left is None:
        lines.append("No annual allowance is set (filemaker_allowance set --annual 144GB --reset 03-10).")
        return lines
    for room in found.ground.budget.headroom(found.now):
        if room.limit.name == "year" and room.resets_at:
            resets = day(room.resets_at, found.now, found.zone)
            kept = f", {format_size(room.limit.reserve)} more stay in reserve" if room.limit.reserve else ""
            lines.append(f"{format_size(max(0, left))} of the allowance are left until {resets}{kept}")
    return lines


def _table(paper: Paper, found: Comparison) -> None:
    paper.put("")
    table = grid("l", "l", "l", "r", "r", "r")
    with_year = any(road.left is not None for road in found.roads)
    titles = ["", "road", "done", "over the API", "left then" if with_year else "", "cost"]
    table.add_row(*(Text(title, "dim") for title in titles))
    for road in found.roads:
        chosen = road.key == found.advice.key
        style = "bold green" if chosen else "" if road.needed else "dim"
        if not road.needed:
            table.add_row(Text(road.key, style), Text(road.title, style), Text("not needed", style))
            continue
        left = format_size(max(0, round(road.left.middle))) if road.left else ""
        table.add_row(
            Text(f"{road.key}{'*' if chosen else ''}", style),
            Text(road.title, style),
            Text(days(road.done, found.now, found.zone), style),
            Text(sizes(road.bytes), style),
            Text(left, style),
            Text(money(road.cost), style),
        )
    paper.put(table)


def _asks(paper: Paper, found: Comparison) -> None:
    paper.heading("What each asks of you")
    table = grid("l", "w")
    for road in found.roads:
        if road.needed:
            table.add_row(Text(road.key, "bold green" if road.key == found.advice.key else ""), asks(road))
    paper.put(table)


def asks(road: Road) -> str:
    """`nobody, once it is scheduled: 33 runs, 1 h 15 min at work, 3,600 requests`."""
    if road.futures is None:
        return f"{road.how}; {times(road.work)} at work"
    parts = (
        counts(road.runs, ("run", "runs")),
        f"{times(road.work)} at work in all",
        about(road.requests, ("request", "requests")),
    )
    return f"{road.how}: {', '.join(parts)}"


def _recommended(paper: Paper, advice: Advice, command: str) -> None:
    if advice.key:
        paper.put(Text.assemble((f"{advice.key}, {advice.title}", "bold green")), indent=2)
    paper.put(advice.reason, indent=2)
    if command:
        paper.command(command, indent=4)
