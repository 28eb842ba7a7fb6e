"""What the host's own meter says, beside our books: what others used, and whether container bytes count at all.

It is not known for certain whether bytes of streamed containers count against the allowance (FILEMAKER.md 6.2), and
the console's figure may lag by a day (6.1). Two readings and our own books can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from unlade.cargo import Wire

#: By so much the console's figure may be behind.
LAG = timedelta(hours=24)

#: A reading older than this should be refreshed.
STALE = timedelta(days=7)

#: Fewer container bytes than this between two readings prove nothing: the console shows a tenth of a GB.
_ENOUGH = 500_000_000

#: What we booked between two moments.
Books = Callable[[datetime, datetime], Wire]


@dataclass(frozen=True, slots=True)
class Reading:
    """The console's "data transmitted" in bytes of the meter, as somebody read it at `at`."""

    at: datetime
    used: int

    def stale(self, now: datetime) -> bool:
        """Older than a week."""
        return now - self.at > STALE


@dataclass(frozen=True, slots=True)
class FactorFit:
    """The factor for container bytes lies between `low` and `high`; `fits` is 0 or 1 when only one of them does."""

    low: Decimal
    high: Decimal
    fits: Decimal | None

    @property
    def sentence(self) -> str:
        """The finding in a sentence."""
        span = f"between {self.low:.2f} and {self.high:.2f}"
        if self.fits == 1:
            return f"Container bytes count in full (a factor {span} fits the readings)."
        if self.fits == 0:
            return f"Container bytes do not seem to count (a factor {span} fits the readings)."
        return f"The readings do not decide whether container bytes count (a factor {span} fits them)."


def charged(wire: Wire, factor: Decimal) -> int:
    """Bytes of the host's meter for `wire`."""
    return wire.api + wire.headers + int(wire.container * factor)


def used_by_others(reading: Reading, year_start: datetime, books: Books, factor: Decimal = Decimal(1)) -> int:
    """What the meter counted beyond our own books, 0 or more.

    Ours are taken as of a day before the reading, since the meter may not have counted the rest yet: so what others
    used is never guessed too low.
    """
    return max(0, reading.used - charged(books(year_start, max(year_start, reading.at - LAG)), factor))


def fit_factor(readings: Sequence[Reading], books: Books) -> FactorFit | None:
    """Which factor for container bytes explains the readings; None when too little was transferred between them.

    What others used between two readings is not known, so the estimate is an upper bound where they were busy. Each
    reading may lag by up to a day: both extremes are tried. The widest pair decides. Readings that fall (the year was
    reset between them) are left out.
    """
    ordered = sorted(readings, key=lambda reading: reading.at)
    start = 0
    for place, (before, after) in enumerate(pairwise(ordered), start=1):
        if after.used < before.used:
            start = place
    ordered = ordered[start:]
    if len(ordered) < 2:
        return None
    first, last = ordered[0], ordered[-1]
    bounds = []
    for lag_first in (timedelta(0), LAG):
        for lag_last in (timedelta(0), LAG):
            begin, end = first.at - lag_first, last.at - lag_last
            ours = books(begin, end) if begin < end else Wire()
            if ours.container >= _ENOUGH:
                bounds.append(Decimal(last.used - first.used - ours.api - ours.headers) / ours.container)
    if not bounds:
        return None
    low, high = max(Decimal(0), min(bounds)), max(Decimal(0), max(bounds))
    near = [whole for whole in (Decimal(0), Decimal(1)) if low - Decimal("0.15") <= whole <= high + Decimal("0.15")]
    return FactorFit(low, high, near[0] if len(near) == 1 else None)
