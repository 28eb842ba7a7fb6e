"""Sizes and durations as people write them (CONTRACT A1): `10MB` is decimal, `GiB` is read too; `120ms`, `90s`, `6h`."""

from __future__ import annotations

import re

_DECIMAL = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str) -> int:
    """Bytes of `1GB`, `512 KiB`, `10MB/s` or a bare number.

    Raises:
        ValueError: not a size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?(?:/s)?\s*", text, re.IGNORECASE)
    if not found:
        raise ValueError(f"not a size: {text!r} (write 500KB, 10MB, 1GiB)")
    number, prefix, binary = found[1], found[2].upper(), found[3]
    factor = 1024 ** "KMGT".index(prefix) * 1024 if binary and prefix else _DECIMAL[prefix]
    return round(float(number) * factor)


def parse_seconds(text: str) -> float:
    """Seconds of `120ms`, `90s`, `5m`, `6h`, `2d` or a bare number of seconds.

    Raises:
        ValueError: not a duration.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)\s*", text)
    if not found:
        raise ValueError(f"not a duration: {text!r} (write 120ms, 90s, 5m)")
    return float(found[1]) * _SECONDS[found[2]]
