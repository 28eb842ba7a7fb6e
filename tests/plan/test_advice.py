"""One clear answer for each situation that a clinic can be in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta

from tests.plan.test_futures import GB, MB, NOW, YEAR, ground
from unlade.governor.budget import Limit, annual, opened
from unlade.governor.periods import Period
from unlade.plan.advice import Advice, recommend
from unlade.plan.roads import Ground, all_roads


def asked(place: Ground, trouble: str = "") -> Advice:
    return recommend(place, all_roads(place), UTC, trouble=trouble)


def test_little_that_fits_is_simply_fetched() -> None:
    advice = asked(ground(6664, annual_size=144 * GB))
    assert advice.key == "G"
    assert "5 % of the allowance that is left" in advice.reason


def test_a_host_that_struggles_gets_small_runs() -> None:
    advice = asked(ground(6664, annual_size=144 * GB, limit=45), "502s began after 50 downloads: run with --limit 45")
    assert advice.key == "B" and advice.title == "45 every 6 h"
    assert advice.reason.startswith("502s began after 50 downloads: run with --limit 45. It needs nobody")


def test_what_a_schedule_would_draw_out_is_fetched_by_the_hour() -> None:
    advice = asked(ground(60_000, annual_size=144 * GB, limit=45))
    assert advice.key == "G" and "days before the schedule" in advice.reason


def test_an_allowance_that_is_too_small_is_gone_around() -> None:
    advice = asked(ground(6664, annual_size=2 * GB))
    assert advice.key == "C"
    assert "1.8 GB of the allowance are left" in advice.reason and "1 more block costs 60" in advice.reason


def test_a_reset_that_is_near_is_waited_for() -> None:
    short = ground(3000, annual_size=2 * GB)
    period = Period("year", 12, 1)
    near = replace(short, budget=opened([annual(2 * GB, period)], NOW))
    assert (period.window(NOW).end - NOW) < timedelta(days=7)
    advice = asked(near)
    assert advice.key == "B" and "the reset is near" in advice.reason


def test_limits_that_would_never_end_it_are_said() -> None:
    tight = replace(ground(6664), budget=opened([Limit("day", 100_000, Period("day"))], NOW))
    advice = asked(tight)
    assert advice.key == "C" and "three years" in advice.reason


def test_without_an_allowance_the_bytes_are_named() -> None:
    assert "no annual allowance is set" in asked(ground(100)).reason


def test_nothing_left() -> None:
    assert asked(ground(0, annual_size=GB)) == Advice("", "nothing", "Nothing is left to download.")


def test_an_allowance_that_is_overdrawn() -> None:
    spent = replace(ground(10, size=MB), budget=opened([annual(GB, YEAR)], NOW, others={"year": 5 * GB}))
    advice = asked(spent)
    assert advice.key == "C" and "0 B of the allowance are left" in advice.reason
