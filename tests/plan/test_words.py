"""Ranges in words, and the time left for a progress bar."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from unlade.governor.budget import Limit, annual, opened
from unlade.governor.forecast import Outlook, Range
from unlade.governor.periods import Period
from unlade.plan.left import TimeLeft, time_left
from unlade.plan.words import about, counts, days, money, sizes, times

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MB, GB = 10**6, 10**9


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-11-25", "2026-11-25", "today"),
        ("2026-11-25", "2026-11-26", "today or tomorrow"),
        ("2026-12-03", "2026-12-03", "3 Dec"),
        ("2026-12-08", "2026-12-14", "8-14 Dec"),
        ("2026-11-28", "2026-12-03", "28 Nov-3 Dec"),
        ("2027-06-08", "2027-06-14", "8-14 Jun 2027"),
        ("2026-12-28", "2027-01-03", "28 Dec-3 Jan 2027"),
        ("2026-12-28", "2028-03-03", "Dec 2026-Mar 2028"),
        ("2027-01-01", "2027-04-03", "Jan-Apr 2027"),
    ],
)
def test_days(first: str, last: str, said: str) -> None:
    early, late = (datetime.fromisoformat(f"{text}T13:00+00:00") for text in (first, last))
    assert days((early, early, late), NOW, UTC) == said


def test_days_without_an_end() -> None:
    assert days(None, NOW, UTC) == "in over 3 years"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (9.1 * GB, 9.7 * GB, "9.1-9.7 GB"),
        (900 * MB, 1.1 * GB, "900 MB-1.1 GB"),
        (9.11 * GB, 9.12 * GB, "9.1 GB"),
        (0, 0, "none"),
    ],
)
def test_sizes(low: float, high: float, said: str) -> None:
    assert sizes(Range(low, low, high)) == said


def test_counts_times_and_money() -> None:
    assert counts(Range(33, 33, 33), ("run", "runs")) == "33 runs"
    assert counts(Range(1, 1, 1), ("run", "runs")) == "1 run"
    assert counts(Range(30, 33, 1236), ("run", "runs")) == "30-1,236 runs"
    assert about(Range(0, 3592, 0), ("request", "requests")) == "about 3,600 requests"
    assert about(Range(0, 12, 0), ("request", "requests")) == "12 requests"
    assert times(Range(4376, 4576, 4805)) == "1 h 15 min to 1 h 20 min"
    assert times(Range(100_000, 0, 100_400)) == "1 d 4 h"
    assert times(Range(1, 1, 1)) == "1 min"
    assert money(Decimal("120")) == "120" and money(Decimal(0)) == "-"


class TestTimeLeft:
    def test_the_rate_alone_where_nothing_holds_it_up(self) -> None:
        budget = opened([annual(144 * GB, Period("year", 3, 10))], NOW)
        for items in (720, 7200, 72_000):
            left = time_left(items, Outlook(items=0, seen=(MB,)), items / 7200, budget, NOW, UTC)
            assert left == "2 h left"

    def test_a_limit_that_will_be_waited_for_is_named(self) -> None:
        budget = opened([annual(144 * GB, Period("year", 3, 10)), Limit("day", GB, Period("day"))], NOW)
        said = time_left(5000, Outlook(items=0, seen=(MB,)), 10.0, budget, NOW, UTC)
        assert said == "done about 30 November (limit of the day)"
        hourly = opened([Limit("hour", GB, Period("hour"))], NOW)
        assert time_left(2500, Outlook(items=0, seen=(MB,)), 10.0, hourly, NOW, UTC) == (
            "done about 14:00 UTC (limit of the hour)"
        )

    def test_known_sizes_go_before_those_that_were_seen(self) -> None:
        budget = opened([Limit("day", 100 * MB, Period("day"))], NOW)
        small = Outlook(items=0, seen=(10 * MB,), known=(MB,) * 50)
        assert time_left(50, small, 10.0, budget, NOW, UTC) == "5 s left"
        assert "26 November" in time_left(60, small, 10.0, budget, NOW, UTC) or "tomorrow" in time_left(
            60, small, 10.0, budget, NOW, UTC
        )

    def test_a_limit_that_never_lets_it_through(self) -> None:
        budget = opened([Limit("day", MB, Period("day"))], NOW)
        assert time_left(5, Outlook(items=0, seen=(9 * MB,)), 1.0, budget, NOW, UTC) == (
            "no end within these limits (limit of the day)"
        )

    def test_nothing_is_said_before_anything_is_known(self) -> None:
        assert time_left(5, Outlook(items=0), None, opened([], NOW), NOW, UTC) == ""
        assert time_left(0, Outlook(items=0), 1.0, opened([], NOW), NOW, UTC) == "0 s left"

    def test_a_bar_asks_the_books_every_ten_seconds(self) -> None:
        ticks, asked = iter([0.0, 1.0, 9.0, 10.5]), []

        def budget():  # type: ignore[no-untyped-def]
            asked.append(1)
            return opened([], NOW)

        left = TimeLeft(lambda: Outlook(items=0, seen=(MB,)), budget, lambda: NOW, UTC, monotonic=lambda: next(ticks))
        assert [left(100, 1.0), left(90, 1.0), left(50, 1.0), left(40, 1.0)] == [
            "1 min 40 s left", "1 min 40 s left", "1 min 40 s left", "40 s left",
        ]  # fmt: skip
        assert len(asked) == 2
