"""The breaker: what opens it, how it comes back, and what counts for nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from unlade.governor import breaker
from unlade.governor.breaker import (
    BreakerRules,
    BreakerState,
    allowance_spent,
    cleared,
    good,
    lost_touch,
    newer,
    sign_in_refused,
    tick,
    trouble,
)

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RULES = BreakerRules()


def bad(
    state: BreakerState, now: datetime = NOW, *, download: bool = True, times: int = 1, **more: object
) -> BreakerState:
    for _ in range(times):
        state = trouble(state, now, download=download, openings=state.openings, **more)  # type: ignore[arg-type]
    return state


def well(state: BreakerState, *, download: bool = True, times: int = 1, answered: bool = False) -> BreakerState:
    for _ in range(times):
        state = good(state, download=download, openings=state.openings, answered=answered)
    return state


def opened_at_level(level: int) -> BreakerState:
    """A breaker that has just opened for the `level`th time without recovery."""
    state, now = bad(BreakerState(), times=3), NOW
    for _ in range(level - 1):
        assert state.retry_at is not None
        now = state.retry_at
        state = bad(tick(state, now), now)
    return state


def test_two_troubles_do_not_open_it_and_a_third_in_a_row_does() -> None:
    state = bad(BreakerState(), times=2)
    assert state.phase == "closed"
    state = bad(state, detail="gateway")
    assert (state.phase, state.cause, state.level, state.detail) == ("open", "gateway", 1, "gateway")
    assert state.retry_at == NOW + MINUTE


def test_a_good_download_ends_the_row() -> None:
    assert bad(well(bad(BreakerState(), times=2)), times=2).phase == "closed"


def test_a_host_whose_api_answers_while_downloads_fail_is_struggling() -> None:
    state = BreakerState()
    for _ in range(3):
        state = well(bad(state), download=False)
    assert state.phase == "open"


def test_five_of_the_last_twenty_open_it() -> None:
    state = BreakerState()
    for _ in range(4):
        state = well(bad(state), times=3)
    assert state.phase == "closed"
    assert bad(state).phase == "open"


def test_one_in_seven_does_not_open_it() -> None:
    state = BreakerState()
    for _ in range(50):
        state = well(bad(state), times=6)
    assert state.phase == "closed"


def test_files_that_end_early_open_it_only_when_they_are_many() -> None:
    assert bad(BreakerState(), times=4, weak=True).phase == "closed"
    assert bad(BreakerState(), times=5, weak=True).phase == "open"


def test_a_row_that_is_interrupted_for_long_begins_anew() -> None:
    state = bad(BreakerState(), times=2)
    assert bad(state, NOW + HOUR).phase == "open"
    assert bad(state, NOW + HOUR + MINUTE).phase == "closed"


def test_downloads_that_fail_together_are_one_burst() -> None:
    before = BreakerState()
    state = before
    for _ in range(8):
        state = trouble(state, NOW, download=True, openings=before.openings)
    assert (state.phase, state.level, state.openings) == ("open", 1, 1)
    assert state.retry_at == NOW + MINUTE


def test_cool_downs_follow_each_other_and_the_last_repeats() -> None:
    pauses = [MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 24 * HOUR, 24 * HOUR]
    for number, pause in enumerate(pauses, start=1):
        state = opened_at_level(number)
        assert state.opened_at is not None and state.retry_at is not None
        assert state.retry_at - state.opened_at == pause


def test_it_comes_back_by_probe_then_item_then_all() -> None:
    state = bad(BreakerState(), times=3)
    assert tick(state, NOW + MINUTE - timedelta(microseconds=1)).phase == "open"
    state = tick(state, NOW + MINUTE)
    assert (state.phase, state.stage) == ("half_open", "probe")
    state = well(state, download=False)
    assert (state.phase, state.stage) == ("half_open", "item")
    state = well(state, download=False)  # the page that names the item
    assert state.phase == "half_open"
    state = well(state)
    assert (state.phase, state.stage, state.retry_at) == ("closed", "", None)
    assert bad(state, NOW + MINUTE, times=2).phase == "closed"


def test_an_item_that_is_not_to_be_had_leaves_the_trial_open() -> None:
    state = well(tick(bad(BreakerState(), times=3), NOW + MINUTE), download=False)
    assert well(state, answered=True).stage == "item"
    assert well(tick(bad(BreakerState(), times=3), NOW + MINUTE), download=False, answered=True).stage == "item"
    assert bad(state, weak=True).phase == "half_open"


def test_late_answers_of_the_burst_count_for_nothing() -> None:
    state = tick(bad(BreakerState(), times=3), NOW + MINUTE)
    assert trouble(state, NOW + MINUTE, download=True, openings=0) is state
    assert good(state, download=True, openings=0) is state
    closed = well(well(state, download=False))
    assert trouble(closed, NOW + MINUTE, download=True, openings=0) is closed


def test_good_downloads_take_the_level_down_step_by_step() -> None:
    state = opened_at_level(2)
    assert state.retry_at is not None
    state = well(well(tick(state, state.retry_at), download=False))
    assert state.level == 2
    state = well(state, times=RULES.forgive_after)
    assert state.level == 1
    assert bad(state, NOW + HOUR, times=3).level == 2
    assert well(state, times=RULES.forgive_after).level == 0


def test_good_downloads_must_come_in_a_row_to_be_forgiven() -> None:
    state = replace(BreakerState(), level=2)
    state = well(bad(well(state, times=RULES.forgive_after - 1)), times=RULES.forgive_after - 1)
    assert state.level == 2
    assert well(state).level == 1


def test_a_day_without_trouble_forgets_the_level() -> None:
    state = opened_at_level(3)
    assert state.retry_at is not None
    state = well(well(tick(state, state.retry_at), download=False))
    assert bad(state, state.retry_at or NOW + timedelta(days=2), times=3).level == 1


def test_a_trial_that_nobody_makes_ends_after_a_day() -> None:
    state = tick(bad(BreakerState(), times=3), NOW + MINUTE)
    assert tick(state, NOW + timedelta(hours=23)).phase == "half_open"
    assert tick(state, NOW + timedelta(hours=25)).phase == "closed"


def test_what_the_host_says_about_waiting_is_heard() -> None:
    assert bad(BreakerState(), retry_after=30).phase == "closed"
    state = bad(BreakerState(), retry_after=300)
    assert state.phase == "open" and state.retry_at == NOW + 5 * MINUTE
    state = bad(BreakerState(), retry_after=10**9)
    assert state.retry_at == NOW + timedelta(days=1)
    for nonsense in (float("nan"), float("inf"), -5.0, 0.0):
        assert bad(BreakerState(), retry_after=nonsense).phase == "closed"


def test_a_spent_allowance_waits_for_its_date_or_for_a_person() -> None:
    reset = datetime(2027, 3, 10, tzinfo=UTC)
    state = allowance_spent(BreakerState(), NOW, reset)
    assert tick(state, reset - MINUTE).phase == "open" and tick(state, reset).phase == "half_open"
    forever = allowance_spent(BreakerState(), NOW, None)
    assert tick(forever, NOW + timedelta(days=3650)).phase == "open"
    assert cleared(forever).phase == "closed" and cleared(forever).version > forever.version


def test_a_refused_password_waits_for_another_one() -> None:
    state = sign_in_refused(BreakerState(), NOW, "hash-1")
    assert tick(state, NOW + timedelta(days=3650), credential="hash-1").phase == "open"
    assert tick(state, NOW, credential="hash-2").phase == "closed"


def test_our_own_network_sends_a_trial_back_to_its_probe() -> None:
    state = well(tick(bad(BreakerState(), times=3), NOW + MINUTE), download=False)
    state = lost_touch(state, openings=state.openings)
    assert (state.phase, state.stage, state.level) == ("half_open", "probe", 1)
    closed = BreakerState()
    assert lost_touch(closed, openings=0) is closed


def test_a_clock_that_is_set_back_does_not_stretch_the_pause() -> None:
    state = bad(BreakerState(), times=3)
    years_ago = NOW - timedelta(days=3000)
    state = tick(state, years_ago)
    assert state.retry_at == years_ago + MINUTE
    assert tick(state, years_ago + MINUTE).phase == "half_open"


@pytest.mark.parametrize(
    "state",
    [
        BreakerState(),
        opened_at_level(3),
        sign_in_refused(bad(BreakerState()), NOW, "x"),
        tick(opened_at_level(1), NOW + MINUTE),
    ],
)
def test_it_survives_json_and_members_it_does_not_know(state: BreakerState) -> None:
    data = json.loads(json.dumps(state.to_json()))
    assert BreakerState.from_json(data) == state
    assert BreakerState.from_json({**data, "of_a_later_version": [1]}) == state
    assert BreakerState.from_json({}) == BreakerState()
    with pytest.raises(ValueError, match="unknown phase"):
        BreakerState.from_json({"phase": "ajar"})


def test_of_two_states_the_later_holds_and_of_equals_the_stricter() -> None:
    start = BreakerState()
    one, three = bad(start), bad(start, times=3)
    assert newer(one, three) is three and newer(three, one) is three
    rival = allowance_spent(start, NOW, None)
    assert newer(one, rival) is rival and newer(rival, one) is rival


@pytest.mark.parametrize(
    "wrong", [{"cool_downs": ()}, {"cool_downs": (-MINUTE,)}, {"threshold": 0}, {"threshold": 6}, {"share_of": 21}]
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must hold|at least one"):
        BreakerRules(**wrong)  # type: ignore[arg-type]


class Host(RuleBasedStateMachine):
    """A host that is up or down, some requests in flight, and a client that does what the breaker says."""

    permits = 4

    def __init__(self) -> None:
        super().__init__()
        self.state, self.now, self.up = BreakerState(), NOW, True
        self.flight: list[tuple[int, bool, bool]] = []  # (openings, download, trial)
        self.bad_before_opening = self.bad_while_resting = 0

    def _move(self, state: BreakerState) -> None:
        if state.phase == "closed" and self.state.phase != "closed":
            self.bad_before_opening = 0
        if state.openings > self.state.openings:
            self.bad_while_resting = 0
        assert state.version >= self.state.version
        self.state = state

    def _ends(self, flight: tuple[int, bool, bool], up: bool) -> None:
        openings, download, trial = flight
        if up:
            self._move(good(self.state, download=download, openings=openings))
            if self.state.phase == "closed" and openings == self.state.openings:
                self.bad_before_opening = 0
            return
        if trial:
            self.bad_while_resting += 1
        elif openings == self.state.openings:
            self.bad_before_opening += 1
        before, forgotten = self.state.openings, self.state.phase == "closed"
        self._move(trouble(self.state, self.now, download=download, openings=openings))
        if trial and not forgotten:  # a day without trouble may have closed it while the trial was under way
            assert self.state.openings == before + 1 or openings != before
            # The counters begin anew with the cool-down that this one answer opened.
            assert self.bad_while_resting <= 1

    @rule(download=st.booleans())
    def a_request_begins(self, download: bool) -> None:
        self._move(tick(self.state, self.now))
        trial = self.state.phase == "half_open"
        if self.state.phase == "open" or len(self.flight) >= self.permits:
            return
        if trial and any(flight[2] for flight in self.flight):
            return
        self.flight.append((self.state.openings, download and self.state.stage != "probe", trial))

    @precondition(lambda self: self.flight)
    @rule(data=st.data())
    def a_request_ends(self, data: st.DataObject) -> None:
        self._ends(self.flight.pop(data.draw(st.integers(0, len(self.flight) - 1))), self.up)

    @rule()
    def the_host_goes_down_or_comes_back(self) -> None:
        self.up = not self.up

    @rule(step=st.sampled_from([timedelta(seconds=10), MINUTE, 10 * MINUTE, 3 * HOUR, 30 * HOUR]))
    def time_passes(self, step: timedelta) -> None:
        self.now += step

    @rule(step=st.sampled_from([10 * MINUTE, 30 * HOUR]))
    def the_clock_is_set_back(self, step: timedelta) -> None:
        self.now -= step

    @rule()
    def the_process_is_killed(self) -> None:
        self.flight.clear()
        self.state = BreakerState.from_json(json.loads(json.dumps(self.state.to_json())))

    @invariant()
    def it_never_rests_longer_than_the_longest_pause(self) -> None:
        state = tick(self.state, self.now)
        if state.phase == "open":
            assert state.retry_at is not None and state.retry_at - self.now <= RULES.cool_downs[-1] + MINUTE
            assert tick(state, state.retry_at).phase == "half_open"

    @invariant()
    def few_are_answered_badly_before_it_opens(self) -> None:
        # In a row; the share rule lets at most `share_of` through among good ones.
        assert self.bad_before_opening <= RULES.share_of + self.permits

    @invariant()
    def phases_and_their_facts_agree(self) -> None:
        state = self.state
        assert (state.stage != "") == (state.phase == "half_open")
        assert 0 <= state.level <= len(RULES.cool_downs)
        if state.phase == "closed":
            assert (
                state.download_streak + state.other_streak < RULES.threshold and len(state.recent) <= RULES.share_window
            )


Host.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestHost = Host.TestCase


def test_openings_tell_bursts_apart_for_every_entry() -> None:
    assert (
        allowance_spent(BreakerState(), NOW, None).openings == sign_in_refused(BreakerState(), NOW, "x").openings == 1
    )
    assert breaker.DEFAULT_RULES == RULES
