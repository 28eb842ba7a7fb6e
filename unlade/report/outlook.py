"""When a source will be done: its last runs go on, under the limits that really rule (the governor's forecast)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from unlade.governor.budget import Budget, opened
from unlade.governor.forecast import Outlook, Plan
from unlade.plan.futures import Drawn, Prospect, Ranges, draws, futures_of
from unlade.plan.words import days, sizes
from unlade.report.figures import Expectation, RunFigures
from unlade.units import format_size

#: So many runs are looked at.
LAST_RUNS = 10

#: Futures behind a line of the status, and items from which on only the arithmetic is done: it must stay quick.
_FUTURES, _MANY = 12, 200_000

#: Runs that start closer to each other follow one another at once.
_AT_ONCE = timedelta(minutes=1)

_SEED = 20


def expectation(
    remaining: int,
    runs: Sequence[RunFigures],
    now: datetime,
    *,
    outlook: Outlook | None = None,
    budget: Budget | None = None,
) -> Expectation:
    """The outlook for `remaining` items; `runs` newest first. Empty when nothing can be said.

    A run that is under way tells by its own rate. Otherwise: what the last runs brought, as often as they came, as
    far as `budget` lets them; one run alone tells only how many more of its kind it takes. `outlook` has the sizes.
    """
    if remaining <= 0 or not runs:
        return Expectation()
    to_come = replace(outlook or Outlook(items=0), items=remaining)
    budget, sized = budget or opened([], now), bool(to_come.seen or to_come.known)
    if runs[0].alive and runs[0].settled and runs[0].seconds > 0:
        rate = runs[0].settled / runs[0].seconds
        if remaining > _MANY:
            return Expectation(at=_later(now, timedelta(seconds=1) / rate, remaining))
        return _expected(_ranges(Prospect(to_come), rate, Plan(now), budget), None, sized=sized)
    useful = [run for run in runs[:LAST_RUNS] if run.settled and run.finished_at]
    if not useful:
        return Expectation()
    per_run = sum(run.settled for run in useful) / len(useful)
    more = max(1, -(-remaining // max(1, round(per_run))))
    if len(useful) == 1:
        return Expectation(runs=more)
    apart = (useful[0].started_at - useful[-1].started_at) / (len(useful) - 1)
    first = max(now, useful[0].started_at + apart, runs[0].retry_at or now)
    if remaining > _MANY:
        return Expectation(at=_later(first, apart, more - 1), runs=more)
    seconds = sum(run.seconds for run in useful)
    rate = sum(run.settled for run in useful) / seconds if seconds else to_come.rate
    plan = Plan(first, every=apart if apart > _AT_ONCE else None, limit=max(1, round(per_run)))
    found = _ranges(Prospect(to_come, shares=tuple(run.settled / per_run for run in useful)), rate, plan, budget)
    if found.done is None:
        return Expectation(at=_later(first, apart, more - 1), runs=more)
    return _expected(found, more, sized=sized)


def forecast_line(expected: Expectation, now: datetime, zone: tzinfo) -> str:
    """`done 12-17 Dec, 9.1-9.7 GB over the network, 116 GB of the allowance left then`, or "" when nothing is known."""
    if expected.done is None:
        return ""
    if expected.bytes is None:
        return f"done {days(expected.done, now, zone)}"
    left = f", {format_size(max(0, expected.left))} of the allowance left then" if expected.left is not None else ""
    return f"done {days(expected.done, now, zone)}, {sizes(expected.bytes)} over the network{left}"


def _ranges(prospect: Prospect, rate: float, plan: Plan, budget: Budget) -> Ranges:
    def steady(drawn: Drawn) -> Drawn:
        # How long a run works is small beside how often runs come: only what they bring is left to chance.
        return replace(drawn, outlooks=tuple(replace(outlook, rate=rate) for outlook in drawn.outlooks))

    chances = [steady(drawn) for drawn in draws([prospect], random.Random(_SEED), _FUTURES)]
    return futures_of(chances, plan, budget)


def _expected(found: Ranges, runs: int | None, *, sized: bool) -> Expectation:
    at = found.done[1] if found.done else None
    if not sized:
        # Without a single size seen, bytes would be a guess that looks like a figure.
        return Expectation(at=at, runs=runs, done=found.done)
    left = round(found.left.middle) if found.left else None
    return Expectation(at=at, runs=runs, done=found.done, bytes=found.bytes, left=left)


def _later(start: datetime, step: timedelta, times: int) -> datetime:
    try:
        return start + step * times
    except OverflowError:
        return datetime.max.replace(tzinfo=start.tzinfo)
