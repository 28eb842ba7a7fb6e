"""Periods follow each other without gap or overlap, whatever the calendar and the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlade.governor.periods import Period, parse_reset

ZONES = [
    "UTC",
    "Europe/Zurich",
    "America/New_York",
    "America/Havana",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "America/Toronto",
]

periods = st.builds(
    Period,
    kind=st.sampled_from(["year", "month", "day", "hour"]),
    month=st.integers(1, 12),
    day=st.integers(1, 28),
    zone=st.sampled_from([ZoneInfo(name) for name in ZONES]),
) | st.sampled_from([Period("year", 2, 29), Period("month", day=31), Period("year", 2, 29, ZoneInfo("Asia/Beirut"))])
moments = st.datetimes(datetime(1975, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(periods, moments)
def test_a_moment_lies_in_its_period_and_the_next_begins_where_it_ends(period: Period, now: datetime) -> None:
    window = period.window(now)
    assert now in window
    assert period.window(window.start) == window
    assert period.window(window.end - timedelta(microseconds=1)) == window
    after = period.window(window.end)
    assert after.start == window.end
    assert after.end > after.start


def test_a_contract_year_begins_on_its_date_in_its_zone() -> None:
    year = Period("year", 3, 10, ZoneInfo("America/New_York"))
    # 10 March 2024 was the day of the change to summer time, which came after its midnight.
    assert year.window(utc("2024-03-10T04:59:59")).end == utc("2024-03-10T05:00:00")
    assert year.window(utc("2024-03-10T05:00:00")).end == utc("2025-03-10T04:00:00")


def test_the_leap_day_is_followed_by_the_first_of_march_in_common_years() -> None:
    year = Period("year", 2, 29)
    assert year.window(utc("2024-06-01")).start == utc("2024-02-29")
    assert year.window(utc("2024-06-01")).end == utc("2025-03-01")
    assert year.window(utc("2027-12-31")).end == utc("2028-02-29")


def test_a_month_that_begins_on_the_31st_begins_on_the_last_day_of_shorter_ones() -> None:
    month = Period("month", day=31)
    assert month.window(utc("2023-02-15")).end == utc("2023-02-28")
    assert month.window(utc("2023-02-28")).end == utc("2023-03-31")


@pytest.mark.parametrize(
    ("zone", "moment", "hours"),
    [
        ("Europe/Zurich", "2026-03-29T12:00:00", 23),
        ("Europe/Zurich", "2026-10-25T12:00:00", 25),
        ("Asia/Beirut", "2022-03-27T12:00:00", 23),  # midnight itself does not exist
        ("America/Havana", "2022-11-06T12:00:00", 25),  # midnight comes twice
        ("Australia/Lord_Howe", "2026-04-05T00:00:00", 24.5),
    ],
)
def test_days_are_as_long_as_the_zone_makes_them(zone: str, moment: str, hours: float) -> None:
    window = Period("day", zone=ZoneInfo(zone)).window(utc(moment))
    assert window.end - window.start == timedelta(hours=hours)


def test_a_day_that_a_zone_skipped_is_no_period() -> None:
    day = Period("day", zone=ZoneInfo("Pacific/Apia"))
    before = day.window(utc("2011-12-30T09:00:00"))
    assert day.window(before.end).start == utc("2011-12-30T10:00:00")
    assert day.window(before.end).end == utc("2011-12-31T10:00:00")


@pytest.mark.parametrize(("text", "date"), [("03-10", (3, 10)), ("2-29", (2, 29)), (" 12-31 ", (12, 31))])
def test_reset_dates_are_read(text: str, date: tuple[int, int]) -> None:
    assert parse_reset(text) == date


@pytest.mark.parametrize("text", ["", "10", "13-01", "02-30", "10 March", "1-2-3"])
def test_what_is_no_reset_date_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no reset date") as caught:
        parse_reset(text)
    assert repr(text) in str(caught.value)
