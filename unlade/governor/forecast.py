"""When it will be done, and what it will take: runs of the future, simulated with the budget that really rules.

`simulate` plays one future: runs start by their plan, take what the budget lets through, and book it. `forecast`
plays many, each with sizes drawn anew from those that were seen (a bootstrap), and reports ranges. A run is played in
one step, not item by item, so that a year takes milliseconds.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate

from unlade.cargo import Wire
from unlade.governor.budget import Budget, spend
from unlade.governor.quiet import QuietHours

#: A size for a source of which nothing was seen yet: the mean of a clinic's images.
_UNSEEN = 1_800_000

#: Downloads a second where no run told.
_UNSEEN_RATE = 1.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is left, and what is known of it.

    `known` are exact sizes of items to come (a size field, a manifest); `seen` are sizes of items that came, from which
    the rest is drawn. `rate`: items a second while a run works. `overhead`: API bytes and heads an item costs besides
    its file; `waste`: container bytes that broken tries add, as a share.
    """

    items: int
    seen: tuple[int, ...] = ()
    known: tuple[int, ...] = ()
    rate: float = _UNSEEN_RATE
    overhead: int = 4000
    waste: float = 0.0
    requests_per_item: float = 1.05
    requests_per_run: float = 4.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How runs are started: every so often from `first` on, each with at most so many items, bytes and time.

    `every` None: one run after the other, as the governor allows.
    """

    first: datetime
    every: timedelta | None = None
    limit: int | None = None
    max_bytes: int | None = None
    max_time: timedelta | None = None
    quiet: QuietHours | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """Bytes that were spent until `at`, for a plot."""

    at: datetime
    spent: int


@dataclass(frozen=True, slots=True)
class Future:
    """One future. `done_at` None: not within the horizon; `left` items are then still to come."""

    done_at: datetime | None
    left: int
    bytes: int
    runs: int
    requests: int
    working: timedelta
    points: tuple[Point, ...]
    budget: Budget


@dataclass(frozen=True, slots=True)
class Range:
    """Low, middle and high of what the futures say (10, 50 and 90 %)."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Ranges over many futures. `done` None when most futures do not end within the horizon."""

    done: tuple[datetime, datetime, datetime] | None
    bytes: Range
    runs: Range
    requests: Range
    working_seconds: Range
    ends: float  #: share of futures that end within the horizon
    typical: Future  #: the one in the middle, for a plot


def draw(outlook: Outlook, rng: random.Random) -> list[int]:
    """Wire bytes of each item to come, in the order of their coming; container bytes only."""
    exact = outlook.known[: outlook.items]
    rest = rng.choices(outlook.seen or (_UNSEEN,), k=outlook.items - len(exact))
    sizes = [*exact, *rest]
    return [int(size * (1 + outlook.waste)) for size in sizes] if outlook.waste else sizes


def simulate(
    outlook: Outlook,
    plan: Plan,
    budget: Budget,
    rng: random.Random,
    *,
    horizon: timedelta = timedelta(days=3 * 366),
) -> Future:
    """One future with sizes drawn by `rng`. `budget` holds what is spent at `plan.first`; limits of a run are `plan`'s."""
    sums = list(accumulate(draw(outlook, rng), initial=0))
    now, place, runs, total = plan.first, 0, 0, 0
    working, points, end = timedelta(0), [Point(plan.first, 0)], plan.first + horizon
    while place < outlook.items:
        begin = _allowed_at(now, outlook, sums[place + 1] - sums[place], plan, budget, end)
        if begin is None:
            return Future(None, outlook.items - place, total, runs, _requests(outlook, place, runs), working,
                          tuple(points), budget)  # fmt: skip
        upto = _how_far(place, sums, outlook, plan, budget, begin)
        wire = Wire(container=sums[upto] - sums[place], headers=outlook.overhead * (upto - place))
        took = timedelta(seconds=(upto - place) / outlook.rate)
        budget = spend(budget, wire, begin)
        total, runs, place, working = total + wire.total, runs + 1, upto, working + took
        now = begin + took
        points.append(Point(now, total))
        if place < outlook.items and plan.every is not None:
            now = _next_start(plan, now)
    return Future(now, 0, total, runs, _requests(outlook, place, runs), working, tuple(points), budget)


def _allowed_at(
    now: datetime, outlook: Outlook, size: int, plan: Plan, budget: Budget, end: datetime
) -> datetime | None:
    """The first moment from `now` to `end` at which a run can take the next item; None when there is none."""
    want = Wire(container=size, headers=outlook.overhead)
    if plan.max_bytes is not None and want.total > plan.max_bytes:
        return None
    while now <= end:
        if plan.quiet is not None and (until := plan.quiet.until(now)) is not None:
            now = until if plan.every is None else _next_start(plan, until)
            continue
        verdict = budget.fits(want, now)
        if verdict.ok:
            return now
        if verdict.retry_at is None:
            return None
        now = verdict.retry_at if plan.every is None else _next_start(plan, verdict.retry_at)
    return None


def _next_start(plan: Plan, moment: datetime) -> datetime:
    """The first scheduled start at or after `moment`."""
    assert plan.every is not None
    return plan.first - (plan.first - moment) // plan.every * plan.every


def _how_far(place: int, sums: list[int], outlook: Outlook, plan: Plan, budget: Budget, now: datetime) -> int:
    """The item before which this run ends: by its own limits, the budget, or the end of an hour, day, quiet."""
    upto = outlook.items
    if plan.limit is not None:
        upto = min(upto, place + plan.limit)
    if plan.max_time is not None:
        upto = min(upto, place + max(1, int(plan.max_time.total_seconds() * outlook.rate)))
    # Within one run the periods are those of its begin: what a later hour allows is left to the next step.
    for room in (budget.room(now), plan.max_bytes):
        if room is not None:
            upto = min(upto, _by_bytes(place, sums, outlook.overhead, room))
    if upto == place + 1 or _fits(place, upto, sums, outlook, budget, now):
        return upto
    # Heads weigh more than container bytes under a factor below one, so the room was only a first guess.
    return (
        place
        + bisect_left(range(place + 2, upto), True, key=lambda to: not _fits(place, to, sums, outlook, budget, now))
        + 1
    )


def _by_bytes(place: int, sums: list[int], overhead: int, room: int) -> int:
    """How far `room` bytes reach from `place`, one item at least (the caller knows that it fits)."""

    def cost(upto: int) -> int:
        return sums[upto] - sums[place] + overhead * (upto - place)

    reach = range(place + 1, len(sums))
    return max(place + 1, place + bisect_right(reach, room, key=cost))


def _fits(place: int, upto: int, sums: list[int], outlook: Outlook, budget: Budget, now: datetime) -> bool:
    wire = Wire(container=sums[upto] - sums[place], headers=outlook.overhead * (upto - place))
    return budget.fits(wire, now).ok


def _requests(outlook: Outlook, items: int, runs: int) -> int:
    return round(items * outlook.requests_per_item + runs * outlook.requests_per_run)


def forecast(
    outlook: Outlook,
    plan: Plan,
    budget: Budget,
    rng: random.Random,
    *,
    futures: int = 40,
    horizon: timedelta = timedelta(days=3 * 366),
) -> Forecast:
    """Ranges over `futures` futures, of which each draws its sizes from a bootstrap sample of those that were seen."""
    played = [simulate(_resampled(outlook, rng), plan, budget, rng, horizon=horizon) for _ in range(max(1, futures))]
    ended = sorted((f for f in played if f.done_at is not None), key=lambda future: future.done_at or plan.first)
    dates = [future.done_at for future in ended if future.done_at is not None]
    done = None
    if len(ended) * 2 > len(played):
        done = (dates[_place(0.1, len(dates))], dates[_place(0.5, len(dates))], dates[_place(0.9, len(dates))])
    return Forecast(
        done=done,
        bytes=_range([future.bytes for future in played]),
        runs=_range([future.runs for future in played]),
        requests=_range([future.requests for future in played]),
        working_seconds=_range([future.working.total_seconds() for future in played]),
        ends=len(ended) / len(played),
        typical=ended[len(ended) // 2] if done else played[0],
    )


def _resampled(outlook: Outlook, rng: random.Random) -> Outlook:
    """The sizes that were seen, drawn with replacement: how sure we are of their mean shows in the ranges."""
    if not outlook.seen:
        return outlook
    seen = tuple(rng.choices(outlook.seen, k=min(len(outlook.seen), 2000)))
    return replace(outlook, seen=seen)


def _place(share: float, count: int) -> int:
    return min(count - 1, int(share * count))


def _range(values: Sequence[float]) -> Range:
    ordered = sorted(values)
    return Range(*(ordered[_place(share, len(ordered))] for share in (0.1, 0.5, 0.9)))
