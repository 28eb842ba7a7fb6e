"""Values of records: the text that was entered, and what it means by the file's locale (FMP12.md 6).

FileMaker keeps numbers, dates and times as the text that was entered. The text is always kept here too; `value` is
what it means, and None where it means nothing certain.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from unlade.fmp12.catalogue import FieldType
from unlade.fmp12.header import DateOrder, Locale

Meaning = str | int | Decimal | date | datetime | timedelta | None

_MAX_DIGITS = 400  #: of FileMaker's numbers
_DATE = re.compile(r"(\d{1,4})(\D)(\d{1,2})\2(\d{1,4})")
_TIME = re.compile(r"(-?)(\d{1,6})(?:[:.]|(\D))(\d{1,2})(?:(?:[:.]|\3)(\d{1,2})(?:[.,](\d{1,9}))?)?")
_HALVES = {"am": False, "a.m.": False, "午前": False, "오전": False, "上午": False,
           "pm": True, "p.m.": True, "午後": True, "오후": True, "下午": True}  # fmt: skip


class Value(NamedTuple):
    """One value.

    `value` is str, int or Decimal, date, timedelta (a time of day or a duration), or a datetime without a zone.
    `misfit`: the text is not written as the field's type and the file's locale have it; `value` is then None, or a
    date that reads only one way (2024-05-31). `damaged`: part of the text is lost.
    """

    text: str
    value: Meaning
    misfit: bool = False
    damaged: bool = False


def interpret(text: str, type_: FieldType, locale: Locale) -> Value:
    """What `text` means in a field of that type."""
    if type_ is FieldType.TEXT or type_ is FieldType.UNKNOWN:
        return Value(text, text)
    stripped = text.strip()
    if type_ is FieldType.NUMBER:
        number = _number(stripped, locale)
        return Value(text, number, number is None)
    if type_ is FieldType.DATE:
        return Value(text, *_day(stripped, locale))
    if type_ is FieldType.TIME:
        span = _time(stripped, locale)
        return Value(text, span, span is None)
    if type_ is FieldType.TIMESTAMP:
        return Value(text, *_timestamp(stripped, locale))
    return Value(text, text)


def _number(text: str, locale: Locale) -> int | Decimal | None:
    if len(text) > _MAX_DIGITS + 20:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    if locale.thousands and locale.thousands in text and not (text := _ungroup(text, locale)):
        return None
    plain = text.replace(locale.decimal, ".") if locale.decimal != "." else text
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", plain, re.ASCII):
        return None
    if re.fullmatch(r"[+-]?\d+", plain):
        return int(plain)
    return Decimal(plain)


def _ungroup(text: str, locale: Locale) -> str:
    """Take thousands separators out where they stand in groups of three; "" where they do not."""
    whole, point, rest = text.partition(locale.decimal)
    groups = whole.lstrip("+-").split(locale.thousands)
    if locale.thousands in rest or not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]):
        return ""
    return whole.replace(locale.thousands, "") + point + rest


def _day(text: str, locale: Locale) -> tuple[date | None, bool]:
    """The day, and whether it is a misfit."""
    match = _DATE.fullmatch(text)
    if match is None or not text.isascii():
        return None, True
    first, separator, second, third = match[1], match[2], match[3], match[4]
    usual = separator in {locale.date_separator, "/", ".", "-"}
    if len(first) == 4:
        misfit = locale.date_order != "ymd" or not usual
        day = _date(int(first), int(second), int(third))
        return day, misfit or day is None
    if len(third) != 4 or len(first) > 2 or locale.date_order == "ymd" or not usual:
        return None, True
    order: DateOrder = locale.date_order
    month, number = (first, second) if order == "mdy" else (second, first)
    day = _date(int(third), int(month), int(number))
    return day, day is None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _time(text: str, locale: Locale) -> timedelta | None:
    text, afternoon = _half(text, locale)
    match = _TIME.fullmatch(text)
    if match is None or not text.isascii() or match[3] not in (None, locale.time_separator):
        return None
    hours, minutes, seconds = int(match[2]), int(match[4]), int(match[5] or 0)
    if minutes > 59 or seconds > 59:
        return None
    if afternoon is not None:
        if hours > 12:
            return None
        hours = hours % 12 + 12 * afternoon
    micros = int((match[6] or "0").ljust(6, "0")[:6])
    span = timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=micros)
    return -span if match[1] else span


def _half(text: str, locale: Locale) -> tuple[str, bool | None]:
    """Text without its AM or PM, and whether it was PM; by the file's words for them, or the commonest."""
    if text[:1].isdigit() and text[-1:].isdigit():
        return text, None
    lower = text.casefold()
    for name, afternoon in ((locale.morning, False), (locale.afternoon, True), *_HALVES.items()):
        word = name.casefold()
        if lower.endswith(word):
            return text[: len(text) - len(word)].rstrip(), afternoon
        if lower.startswith(word):
            return text[len(word) :].lstrip(), afternoon
    return text, None


def _timestamp(text: str, locale: Locale) -> tuple[datetime | None, bool]:
    day_text, _, time_text = text.partition(" ")
    day, misfit = _day(day_text, locale)
    span = _time(time_text.strip(), locale) if time_text else timedelta(0)
    if day is None or span is None or not timedelta(0) <= span < timedelta(days=1):
        return None, True
    return datetime.combine(day, time()) + span, misfit
