"""The allowance: how many bytes may still come over the wire, and when there will be room again.

A `Budget` is a value: limits, what was spent in their present periods, and the reservations that are open. Every
function takes the time and gives a new budget. The rule is CONTRACT B4's: bytes are reserved before they are asked
for, a reservation counts as spent until it is settled, and what is settled is what came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from unlade.cargo import Wire
from unlade.errors import AllowanceSpent, LimitReached, NotNow
from unlade.governor.periods import Period, Window
from unlade.units import format_size

#: How many past periods a limit remembers, so that a clock that is set back finds what was spent then.
_REMEMBERED = 4

_NOTHING = Wire()


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `size` bytes in each `period`, of which `reserve` bytes stay untouched for the owner's own use.

    `as_host_counts`: container bytes weigh what the host's meter weighs them (`Budget.container_factor`); otherwise
    every byte of the wire counts once.
    """

    name: str
    size: int
    period: Period
    reserve: int = 0
    as_host_counts: bool = False

    def __post_init__(self) -> None:
        if self.size < 0 or not 0 <= self.reserve <= self.size:
            raise ValueError(f"limit {self.name!r}: 0 <= reserve ({self.reserve}) <= size ({self.size}) must hold")

    @property
    def usable(self) -> int:
        """Bytes of a period that we may spend."""
        return self.size - self.reserve

    def charge(self, wire: Wire, factor: Decimal) -> int:
        """What `wire` costs under this limit; parts of a byte are rounded up."""
        if not self.as_host_counts or factor == 1:
            return wire.total
        weighed = (wire.container * factor).to_integral_value(ROUND_CEILING)
        return wire.api + wire.headers + int(weighed)


def annual(size: int, period: Period, *, reserve_share: Decimal | float = Decimal("0.1")) -> Limit:
    """The allowance of a contract year, with a share of it kept back (DESIGN 5.5; 10 % by default)."""
    reserve = (Decimal(size) * Decimal(str(reserve_share))).to_integral_value(ROUND_CEILING)
    return Limit("year", size, period, reserve=int(reserve), as_host_counts=True)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was spent in one period: by us as it came over the wire, by others in bytes of the host's meter."""

    window: Window
    used: Wire = _NOTHING
    others: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a transfer fits. If not: the limit that says no, and when its period (or all that say no) rolls over.

    `retry_at` is None when waiting does not help: the limit is the run's own, or smaller than what is wanted.
    """

    ok: bool
    limit: Limit | None = None
    retry_at: datetime | None = None
    wanted: int = 0
    free: int = 0

    @property
    def never(self) -> bool:
        """The limit is too small for this even when nothing is spent."""
        return self.limit is not None and self.wanted > self.limit.usable

    def error(self) -> NotNow:
        """The error for a refusal: `LimitReached` for the run's own cap, else `AllowanceSpent`."""
        assert self.limit is not None, "a transfer that fits is no error"
        size = format_size(self.limit.usable)
        left = f"{format_size(max(self.free, 0))} of {size} are left and {format_size(self.wanted)} are needed"
        if self.limit.period.kind == "run":
            return LimitReached(f"The cap of this run is reached: {left}.", remedy="Start another run to go on.")
        if self.never:
            return AllowanceSpent(
                f"The limit for one {self.limit.name} is smaller than one transfer: {left}.",
                remedy=f"Raise the limit for one {self.limit.name} above {format_size(self.wanted)}.",
            )
        when = f"{self.retry_at:%Y-%m-%d %H:%M} UTC" if self.retry_at else "later"
        return AllowanceSpent(
            f"The limit of the {self.limit.name} is used up: {left}.",
            remedy=f"There is room again at {when}.",
            retry_at=self.retry_at,
        )


@dataclass(frozen=True, slots=True)
class Room:
    """A limit's figures for the status: bytes, and the moment its period rolls over (None for a run)."""

    limit: Limit
    used: int
    held: int
    left: int
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits, what is spent in their periods, and open reservations by ticket. Immutable."""

    limits: tuple[Limit, ...] = ()
    container_factor: Decimal = Decimal(1)
    buckets: tuple[tuple[Bucket, ...], ...] = ()
    holds: Mapping[str, Wire] = field(default_factory=dict)

    def spent(self, place: int, now: datetime) -> int:
        """Bytes spent under limit number `place` in the present period.

        What was booked at a moment that now lies ahead (the clock was set back) counts too: better too much.
        """
        limit, start = self.limits[place], self._window(place, now).start
        return sum(
            limit.charge(bucket.used, self.container_factor) + bucket.others
            for bucket in self.buckets[place]
            if bucket.window.start >= start
        )

    def knows(self, now: datetime) -> bool:
        """False when the clock was set back past the periods in which this budget was opened: read the books again."""
        return all(now >= buckets[0].window.start for buckets in self.buckets)

    def held(self, place: int) -> int:
        """Bytes that open reservations hold under limit number `place`."""
        limit = self.limits[place]
        return sum(limit.charge(wire, self.container_factor) for wire in self.holds.values())

    def _window(self, place: int, now: datetime) -> Window:
        buckets = self.buckets[place]
        if buckets and now in buckets[-1].window:
            return buckets[-1].window
        return self.limits[place].period.window(now)

    def fits(self, want: Wire | int, now: datetime) -> Verdict:
        """Whether `want` (an int: bytes that count fully) may be asked for now."""
        want = Wire(api=want) if isinstance(want, int) else want
        refusals = []
        for place, limit in enumerate(self.limits):
            wanted = limit.charge(want, self.container_factor)
            free = limit.usable - self.spent(place, now) - self.held(place)
            if wanted > free:
                end = None if limit.period.kind == "run" else self._window(place, now).end
                refusals.append(Verdict(False, limit, None if wanted > limit.usable else end, wanted, free))
        return _worst(refusals, now) if refusals else Verdict(True)

    def room(self, now: datetime) -> int | None:
        """Container bytes that still fit under all limits, 0 or more; None where there is no limit."""
        rooms = []
        for place, limit in enumerate(self.limits):
            free = max(0, limit.usable - self.spent(place, now) - self.held(place))
            factor = self.container_factor if limit.as_host_counts else Decimal(1)
            if factor:
                rooms.append(int((free / factor).to_integral_value(ROUND_FLOOR)))
        return min(rooms, default=None)

    def headroom(self, now: datetime) -> tuple[Room, ...]:
        """The figures of every limit, in their order."""
        rooms = []
        for place, limit in enumerate(self.limits):
            used, held = self.spent(place, now), self.held(place)
            end = None if limit.period.kind == "run" else self._window(place, now).end
            rooms.append(Room(limit, used, held, limit.usable - used - held, end))
        return tuple(rooms)


def _worst(refusals: list[Verdict], now: datetime) -> Verdict:
    """Of several refusals the one that lasts longest; a run's own cap speaks only when it is alone (CONTRACT A3)."""
    lasting = [v for v in refusals if v.limit and v.limit.period.kind != "run"]
    if not lasting:
        return refusals[0]
    for verdict in lasting:
        if verdict.never:
            return verdict
    return max(lasting, key=lambda v: v.retry_at or now)


def opened(
    limits: Iterable[Limit],
    now: datetime,
    *,
    used: Mapping[str, Wire] | None = None,
    ahead: Mapping[str, tuple[datetime, Wire]] | None = None,
    others: Mapping[str, int] | None = None,
    container_factor: Decimal = Decimal(1),
) -> Budget:
    """A budget as the books have it: `used` by limit name within `limit.period.window(now)`, and so `others`.

    Unsettled reservations of earlier processes belong into `used`: what nobody can tell stays spent. `ahead`: the
    latest moment and the sum of what is booked at or past the window's end, which means that the clock was set back.
    """
    limits = tuple(limits)
    buckets = []
    for limit in limits:
        window = limit.period.window(now)
        row = [Bucket(window, (used or {}).get(limit.name, _NOTHING), (others or {}).get(limit.name, 0))]
        if ahead and limit.name in ahead:
            moment, wire = ahead[limit.name]
            row.append(Bucket(limit.period.window(moment), wire))
        buckets.append(tuple(row))
    return Budget(limits, container_factor, tuple(buckets))


def reserve(budget: Budget, ticket: str, want: Wire | int, now: datetime) -> tuple[Budget, Verdict]:
    """Hold `want` under `ticket`, or raise an open reservation to it; the budget is unchanged when it does not fit."""
    want = Wire(api=want) if isinstance(want, int) else want
    without = {key: wire for key, wire in budget.holds.items() if key != ticket}
    verdict = replace(budget, holds=without).fits(want, now)
    if not verdict.ok:
        return budget, verdict
    return replace(budget, holds={**without, ticket: want}), verdict


def settle(budget: Budget, ticket: str, wire: Wire, now: datetime) -> Budget:
    """Close a reservation and book what really came, even when it is more than was held.

    Raises `KeyError` for a ticket that is not open, so that nothing is booked twice.
    """
    holds = dict(budget.holds)
    del holds[ticket]
    return spend(replace(budget, holds=holds), wire, now)


def spend(budget: Budget, wire: Wire, now: datetime) -> Budget:
    """Book `wire` as spent now."""
    if not wire.total:
        return budget
    return replace(budget, buckets=tuple(_booked(budget, place, wire, now) for place in range(len(budget.limits))))


def _booked(budget: Budget, place: int, wire: Wire, now: datetime) -> tuple[Bucket, ...]:
    buckets, window = budget.buckets[place], budget._window(place, now)
    for number, bucket in enumerate(buckets):
        # A later one when the clock was set back past all that is remembered: it counts now, and then.
        if bucket.window.start >= window.start:
            return (*buckets[:number], replace(bucket, used=bucket.used + wire), *buckets[number + 1 :])
    return (*buckets, Bucket(window, wire))[-_REMEMBERED:]
