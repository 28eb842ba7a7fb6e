"""The ways to get the rest of the files, each with its ranges: A and B, the governor's own pace, C, D, E. Pure.

A to D are what people weigh (DESIGN 1); the governor's own pace and the database file are the two that they did not
know of. What a road over the Data API takes is simulated; what happens beside it (an export by hand, an upload) is
worked out from speeds that were measured, given or assumed, low and high.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from unlade.governor.budget import Budget, Limit
from unlade.governor.forecast import Future, Plan, Range
from unlade.governor.quiet import QuietHours
from unlade.plan.futures import Drawn, Prospect, Ranges, futures_of, range_of, year_left
from unlade.units import format_size

#: Seconds that FileMaker Pro takes for a record besides moving its bytes: a script step, a file opened and closed.
_EXPORT_STEP = (0.05, 0.5)

#: What a person needs to set up an export and to look at what came of it.
_BY_HAND = (timedelta(hours=1), timedelta(hours=4))

#: The same for a copy of the database file.
_FILE_BY_HAND = (timedelta(minutes=30), timedelta(hours=3))


@dataclass(frozen=True, slots=True)
class Speeds:
    """Bytes a second, low and high. `upload`: from here to the store; `disk`: what an export or a copy writes."""

    upload: tuple[float, float] = (1e6, 10e6)
    disk: tuple[float, float] = (5e6, 50e6)
    upload_from: str = "assumed"  #: given | measured | assumed
    disk_from: str = "assumed"
    file: tuple[float, float] = (10.0, 80.0)  #: files a second that an import from a database file looks at and stores
    file_from: str = "assumed"


@dataclass(frozen=True, slots=True)
class Market:
    """What a larger plan costs: blocks of `size` bytes a year at `price` (FILEMAKER.md 6.1: 24 GB, once 60 dollars)."""

    size: int = 24 * 10**9
    price: Decimal = Decimal(60)


@dataclass(frozen=True, slots=True)
class Road:
    """One way. `done`: early, middle, late; None: not within three years. `how` is what it asks of a person.

    `bytes`, `requests` and `left` are those of the Data API; `work` in seconds: of runs, or of the whole export.
    `futures` only for roads that are simulated.
    """

    key: str
    title: str
    how: str
    done: tuple[datetime, datetime, datetime] | None
    bytes: Range
    requests: Range
    runs: Range
    work: Range
    left: Range | None
    cost: Decimal = Decimal(0)
    needed: bool = True  #: false: a plan that is larger than it need be
    futures: Ranges | None = field(default=None, repr=False)

    @property
    def typical(self) -> Future | None:
        """The future in the middle, for a plot."""
        return self.futures.typical if self.futures else None


@dataclass(frozen=True, slots=True)
class Ground:
    """All that the roads start from. `limit`: so many downloads in a row the host bears; None: no trouble known."""

    now: datetime
    prospects: tuple[Prospect, ...]
    chances: tuple[Drawn, ...]
    budget: Budget
    speeds: Speeds = Speeds()
    market: Market = Market()
    limit: int | None = None
    quiet: QuietHours | None = None
    resting: datetime | None = None  #: until when the host is left alone
    here: int = 0  #: bytes in the store already; a copy of the database file holds them too

    @property
    def items(self) -> int:
        """Files to come."""
        return sum(prospect.outlook.items for prospect in self.prospects)

    @property
    def each(self) -> str:
        """`50 a day` is meant for each import that has files left."""
        return " of each" if self.active > 1 else ""

    @property
    def active(self) -> int:
        """Imports that have files left."""
        return sum(prospect.outlook.items > 0 for prospect in self.prospects)

    @property
    def first(self) -> datetime:
        """When a run could start: now, or when the host's rest and the quiet hours are over."""
        moment = max(self.now, self.resting or self.now)
        return (self.quiet.until(moment) if self.quiet else None) or moment

    def bearable(self, wanted: int) -> int:
        """`wanted` downloads in a run of each import, or fewer where the host bears fewer of all of them together."""
        return wanted if self.limit is None else min(wanted, max(1, self.limit // max(1, self.active)))


def all_roads(ground: Ground) -> tuple[Road, ...]:
    """Every road there is, in the order in which people weigh them."""
    best = at_own_pace(ground)
    return (by_hand(ground), scheduled(ground), best, desktop(ground), larger_plan(ground, best), database_file(ground))


def by_hand(ground: Ground) -> Road:
    """A: so many a day, started by a person."""
    count = ground.bearable(50)
    plan = Plan(ground.first, every=timedelta(days=1), limit=count, quiet=ground.quiet)
    return _simulated(ground, "A", f"{count}{ground.each} a day by hand", "somebody starts a run every day", plan)


def scheduled(ground: Ground) -> Road:
    """B: so many every six hours, started by a scheduler."""
    count = ground.bearable(100)
    plan = Plan(ground.first, every=timedelta(hours=6), limit=count, quiet=ground.quiet)
    return _simulated(ground, "B", f"{count}{ground.each} every 6 h", "nobody, once it is scheduled", plan)


def at_own_pace(ground: Ground) -> Road:
    """G: as fast as the governor lets it: its pace, its limits, and pauses where the host is known to need them."""
    if ground.limit is None:
        plan = Plan(ground.first, quiet=ground.quiet)
        return _simulated(ground, "G", "the governor's own pace", "one command that goes on by itself", plan)
    count = ground.bearable(ground.limit)
    plan = Plan(ground.first, every=timedelta(hours=1), limit=count, quiet=ground.quiet)
    return _simulated(ground, "G", f"{count}{ground.each} an hour", "nobody, once it is scheduled", plan)


def desktop(ground: Ground) -> Road:
    """C: FileMaker Pro exports all to a folder, which is uploaded; only rows are made. No byte over the Data API."""
    moved = _bytes(ground)
    fast = _seconds(moved.low, ground.speeds, 1) + ground.items * _EXPORT_STEP[0]
    slow = _seconds(moved.high, ground.speeds, 0) + ground.items * _EXPORT_STEP[1]
    how = "FileMaker Pro open all along, a person for 1 to 4 h"
    return _beside(ground, "C", "desktop export", how, fast, slow, _BY_HAND)


def database_file(ground: Ground) -> Road:
    """E: a copy of the database file is read without FileMaker; all its files come with it. No byte over the Data API."""
    moved, speeds = _bytes(ground), ground.speeds
    learnt = speeds.file_from != "assumed"  # then what the store takes is in it
    fast = (
        _copied(ground, moved.low, 1) + ground.items / speeds.file[1] + (0 if learnt else moved.low / speeds.upload[1])
    )
    slow = _copied(ground, moved.high, 0) + ground.items / speeds.file[0]
    slow += 0 if learnt else moved.high / speeds.upload[0]
    size = format_size(round(moved.middle + ground.here))
    how = f"a closed, unencrypted copy or backup of it, about {size} of disk"
    return _beside(ground, "E", "the database file", how, fast, slow, _FILE_BY_HAND)


def larger_plan(ground: Ground, best: Road) -> Road:
    """D: as many more blocks as it takes to go on without waiting for the reset; the pace stays the host's."""
    blocks = blocks_needed(ground)
    title = f"{blocks} more {'block' if blocks == 1 else 'blocks'}" if blocks else "larger plan"
    if not blocks:
        return replace(best, key="D", title=title, how="nothing: the present plan is enough", needed=False)
    richer = replace(ground, budget=enlarged(ground.budget, blocks * ground.market.size))
    road = at_own_pace(richer)
    how = f"buying {blocks} x {ground.market.size / 1e9:g} GB a year, then {best.how}"
    return replace(road, key="D", title=title, how=how, cost=blocks * ground.market.price)


def blocks_needed(ground: Ground) -> int:
    """Blocks so that all but the worst futures fit into what is left of the contract year; 0 without a limit on it."""
    left, year = year_left(ground.budget, ground.now), _year(ground.budget)
    if left is None or year is None:
        return 0
    short = _wire(ground).high - left
    usable = ground.market.size * year.usable / year.size if year.size else ground.market.size
    return max(0, math.ceil(short / usable))


def enlarged(budget: Budget, more: int) -> Budget:
    """The same budget with `more` bytes a year; the reserve keeps its share."""

    def grown(limit: Limit) -> Limit:
        if limit.name != "year" or not limit.size:
            return limit
        return replace(limit, size=limit.size + more, reserve=limit.reserve * (limit.size + more) // limit.size)

    return replace(budget, limits=tuple(grown(limit) for limit in budget.limits))


def _simulated(ground: Ground, key: str, title: str, how: str, plan: Plan) -> Road:
    found = futures_of(ground.chances, plan, ground.budget)
    return Road(
        key, title, how, found.done, found.bytes, found.requests, found.runs, found.working_seconds, found.left,
        futures=found,
    )  # fmt: skip


def _beside(
    ground: Ground, key: str, title: str, how: str, fast: float, slow: float, by_hand: tuple[timedelta, timedelta]
) -> Road:
    """A road that asks nothing of the Data API."""
    low, high = timedelta(seconds=fast) + by_hand[0], timedelta(seconds=slow) + by_hand[1]
    nothing = Range(0, 0, 0)
    left = year_left(ground.budget, ground.now)
    return Road(
        key, title, how,
        done=(ground.now + low, ground.now + (low + high) / 2, ground.now + high),
        bytes=nothing, requests=nothing, runs=Range(1, 1, 1),
        work=Range(fast, (fast + slow) / 2, slow),
        left=None if left is None else Range(left, left, left),
    )  # fmt: skip


def _copied(ground: Ground, moved: float, which: int) -> float:
    """The whole file is copied, with what is in the store already."""
    return (moved + ground.here) / ground.speeds.disk[which]


def _seconds(size: float, speeds: Speeds, which: int) -> float:
    """Written to a disk first, uploaded from there."""
    return size / speeds.disk[which] + size / speeds.upload[which]


def _bytes(ground: Ground) -> Range:
    """Bytes of the files themselves, without what a network adds."""
    return range_of([sum(map(sum, drawn.sizes)) for drawn in ground.chances])


def _wire(ground: Ground) -> Range:
    """What the Data API will be charged with."""
    extra = sum(prospect.outlook.items * prospect.outlook.overhead for prospect in ground.prospects)
    factor = float(ground.budget.container_factor)
    return range_of([sum(map(sum, drawn.sizes)) * factor + extra for drawn in ground.chances])


def _year(budget: Budget) -> Limit | None:
    return next((limit for limit in budget.limits if limit.name == "year"), None)


def simulated(roads: Sequence[Road]) -> list[Road]:
    """Those that go over the Data API."""
    return [road for road in roads if road.futures is not None]
