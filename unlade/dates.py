"""Dates as FileMaker hosts, exports and people write them (pure).

The Data API sends US form (`04/18/2019`) unless asked for ISO (FILEMAKER.md 2.2); files and text fields keep whatever
was typed. A date that reads two ways is taken in the declared order and never swapped silently.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?$")
_YEAR_FIRST = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})\.?(?:\s.*)?$")
_YEAR_LAST = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})(?:\s.*)?$")


@lru_cache(maxsize=10_000)
def parse_date(text: str, order: str = "mdy") -> date | None:
    """The day that `text` names, or None when there is none.

    `order` is how a form such as `04/05/2019` is read: `mdy` (FileMaker's default on the wire) or `dmy`. Forms with
    dots are day first everywhere. A form that fits only the other order (`18/04/2019`) is read that way. A time
    behind the date is ignored.
    """
    text = text.strip()
    if match := _ISO.match(text) or _YEAR_FIRST.match(text):
        return _date(int(match[1]), int(match[2]), int(match[3]))
    if not (match := _YEAR_LAST.match(text)):
        return None
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    day_first = match[2] == "." or order == "dmy"
    month, day = (second, first) if day_first else (first, second)
    if month > 12 >= day:
        month, day = day, month
    return _date(year, month, day)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
