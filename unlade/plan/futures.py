"""Many futures of several imports that share one host and one allowance. Pure: budget, time and chance are passed in.

Every future is played by `governor.forecast.simulate` with the budget that really rules. All roads are played with
the same draws of sizes, so that what differs between them is the road and not luck.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import TypeVar

from unlade.governor.budget import Budget
from unlade.governor.forecast import Future, Outlook, Plan, Range, draw, simulate

#: How far into the future is looked.
HORIZON = timedelta(days=3 * 366)

#: Futures that make a range.
FUTURES = 24

#: Sizes that one future's bootstrap sample holds.
_BOOTSTRAP = 2000

T = TypeVar("T")

_NO_CHANCE = random.Random(0)

#: Downloads a second where no run told: between a host that was met at 20 a minute and one without a care.
_UNSEEN_RATES = (0.3, 2.0)

#: How far off the speed may be that a single run showed, as a standard deviation of its logarithm.
_ONE_RUN = 0.3


@dataclass(frozen=True, slots=True)
class Prospect:
    """One import's files to come, and what its runs showed; both empty: nothing is known.

    `rates`: downloads a second of single runs. `shares`: what runs with a limit brought of it, 0 to 1.
    """

    outlook: Outlook
    rates: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """What chance decides in one future, by import: wire bytes of every file, and the outlook with its speed.

    `share`: so much of their limit runs bring on average.
    """

    sizes: tuple[tuple[int, ...], ...]
    outlooks: tuple[Outlook, ...]
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Ranges:
    """What the futures of one road say. `done` None: most of them do not end within the horizon.

    `left`: bytes of the contract year that are left at the end, the reserve untouched; None without an annual limit.
    """

    done: tuple[datetime, datetime, datetime] | None
    bytes: Range
    runs: Range
    requests: Range
    working_seconds: Range
    left: Range | None
    ends: float
    typical: Future
    early: Future
    late: Future


def draws(prospects: Sequence[Prospect], rng: random.Random, futures: int = FUTURES) -> list[Drawn]:
    """Chance for `futures` futures: sizes and speeds from bootstrap samples of those that were seen."""
    return [_drawn(prospects, rng) for _ in range(futures)]


def play(drawn: Drawn, plan: Plan, budget: Budget) -> Future:
    """One future. `plan.limit` holds for each import's part of a run.

    While several imports have files left, a scheduled run takes some of each.
    """
    sizes = drawn.sizes
    if plan.limit is None:
        return _phase(drawn.outlooks, sizes, plan, budget)
    limit = max(1, round(plan.limit * drawn.share))
    future: Future | None = None
    taken = 0
    for items in sorted({len(part) for part in sizes if part}):
        active = [number for number, part in enumerate(sizes) if len(part) >= items]
        if future is not None and future.done_at is not None:
            plan = replace(plan, first=next_start(plan, future.done_at))
        later = _phase(
            [drawn.outlooks[number] for number in active],
            tuple(sizes[number][taken:items] for number in active),
            replace(plan, limit=limit * len(active)),
            future.budget if future else budget,
        )
        future, taken = _joined(future, later), items
        if future.done_at is None:
            missing = sum(max(0, len(part) - items) for part in sizes)
            return replace(future, left=future.left + missing)
    return future or _phase(drawn.outlooks, sizes, plan, budget)


def next_start(plan: Plan, moment: datetime) -> datetime:
    """The first scheduled start at or after `moment`; the moment itself for a plan without a rhythm."""
    if plan.every is None:
        return moment
    return plan.first - (plan.first - moment) // plan.every * plan.every


def ranges(played: Sequence[Future], first: datetime) -> Ranges:
    """Low, middle and high (10, 50, 90 %) over `played`, which must not be empty."""
    ended = sorted((f for f in played if f.done_at is not None), key=lambda f: f.done_at or first)
    dates = [f.done_at for f in ended if f.done_at is not None]
    whole = ended if len(ended) * 2 > len(played) else list(played)
    done = None
    if len(ended) * 2 > len(played):
        done = (_at(dates, 0.1), _at(dates, 0.5), _at(dates, 0.9))
    lefts = [left for f in ended if f.done_at and (left := year_left(f.budget, f.done_at)) is not None]
    return Ranges(
        done=done,
        bytes=range_of([f.bytes for f in whole]),
        runs=range_of([f.runs for f in whole]),
        requests=range_of([f.requests for f in whole]),
        working_seconds=range_of([f.working.total_seconds() for f in whole]),
        left=range_of(lefts) if done and lefts else None,
        ends=len(ended) / len(played),
        typical=_at(whole, 0.5),
        early=_at(whole, 0.1),
        late=_at(whole, 0.9),
    )


def futures_of(chances: Sequence[Drawn], plan: Plan, budget: Budget) -> Ranges:
    """The ranges of `plan` over all draws."""
    return ranges([play(drawn, plan, budget) for drawn in chances], plan.first)


def year_left(budget: Budget, now: datetime) -> int | None:
    """Bytes of the contract year that may still be spent at `now`; None where it has no limit."""
    return next((room.left for room in budget.headroom(now) if room.limit.name == "year"), None)


def range_of(values: Sequence[float]) -> Range:
    """10, 50 and 90 % of `values`."""
    ordered = sorted(values)
    return Range(_at(ordered, 0.1), _at(ordered, 0.5), _at(ordered, 0.9))


def _at(ordered: Sequence[T], share: float) -> T:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _drawn(prospects: Sequence[Prospect], rng: random.Random) -> Drawn:
    sizes, outlooks = [], []
    for prospect in prospects:
        outlook = replace(prospect.outlook, seen=_sample(prospect.outlook.seen, rng), rate=_rate(prospect, rng))
        sizes.append(tuple(draw(outlook, rng)))
        outlooks.append(outlook)
    shares = _sample(tuple(share for prospect in prospects for share in prospect.shares), rng)
    return Drawn(tuple(sizes), tuple(outlooks), sum(shares) / len(shares) if shares else 1.0)


def _rate(prospect: Prospect, rng: random.Random) -> float:
    if not prospect.rates:
        low, high = _UNSEEN_RATES
        return math.exp(rng.uniform(math.log(low), math.log(high)))
    sample = _sample(prospect.rates, rng)
    mean = len(sample) / sum(1 / rate for rate in sample)
    return mean * math.exp(rng.gauss(0, _ONE_RUN / len(sample)))


def _sample(values: Sequence[T], rng: random.Random) -> tuple[T, ...]:
    """A bootstrap sample: how sure we are of the values shows when they are drawn with replacement."""
    return tuple(rng.choices(values, k=min(len(values), _BOOTSTRAP))) if values else ()


def _phase(outlooks: Sequence[Outlook], sizes: tuple[tuple[int, ...], ...], plan: Plan, budget: Budget) -> Future:
    """All of `sizes` as one import: side by side where they are equally many, else one after the other."""
    side_by_side = len({len(part) for part in sizes}) == 1
    order = tuple(chain.from_iterable(zip(*sizes, strict=True) if side_by_side else sizes))
    counts = [len(part) for part in sizes]
    total = sum(counts)
    pairs = list(zip(outlooks, counts, strict=True))
    seconds = sum(count / outlook.rate for outlook, count in pairs)
    together = Outlook(
        items=total,
        known=order,
        rate=total / seconds if seconds else 1.0,
        overhead=sum(outlook.overhead * count for outlook, count in pairs) // max(1, total),
        requests_per_item=sum(o.requests_per_item * count for o, count in pairs) / max(1, total),
    )
    # Every size is drawn already: chance has no part in it any more.
    return simulate(together, plan, budget, _NO_CHANCE, horizon=HORIZON)


def _joined(before: Future | None, after: Future) -> Future:
    if before is None:
        return after
    points = tuple(replace(point, spent=point.spent + before.bytes) for point in after.points)
    return replace(
        after,
        bytes=before.bytes + after.bytes,
        runs=before.runs + after.runs,
        requests=before.requests + after.requests,
        working=before.working + after.working,
        points=before.points + points,
    )
