"""Dates: every form, both readings, never a guess."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlade.desktop.read import AmbiguousDate, parse_clock, parse_day, parse_moment, readings, settle_order
from unlade.desktop.read.dates import order_of_format
from unlade.errors import SourceError

DAY = date(2019, 4, 18)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2019-04-18",
            "2019-4-18",
            "2019/04/18",
            "2019.04.18.",
            "2019年4月18日",
            "4/18/2019",
            "18/4/2019",
            "18.4.2019",
        ),
        *("18.04.2019", "04-18-2019", "18 April 2019", "18-Apr-2019", "April 18, 2019", "Thursday, April 18, 2019"),
        *("2019-04-18T10:20:30", "4/18/2019 10:20:30 AM", "18.04.2019 10:20", "  4/18/2019 "),
    ],
)
def test_forms_of_one_day(text: str) -> None:
    assert parse_day(text) == DAY


@pytest.mark.parametrize(
    "text",
    ["", "?", "2019-13-01", "31/31/2019", "4/18/19", "18 Avril 2019", "1/2", "20190418", "30.2.2019", "4/18-2019"],
)
def test_what_is_no_day(text: str) -> None:
    assert parse_day(text) is None


@settings(deadline=None)
@given(st.dates(min_value=date(1, 1, 1)))
def test_both_orders_read_back_and_nothing_is_swapped(day: date) -> None:
    month_first = f"{day.month}/{day.day}/{day.year:04}"
    day_first = f"{day.day}/{day.month}/{day.year:04}"
    assert parse_day(month_first, "mdy") == day
    assert parse_day(day_first, "dmy") == day
    assert parse_day(day.isoformat()) == day
    if day.day > 12:
        assert parse_day(month_first, "dmy") is None and parse_day(day_first, "mdy") is None
    elif day.day != day.month:
        for text in (month_first, day_first):
            with pytest.raises(AmbiguousDate):
                parse_day(text)


def test_the_error_shows_both_readings() -> None:
    with pytest.raises(AmbiguousDate) as caught:
        parse_day("4/5/2019")
    assert "5 April 2019 (month first)" in str(caught.value) and "4 May 2019 (day first)" in str(caught.value)
    assert "--date-order" in caught.value.remedy


def test_a_column_settles_itself() -> None:
    rows = enumerate(["4/5/2019", "", "4/18/2019", "x", "1/1/19"], 1)
    survey = settle_order(rows)
    assert (survey.order, survey.days, survey.blank, survey.unreadable, survey.short_years) == ("mdy", 2, 1, (4, 5), 1)
    assert "row 3" in survey.why
    assert settle_order(enumerate(["4/5/2019", "18/4/2019"], 1)).order == "dmy"
    assert settle_order(enumerate(["2019-04-05", "5/5/2019"], 1)).order is None


def test_a_column_that_does_not() -> None:
    with pytest.raises(AmbiguousDate, match=r"a\.csv: row 2: '4/5/2019'"):
        settle_order(enumerate(["5/5/2019", "4/5/2019"], 1), where="a.csv: ")
    with pytest.raises(SourceError, match="row 1 can only be month first, row 2"):
        settle_order(enumerate(["4/18/2019", "18/4/2019"], 1))
    with pytest.raises(SourceError, match="row 1"):
        settle_order(enumerate(["4/18/2019"], 1), given="dmy")
    assert settle_order(enumerate(["4/5/2019"], 1), given="dmy").order == "dmy"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10:20:30", timedelta(hours=10, minutes=20, seconds=30)),
        ("1:05 PM", timedelta(hours=13, minutes=5)),
        ("12:00:00 am", timedelta()),
        ("26:00:00", timedelta(hours=26)),
        ("-1:30:00", -timedelta(hours=1, minutes=30)),
        ("0:00:01.5", timedelta(seconds=1, microseconds=500_000)),
        ("13:00 PM", None),
        ("1:60", None),
        ("soon", None),
    ],
)
def test_times(text: str, expected: timedelta | None) -> None:
    assert parse_clock(text) == expected


def test_moments() -> None:
    assert parse_moment("4/18/2019 1:02:03 PM") == datetime(2019, 4, 18, 13, 2, 3)  # noqa: DTZ001
    assert parse_moment("4/5/2019 10:00", "dmy") == datetime(2019, 5, 4, 10)  # noqa: DTZ001
    assert parse_moment("4/18/2019") == datetime(2019, 4, 18)  # noqa: DTZ001
    assert parse_moment("nothing 10:00") is None


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("D/m/yyyy", "dmy"),
        ("M/d/yyyy", "mdy"),
        ("d.M.yyyy", "dmy"),
        ("MM/dd/yy", "mdy"),
        ("yyyy/MM/dd", "ymd"),
        ("", None),
    ],
)
def test_date_formats(text: str, order: str | None) -> None:
    assert order_of_format(text) == order


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    reading = readings(text)
    assert reading.day is None or not reading.ambiguous
    parse_clock(text)
