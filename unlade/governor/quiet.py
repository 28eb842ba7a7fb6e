"""Hours in which nothing is asked of the host, such as 08:00-18:00 on a clinic's working day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

_SPAN = re.compile(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begin` to `end` each day by the clocks of `zone`; over midnight when `end` is not after `begin`."""

    begin: time
    end: time
    zone: tzinfo

    def until(self, now: datetime) -> datetime | None:
        """When the quiet that holds at `now` ends, in UTC; None when it does not hold."""
        today = now.astimezone(self.zone).date()
        # Yesterday's span may reach into today; a zone that changes its clocks may put us one day off.
        for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
            begin = datetime.combine(day, self.begin, self.zone).astimezone(UTC)
            last = day if self.end > self.begin else day + timedelta(days=1)
            end = datetime.combine(last, self.end, self.zone).astimezone(UTC)
            if begin <= now < end:
                return end
        return None


def parse_quiet_hours(text: str, zone: tzinfo) -> QuietHours:
    """The span that `08:00-18:00` stands for. Raises `ValueError` that names the value."""
    match = _SPAN.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        begin_hour, begin_minute, end_hour, end_minute = (int(part) for part in match.groups())
        begin, end = time(begin_hour, begin_minute), time(end_hour % 24 if end_minute == 0 else end_hour, end_minute)
        if begin == end or end_hour > 24:
            raise ValueError
    except ValueError:
        raise ValueError(f"{text!r} are no quiet hours; write them like 08:00-18:00 or 22:00-06:00") from None
    return QuietHours(begin, end, zone)
