"""What past troubles have in common, in one line that says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

#: So many runs must have met trouble before anything is said.
_ENOUGH = 3

#: A pattern must hold for this share of the runs that could show it.
_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run: when it began, its downloads, and after how many of them, and when, trouble came first (None: never)."""

    downloads: int
    trouble_after: int | None = None
    trouble_at: datetime | None = None
    started_at: datetime | None = None


def hint(runs: Sequence[PastRun], zone: tzinfo) -> str | None:
    """The line for the status, or None when there is no pattern. Hours are those of `zone`."""
    return after_downloads(runs) or at_hours(runs, zone)


def after_downloads(runs: Sequence[PastRun]) -> str | None:
    """ "Trouble began after 50-100 downloads in 6 of 7 runs: run with --limit 45", if it did."""
    firsts = sorted(run.trouble_after for run in runs if run.trouble_after is not None)
    group = _densest(firsts)
    if len(group) < _ENOUGH or group[0] < 5:
        # Trouble from the very start is no matter of how many.
        return None
    low, high = group[0], group[-1]
    far_enough = [run for run in runs if run.downloads >= low or (run.trouble_after or 0) >= low]
    if len(group) < _SHARE * len(far_enough):
        return None
    span = f"{low}" if low == high else f"{low}-{high}"
    limit = low * 9 // 10
    limit = limit // 5 * 5 if limit >= 10 else limit
    return (
        f"502s and the like began after {span} downloads in {len(group)} of {len(far_enough)} runs: "
        f"run with --limit {limit}"
    )


def at_hours(runs: Sequence[PastRun], zone: tzinfo) -> str | None:
    """ "Trouble came between 9:00 and 12:00 in 5 of 6 runs: run at another time", if it did."""
    hours = [run.trouble_at.astimezone(zone).hour for run in runs if run.trouble_at is not None]
    if len(hours) < _ENOUGH:
        return None
    best, begin, width = 0, 0, 0
    for span in (2, 3, 4, 6):
        for start in range(24):
            hits = sum((hour - start) % 24 < span for hour in hours)
            if hits > best:
                best, begin, width = hits, start, span
    if best < _ENOUGH or best < 0.8 * len(hours):
        return None
    # Only a run that went well at another hour shows that the hour matters.
    calm = (run.started_at for run in runs if run.trouble_at is None and run.started_at is not None)
    if not any((moment.astimezone(zone).hour - begin) % 24 >= width for moment in calm):
        return None
    end = (begin + width) % 24
    return (
        f"trouble came between {begin}:00 and {end}:00 in {best} of {len(hours)} runs that had any: run at another time"
    )


def _densest(firsts: list[int]) -> list[int]:
    """The largest group of numbers that lie within a factor of two and a half of each other."""
    best: list[int] = []
    for place, low in enumerate(firsts):
        group = [number for number in firsts[place:] if number <= 2.5 * low]
        if len(group) > len(best):
            best = group
    return best
