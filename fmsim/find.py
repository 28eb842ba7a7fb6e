"""`_find` criteria: FileMaker Pro's operators on text, numbers and dates (FILEMAKER.md 3)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from fmsim.values import number_of, parse_date, parse_time, parse_timestamp, text_of

Test = Callable[[Any], bool]  #: a field's value -> fits
_OPERATORS = ("<=", ">=", "≤", "≥", "<", ">")


def criterion(text: str, result: str, *, everything: Iterable[Any], today: date) -> Test:
    """A test of one field's value.

    Args:
        text: as a user types it in Find mode.
        result: the field's type.
        everything: the field's values in all records, for `!`.
        today: for `//`.
    """
    text = text.strip()
    if text in ("=", "=="):
        return _is_empty
    if text == "*":
        return lambda value: not _is_empty(value)
    if text == "!":
        counts = Counter(_folded(value) for value in everything)
        return lambda value: not _is_empty(value) and counts[_folded(value)] > 1
    if result == "container":
        return lambda value: not _is_empty(value) and text.casefold() in _folded(value)
    if result == "number":
        return _comparing(text, number_of, _exact_number)
    if result in ("date", "time", "timeStamp"):
        if text == "?":
            parse = _moment(result)
            return lambda value: not _is_empty(value) and parse(text_of(value)) is None
        us = f"{today.month}/{today.day}/{today.year}"
        return _comparing(text.replace("//", us) if result == "date" else text, _moment(result), _exact_moment(result))
    return _text(text)


def _never(_: Any) -> bool:
    return False


def _is_empty(value: Any) -> bool:
    return value is None or value == ""


def _folded(value: Any) -> str:
    return value.name.casefold() if hasattr(value, "blob") else text_of(value).casefold()


def _comparing(text: str, parse: Callable[[Any], Any], exact: Callable[[str], Test]) -> Test:
    """`<` `>` `<=` `>=` and ranges; anything else is left to `exact`."""
    if "..." in text or "…" in text:
        low_text, _, high_text = text.replace("…", "...").partition("...")
        low, high = parse(low_text.strip()), parse(high_text.strip())
        if low is None or high is None:
            return _never

        def within(value: Any) -> bool:
            at = parse(value) if not _is_empty(value) else None
            return at is not None and bool(low <= at <= high)

        return within
    for operator in _OPERATORS:
        if text.startswith(operator):
            limit = parse(text[len(operator) :].strip())
            return lambda value: _holds(operator, parse(value) if not _is_empty(value) else None, limit)
    return exact(text.lstrip("=").strip())


def _holds(operator: str, at: Any, limit: Any) -> bool:
    if at is None or limit is None:
        return False
    match operator:
        case "<":
            return bool(at < limit)
        case ">":
            return bool(at > limit)
        case "<=" | "≤":
            return bool(at <= limit)
        case _:
            return bool(at >= limit)


def _exact_number(text: str) -> Test:
    if any(sign in text for sign in "*@#"):
        pattern = re.compile(_wildcards(text), re.IGNORECASE)
        return lambda value: bool(pattern.fullmatch(text_of(value)))
    wanted: Decimal | None = number_of(text)
    return lambda value: wanted is not None and not _is_empty(value) and number_of(value) == wanted


def _moment(result: str) -> Callable[[Any], date | datetime | timedelta | None]:
    def parse(value: Any) -> date | datetime | timedelta | None:
        text = text_of(value).strip()
        if result == "date":
            return parse_date(text)
        if result == "time":
            return parse_time(text)
        return parse_timestamp(text if " " in text else text + " 0:00:00")

    return parse


def _exact_moment(result: str) -> Callable[[str], Test]:
    parse = _moment(result)

    def exact(text: str) -> Test:
        if result != "time" and (found := re.fullmatch(r"(?:(\d{1,2}|\*)/)?(?:(\d{1,2}|\*)/)?(\d{4}|\*)", text)):
            first, second, year = found[1], found[2], found[3]
            month, day = (first, second) if first and second else (first, "*")
            wanted = [None if part in (None, "*") else int(part) for part in (month, day, year)]

            def fits(value: Any) -> bool:
                at = parse(value) if not _is_empty(value) else None
                if not isinstance(at, date):
                    return False
                return all(
                    want is None or want == have for want, have in zip(wanted, (at.month, at.day, at.year), strict=True)
                )

            return fits
        wanted_moment = parse(text)
        return lambda value: wanted_moment is not None and not _is_empty(value) and parse(value) == wanted_moment

    return exact


def _text(text: str) -> Test:
    if text.startswith("=="):
        whole = re.compile(_wildcards(text[2:].strip()), re.IGNORECASE | re.DOTALL)
        return lambda value: bool(whole.fullmatch(text_of(value)))
    for operator in _OPERATORS:
        if text.startswith(operator):
            limit = text[len(operator) :].strip().casefold()
            return lambda value: not _is_empty(value) and _holds(operator, text_of(value).casefold(), limit)
    if "..." in text:
        low, _, high = (part.strip().casefold() for part in text.partition("..."))
        return lambda value: not _is_empty(value) and low <= text_of(value).casefold() <= high + "\uffff"
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in _word_patterns(text)]
    return lambda value: not _is_empty(value) and all(pattern.search(text_of(value)) for pattern in patterns)


def _word_patterns(text: str) -> list[str]:
    """One pattern a word: the beginning of a word, a whole word after `=`, a phrase in quotes."""
    patterns = []
    for part in re.findall(r'=?"(?:[^"\\]|\\.)*"|(?:\\.|[^\s])+', text):
        whole = part.startswith("=")
        body = part[1:] if whole else part
        if body.startswith('"') and body.endswith('"') and len(body) > 1:
            patterns.append(r"(?<!\w)" + _wildcards(body[1:-1]) + (r"(?!\w)" if whole else ""))
            continue
        if not body:
            continue
        start = "" if body.startswith("*") else r"(?<!\w)"
        patterns.append(start + _wildcards(body) + (r"(?!\w)" if whole else ""))
    return patterns


def _wildcards(text: str) -> str:
    """A regular expression for `*`, `@`, `#`; `\\` takes the meaning from the next character."""
    pattern, escaped = [], False
    for char in text:
        if escaped:
            pattern.append(re.escape(char))
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in "*@#":
            pattern.append({"*": r".*", "@": r".", "#": r"\d"}[char])
        else:
            pattern.append(re.escape(char))
    return "".join(pattern)
