"""The gate with a clock of its own: what passes, what waits, what is refused, and what is learnt from it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from unlade.cargo import Wire
from unlade.errors import (
    AllowanceSpent,
    ConnectionBroken,
    GatewayError,
    HostBusy,
    HostResting,
    HostTimeout,
    Interrupted,
    LayoutMissing,
    Missing,
    NotNow,
    OwnNetworkDown,
    SignInRefused,
    StaleLink,
    StoreBusy,
    Truncated,
    Unauthorised,
)
from unlade.governor.breaker import BreakerState
from unlade.governor.governor import Governor
from unlade.governor.periods import Period
from unlade.governor.settings import GovernorSettings, after_reset, settings_for
from unlade.source import Gate, RequestKind

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
OFF = settings_for(pace="off", concurrency=4)


class Time:
    """A clock that moves only when somebody waits or sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.shift = timedelta(0)

    def wall(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds) + self.shift

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def governor(
    time: Time, settings: GovernorSettings = OFF, state: BreakerState | None = None, **more: object
) -> Governor:
    return Governor(
        settings, state, clock=time.wall, monotonic=time.monotonic, wait=time.wait, rng=random.Random(1), **more
    )  # type: ignore[arg-type]


def fail(gate: Governor, error: BaseException, kind: RequestKind = "container", times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(type(error)), gate.passage(kind):
            raise error


def succeed(gate: Governor, kind: RequestKind = "container", times: int = 1) -> None:
    for _ in range(times):
        with gate.passage(kind):
            pass


def test_it_is_a_gate(time: Time) -> None:
    gate: Gate = governor(time)
    with gate.passage("api"):
        pass


def test_permits_are_for_downloads_only_and_come_back_after_every_end(time: Time) -> None:
    gate = governor(time)
    with gate.passage("container"):
        assert gate.permits_in_use == 1
        with gate.passage("api"):
            assert gate.permits_in_use == 1
    fail(gate, Missing())
    fail(gate, KeyboardInterrupt())
    assert gate.permits_in_use == 0 and gate.peak == 1
    assert gate.downloads == 1


@pytest.mark.parametrize("error", [GatewayError(), ConnectionBroken(), HostTimeout()])
def test_trouble_in_a_row_opens_it_and_it_says_when_it_will_try_again(time: Time, error: GatewayError) -> None:
    gate = governor(time)
    fail(gate, error, times=3)
    with pytest.raises(HostResting) as caught, gate.passage("api"):
        pytest.fail("passed an open breaker")
    assert caught.value.retry_at == NOW + timedelta(minutes=1)
    assert error.reason in str(caught.value) and "12:31:00 UTC" in str(caught.value)
    with pytest.raises(HostResting):
        gate.check()
    assert [seen.downloads for seen in gate.troubles] == [0, 0, 0]


@pytest.mark.parametrize(
    "error",
    [
        StaleLink(),
        Missing(),
        Unauthorised(),
        LayoutMissing(),
        OwnNetworkDown(),
        StoreBusy(),
        NotNow(),
        AllowanceSpent(),
        OSError(),
        KeyboardInterrupt(),
    ],
)
def test_what_is_not_the_hosts_trouble_never_opens_it(time: Time, error: BaseException) -> None:
    gate = governor(time)
    fail(gate, error, times=30)
    assert gate.state == BreakerState()
    assert gate.permits == 4


def test_bodies_that_end_early_count_a_little(time: Time) -> None:
    gate = governor(time)
    fail(gate, Truncated(), times=4)
    assert gate.state.phase == "closed" and gate.permits == 4
    fail(gate, Truncated())
    assert gate.state.phase == "open"


def test_one_trouble_slows_down(time: Time) -> None:
    gate = governor(time)
    fail(gate, GatewayError())
    assert gate.permits == 2


def test_coming_back_sends_the_probe_first_then_one_item_then_ramps_up(time: Time) -> None:
    sent: list[str] = []

    def probe() -> None:
        with gate.passage("probe"):
            sent.append("probe")

    gate = governor(time, probe=probe)
    fail(gate, GatewayError(), times=3)
    time.seconds += 60
    assert gate.on_trial
    with gate.passage("login"):
        sent.append("login")
    with gate.passage("container"):
        sent.append("item")
        assert gate.on_trial
    assert sent == ["probe", "login", "item"]
    assert gate.state.phase == "closed" and not gate.on_trial
    assert gate.permits == 1
    succeed(gate, times=6)
    assert gate.permits == 4


def test_a_probe_that_fails_costs_one_request_and_a_longer_rest(time: Time) -> None:
    calls = 0

    def probe() -> None:
        nonlocal calls
        calls += 1
        with gate.passage("probe"):
            raise GatewayError()

    gate = governor(time, probe=probe)
    fail(gate, GatewayError(), times=3)
    time.seconds += 60
    for _ in range(5):
        with pytest.raises(HostResting) as caught, gate.passage("container"):
            pytest.fail("passed")
        assert caught.value.retry_at == NOW + timedelta(minutes=6)
    assert calls == 1


def test_a_probe_that_does_not_pass_the_gate_still_is_an_answer(time: Time) -> None:
    gate = governor(time, probe=lambda: None)
    fail(gate, GatewayError(), times=3)
    time.seconds += 60
    succeed(gate)
    assert gate.state.phase == "closed"


def test_an_error_of_the_probe_that_is_not_the_hosts_comes_out(time: Time) -> None:
    def probe() -> None:
        with gate.passage("probe"):
            raise OwnNetworkDown()

    gate = governor(time, probe=probe)
    fail(gate, GatewayError(), times=3)
    time.seconds += 60
    with pytest.raises(OwnNetworkDown), gate.passage("api"):
        pytest.fail("passed")
    assert gate.state.phase == "half_open" and gate.state.stage == "probe"


def test_without_a_probe_the_first_request_is_the_trial(time: Time) -> None:
    gate = governor(time)
    fail(gate, GatewayError(), times=3)
    time.seconds += 60
    succeed(gate, "login")
    succeed(gate)
    assert gate.state.phase == "closed"


def test_a_login_inside_a_trial_download_does_not_wait_for_itself(time: Time) -> None:
    gate = governor(time)
    fail(gate, GatewayError(), times=3)
    time.seconds += 60
    succeed(gate, "probe")
    with gate.passage("container"), gate.passage("login"), gate.passage("container"):
        assert gate.permits_in_use == 1
    assert gate.state.phase == "closed"


def test_a_trial_that_another_process_left_begins_with_the_probe(time: Time) -> None:
    state = replace(BreakerState(), phase="half_open", stage="item", openings=3, retry_at=NOW)
    calls: list[str] = []
    gate = governor(time, state=state, probe=lambda: calls.append("probe"))
    succeed(gate)
    assert calls == ["probe"]


def test_the_hosts_953_is_remembered_until_the_reset_and_our_own_limit_is_not(time: Time) -> None:
    year = Period("year", 3, 10)
    gate = governor(time, settings_for(pace="off", concurrency=4, year=year))
    fail(gate, AllowanceSpent())
    assert gate.state.phase == "closed"
    fail(gate, AllowanceSpent(by_host=True), "api")
    with pytest.raises(AllowanceSpent) as caught, gate.passage("api"):
        pytest.fail("passed")
    assert caught.value.by_host and caught.value.retry_at == datetime(2027, 3, 10, tzinfo=UTC)
    gate.clear()
    succeed(gate)


def test_a_refusal_just_after_the_reset_does_not_cost_a_year() -> None:
    until = after_reset(Period("year", 3, 10))
    just_after = datetime(2026, 3, 10, 5, tzinfo=UTC)
    assert until(just_after) == just_after + timedelta(hours=2)
    assert until(datetime(2026, 3, 12, tzinfo=UTC)) == datetime(2027, 3, 10, tzinfo=UTC)


def test_a_refused_password_is_not_sent_again_until_it_differs(time: Time) -> None:
    gate = governor(time, replace(OFF, credential="hash-1"))
    fail(gate, SignInRefused(code="212"), "login")
    with pytest.raises(SignInRefused) as caught, gate.passage("login"):
        pytest.fail("passed")
    assert caught.value.exit_code == 1 and "FILEMAKER_PASSWORD" in caught.value.remedy
    again = governor(time, replace(OFF, credential="hash-2"), state=gate.state)
    succeed(again, "login")
    nameless = governor(time)
    fail(nameless, SignInRefused(code="212"), "login", times=2)


def test_a_busy_host_is_waited_for_and_asked_less(time: Time) -> None:
    gate = governor(time)
    fail(gate, HostBusy(code="812"))
    assert gate.permits == 2 and gate.state.phase == "closed"
    succeed(gate)
    assert time.seconds == pytest.approx(30)
    fail(gate, HostBusy(code="812"))
    for _ in range(3):
        fail(gate, HostBusy(code="812"))
    assert gate.state.phase == "open" and gate.state.cause == "busy"
    with pytest.raises(HostResting, match="no place"):
        gate.check()


def test_retry_after_is_waited_for_when_short_and_remembered_when_long(time: Time) -> None:
    gate = governor(time)
    fail(gate, HostBusy(retry_after=7))
    succeed(gate, "api")
    assert time.seconds == pytest.approx(7)
    fail(gate, GatewayError(retry_after=600))
    with pytest.raises(HostResting) as caught:
        gate.check()
    assert caught.value.retry_at == time.wall() + timedelta(seconds=600)


def test_gaps_hold_between_all_requests(time: Time) -> None:
    gate = governor(time, settings_for(pace="gentle"))
    succeed(gate, "api", times=11)
    assert 10 * 0.2 <= time.seconds <= 10 * 0.5


def slept(time: Time, gate: Governor) -> None:
    """Sleep of the machine where the monotonic clock stops: only the wall moves."""
    time.shift += timedelta(hours=3)


def slept_with_running_clock(time: Time, gate: Governor) -> None:
    """Sleep of the machine where the monotonic clock runs on: the run loop's beat is late."""
    time.seconds += 3 * 3600
    gate.beat()


def slept_with_running_clock_and_noticed_first(time: Time, gate: Governor) -> None:
    """The same, but the broken request is noticed before the next beat."""
    gate.beat()
    gate._beater = None
    time.seconds += 3 * 3600


def clock_set_back(time: Time, gate: Governor) -> None:
    time.shift -= timedelta(hours=3)


@pytest.mark.parametrize(
    "interrupt", [slept, slept_with_running_clock, slept_with_running_clock_and_noticed_first, clock_set_back]
)
def test_trouble_over_our_own_sleep_is_not_the_hosts(time: Time, interrupt: Callable[[Time, Governor], None]) -> None:
    gate = governor(time, replace(OFF, beat_gap=timedelta(seconds=20)))
    gate.beat()
    gate._beater = None  # it beats in another thread than the one that downloads
    for _ in range(5):
        with pytest.raises(OwnNetworkDown) as caught, gate.passage("container"):  # noqa: PT012
            interrupt(time, gate)
            raise HostTimeout(wire=Wire(container=5))
        assert caught.value.wire == Wire(container=5)
    assert gate.state.phase == "closed" and gate.permits == 4 and gate.troubles == ()
    gate.beat()
    fail(gate, HostTimeout(), times=3)
    assert gate.state.phase == "open"


def test_a_run_loop_that_waits_for_an_answer_itself_cannot_beat_and_did_not_sleep(time: Time) -> None:
    gate = governor(time, replace(OFF, beat_gap=timedelta(seconds=20)))
    for _ in range(3):
        gate.beat()
        with pytest.raises(HostTimeout), gate.passage("api"):  # noqa: PT012
            time.seconds += 90
            raise HostTimeout()
    assert gate.state.phase == "open"


def test_a_long_wait_between_runs_excuses_nothing_that_comes_after(time: Time) -> None:
    gate = governor(time, replace(OFF, beat_gap=timedelta(seconds=20)))
    gate.beat()
    gate._beater = None
    time.seconds += 3600
    fail(gate, GatewayError(), times=3)
    assert gate.state.phase == "open"


def test_errors_that_are_understood_later_can_be_handed_in(time: Time) -> None:
    gate = governor(time, replace(OFF, credential="hash-1"))
    for error in (GatewayError(), Missing(), AllowanceSpent(), HostBusy(), Interrupted()):
        gate.note(error)
    assert gate.state == BreakerState()
    gate.note(SignInRefused())
    first = gate.state
    gate.note(SignInRefused())
    assert gate.state is first and first.cause == "sign_in"
    gate.clear()
    gate.note(AllowanceSpent(by_host=True))
    assert gate.state.cause == "allowance"


def test_after_stop_nothing_passes_and_those_inside_may_finish(time: Time) -> None:
    gate = governor(time)
    with gate.passage("container"):
        gate.stop()
    with pytest.raises(Interrupted), gate.passage("api"):
        pytest.fail("passed")
    with pytest.raises(Interrupted):
        gate.check()
    assert gate.permits_in_use == 0


def test_changes_are_told_once_and_in_json(time: Time) -> None:
    told: list[BreakerState] = []
    gate = governor(time, on_change=told.append)
    succeed(gate, times=100)
    assert told == []
    fail(gate, GatewayError(), times=3)
    assert [state.phase for state in told] == ["closed", "closed", "open"]
    assert told[-1] == gate.state and gate.version == told[-1].version
    time.seconds += 60
    succeed(gate, "probe")
    succeed(gate)
    assert told[-1].phase == "closed"


def test_what_another_process_learnt_is_adopted(time: Time) -> None:
    told: list[BreakerState] = []
    ours, theirs = governor(time, on_change=told.append), governor(time)
    fail(theirs, GatewayError(), times=3)
    ours.adopt(theirs.state)
    with pytest.raises(HostResting), ours.passage("api"):
        pytest.fail("passed")
    assert told == []
    theirs.adopt(BreakerState())
    assert theirs.state.phase == "open"


def test_permits_can_be_shared_with_other_processes(time: Time) -> None:
    class Shares:
        ours = 2

        def share(self, most: int) -> int:
            assert most == 4
            return self.ours

    shares = Shares()
    gate = governor(time, permits=shares)
    assert gate.permits == 2
    shares.ours = 0

    def give(condition: threading.Condition, seconds: float) -> None:
        time.seconds += seconds
        if time.seconds > 5:
            shares.ours = 1

    gate._wait = give
    succeed(gate)
    assert time.seconds > 5 and gate.peak == 1


@pytest.mark.parametrize("pace", ["fast", ""])
def test_an_unknown_pace_is_refused(pace: str) -> None:
    with pytest.raises(ValueError, match="gentle or off"):
        settings_for(pace=pace)


def test_settings_take_what_the_environment_says() -> None:
    settings = settings_for(pace="off", concurrency=8, cool_downs=[timedelta(seconds=1)], threshold=7)
    assert settings.pace.start == settings.pace.most == 8
    assert settings.breaker.cool_downs == (timedelta(seconds=1),)
    assert settings.breaker.threshold == 7 <= settings.breaker.share_of <= settings.breaker.share_window
