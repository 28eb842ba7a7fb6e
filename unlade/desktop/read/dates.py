"""Days, times and timestamps in every form that FileMaker exports, never guessed.

A form such as 04/05/2019 has two readings. The file may settle it itself (one day above 12 in the column, a
DATEFORMAT); otherwise the user must, and the error shows both readings. Source: DESKTOP.md 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

from unlade.errors import SourceError, UsageError

Order = Literal["mdy", "dmy"]

_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})\.?", re.ASCII)
_LAST = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})", re.ASCII)
_SHORT = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{2})", re.ASCII)
_JAPANESE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日", re.ASCII)
_DAY_MONTH = re.compile(r"(?:[A-Za-z]+,?\s+)?(\d{1,2})\.?[\s-]+([A-Za-z]{3,9})\.?,?[\s-]+(\d{4})", re.ASCII)
_MONTH_DAY = re.compile(r"(?:[A-Za-z]+,\s+)?([A-Za-z]{3,9})\.?\s+(\d{1,2}),?\s+(\d{4})", re.ASCII)
_TIME = re.compile(r"(-?)(\d+):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?\s*(am|pm)?", re.ASCII | re.IGNORECASE)
_TIME_TAIL = re.compile(r"(?:T|\s+)(-?\d+:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:am|pm)?)$", re.ASCII | re.IGNORECASE)
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]


class AmbiguousDate(UsageError):
    """A date reads two ways and nothing says which."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one text can mean: `day` when there is one reading, else both; `short` for years of two digits."""

    day: date | None = None
    month_first: date | None = None
    day_first: date | None = None
    short: bool = False

    @property
    def ambiguous(self) -> bool:
        """Whether two different days fit."""
        return self.month_first is not None and self.day_first is not None and self.month_first != self.day_first


@lru_cache(maxsize=10_000)
def readings(text: str) -> Reading:
    """All days that `text` can mean; a time behind the day is left out."""
    text = _TIME_TAIL.sub("", text.strip()).strip()
    if match := _ISO.fullmatch(text) or _JAPANESE.fullmatch(text):
        return Reading(day=_date(int(match[1]), int(match[2]), int(match[3])))
    if match := _LAST.fullmatch(text):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        if match[2] == ".":  # day first wherever dots are written
            return Reading(day=_date(year, second, first))
        month_first, day_first = _date(year, first, second), _date(year, second, first)
        if month_first is not None and month_first == day_first:
            return Reading(day=month_first)
        return Reading(month_first=month_first, day_first=day_first)
    if match := _DAY_MONTH.fullmatch(text):
        return Reading(day=_named(match[3], match[2], match[1]))
    if match := _MONTH_DAY.fullmatch(text):
        return Reading(day=_named(match[3], match[1], match[2]))
    return Reading(short=_SHORT.fullmatch(text) is not None)


def parse_day(text: str, order: Order | None = None) -> date | None:
    """The day that `text` names; None when it names none, or none in this order: nothing is swapped.

    Raises `AmbiguousDate`, showing both readings, when there are two and no order.
    """
    reading = readings(text)
    if reading.day is not None:
        return reading.day
    if order is not None:
        return reading.month_first if order == "mdy" else reading.day_first
    if reading.ambiguous:
        raise ambiguous(text, reading)
    return reading.month_first or reading.day_first


def ambiguous(text: str, reading: Reading, where: str = "") -> AmbiguousDate:
    """The error that shows both readings."""
    first, second = reading.month_first, reading.day_first
    assert first is not None and second is not None
    return AmbiguousDate(
        f"{where}{text.strip()!r} can be {_spoken(first)} (month first) or {_spoken(second)} (day first)",
        remedy="Say which with --date-order mdy or --date-order dmy.",
    )


@dataclass(frozen=True, slots=True)
class DateSurvey:
    """What a column's dates say of their order. `order` is None only when no date needed one."""

    order: Order | None
    why: str
    days: int
    blank: int
    unreadable: tuple[int, ...]  #: the first rows whose text is no day, a hundred at most
    short_years: int


def settle_order(texts: Iterable[tuple[int, str]], given: Order | None = None, where: str = "") -> DateSurvey:
    """Look through (row, text) of one column and settle how its dates are to be read.

    A single day above 12 settles it for the whole column, because one export writes one form. Raises `AmbiguousDate`
    when nothing settles it and `SourceError` when rows contradict each other or the order that was given.
    """
    proofs: dict[str, int] = {}
    doubt: tuple[int, str, Reading] | None = None
    days = blank = short = 0
    unreadable: list[int] = []
    for row, text in texts:
        if not text.strip():
            blank += 1
            continue
        reading = readings(text)
        if reading.ambiguous:
            doubt = doubt or (row, text, reading)
        elif reading.month_first is not None:
            proofs.setdefault("mdy", row)
        elif reading.day_first is not None:
            proofs.setdefault("dmy", row)
        elif reading.day is None:
            short += reading.short
            if len(unreadable) < 100:
                unreadable.append(row)
            continue
        days += 1
    order, why = _decide(proofs, doubt, given, where)
    return DateSurvey(order, why, days, blank, tuple(unreadable), short)


def _decide(
    proofs: dict[str, int], doubt: tuple[int, str, Reading] | None, given: Order | None, where: str
) -> tuple[Order | None, str]:
    if len(proofs) == 2:
        raise SourceError(
            f"{where}the dates have no single order: row {proofs['mdy']} can only be month first, row {proofs['dmy']} "
            "only day first",
            remedy="Correct these in FileMaker, or export as FMPXMLRESULT, which says how its dates are written.",
        )
    if given is not None:
        other: Order = "dmy" if given == "mdy" else "mdy"
        if other in proofs:
            raise SourceError(
                f"{where}--date-order {given} was given, but the date in row {proofs[other]} can only be read as {other}"
            )
        return given, "as given"
    if "mdy" in proofs:
        return "mdy", f"the date in row {proofs['mdy']} can only be month first"
    if "dmy" in proofs:
        return "dmy", f"the date in row {proofs['dmy']} can only be day first"
    if doubt is not None:
        raise ambiguous(doubt[1], doubt[2], f"{where}row {doubt[0]}: ")
    return None, "every date reads one way only"


def parse_clock(text: str) -> timedelta | None:
    """A FileMaker time as a duration since midnight: it may be negative or pass 24 hours. None when it is none."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds = int(match[2]), int(match[3]), int(match[4] or 0)
    if minutes > 59 or seconds > 59 or hours > 10_000_000:
        return None
    if match[6]:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if match[6].lower() == "pm" else 0)
    micro = int((match[5] or "").ljust(6, "0")) if match[5] else 0
    value = timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=micro)
    return -value if match[1] else value


def parse_moment(text: str, order: Order | None = None) -> datetime | None:
    """A timestamp without a zone; midnight when it has no time. None when it is none."""
    match = _TIME_TAIL.search(text.strip())
    day = parse_day(text, order)
    clock = parse_clock(match[1]) if match else timedelta()
    if day is None or clock is None:
        return None
    try:
        return datetime(day.year, day.month, day.day) + clock  # noqa: DTZ001  FileMaker's timestamps have no zone
    except OverflowError:
        return None


def order_of_format(text: str) -> Order | Literal["ymd"] | None:
    """The order of a DATEFORMAT such as `D/m/yyyy`. The case of its letters means nothing (DESKTOP.md 3)."""
    letters = "".join(dict.fromkeys(c for c in text.lower() if c in "dmy"))
    orders: dict[str, Order | Literal["ymd"]] = {"mdy": "mdy", "dmy": "dmy", "ymd": "ymd"}
    return orders.get(letters)


def _named(year: str, month: str, day: str) -> date | None:
    name = month.lower()
    for number, full in enumerate(_MONTHS, 1):
        if name in (full, full[:3]) or (name == "sept" and number == 9):
            return _date(int(year), number, int(day))
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _spoken(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1].capitalize()} {day.year:04}"
