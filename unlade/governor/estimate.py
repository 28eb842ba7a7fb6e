"""A simple estimate of the end: the next runs are like the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class RunFact:
    """What one past run did: when it began, how many items it settled, their wire bytes, and how long it worked."""

    started_at: datetime
    settled: int
    bytes: int
    working: timedelta


@dataclass(frozen=True, slots=True)
class Estimate:
    """A simple estimate: middle, and the dates that the better and the worse half of the runs would lead to."""

    done_at: datetime
    early: datetime
    late: datetime
    runs_left: int
    bytes_left: int


def mean_of_last_runs(runs: Sequence[RunFact], left: int, now: datetime, *, last: int = 7) -> Estimate | None:
    """When `left` items are done if the next runs are like the last ones; None when those settled nothing.

    The rhythm is the mean distance of their starts; a single run is taken to be followed at once by the next.
    """
    recent = sorted(runs, key=lambda run: run.started_at)[-last:]
    items = sum(run.settled for run in recent)
    if left <= 0 or items <= 0:
        return None
    rhythm = (
        (recent[-1].started_at - recent[0].started_at) / (len(recent) - 1) if len(recent) > 1 else recent[0].working
    )
    counts = sorted(run.settled for run in recent)
    half = (len(counts) + 1) // 2
    better, worse = sum(counts[-half:]) / half, sum(counts[:half]) / half
    per_run = items / len(recent)

    def until(rate: float) -> datetime:
        # The last of several runs needs its working time, not the whole distance to the next.
        whole, part = divmod(left / max(rate, per_run / 10), 1)
        return (
            max(now, recent[-1].started_at + rhythm)
            + rhythm * max(0.0, whole - (part == 0))
            + recent[-1].working * (part or 1)
        )

    return Estimate(
        done_at=until(per_run),
        early=until(better),
        late=until(worse),
        runs_left=-(-left // max(1, round(per_run))),
        bytes_left=round(left * sum(run.bytes for run in recent) / items),
    )
