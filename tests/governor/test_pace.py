"""Permits and gaps: gentle by default, out of the way when it is one's own server."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlade.governor import pace as pacing
from unlade.governor.pace import Pace, PaceRules


def goods_until(rules: PaceRules, permits: int, pace: Pace | None = None) -> int:
    pace = pace or pacing.begin(rules)
    count = 0
    while pace.permits < permits:
        pace = pacing.good(pace, rules)
        count += 1
    return count


def test_the_gentle_pace_begins_with_one_and_grows_slowly() -> None:
    rules = pacing.gentle(4)
    assert pacing.begin(rules).permits == 1
    assert [goods_until(rules, permits) for permits in (2, 3, 4)] == [10, 30, 60]
    assert pacing.gentle().most == 3


def test_off_gives_all_permits_at_once_and_no_gaps() -> None:
    rules = pacing.off(8)
    pace = pacing.begin(rules)
    assert pace.permits == 8
    for _ in range(1000):
        assert pacing.due(pace, rules, download=True) <= 0
        pace = pacing.started(pace, 0.0, rules, download=True, chance=0.5)


def test_trouble_halves_once_for_all_that_were_under_way() -> None:
    rules = pacing.off(8)
    pace = pacing.trouble(pacing.begin(rules), 10.0, began=1.0)
    assert pace.permits == 4
    assert pacing.trouble(pace, 11.0, began=9.0).permits == 4
    assert pacing.trouble(pace, 12.0, began=10.5).permits == 2


def test_it_never_falls_below_one_nor_rises_above_the_most() -> None:
    rules = pacing.gentle(2)
    pace = pacing.begin(rules)
    for moment in range(5):
        pace = pacing.trouble(pace, moment + 0.5, began=float(moment))
    assert pace.permits == 1
    for _ in range(500):
        pace = pacing.good(pace, rules)
    assert pace.permits == 2


def test_after_a_rest_every_profile_begins_with_one() -> None:
    assert pacing.again(pacing.begin(pacing.off(8))).permits == 1
    assert goods_until(pacing.off(8), 8, pacing.again(pacing.begin(pacing.off(8)))) == 28


def test_a_pause_that_the_host_asked_for_holds_for_all() -> None:
    rules = pacing.off(8)
    pace = pacing.pause(pacing.begin(rules), 100.0, 30)
    assert pacing.due(pace, rules, download=False) == pacing.due(pace, rules, download=True) == 130
    assert pacing.pause(pace, 100.0, 5) == pace


def test_downloads_rest_after_so_many_in_a_row_and_other_requests_do_not() -> None:
    rules = PaceRules(rest_after=3, rest_for=60, gap_min=0, gap_max=0)
    pace = pacing.begin(rules)
    for moment in (1.0, 2.0, 3.0):
        pace = pacing.started(pace, moment, rules, download=True, chance=0)
    assert pacing.due(pace, rules, download=True) == 63
    assert pacing.due(pace, rules, download=False) == 3


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 5)), min_size=1, max_size=80), st.integers(0, 20), st.floats(0, 1)
)
def test_gaps_and_the_rate_hold_in_every_minute(steps: list[tuple[float, float]], per_minute: int, gap: float) -> None:
    rules = PaceRules(gap_min=gap, gap_max=gap + 0.3, per_minute=per_minute)
    pace, now, starts = pacing.begin(rules), 0.0, []
    for chance, idle in steps:
        now = max(now + idle, pacing.due(pace, rules, download=True))
        pace = pacing.started(pace, now, rules, download=True, chance=chance)
        starts.append(now)
    assert all(later - earlier >= gap - 1e-9 for earlier, later in itertools.pairwise(starts))
    if per_minute:
        assert all(later - earlier >= 60 - 1e-6 for earlier, later in zip(starts, starts[per_minute:], strict=False))


@pytest.mark.parametrize("wrong", [{"most": 0}, {"start": 4}, {"grow_after": 0}, {"gap_min": 1.0}, {"per_minute": -1}])
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must hold"):
        PaceRules(**wrong)  # type: ignore[arg-type]
