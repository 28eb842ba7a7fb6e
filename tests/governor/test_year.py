"""Weeks and years in a moment: the gate and the budget together, against hosts that struggle."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlade.cargo import Wire
from unlade.errors import GatewayError, NotNow, UnladeError
from unlade.governor.breaker import BreakerState
from unlade.governor.budget import Budget, Limit, opened, reserve, settle
from unlade.governor.governor import Governor
from unlade.governor.periods import Period
from unlade.governor.settings import settings_for

START = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
MB = 10**6


@dataclass
class World:
    """A host in virtual time: it breaks down for `down` seconds after every `stamina` downloads."""

    stamina: int
    down: float
    seconds: float = 0.0
    shift: timedelta = timedelta(0)
    since: int = 0
    down_until: float = 0.0
    bad_at: list[int] = field(default_factory=list)  #: how often the breaker had opened before, for each bad answer
    downloads: int = 0

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds) + self.shift

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, _condition: threading.Condition, seconds: float) -> None:
        self.seconds += seconds

    def sleep_until(self, refusal: NotNow) -> None:
        assert refusal.retry_at is not None
        self.seconds += max(0.0, (refusal.retry_at - self.wall()).total_seconds())

    def answer(self, gate: Governor, *, download: bool) -> None:
        self.seconds += 0.5 if download else 0.1
        if download and self.since >= self.stamina:
            self.since, self.down_until = 0, self.seconds + self.down
        if self.seconds < self.down_until:
            self.bad_at.append(gate.state.openings)
            raise GatewayError()
        self.since += download
        self.downloads += download


def gate_over(world: World, pace: str, state: BreakerState, cool_downs: list[timedelta] | None = None) -> Governor:
    chosen = settings_for(pace=pace, concurrency=4, cool_downs=cool_downs)
    gate = Governor(chosen, state, clock=world.wall, monotonic=world.monotonic, wait=world.wait, rng=random.Random(1))

    def probe() -> None:
        with gate.passage("probe"):
            world.answer(gate, download=False)

    gate.probe = probe
    return gate


def download_for_ever(world: World, gate: Governor) -> None:
    while True:
        with suppress(GatewayError), gate.passage("container"):
            world.answer(gate, download=True)


@pytest.mark.parametrize("pace", ["gentle", "off"])
def test_a_host_that_breaks_down_after_every_sixty_downloads_gives_everything(pace: str) -> None:
    world, state, left = World(stamina=60, down=90), BreakerState(), 2000
    while left:
        gate = gate_over(world, pace, state)
        try:
            while left:
                try:
                    with gate.passage("container"):
                        world.answer(gate, download=True)
                except GatewayError:
                    continue
                left -= 1
        except NotNow as resting:
            world.sleep_until(resting)
        state = BreakerState.from_json(json.loads(json.dumps(gate.state.to_json())))
    breakdowns = 2000 // 60
    # While closed (an even share of breakdowns): the threshold. Afterwards one bad answer a cool-down.
    assert len(world.bad_at) <= breakdowns * 3 + state.openings
    assert state.openings <= breakdowns * 3
    assert world.seconds < 24 * 3600


def test_once_it_rests_one_request_a_cool_down_meets_a_dead_host() -> None:
    world, state, opened_at = World(stamina=0, down=10**9), BreakerState(), []
    for _ in range(12):
        gate = gate_over(world, "gentle", state)
        with pytest.raises(NotNow) as caught:
            download_for_ever(world, gate)
        opened_at.append(world.seconds)
        world.sleep_until(caught.value)
        state = gate.state
    assert world.bad_at == [0, 0, 0, *range(1, 12)]
    assert opened_at[-1] - opened_at[-2] >= 24 * 3600


limits = st.lists(
    st.builds(
        lambda kind, size: Limit(kind, size, Period(kind, 3, 10)),
        st.sampled_from(["year", "month", "day", "hour"]),
        st.integers(5 * MB, 200 * MB),
    ),
    max_size=3,
    unique_by=lambda limit: limit.name,
)


@settings(max_examples=40, deadline=None)
@given(
    limits,
    st.lists(st.integers(1, 5 * MB), min_size=1, max_size=60),
    st.integers(1, 30),
    st.sampled_from([0.0, 90.0, 7200.0]),
    st.randoms(use_true_random=False),
    st.sampled_from(["gentle", "off"]),
)
def test_everything_arrives_under_every_limit_through_faults_kills_and_clock_changes(
    chosen: list[Limit], sizes: list[int], stamina: int, down: float, rng: random.Random, pace: str
) -> None:
    """Books as the ledger keeps them; a kill leaves a reservation spent; the clock jumps forward now and then."""
    world, state, lines = World(stamina, down), BreakerState(), []
    waiting, patience = list(sizes), 40 * 366

    def books() -> Budget:
        now = world.wall()
        used = {
            limit.name: sum((wire for at, wire in lines if at >= limit.period.window(now).start), Wire())
            for limit in chosen
        }
        return opened(chosen, now, used=used)

    while waiting:
        patience -= 1
        assert patience, "no progress although the limits allow it"
        gate, budget = gate_over(world, pace, state), books()
        try:
            while waiting:
                size, now = waiting[0], world.wall()
                budget, verdict = reserve(budget, "it", Wire(container=size), now)
                if not verdict.ok:
                    raise verdict.error()
                wire = Wire(container=size // 3)
                try:
                    with gate.passage("container"):
                        world.answer(gate, download=True)
                    wire = Wire(container=size)
                    waiting.pop(0)
                except GatewayError:
                    pass
                finally:
                    budget = settle(budget, "it", wire, world.wall())
                    lines.append((world.wall(), wire))
                if rng.random() < 0.02:
                    lines.append(
                        (world.wall(), Wire(container=min(size, 5000)))
                        if budget.fits(5000, world.wall()).ok
                        else (world.wall(), Wire())
                    )
                    break  # killed: what it held stays spent
                if rng.random() < 0.02:
                    world.shift += timedelta(hours=rng.choice([1, 30]))
        except NotNow as later:
            world.sleep_until(later)
        state = BreakerState.from_json(gate.state.to_json())
    assert world.downloads == len(sizes)
    for limit in chosen:
        spent: dict[datetime, int] = {}
        for at, wire in lines:
            start = limit.period.window(at).start
            spent[start] = spent.get(start, 0) + wire.total
        assert all(total <= limit.usable for total in spent.values())


def test_a_run_while_nothing_is_allowed_asks_nothing() -> None:
    world = World(stamina=0, down=10**9)
    gate = gate_over(world, "off", BreakerState())
    for _ in range(3):
        with pytest.raises(GatewayError), gate.passage("api"):  # noqa: PT012
            world.seconds += 1
            raise GatewayError()
    asked: list[int] = []
    refusals: list[Callable[[], object]] = [
        gate.check,
        lambda: gate.passage("api").__enter__(),
        lambda: gate.passage("container").__enter__(),
    ]
    before = world.seconds
    for refused in refusals:
        with pytest.raises(UnladeError) as caught:
            asked.append(1 if refused() else 0)
        assert caught.value.exit_code == 75
    assert asked == [] and world.seconds == before
