"""What readings, past troubles and quiet hours come to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlade.cargo import Wire
from unlade.governor.allowance import Books, Reading, fit_factor, used_by_others
from unlade.governor.learning import PastRun, after_downloads, at_hours, hint
from unlade.governor.quiet import parse_quiet_hours

NOW = datetime(2026, 5, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MB, GB = 10**6, 10**9
ZURICH = ZoneInfo("Europe/Zurich")


def run(downloads: int, after: int | None = None, hour: int = 2) -> PastRun:
    at = datetime(2026, 5, 10, hour, 20, tzinfo=UTC)
    return PastRun(downloads, after, at if after is not None else None, started_at=at)


def test_troubles_after_a_number_of_downloads_name_the_limit_to_run_with() -> None:
    past = [run(60, 50), run(75, 70), run(80, 80), run(100, 100), run(66, 61), run(90, 88), run(200), run(20)]
    assert hint(past, UTC) == "502s and the like began after 50-100 downloads in 6 of 7 runs: run with --limit 45"


def test_one_odd_run_does_not_hide_the_pattern_and_two_runs_are_none() -> None:
    assert after_downloads([run(60, 50), run(55, 50), run(50, 50), run(5, 2)]) == (
        "502s and the like began after 50 downloads in 3 of 3 runs: run with --limit 45"
    )
    assert after_downloads([run(60, 50), run(70, 60)]) is None
    assert after_downloads([run(60, 1), run(70, 0), run(5, 0)]) is None
    assert after_downloads([]) is None


def test_runs_that_went_further_without_trouble_speak_against_it() -> None:
    assert after_downloads([run(60, 50), run(60, 55), run(70, 60), *[run(500)] * 3]) is None


def test_troubles_at_certain_hours_are_named_in_local_time() -> None:
    past = [run(4, 3, hour=7), run(4, 2, hour=8), run(900, 800, hour=8), run(300, hour=20)]
    assert after_downloads(past) is None
    assert (
        at_hours(past, ZURICH) == "trouble came between 9:00 and 11:00 in 3 of 3 runs that had any: run at another time"
    )
    assert at_hours(past[:3], ZURICH) is None  # nobody ever tried another hour


@given(st.lists(st.builds(run, st.integers(0, 500), st.none() | st.integers(0, 500), st.integers(0, 23)), max_size=12))
def test_a_hint_never_asks_for_a_limit_of_zero_and_fits_a_line(past: list[PastRun]) -> None:
    line = hint(past, UTC)
    assert line is None or (len(line) < 100 and "--limit 0" not in line)


def booked(a_day: Wire) -> Books:
    """Books in which `a_day` came on each day."""

    def books(begin: datetime, end: datetime) -> Wire:
        days = (end - begin) // DAY
        return Wire(a_day.api * days, a_day.container * days, a_day.headers * days)

    return books


DAILY = booked(Wire(api=10 * MB, container=GB, headers=MB))


@pytest.mark.parametrize(("counts", "fits"), [(1, 1), (0, 0)])
def test_two_readings_tell_whether_container_bytes_count(counts: int, fits: int) -> None:
    used = 20 * (11 * MB + counts * GB)
    fit = fit_factor([Reading(NOW, GB + used), Reading(NOW - 20 * DAY, GB)], DAILY)
    assert fit is not None and fit.fits == fits
    assert fit.low <= counts <= fit.high or abs(fit.low - counts) < Decimal("0.1")
    assert ("in full" in fit.sentence) == (fits == 1)


def test_readings_that_lie_between_or_are_too_close_decide_nothing() -> None:
    fit = fit_factor([Reading(NOW - 20 * DAY, 0), Reading(NOW, 10 * GB)], DAILY)
    assert fit is not None and fit.fits is None and "do not decide" in fit.sentence
    assert fit_factor([Reading(NOW, 5)], DAILY) is None
    assert fit_factor([Reading(NOW - 20 * DAY, 5), Reading(NOW, 5)], booked(Wire(api=5))) is None
    assert fit_factor([Reading(NOW - 2 * DAY, 9 * GB), Reading(NOW, GB)], DAILY) is None


def test_a_reset_between_readings_is_left_out() -> None:
    readings = [Reading(NOW - 40 * DAY, 90 * GB), Reading(NOW - 20 * DAY, 0), Reading(NOW, 20 * (GB + 11 * MB))]
    fit = fit_factor(readings, DAILY)
    assert fit is not None and fit.fits == 1


def test_what_others_used_is_never_guessed_too_low() -> None:
    start = NOW - 10 * DAY
    assert used_by_others(Reading(NOW, 20 * GB), start, DAILY) == 20 * GB - 9 * (GB + 11 * MB)
    assert used_by_others(Reading(NOW, 20 * GB), start, DAILY, Decimal(0)) == 20 * GB - 9 * 11 * MB
    assert used_by_others(Reading(NOW, GB), start, DAILY) == 0
    assert used_by_others(Reading(start + timedelta(hours=1), GB), start, DAILY) == GB


def test_a_reading_grows_stale_in_a_week() -> None:
    assert not Reading(NOW, 1).stale(NOW + 7 * DAY) and Reading(NOW, 1).stale(NOW + 8 * DAY)


@pytest.mark.parametrize(
    ("text", "moment", "until"),
    [
        ("08:00-18:00", "2026-05-10T05:59:59", None),
        ("08:00-18:00", "2026-05-10T06:00:00", "2026-05-10T16:00:00"),
        ("08:00-18:00", "2026-05-10T16:00:00", None),
        ("22:00-06:00", "2026-05-10T21:00:00", "2026-05-11T04:00:00"),
        ("22:00-06:00", "2026-05-10T03:59:00", "2026-05-10T04:00:00"),
        ("08:00-24:00", "2026-05-10T21:59:00", "2026-05-10T22:00:00"),
        ("01:00-05:00", "2026-03-29T00:30:00", "2026-03-29T03:00:00"),  # the night of an hour less
        ("01:00-05:00", "2026-10-25T00:30:00", "2026-10-25T04:00:00"),  # and of one more
    ],
)
def test_quiet_hours_hold_by_local_clocks(text: str, moment: str, until: str | None) -> None:
    quiet = parse_quiet_hours(text, ZURICH)
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert quiet.until(now) == (datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None)


@given(
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 23),
    st.integers(0, 59),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_quiet_always_ends(h1: int, m1: int, h2: int, m2: int, now: datetime) -> None:
    if (h1, m1) == (h2, m2):
        return
    until = parse_quiet_hours(f"{h1:02}:{m1:02}-{h2:02}:{m2:02}", ZURICH).until(now)
    assert until is None or now < until <= now + timedelta(hours=25)


@pytest.mark.parametrize(
    "text", ["", "8-18", "08:00", "25:00-26:00", "08:00-08:00", "08:60-09:00", "08:00-24:30", "08:00-25:00"]
)
def test_what_are_no_quiet_hours_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="no quiet hours") as caught:
        parse_quiet_hours(text, ZURICH)
    assert repr(text) in str(caught.value)
