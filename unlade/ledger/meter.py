"""What the host's own meter says, from the readings in the ledger: what others used, and what container bytes weigh.

Nothing is kept but the readings: what others used is derived anew from them and from our own books, so a booking that
is settled late, or another factor, never leaves a wrong figure behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet, Sum

from unlade.cargo import Wire
from unlade.governor.allowance import LAG, FactorFit, Reading, fit_factor, used_by_others
from unlade.governor.periods import Window
from unlade.ledger.models import AllowanceSetting, ConsoleReading, Host, TransferUsage

#: How long an answer is kept: readings are typed by people.
_FRESH = timedelta(seconds=20)

#: Readings older than this tell nothing about today's factor.
_YEAR = timedelta(days=366)


class Meter:
    """One host's meter. `used` bytes count for others in a contract year in which nobody entered a reading."""

    def __init__(self, host: Host, used: int = 0) -> None:
        self._host, self._used = host, used
        self._others: tuple[datetime, Window, Decimal, int] | None = None
        self._factor: tuple[datetime, Decimal] | None = None

    def others(self, year: Window, now: datetime) -> int:
        """Bytes that others used in the contract year `year`, rather too many than too few.

        A reading may be a day behind (FILEMAKER.md 6.1). So what we moved in the day before it counts as others' too,
        until a later reading shows that it was ours.
        """
        factor = self.factor(now)
        if self._others is not None:
            asked, of_year, of_factor, known = self._others
            if (of_year, of_factor) == (year, factor) and timedelta(0) <= now - asked < _FRESH:
                return known
        reading = self.reading(year)
        others = self._used
        if reading is not None:
            others = used_by_others(reading, year.start, self.books, factor)
        self._others = (now, year, factor, others)
        return others

    def factor(self, now: datetime) -> Decimal:
        """What a container byte weighs: 1 unless somebody said otherwise with `filemaker_allowance factor`."""
        if self._factor is not None and timedelta(0) <= now - self._factor[0] < _FRESH:
            return self._factor[1]
        row = AllowanceSetting.objects.filter(host=self._host).first()
        factor = Decimal(1)
        if row is not None and row.factor is not None:
            factor = row.factor
        elif row is not None and row.factor_auto:
            fit = self.fit(now)
            factor = fit.fits if fit is not None and fit.fits is not None else factor
        self._factor = (now, factor)
        return factor

    def fit(self, now: datetime) -> FactorFit | None:
        """Which factor explains the readings of the last year; None when they are too few, or too little moved."""
        return fit_factor([_value(row) for row in self._readings().filter(at__gt=now - _YEAR)], self.books)

    def reading(self, year: Window) -> Reading | None:
        """The last reading of the contract year `year`.

        One of its first day that is no lower than the last of the year before is still that year's figure.
        """
        last = self._readings().filter(at__gte=year.start, at__lt=year.end).last()
        if last is None:
            return None
        if last.at < year.start + LAG:
            before = self._readings().filter(at__lt=year.start).last()
            if before is not None and last.used >= before.used:
                return None
        return _value(last)

    def last_reading(self) -> Reading | None:
        """The last one of all."""
        row = self._readings().last()
        return _value(row) if row is not None else None

    def books(self, begin: datetime, end: datetime) -> Wire:
        """What we asked for from `begin` on and had settled by `end`. What was never settled is not among it."""
        rows = TransferUsage.objects.filter(
            host=self._host, settled=True, opened_at__gte=begin, settled_at__lte=end, settled_at__isnull=False
        )
        sums = rows.aggregate(api=Sum("api_bytes"), container=Sum("container_bytes"), headers=Sum("header_bytes"))
        return Wire(sums["api"] or 0, sums["container"] or 0, sums["headers"] or 0)

    def _readings(self) -> QuerySet[ConsoleReading]:
        return ConsoleReading.objects.filter(host=self._host).order_by("at", "pk")


@dataclass(frozen=True, slots=True)
class FactorChoice:
    """What a person decided about container bytes: a number, `auto`, or nothing (then they count in full)."""

    factor: Decimal
    chosen: str  #: a number as text | auto | ""


def factor_choice(meter: Meter, host: Host, now: datetime) -> FactorChoice:
    """What holds for `host`, and why."""
    row = AllowanceSetting.objects.filter(host=host).first()
    chosen = ""
    if row is not None and row.factor is not None:
        chosen = f"{row.factor.normalize():f}"
    elif row is not None and row.factor_auto:
        chosen = "auto"
    return FactorChoice(meter.factor(now), chosen)


def _value(row: ConsoleReading) -> Reading:
    return Reading(row.at, row.used)
