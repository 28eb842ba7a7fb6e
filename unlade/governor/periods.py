"""Contract years, months, days and hours as half-open spans of UTC time, in a time zone's own calendar.

The rule that makes it safe: a period is found by comparing instants with its boundaries, never by comparing local
clock readings. So spans follow each other without gap or overlap whatever a zone does to its clocks.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal

PeriodKind = Literal["year", "month", "day", "hour", "run"]

_ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Window:
    """One period: from `start` to just before `end`, both in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Period:
    """How a limit's time is cut.

    `month` and `day` are the date on which a contract year begins (`day` alone: on which a month begins, the last day
    of a shorter one). A contract year that begins on 29 February begins on 1 March where there is none. Days, months
    and years begin at midnight in `zone`; hours are those of UTC; a run has no end.
    """

    kind: PeriodKind
    month: int = 1
    day: int = 1
    zone: tzinfo = UTC

    def window(self, now: datetime) -> Window:
        """The period that `now` (aware) lies in."""
        return _window(self, now.astimezone(UTC))

    def _found(self, now: datetime) -> Window:
        number = self._number(now.astimezone(self.zone).date())
        # The local date may be one off where a zone skips or repeats a midnight: the boundaries decide.
        while (begin := self._begin(number)) > now:
            number -= 1
        while (end := self._begin(number + 1)) <= now:
            number, begin = number + 1, end
        return Window(begin, end)

    def _number(self, day: date) -> int:
        if self.kind == "day":
            return day.toordinal()
        if self.kind == "month":
            return day.year * 12 + day.month - 1
        return day.year

    def _begin(self, number: int) -> datetime:
        first = self._first_day(number)
        return datetime(first.year, first.month, first.day, tzinfo=self.zone).astimezone(UTC)

    def _first_day(self, number: int) -> date:
        if self.kind == "day":
            return date.fromordinal(number)
        if self.kind == "month":
            year, month = divmod(number, 12)
            return date(year, month + 1, min(self.day, calendar.monthrange(year, month + 1)[1]))
        if (self.month, self.day) == (2, 29) and not calendar.isleap(number):
            return date(number, 3, 1)
        return date(number, self.month, self.day)


@lru_cache(maxsize=8192)  # simulated futures ask for the same moments again and again
def _window(period: Period, now: datetime) -> Window:
    if period.kind == "run":
        return Window(*_ALWAYS)
    if period.kind == "hour":
        start = now.replace(minute=0, second=0, microsecond=0)
        return Window(start, start + timedelta(hours=1))
    return period._found(now)


def parse_reset(text: str) -> tuple[int, int]:
    """Month and day of `03-10`. Raises `ValueError` that names the value."""
    try:
        month, day = (int(part) for part in text.strip().split("-"))
        date(2024, month, day)  # a leap year, so that 02-29 may be written
    except ValueError:
        raise ValueError(f"{text!r} is no reset date; write month and day like 03-10") from None
    return month, day
