"""What does it cost to be careful?

Measured in this process, in virtual time, with the rules that govern real runs:
- the forecast's year: 18,060 files at 50 a day under an annual, a monthly and an hourly limit, 365 runs, played with
  the budget that really rules; and the 40 futures of one forecast;
- the gate: 18,060 downloads through the real one, at most 50 a day, against a host that breaks down for 90 s after
  every 60 downloads, with the default pauses; a day ends when the host does.

Targets: 100 ms for a forecast's year, 5 s for a forecast with its ranges, 1 ms of CPU for one passage of the gate. Why:
a status page shows a forecast each time it is asked for, and the gate stands before every request.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.figures import Figure, at_most, exactly, told
from unlade.errors import GatewayError, NotNow
from unlade.governor.breaker import BreakerState
from unlade.governor.budget import Limit, annual, opened
from unlade.governor.forecast import Outlook, Plan, forecast, simulate
from unlade.governor.governor import Governor
from unlade.governor.periods import Period
from unlade.governor.settings import settings_for

FILES = 18_060
A_DAY = 50
START = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)


def run(scale: float) -> list[Figure]:
    files = int(FILES * scale)
    limits = [
        annual(144 * 10**9, Period("year", 3, 10)),
        Limit("month", 12 * 10**9, Period("month")),
        Limit("hour", 10**9, Period("hour")),
    ]
    budget = opened(limits, START)
    rng = random.Random(1)
    seen = tuple(int(rng.lognormvariate(13.9, 0.8)) for _ in range(500))
    outlook = Outlook(files, seen=seen)
    plan = Plan(START, every=timedelta(days=1), limit=A_DAY)
    years, played = [], None
    for _ in range(5):
        began = time.process_time()
        played = simulate(outlook, plan, budget, random.Random(2))
        years.append(time.process_time() - began)
    began = time.process_time()
    forecast(outlook, plan, budget, random.Random(3))
    ranges = time.process_time() - began
    assert played is not None
    gate_seconds, passages, bad, days = _gate_year(files)
    return [
        exactly("files left when the forecast's year is over", played.left, 0),
        told("runs in it", played.runs),
        at_most("the forecast's year", 1000 * statistics.median(years), 100, "ms"),
        at_most("a forecast: 40 futures with their ranges", ranges, 5, "s"),
        told("all files through the gate", gate_seconds, "s"),
        told("simulated days that took", days, "days"),
        told("answers 502 in that time", bad),
        at_most("one passage of the gate", 1000 * gate_seconds / passages, 1, "ms"),
    ]


@dataclass
class _World:
    """A host in virtual time that breaks down after every sixty downloads."""

    seconds: float = 0.0
    since: int = 0
    down_until: float = 0.0
    bad: int = 0
    passages: int = 0

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, _condition: threading.Condition, seconds: float) -> None:
        self.seconds += seconds

    def answer(self, *, download: bool) -> None:
        self.seconds += 0.5 if download else 0.1
        self.passages += 1
        if download and self.since >= 60:
            self.since, self.down_until = 0, self.seconds + 90
        if self.seconds < self.down_until:
            self.bad += 1
            raise GatewayError("502")
        self.since += download


def _gate_year(files: int) -> tuple[float, int, int, float]:
    """CPU seconds, passages, bad answers and simulated days until `files` came through."""
    world, state, left = _World(), BreakerState(), files
    settings = settings_for(pace="gentle", concurrency=4)
    began = time.process_time()
    while left:
        gate = Governor(
            settings, state, clock=world.wall, monotonic=world.monotonic, wait=world.wait, rng=random.Random(1)
        )

        def probe(gate: Governor = gate) -> None:
            with gate.passage("probe"):
                world.answer(download=False)

        gate.probe = probe
        today = 0
        with suppress(NotNow):
            while left and today < A_DAY:
                with suppress(GatewayError), gate.passage("container"):
                    world.answer(download=True)
                    left -= 1
                    today += 1
        state = BreakerState.from_json(gate.state.to_json())
        world.seconds += 86_400
    return time.process_time() - began, world.passages, world.bad, world.seconds / 86_400
