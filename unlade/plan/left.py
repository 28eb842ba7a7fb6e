"""Time left for a progress bar: by the plan of the governor, not by the rate alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from unlade.governor.budget import Budget
from unlade.governor.forecast import Outlook, Plan
from unlade.plan.futures import HORIZON, Drawn, play
from unlade.report.words import clock, day
from unlade.units import format_duration

#: Seconds between two looks at the plan: it changes slowly, and the books are asked for it.
_EVERY = 10.0

#: Files that are played out; more are taken together, so that a bar never stutters.
_PLAYED = 2000


def time_left(items: int, outlook: Outlook, rate: float | None, budget: Budget, now: datetime, zone: tzinfo) -> str:
    """`2 h 10 min left`; `done about 14 December (limit of the day)` when a limit will be waited for; "" while unknown.

    `items` are still to come, `rate` a second, their sizes by `outlook`.
    """
    if not rate or rate <= 0:
        return ""
    if items <= 0:
        return format_duration(0) + " left"
    straight = timedelta(seconds=min(items / rate, HORIZON.total_seconds()))
    future = play(_bundled(items, outlook, rate), Plan(now), budget)
    if future.done_at is None:
        return _waits(budget, now, "no end within these limits")
    # A bundle more or less, or a second, is not a wait.
    if future.done_at - now <= straight * 1.05 + timedelta(seconds=2):
        return f"{format_duration(straight)} left"
    soon = future.done_at.astimezone(zone).date() == now.astimezone(zone).date()
    when = clock(future.done_at, now, zone) if soon else day(future.done_at, now, zone)
    return _waits(budget, now, f"done about {when}")


class TimeLeft:
    """`time_left` for a bar that asks often: the plan is looked at every ten seconds.

    `outlook` and `budget` are asked then, in the caller's thread (the run loop's).
    """

    def __init__(
        self,
        outlook: Callable[[], Outlook],
        budget: Callable[[], Budget],
        clock: Callable[[], datetime],
        zone: tzinfo,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outlook, self._budget, self._clock, self._zone = outlook, budget, clock, zone
        self._monotonic = monotonic
        self._text, self._at = "", float("-inf")

    def __call__(self, items: int, rate: float | None) -> str:
        """The text for `items` still to come at `rate` a second."""
        now = self._monotonic()
        if not rate:
            return ""
        if now - self._at >= _EVERY or not self._text:
            self._text = time_left(items, self._outlook(), rate, self._budget(), self._clock(), self._zone)
            self._at = now
        return self._text


def _bundled(items: int, outlook: Outlook, rate: float) -> Drawn:
    """The items to come by their mean size, several taken as one where they are many."""
    bundle = -(-items // _PLAYED)
    count = -(-items // bundle)
    known = outlook.known[:items]
    mean = _mean(outlook.seen)
    total = sum(known) + mean * (items - len(known))
    size = round(total * (1 + outlook.waste) / count)
    together = replace(outlook, items=count, rate=rate * count / items, overhead=outlook.overhead * bundle, waste=0.0)
    return Drawn(sizes=((size,) * count,), outlooks=(together,))


def _mean(sizes: Sequence[int]) -> float:
    return sum(sizes) / len(sizes) if sizes else 1_800_000.0


def _waits(budget: Budget, now: datetime, text: str) -> str:
    """`text` and the limit that has the least room, which is the one that is waited for."""
    rooms = [room for room in budget.headroom(now) if room.limit.period.kind != "run"]
    if not rooms:
        return text
    return f"{text} (limit of the {min(rooms, key=lambda room: room.left).limit.name})"
