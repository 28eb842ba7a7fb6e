"""How field values look in JSON, in finds and in sorting: numbers, dates, times (FILEMAKER.md 2.4)."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_DATE = re.compile(r"\s*(\d{1,2})/(\d{1,2})/(\d{1,4})\s*")
_TIME = re.compile(r"\s*(-?\d+):(\d{1,2})(?::(\d{1,2})(\.\d+)?)?\s*(am|pm)?\s*", re.IGNORECASE)
_ISO = {
    "us": "{m:02d}/{d:02d}/{y:04d}",
    "eu": "{d:02d}/{m:02d}/{y:04d}",
    "de": "{d:02d}.{m:02d}.{y:04d}",
    "iso": "{y:04d}-{m:02d}-{d:02d}",
}


def text_of(value: Any) -> str:
    """A value as FileMaker shows it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def number_json(value: Any) -> str:
    """A number field in JSON: digits as they are, unquoted, whatever their count; text if there is anything else."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    text = text_of(value)
    if _NUMBER.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def number_of(value: Any) -> Decimal | None:
    """The number in a number field: FileMaker leaves out what is not a digit."""
    if isinstance(value, (int, Decimal)):
        return Decimal(value)
    found = re.search(r"-?\d*\.?\d+(?:[eE][+-]?\d+)?", text_of(value).replace(",", ""))
    return Decimal(found[0]) if found else None


def parse_date(text: str) -> date | None:
    """A US date, None if it is none."""
    if not (found := _DATE.fullmatch(text)):
        return None
    try:
        return date(int(found[3]), int(found[1]), int(found[2]))
    except ValueError:
        return None


def parse_time(text: str) -> timedelta | None:
    """HH:MM[:SS], more than 24 hours too."""
    if not (found := _TIME.fullmatch(text)):
        return None
    hours = int(found[1])
    if found[5]:
        hours = hours % 12 + (12 if found[5].lower() == "pm" else 0)
    return timedelta(hours=hours, minutes=int(found[2]), seconds=float((found[3] or "0") + (found[4] or "")))


def parse_timestamp(text: str) -> datetime | None:
    day, _, clock = text.strip().partition(" ")
    on, at = parse_date(day), parse_time(clock)
    if on is None or at is None:
        return None
    return datetime(on.year, on.month, on.day) + at  # noqa: DTZ001 -- FileMaker's timestamps have no zone


def format_date(text: str, result: str, style: str, separator: str = " ") -> str:
    """A stored US date or timestamp in another form: us, eu, de, iso. What is no date goes out as it is."""
    if style == "us":
        return text
    day, space, clock = text.strip().partition(" ")
    on = parse_date(day)
    if on is None or (result == "date" and space):
        return text
    written = _ISO[style].format(y=on.year, m=on.month, d=on.day)
    return written + (separator if style == "iso" else " ") + clock if space else written


def valid_input(text: str, result: str) -> bool:
    """Whether a date, time or timestamp field takes this text: US form only (FILEMAKER.md 2.2)."""
    if not text:
        return True
    parsers = {"date": parse_date, "time": parse_time, "timeStamp": parse_timestamp}
    return result not in parsers or parsers[result](text) is not None


def sort_key(value: Any, result: str) -> tuple[Any, ...]:
    """Orders values of one field; empty ones come first."""
    text = text_of(value) if not hasattr(value, "blob") else value.name
    if text == "":
        return (0,)
    if result == "number":
        number = number_of(value)
        return (2, number) if number is not None else (1, text.casefold())
    if result in ("date", "timeStamp", "time"):
        parsed = {"date": parse_date, "timeStamp": parse_timestamp, "time": parse_time}[result](text)
        return (2, parsed) if parsed is not None else (1, text.casefold())
    return (1, text.casefold())
