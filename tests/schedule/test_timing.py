"""When a run is due."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlade.schedule.timing import LONGEST_REST, Schedule, next_wake, parse_daily

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ZURICH = ZoneInfo("Europe/Zurich")
EVERY = Schedule(every=timedelta(hours=6))
DAILY = Schedule(daily=time(2, 0))


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def ahead(**span: float) -> datetime:
    return NOW + timedelta(**span)


@pytest.mark.parametrize(
    ("schedule", "last", "retry", "due"),
    [
        (EVERY, None, None, NOW),
        (EVERY, ago(hours=1), None, ahead(hours=5)),
        (EVERY, ago(hours=6), None, NOW),
        (EVERY, ago(days=9), None, NOW),  # missed in sleep
        (EVERY, ahead(hours=30), None, NOW),  # the clock was set back
        (DAILY, None, None, datetime(2026, 11, 26, 2, tzinfo=UTC)),
        (DAILY, ago(hours=1), None, datetime(2026, 11, 26, 2, tzinfo=UTC)),
        (DAILY, datetime(2026, 11, 25, 2, 0, 3, tzinfo=UTC), None, datetime(2026, 11, 26, 2, tzinfo=UTC)),
        (DAILY, datetime(2026, 11, 25, 1, 59, tzinfo=UTC), None, NOW),  # 02:00 was missed
        (EVERY, ago(minutes=10), ahead(minutes=5), ahead(minutes=5)),  # goes on before its schedule
        (EVERY, ago(hours=7), ahead(minutes=5), ahead(minutes=5)),  # not before it may
        (EVERY, ago(hours=1), ago(minutes=1), NOW),
        (EVERY, ago(hours=1), ahead(days=100), ago(hours=1) + LONGEST_REST),
        (Schedule(every=timedelta(days=7)), ago(hours=1), ahead(days=100), ahead(days=7, hours=-1)),
    ],
)
def test_next_wake(schedule: Schedule, last: datetime | None, retry: datetime | None, due: datetime) -> None:
    assert next_wake(NOW, schedule, last, retry) == due


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # 02:30 does not exist
        (datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # 02:30 comes twice
        (datetime(2026, 10, 25, 0, 31, tzinfo=UTC), datetime(2026, 10, 26, 1, 30, tzinfo=UTC)),  # and is one run
    ],
)
def test_a_daily_run_is_one_a_day_when_clocks_change(last: datetime, due: datetime) -> None:
    assert next_wake(last, Schedule(daily=time(2, 30)), last, None, ZURICH) == due


moments = st.integers(-(10**8), 10**8).map(lambda seconds: NOW + timedelta(seconds=seconds))
schedules = st.one_of(
    st.timedeltas(timedelta(seconds=1), timedelta(days=40)).map(lambda every: Schedule(every=every)),
    st.times().map(lambda moment: Schedule(daily=moment.replace(second=0, microsecond=0))),
)


@given(schedules, st.none() | moments, st.none() | moments, st.sampled_from([UTC, ZURICH]))
def test_it_always_wakes_and_never_in_the_past(
    schedule: Schedule, last: datetime | None, retry: datetime | None, zone: tzinfo
) -> None:
    if last is None and schedule.daily:
        last = NOW  # as the daemon says: since it was started
    due = next_wake(NOW, schedule, last, retry, zone)
    longest = max(schedule.every or timedelta(0), LONGEST_REST, timedelta(hours=26))
    assert due >= NOW
    assert due <= NOW + longest or ((last is None or last > NOW) and due == retry)
    # Sleeping until then, it is due: no moment moves away as one comes near.
    assert next_wake(due, schedule, last, retry, zone) == due


@pytest.mark.parametrize("text", ["24:00", "2", "02:60", "2am", "-1:00", ""])
def test_no_time_of_day(text: str) -> None:
    with pytest.raises(ValueError, match="no time of day"):
        parse_daily(text)


def test_one_of_both_is_needed() -> None:
    for values in ((None, None), (timedelta(hours=1), time(2))):
        with pytest.raises(ValueError, match="either"):
            Schedule(*values)
