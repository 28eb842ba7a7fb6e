"""Sizes, durations and counts as people write and read them.

Sizes are decimal (`1GB` is 10^9 bytes); the binary names (`GiB`) are read too, never written. Source: CONTRACT A1.
All parsers raise `ValueError` with a message that names the value; who knows the setting's name adds it.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

_SIZE_UNITS = {
    "": 1, "b": 1, "byte": 1, "bytes": 1,
    "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9, "t": 10**12, "tb": 10**12,
    "p": 10**15, "pb": 10**15,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "pib": 2**50,
}  # fmt: skip
_SIZE_NAMES = ("KB", "MB", "GB", "TB", "PB")
_SIZE = re.compile(r"\s*(\d{1,18}(?:\.\d{1,18})?)\s*([A-Za-z]*)\s*", re.ASCII)

_SECOND = 1_000_000  #: durations are counted in microseconds, as `timedelta` does
_DURATION_UNITS = {
    "ms": 1_000, "s": _SECOND, "sec": _SECOND, "second": _SECOND, "seconds": _SECOND,
    "m": 60 * _SECOND, "min": 60 * _SECOND, "minute": 60 * _SECOND, "minutes": 60 * _SECOND,
    "h": 3600 * _SECOND, "hour": 3600 * _SECOND, "hours": 3600 * _SECOND,
    "d": 86400 * _SECOND, "day": 86400 * _SECOND, "days": 86400 * _SECOND,
    "w": 604800 * _SECOND, "week": 604800 * _SECOND, "weeks": 604800 * _SECOND,
}  # fmt: skip
_DURATION_PART = re.compile(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*([A-Za-z]+)\s*", re.ASCII)

_MICROSECOND = timedelta(microseconds=1)


def parse_size(text: str | int) -> int:
    """Bytes of `1GB`, `2.4 GB`, `500MB`, `1GiB`, `4096` or an int; parts of a byte are dropped.

    Raises `ValueError` that names the value.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        if text < 0:
            raise ValueError(f"{text!r} is no size: it is negative")
        return text
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is no size; write it like 500MB or 2.4 GB")
    factor = _SIZE_UNITS.get(match[2].lower())
    if factor is None:
        raise ValueError(
            f"{text!r} is no size: there is no unit {match[2]!r}; use KB, MB, GB, TB or KiB, MiB, GiB, TiB"
        )
    return int(Decimal(match[1]) * factor)


def format_size(size: int) -> str:
    """`1.8 MB`, `263 KB`, `129.6 GB`, `950 B`: decimal, with one place below a hundred and from GB up."""
    if size < 0:
        return "-" + format_size(-size)
    if size < 1000:
        return f"{size} B"
    value, names = Decimal(size) / 1000, list(_SIZE_NAMES)
    # 999.5 would be shown as 1000: the next unit says it shorter.
    while value >= Decimal("999.5") and len(names) > 1:
        value /= 1000
        names.pop(0)
    if value < Decimal("99.95") or names[0] not in ("KB", "MB"):
        return f"{value.quantize(Decimal('0.1'), ROUND_HALF_UP):,}".removesuffix(".0") + f" {names[0]}"
    return f"{value.quantize(Decimal(1), ROUND_HALF_UP)} {names[0]}"


def parse_duration(text: str | timedelta) -> timedelta:
    """The duration `90s`, `5m`, `6h`, `2d`, `1h30m` or `1 h 30 min` stands for.

    Raises `ValueError` that names the value; a bare number is refused, since nobody can tell its unit.
    """
    if isinstance(text, timedelta):
        if text < timedelta(0):
            raise ValueError(f"{text} is no duration: it is negative")
        return text
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{text!r} is no duration; write it like 90s, 5m, 6h, 2d or 1h30m")
    total, place = Decimal(0), 0
    while place < len(text):
        match = _DURATION_PART.match(text, place)
        if match is None:
            raise ValueError(f"{text!r} is no duration; write it like 90s, 5m, 6h, 2d or 1h30m")
        factor = _DURATION_UNITS.get(match[2].lower())
        if factor is None:
            raise ValueError(f"{text!r} is no duration: there is no unit {match[2]!r}; use s, m, h, d or w")
        total += Decimal(match[1]) * factor
        place = match.end()
    try:
        return timedelta(microseconds=int(total))
    except OverflowError:
        raise ValueError(f"{text!r} is no duration: it is too long") from None


def format_duration(duration: timedelta | float) -> str:
    """`1 h 30 min`, `45 s`, `2 d 3 h`, `1.2 s`: the two largest units. A number is seconds.

    What it writes, `parse_duration` reads (unless it is negative).
    """
    micros = (duration if isinstance(duration, timedelta) else timedelta(seconds=duration)) // _MICROSECOND
    if micros < 0:
        return "-" + format_duration(timedelta(microseconds=-micros))
    tenths = (micros * 10 + _SECOND // 2) // _SECOND
    if tenths < 100:
        return f"{tenths // 10}.{tenths % 10} s".replace(".0 ", " ")
    seconds = (micros + _SECOND // 2) // _SECOND
    if seconds >= 86400:
        # Rounded to hours first, so that 47 h 59 min is 2 d and not 1 d 24 h.
        hours = (seconds + 1800) // 3600
        return _pair(hours // 24, "d", hours % 24, "h")
    if seconds >= 3600:
        minutes = (seconds + 30) // 60
        if minutes >= 24 * 60:
            return "1 d"
        return _pair(minutes // 60, "h", minutes % 60, "min")
    return _pair(seconds // 60, "min", seconds % 60, "s")


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    parts = [f"{n} {unit}" for n, unit in ((large, large_unit), (small, small_unit)) if n]
    return " ".join(parts)


def format_count(count: int) -> str:
    """`6,664`."""
    return f"{count:,}"
