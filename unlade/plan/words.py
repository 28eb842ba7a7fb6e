"""How ranges are put into words: as short as they are sure."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from unlade.governor.forecast import Range
from unlade.units import format_count, format_duration, format_size

#: A range that is wider than this is told in months.
_WIDE = timedelta(days=60)


def days(done: tuple[datetime, datetime, datetime] | None, now: datetime, zone: tzinfo) -> str:
    """`today`, `3 Dec`, `8-14 Jun 2027`, `28 Dec-3 Jan 2027`, `Dec 2026-Mar 2028`, `in over 3 years`."""
    if done is None:
        return "in over 3 years"
    first, last, today = (moment.astimezone(zone).date() for moment in (done[0], done[2], now))
    if last == today:
        return "today"
    if (first, last) == (today, today + timedelta(days=1)):
        return "today or tomorrow"
    year = f" {last.year}" if last.year != today.year else ""
    if first == last:
        return f"{last.day} {last:%b}{year}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}-{last.day} {last:%b}{year}"
    if last - first > _WIDE:
        before = f" {first.year}" if first.year != last.year else ""
        return f"{first:%b}{before}-{last:%b}{year}"
    return f"{first.day} {first:%b}-{last.day} {last:%b}{year}"


def sizes(span: Range | None) -> str:
    """`9.1-9.7 GB`, `900 MB-1.1 GB`, `none`, or "" for None."""
    if span is None:
        return ""
    low, high = (format_size(max(0, round(value))) for value in (span.low, span.high))
    if low == high:
        return "none" if span.high <= 0 else low
    number, unit = low.split(" ")
    return f"{number}-{high}" if high.endswith(f" {unit}") else f"{low}-{high}"


def counts(span: Range, noun: tuple[str, str]) -> str:
    """`33 runs`, `30-36 runs`."""
    low, high = round(span.low), round(span.high)
    amount = format_count(low) if low == high else f"{format_count(low)}-{format_count(high)}"
    return f"{amount} {noun[0] if low == high == 1 else noun[1]}"


def about(span: Range, noun: tuple[str, str]) -> str:
    """`about 3,600 requests`: two places are as sure as it gets."""
    value = round(span.middle)
    digits = max(0, len(str(value)) - 2)
    value = round(value, -digits)
    return f"{'about ' if digits else ''}{format_count(value)} {noun[0] if value == 1 else noun[1]}"


def times(span: Range) -> str:
    """`1 h 15 min`, `2 h to 3 h`: to five minutes, from ten hours on to hours."""
    low, high = (format_duration(rounded(value)) for value in (span.low, span.high))
    return low if low == high else f"{low} to {high}"


def rounded(seconds: float) -> timedelta:
    """To whole minutes, five of them from an hour on, hours from ten hours on: more would be false precision."""
    step = 3600 if seconds >= 36_000 else 300 if seconds >= 3600 else 60
    return timedelta(seconds=max(1, round(seconds / step)) * step)


def money(amount: Decimal) -> str:
    """`60`, `120`, `-`; the currency is the one of the price that was given."""
    return f"{amount:,.0f}" if amount else "-"
