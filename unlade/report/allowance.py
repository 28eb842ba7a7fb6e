"""The books of bytes for people: limits, what is open, and what the last runs cost by kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from django.db.models import Count, Max, Sum
from rich.text import Text

from unlade.governor.budget import Budget
from unlade.ledger.models import TransferUsage
from unlade.ledger.terms import LEDGER, Terms
from unlade.report.console import ConsoleFigures, console_figures, put_console
from unlade.report.figures import AllowanceFigures
from unlade.report.paper import WIDTH, Paper, grid
from unlade.report.runs import iso
from unlade.report.status import allowance_figures, host_of
from unlade.report.status_json import allowance_json
from unlade.report.words import clock, day, stamp
from unlade.units import format_count, format_size

_RUNS = 10


@dataclass(frozen=True, slots=True)
class RunBooks:
    """What one run cost, in bytes; `source` "" gathers what belongs to no run (the doctor's questions)."""

    source: str
    number: int | None
    last_at: datetime | None
    requests: int
    api: int
    container: int
    headers: int
    charged: int
    unsettled: int


@dataclass(frozen=True, slots=True)
class Books:
    """The whole page."""

    allowance: AllowanceFigures
    runs: tuple[RunBooks, ...]
    console: ConsoleFigures = field(default_factory=ConsoleFigures)
    terms: Terms | None = None


def gather_books(
    now: datetime, *, budget: Budget | None = None, host_key: str | None = None, terms: Terms | None = None
) -> Books:
    """The limits at `now`, the host's meter, and the last runs' books, newest first."""
    host = host_of(host_key)
    usage = TransferUsage.objects.filter(host=host) if host else TransferUsage.objects.all()
    rows: Any = (
        usage.values("run__source__name", "run__number")
        .annotate(
            last=Max("opened_at"),
            count=Count("pk"),
            api=Sum("api_bytes"),
            container=Sum("container_bytes"),
            headers=Sum("header_bytes"),
            charged_sum=Sum("charged"),
        )
        .order_by("-last")[:_RUNS]
    )
    open_rows: Any = usage.filter(settled=False).values("run__source__name", "run__number")
    held = {
        (row["run__source__name"], row["run__number"]): row["held"]
        for row in open_rows.annotate(held=Sum("charged")).order_by()
    }
    runs = tuple(
        RunBooks(
            source=row["run__source__name"] or "",
            number=row["run__number"],
            last_at=row["last"],
            requests=row["count"],
            api=row["api"],
            container=row["container"],
            headers=row["headers"],
            charged=row["charged_sum"],
            unsettled=held.get((row["run__source__name"], row["run__number"]), 0),
        )
        for row in rows
    )
    return Books(allowance_figures(budget, now, host), runs, console_figures(host, budget, now), terms)


def as_json(books: Books) -> dict[str, Any]:
    """The allowance as in the status, the host's meter, where each limit was set, and the runs."""
    console, fit = books.console, books.console.fit
    return allowance_json(books.allowance) | {
        "console": {
            "read_at": iso(console.reading.at) if console.reading else None,
            "used": console.reading.used if console.reading else None,
            "stale": console.stale,
            "others": console.others,
            "container_factor": float(console.factor),
            "container_factor_chosen": console.chosen or None,
            "container_factor_fits": {"low": float(fit.low), "high": float(fit.high), "says": fit.sentence}
            if fit
            else None,
        },
        "terms": {
            term.name: {"value": float(term.value) if term.name == "reserve" else term.value, "origin": term.origin}
            for term in books.terms or ()
        },
        "runs": [
            {
                "source": run.source or None,
                "run": run.number,
                "last_at": iso(run.last_at),
                "requests": run.requests,
                "bytes": {"api": run.api, "container": run.container, "headers": run.headers},
                "charged": run.charged,
                "unsettled": run.unsettled,
            }
            for run in books.runs
        ],
    }


def render(books: Books, now: datetime, zone: tzinfo = UTC, *, fancy: bool = False, width: int = WIDTH) -> str:
    """The page as text."""
    paper = Paper(fancy=fancy, width=width)
    _limits(paper, books, now, zone)
    put_console(paper, books.console, now, zone, year=books.allowance.year is not None)
    paper.heading("Booked", f"{format_size(books.allowance.booked)} in all, in bytes of HTTP answers")
    if not books.runs:
        paper.put("nothing yet", style="dim", indent=2)
        return paper.text()
    table = _table(("run", "last", "requests", "files", "API", "heads", "booked"))
    for run in books.runs:
        name = f"{run.source} #{run.number}" if run.source else "no run"
        table.add_row(
            Text(name, "bold"),
            stamp(run.last_at, zone) if run.last_at else "",
            format_count(run.requests),
            format_size(run.container),
            format_size(run.api),
            format_size(run.headers),
            format_size(run.charged),
        )
    paper.put(table, indent=2)
    lost = sum(run.unsettled for run in books.runs)
    if lost:
        paper.put(f"{format_size(lost)} of it reserved and not settled: in hand, or left so by a dead run", indent=2)
    return paper.text()


def _limits(paper: Paper, books: Books, now: datetime, zone: tzinfo) -> None:
    limits = books.allowance.limits
    if not limits:
        paper.put("No allowance is set. What the Admin Console shows sets it:", style="bold")
        paper.command("python manage.py filemaker_allowance set --annual 144GB --reset 03-10")
        return
    table = _table(("limit", "size", "used", "reserved", "left", "resets"))
    for limit in limits:
        table.add_row(
            Text(limit.name, "bold"),
            format_size(limit.size),
            format_size(limit.used),
            format_size(limit.held),
            Text(format_size(limit.left), "green" if limit.left else "bold red"),
            _reset(limit.resets_at, now, zone),
        )
    paper.put(table)
    kept = [f"{format_size(limit.reserve)} of the {limit.name}" for limit in limits if limit.reserve]
    if kept:
        paper.put(f"left leaves {' and '.join(kept)} untouched, as a reserve", style="dim")
    for line in origins(books.terms) if books.terms else ():
        paper.put(line, style="dim")
    for conflict in books.terms.conflicts() if books.terms else ():
        paper.put(conflict, style="yellow")


def origins(terms: Terms) -> list[str]:
    """Where the limits were set: a line for each place."""
    places: dict[str, list[str]] = {}
    for term in terms:
        if term.value is not None and (terms.annual.value is not None or term.name not in ("reset", "reserve")):
            places.setdefault(term.origin, []).append(f"{term.name} {term.shown}")
    return [f"{_place(origin)}: {', '.join(what)}" for origin, what in places.items()]


def _place(origin: str) -> str:
    if origin == LEDGER:
        return "set with filemaker_allowance"
    return "by default" if origin == "default" else f"set in {'the ' if origin == 'environment' else ''}{origin}"


def _table(titles: Iterable[str]) -> Any:
    titles = list(titles)
    table = grid("l", *("r" for _ in titles[1:]))
    table.add_row(*(Text(title, "dim") for title in titles))
    return table


def _reset(moment: datetime | None, now: datetime, zone: tzinfo) -> str:
    if moment is None:
        return ""
    return clock(moment, now, zone) if (moment - now).total_seconds() < 2 * 86400 else day(moment, now, zone)
