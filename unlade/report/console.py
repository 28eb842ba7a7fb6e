"""The host's own meter for people: what the Admin Console showed, what others used, what a container byte weighs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal

from unlade.governor.allowance import LAG, FactorFit, Reading
from unlade.governor.budget import Budget
from unlade.ledger.meter import Meter, factor_choice
from unlade.ledger.models import Host
from unlade.report.paper import Paper
from unlade.report.words import ago, stamp
from unlade.units import format_size


@dataclass(frozen=True, slots=True)
class ConsoleFigures:
    """The host's own meter: the last reading, what others used by it, and what a container byte weighs.

    `chosen` is what a person said about the factor: a number, `auto` or "". `others` None: no year, or no reading.
    `ours`: what we alone had moved in the reading's year a day before it, in wire bytes.
    """

    reading: Reading | None = None
    stale: bool = False
    others: int | None = None
    ours: int = 0
    factor: Decimal = Decimal(1)
    chosen: str = ""
    fit: FactorFit | None = None


def console_figures(host: Host | None, budget: Budget | None, now: datetime) -> ConsoleFigures:
    """What the readings in the ledger tell at `now`."""
    if host is None:
        return ConsoleFigures()
    meter = Meter(host)
    choice, reading = factor_choice(meter, host, now), meter.last_reading()
    year = next((limit.period.window(now) for limit in budget.limits if limit.name == "year"), None) if budget else None
    known = year is not None and meter.reading(year) is not None
    return ConsoleFigures(
        reading=reading,
        ours=meter.books(year.start, reading.at - LAG).total if known and year and reading else 0,
        stale=reading is not None and reading.stale(now),
        others=meter.others(year, now) if known and year else None,
        factor=choice.factor,
        chosen=choice.chosen,
        fit=meter.fit(now),
    )


def console_note(console: ConsoleFigures, now: datetime) -> str:
    """A sentence when the last reading is older than a week, else ""."""
    if not console.stale or console.reading is None:
        return ""
    return (
        f"What the Admin Console shows was read {ago(console.reading.at, now)}: "
        "enter it again with `filemaker_allowance console SIZE`."
    )


def put_console(paper: Paper, console: ConsoleFigures, now: datetime, zone: tzinfo, *, year: bool) -> None:
    """The section about the host's own meter; `year`: an annual allowance is set."""
    if console.reading is None and not year:
        return
    paper.heading("Admin Console")
    if console.reading is None:
        paper.put("Nobody has entered what it shows (Connectors, total data transmitted by all hosts):", indent=2)
        paper.command("python manage.py filemaker_allowance console '2.4 GB'", indent=4)
    else:
        reading = console.reading
        others = "" if console.others is None else f", of which at most {format_size(console.others)} by others"
        if console.others is None and year:
            others = ", in an earlier contract year"
        paper.put(
            f"{format_size(reading.used)} read {stamp(reading.at, zone)}, {ago(reading.at, now)}{others}", indent=2
        )
        note = console_note(console, now)
        if note:
            paper.put(note, style="yellow", indent=2)
    _factor(paper, console)


def _factor(paper: Paper, console: ConsoleFigures) -> None:
    why = {"": "by default", "auto": "auto: as the readings show"}.get(console.chosen, "as you said")
    weigh = {0: "do not count", 1: "count in full"}.get(int(console.factor), "") if console.factor in (0, 1) else ""
    paper.put(f"container bytes {weigh or f'count {float(console.factor):g}-fold'} ({why})", indent=2)
    if console.fit is None:
        if console.reading is not None and console.reading.used < console.ours * 0.9:
            less = f"The reading is less than the {format_size(console.ours)} that we alone had moved a day before:"
            paper.put(f"{less} container bytes may not count.", indent=2)
        if console.reading is not None:
            paper.put("Two readings with at least 500 MB of files between them, two days apart,", indent=2, style="dim")
            paper.put("would show whether container bytes count at all.", indent=2, style="dim")
        return
    paper.put(console.fit.sentence, indent=2)
    if console.fit.fits is not None and console.fit.fits != console.factor:
        paper.put("It is used when you say so:", indent=2)
        paper.command(f"python manage.py filemaker_allowance factor {console.fit.fits}", indent=4)
