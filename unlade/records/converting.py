"""From what FileMaker has in a field to what a model's column takes (pure but for Django's e-mail rule).

A converter gets the field's text, trimmed and never empty, and returns the column's value or raises `Invalid`. Its
message says what is wrong and never holds the value itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from unlade.dates import parse_date

Converter = Callable[[str], Any]

_UNFIT = {0: "\ufffd", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}

_WHOLE = re.compile(r"[+-]?\d+(?:[.,]0*)?$", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)$", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+\.\d+$|[+-]?\d{1,3}(?:\.\d{3})+,\d+$", re.ASCII)
_TWO_WAYS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}$", re.ASCII)
_PHONE = re.compile(r"\+?[\d\s()./\-]+(?:\s*(?:ext\.?|x|#)\s*\d+)?$", re.IGNORECASE)

_TRUE = frozenset({"yes", "y", "true", "t", "on", "x"})
_FALSE = frozenset({"no", "n", "false", "f", "off"})


class Invalid(ValueError):
    """The value does not fit. `instead` goes into the column; None leaves it empty."""

    def __init__(self, why: str, instead: Any = None) -> None:
        super().__init__(why)
        self.why = why
        self.instead = instead


def plain(value: object) -> str:
    """Any field's value as trimmed text that every database stores: no NUL, no halves of surrogate pairs.

    FileMaker ends lines with CR alone.
    """
    text = str(value if value is not None else "").translate(_UNFIT)
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def text(value: str) -> str:
    """As it is."""
    return value


def one_line(value: str) -> str:
    """A person's name or any other line: white space made single, upper and lower case as they are."""
    return " ".join(value.split())


def whole(value: str) -> int:
    """A whole number; `12.0` is one."""
    if not _WHOLE.match(value):
        raise Invalid("no whole number")
    if len(value) > 40:
        raise Invalid("too large")
    return int(re.split("[.,]", value)[0])


def decimal(value: str) -> Decimal:
    """A number, exactly. What reads two ways (`1,234`) is not guessed."""
    if _TWO_WAYS.match(value):
        raise Invalid("reads two ways")
    if _GROUPED.match(value):
        point = max(value.rfind("."), value.rfind(","))
        return Decimal(re.sub("[.,]", "", value[:point]) + "." + value[point + 1 :])
    if not _DECIMAL.match(value):
        raise Invalid("no number")
    return Decimal(value.replace(",", "."))


def day(value: str) -> date:
    """A date in any of FileMaker's forms; one that reads two ways is month first, as on the wire (`unlade.dates`)."""
    return _day(value, "mdy")


def day_first(value: str) -> date:
    """The same for text fields that people filled day first."""
    return _day(value, "dmy")


def _day(value: str, order: str) -> date:
    found = parse_date(value, order)
    if found is None:
        raise Invalid("no date")
    return found


def boolean(value: str) -> bool:
    """True for any number but 0, as in FileMaker, and for yes, true, on and x."""
    word = value.casefold()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    if not _DECIMAL.match(value):
        raise Invalid("neither yes nor no")
    return Decimal(value.replace(",", ".")) != 0


def email(value: str) -> str:
    """One address."""
    try:
        validate_email(value)
    except ValidationError:
        raise Invalid("no e-mail address") from None
    return value


def phone(value: str) -> str:
    """A number as it was typed: digits (three at the least), an extension, and what people put between them."""
    if not _PHONE.match(value) or sum(char.isdigit() for char in value) < 3:
        raise Invalid("no phone number")
    return value
