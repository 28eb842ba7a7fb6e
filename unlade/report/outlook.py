"""When a source will be done, by the mean of its last runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from unlade.report.figures import Expectation, RunFigures

#: So many runs are looked at.
LAST_RUNS = 10


def expectation(remaining: int, runs: Sequence[RunFigures], now: datetime) -> Expectation:
    """The outlook for `remaining` items; `runs` newest first. Empty when nothing can be said.

    A run that is under way tells by its own rate. Otherwise: what the last runs brought on average, as often as they
    came on average; one run alone tells only how many more of its kind it takes.
    """
    if remaining <= 0 or not runs:
        return Expectation()
    if runs[0].alive and runs[0].settled and runs[0].seconds > 0:
        return Expectation(at=_later(now, timedelta(seconds=1) * (runs[0].seconds / runs[0].settled), remaining))
    useful = [run for run in runs[:LAST_RUNS] if run.settled and run.finished_at]
    if not useful:
        return Expectation()
    per_run = sum(run.settled for run in useful) / len(useful)
    more = max(1, -(-remaining // max(1, round(per_run))))
    if len(useful) == 1:
        return Expectation(runs=more)
    newest, oldest = useful[0], useful[-1]
    apart = (newest.started_at - oldest.started_at) / (len(useful) - 1)
    first = max(now, newest.started_at + apart)
    return Expectation(at=_later(first, apart, more - 1), runs=more)


def _later(start: datetime, step: timedelta, times: int) -> datetime:
    try:
        return start + step * times
    except OverflowError:
        return datetime.max.replace(tzinfo=start.tzinfo)
