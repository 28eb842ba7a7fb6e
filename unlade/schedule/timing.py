"""When a scheduled run is due. Pure: the time is passed in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from unlade.units import format_duration

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)

#: Whatever a paused run was told to wait for, it is tried again after a day: an allowance may have been raised and a
#: password corrected meanwhile, and a run that may not go on asks nothing of the host (CONTRACT A3, 75).
LONGEST_REST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Either `every` so long, or `daily` at a time of day. Raises `ValueError` for both, none, or less than a second."""

    every: timedelta | None = None
    daily: time | None = None

    def __post_init__(self) -> None:
        if (self.every is None) == (self.daily is None):
            raise ValueError("either --every or --daily is needed")
        if self.every is not None and self.every < timedelta(seconds=1):
            raise ValueError("--every must be a second or more")

    def __str__(self) -> str:
        if self.every is not None:
            return f"every {format_duration(self.every)}"
        return f"daily at {self.daily:%H:%M}"

    @property
    def minutes(self) -> int | None:
        """Minutes between two runs, None when it is no whole number of them or the schedule is daily."""
        if self.every is None or self.every % timedelta(minutes=1):
            return None
        return self.every // timedelta(minutes=1)


def parse_daily(text: str) -> time:
    """The time of day that `02:00` stands for. Raises `ValueError` that names the value."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError(f"{text!r} is no time of day; write it like 02:00")
    return time(int(match[1]), int(match[2]))


def next_wake(
    now: datetime,
    schedule: Schedule,
    last_run: datetime | None,
    retry_at: datetime | None = None,
    zone: tzinfo = UTC,
) -> datetime:
    """When the next run starts, in UTC; `now` when one is due, also one that was missed while the machine slept.

    `last_run`: when the last run started; None: never. A daily schedule that never ran waits for its time of day. A
    last run that lies ahead tells nothing (the clock was set back): then one is due.
    `retry_at`: until when the last run was told to wait; before it nothing is started, and when it has come the run
    goes on without waiting for its schedule.
    """
    scheduled = _scheduled(now, schedule, last_run, zone)
    if retry_at is None:
        return scheduled
    if last_run is not None and last_run <= now:
        retry_at = min(retry_at, max(scheduled, last_run + LONGEST_REST))
    return max(now, retry_at)


def _scheduled(now: datetime, schedule: Schedule, last_run: datetime | None, zone: tzinfo) -> datetime:
    if last_run is not None and last_run > now:
        return now
    if schedule.every is not None:
        return now if last_run is None else max(now, last_run + schedule.every)
    assert schedule.daily is not None
    after = last_run or now
    day = after.astimezone(zone).date() - timedelta(days=1)
    while (moment := datetime.combine(day, schedule.daily, zone).astimezone(UTC)) <= after:
        day += timedelta(days=1)
    return max(now, moment)
