"""The status page as text: the line for the boss first, what to do next last."""

from __future__ import annotations

from datetime import datetime, tzinfo

from rich.table import Table
from rich.text import Text

from unlade.governor.breaker import PERSON
from unlade.report.figures import (
    AllowanceFigures,
    BreakerFigures,
    LeftBehind,
    LimitFigures,
    OpenFigures,
    RunFigures,
    SourceFigures,
    Status,
)
from unlade.report.outlook import forecast_line
from unlade.report.paper import STYLES, WIDTH, Paper, grid
from unlade.report.words import ago, clock, day, headline, percent, plural, stamp
from unlade.units import format_count, format_duration, format_size

#: What each state means, in few words.
MEANING = {
    "imported": "stored, recorded, linked",
    "unlinked": "stored; {owner} not here or not certain",
    "quarantined": "stored, but damaged or not a file",
    "failed": "could not be had",
    "pending": "not settled yet",
    "empty": "every container is empty",
    "accepted": "closed by a person",
}

#: What the roads are called that files come by.
ROADS = {"api": "the Data API", "file": "the database file", "folder": "an export folder"}

#: States that are shown even at nought.
_ALWAYS = ("imported", "failed", "pending")

#: So many runs and reasons are listed.
_RUNS, _REASONS = 5, 12


def render(status: Status, *, fancy: bool = False, width: int = WIDTH) -> str:
    """The page, ending with a line break."""
    paper, now, zone = Paper(fancy=fancy, width=width), status.generated_at, status.zone
    for source in status.sources:
        paper.put(headline(source, now, zone), style="bold")
    for source in status.sources:
        _source(paper, source, now, zone)
    _left_behind(paper, status.left_behind, now, zone)
    _transfer(paper, status.allowance, now, zone)
    _host(paper, status.breaker, now, zone)
    if status.warnings:
        paper.heading("Note")
        for warning in status.warnings:
            paper.put(warning, style="yellow", indent=2)
    paper.heading("Next")
    paper.put(status.next_step, indent=2)
    if status.next_command:
        paper.command(status.next_command, indent=4)
    return paper.text()


def _source(paper: Paper, source: SourceFigures, now: datetime, zone: tzinfo) -> None:
    counted = f", counted {stamp(source.counted_at, zone)}" if source.counted_at else ""
    paper.heading(source.name, f"layout {source.layout}{counted}" if source.layout else counted.lstrip(", "))
    if source.found is not None:
        _states(paper, source)
    _fields(paper, source)
    _open(paper, source, now, zone)
    _runs(paper, source, now, zone)


def _states(paper: Paper, source: SourceFigures) -> None:
    whole = source.found or 0
    paper.bar(
        [(source.totals[name], STYLES[name]) for name in ("imported", "unlinked", "quarantined", "failed")],
        whole,
        min(paper.width - 4, 60),
    )
    table = grid("l", "r", "r", "w")
    for state, meaning in MEANING.items():
        count = source.totals[state]
        if count or state in _ALWAYS:
            share = percent(count, whole) if count else ""
            note = meaning.format(owner=source.owner_noun)
            table.add_row(Text(state, STYLES[state]), format_count(count), share, Text(note, "dim"))
    own = f"the source's own count of {source.count_is}"
    table.add_row(Text("found", "bold"), Text(format_count(whole), "bold"), "", Text(own, "dim"))
    if source.gone:
        table.add_row("gone", format_count(source.gone), "", Text("no longer in the source; their files stay", "dim"))
    paper.put(table, indent=2)


def _fields(paper: Paper, source: SourceFigures) -> None:
    if source.by_field:
        paper.put("")
        table = grid("l", "r", "w")
        taken = sum(source.by_field.values())
        for number, (field, count) in enumerate(source.by_field.items()):
            label = "taken from" if number == 0 else ""
            table.add_row(Text(f"{label:<10}", "dim"), format_count(count), f"{field}  ({percent(count, taken)})")
        paper.put(table, indent=2)
    if set(source.by_road) - {"api"}:
        came = ", ".join(f"{format_count(count)} {ROADS.get(road, road)}" for road, count in source.by_road.items())
        paper.put(f"{'came by':<10}  {came}", indent=2)
    notes = [
        f"{plural(source.lesser_copies, source.noun)}: a lesser copy, the better one is damaged"
        if source.lesser_copies
        else "",
        f"{plural(source.no_thumbnail, source.noun)}: no thumbnail could be made" if source.no_thumbnail else "",
        f"{format_size(source.stored_bytes)} in the store" if source.stored_bytes else "",
    ]
    for note in filter(None, notes):
        paper.put(note, indent=2)


def _open(paper: Paper, source: SourceFigures, now: datetime, zone: tzinfo) -> None:
    if not source.open:
        return
    paper.put("")
    table = grid("r", "w")
    for line in source.open[:_REASONS]:
        text = Text.assemble((f"{line.state} ", STYLES[line.state]), (line.reason, "bold"), (f"  {line.sentence}", ""))
        table.add_row(format_count(line.count), text)
        table.add_row("", Text(f"-> {_remedy(source, line, now, zone)}", "cyan" if line.person else "dim"))
    paper.put(table, indent=2)
    if len(source.open) > _REASONS:
        paper.put(f"and {len(source.open) - _REASONS} more reasons: --json has them all", indent=2)


def _remedy(source: SourceFigures, line: OpenFigures, now: datetime, zone: tzinfo) -> str:
    if line.next_try_at and line.next_try_at > now:
        return f"Nothing: it is tried again by itself, due {clock(line.next_try_at, now, zone)}."
    # The whole command stands at the end of the page; here its option is enough.
    return line.remedy.replace(f"`{source.command} --retry-failed`", "run again with --retry-failed")


def _runs(paper: Paper, source: SourceFigures, now: datetime, zone: tzinfo) -> None:
    if not source.last_runs:
        paper.put("no run yet", style="dim", indent=2)
        return
    paper.put("")
    last = source.last_runs[0]
    when = "a run is under way" if last.alive else f"last run {ago(last.finished_at or last.started_at, now)}"
    paper.put(when, indent=2)
    table = grid("r", "l", "l", "r", "r", "r")
    for run in source.last_runs[:_RUNS]:
        table.add_row(
            f"#{run.number}",
            stamp(run.started_at, zone),
            Text(run.outcome, STYLES.get(run.outcome, "")),
            _brought(run),
            format_size(run.wire.total),
            format_duration(run.seconds),
        )
    paper.put(table, indent=2)
    forecast = forecast_line(source.expectation, now, zone)
    if forecast:
        paper.put(f"if it goes on so: {forecast}", indent=2)
    if last.reason and not last.alive:
        paper.put(last.reason, style="dim", indent=2)


def _brought(run: RunFigures) -> str:
    failed = run.this_run.get("failed", 0)
    return f"+{format_count(run.settled)}" + (f", {format_count(failed)} failed" if failed else "")


def _left_behind(paper: Paper, left: LeftBehind, now: datetime, zone: tzinfo) -> None:
    """What the last survey met and nobody takes; nothing while there was no survey."""
    if left.surveyed_at is None or not (left.fields or left.waived):
        return
    how = "every record" if left.exact else "a sample of the records"
    paper.heading("Not covered", f"survey of {stamp(left.surveyed_at, zone)}, {ago(left.surveyed_at, now)}, {how}")
    table = grid("l", "w")
    for one in left.fields:
        table.add_row(Text(one.title, "yellow"), f"no declaration takes it; filled: {one.filled}")
    for one in left.waived:
        who = f" by {one.by}" if one.by else ""
        when = f" on {one.at.astimezone(zone):%Y-%m-%d}" if one.at else ""
        table.add_row(Text(one.title, "dim"), Text(f"waived{who}{when}: {one.reason}", "dim"))
    paper.put(table, indent=2)
    if left.fields:
        paper.put("Declare them, or say why they may stay behind:", indent=2)
        paper.command(f'python manage.py filemaker_survey --waive "{left.fields[0].name}" --reason "why"', indent=4)


def _transfer(paper: Paper, allowance: AllowanceFigures, now: datetime, zone: tzinfo) -> None:
    paper.heading("Transfer")
    if not allowance.limits:
        paper.put(f"{format_size(allowance.booked)} so far; no allowance is set (UNLADE_ALLOWANCE=144GB).", indent=2)
        return
    paper.put(limits_table(allowance, now, zone), indent=2)


def limits_table(allowance: AllowanceFigures, now: datetime, zone: tzinfo) -> Table:
    """A row for each limit."""
    table = grid("l", "w")
    for limit in allowance.limits:
        table.add_row(limit.name, limit_line(limit, now, zone))
    return table


def limit_line(limit: LimitFigures, now: datetime, zone: tzinfo) -> str:
    """`2.1 GB of 144 GB used, 128 GB left (14.4 GB stay in reserve), resets 10 March 2027`."""
    parts = [f"{format_size(limit.used)} of {format_size(limit.size)} used"]
    if limit.held:
        parts.append(f"{format_size(limit.held)} reserved for downloads in hand")
    reserve = f" ({format_size(limit.reserve)} stay in reserve)" if limit.reserve else ""
    parts.append(f"{format_size(limit.left)} left{reserve}")
    if limit.resets_at:
        near = (limit.resets_at - now).total_seconds() < 2 * 86400
        parts.append(f"resets {clock(limit.resets_at, now, zone) if near else day(limit.resets_at, now, zone)}")
    return ", ".join(parts)


def _host(paper: Paper, breaker: BreakerFigures, now: datetime, zone: tzinfo) -> None:
    line = breaker_line(breaker, now, zone)
    if line:
        paper.heading("Host")
        paper.put(line, style="yellow", indent=2)


def breaker_line(breaker: BreakerFigures, now: datetime, zone: tzinfo) -> str:
    """A sentence while something is wrong with the host, else ""."""
    because = f" ({breaker.detail})" if breaker.detail else ""
    if breaker.phase == "closed":
        return ""
    if breaker.cause == "sign_in" and breaker.detail == PERSON:
        return "The Claris ID waits for a person: `python manage.py filemaker_login`. Nothing is asked until then."
    if breaker.cause == "sign_in":
        return f"The sign-in was refused{because}; no further login until account or password differ."
    if breaker.retry_at is None:
        return f"The host is left alone{because} until a person says otherwise."
    if breaker.phase == "open" and breaker.retry_at > now:
        return f"The host rests until {clock(breaker.retry_at, now, zone)}{because}."
    return f"The host rested{because}; the next run starts with a cheap probe."
