"""How figures are put into words: shares that never lie, dates as people say them, the line for the boss."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from unlade.report.figures import Expectation, SourceFigures
from unlade.units import format_count, format_duration


def percent(part: int, whole: int | None) -> str:
    """`51 %` of the source's own count. Never 100 before everything is there, never 0 once something is."""
    if not whole:
        return "100 %" if whole == 0 else "? %"
    if part >= whole:
        return "100 %"
    share = part * 100 // whole
    return "<1 %" if part > 0 and share == 0 else f"{share} %"


def plural(count: int, noun: tuple[str, str]) -> str:
    """`1 image`, `6,664 images`."""
    return f"{format_count(count)} {noun[0] if count == 1 else noun[1]}"


def day(moment: datetime, now: datetime, zone: tzinfo = UTC) -> str:
    """`today`, `tomorrow`, `14 December`, `10 March 2027`."""
    local, today = moment.astimezone(zone).date(), now.astimezone(zone).date()
    if local in (today, today + timedelta(days=1)):
        return "today" if local == today else "tomorrow"
    return f"{local.day} {local:%B}" + (f" {local.year}" if local.year != today.year else "")


def clock(moment: datetime, now: datetime, zone: tzinfo = UTC) -> str:
    """`14:05 UTC` on the same day, `26 November, 14:05 UTC` otherwise."""
    local = moment.astimezone(zone)
    time = f"{local:%H:%M} {local.tzname() or ''}".strip()
    return time if local.date() == now.astimezone(zone).date() else f"{day(moment, now, zone)}, {time}"


def stamp(moment: datetime, zone: tzinfo = UTC) -> str:
    """`2026-11-25 01:28`, for tables."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def ago(moment: datetime, now: datetime) -> str:
    """`9 days ago`, `3 h ago`, `just now`."""
    passed = now - moment
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(days=1):
        return format_duration(passed).split(" ")[0] + f" {format_duration(passed).split(' ')[1]} ago"
    return "1 day ago" if passed.days == 1 else f"{format_count(passed.days)} days ago"


def expected(expectation: Expectation, now: datetime, zone: tzinfo = UTC) -> str:
    """`done about 14 December`, `about 130 more runs like the last`, or ""."""
    if expectation.at is not None:
        if expectation.at - now > timedelta(days=365 * 20):
            return "at this rate not done in 20 years"
        return f"done about {day(max(expectation.at, now), now, zone)}"
    if expectation.runs is not None:
        return "about 1 more run" if expectation.runs == 1 else f"about {format_count(expectation.runs)} more runs"
    return ""


def headline(source: SourceFigures, now: datetime, zone: tzinfo = UTC) -> str:
    """The line for the boss; its denominator is always the source's own count."""
    if source.found is None:
        return f"{source.noun[1][:1].upper()}{source.noun[1][1:]}: not counted yet"
    noun = source.noun[0] if source.found == 1 else source.noun[1]
    share = percent(source.here, source.found)
    parts = [f"{format_count(source.here)} of {format_count(source.found)} {noun} ({share})"]
    if source.groups is not None and source.group_noun:
        groups = source.groups
        parts.append(f"{format_count(groups.complete)} of {format_count(groups.total)} {source.group_noun} complete")
    if source.complete and source.found:
        without = source.found - source.here
        parts.append("complete" + (f": {_without_file(source)}" if without else ""))
    else:
        parts += [
            expected(source.expectation, now, zone),
            f"{format_count(source.waiting_for_owner)} wait for their {source.owner_noun}"
            if source.waiting_for_owner
            else "",
            _need_person(source.need_person),
        ]
    return ", ".join(part for part in parts if part)


def _without_file(source: SourceFigures) -> str:
    empty, accepted = source.totals["empty"], source.totals["accepted"]
    parts = [
        f"{format_count(empty)} {'has' if empty == 1 else 'have'} no file in FileMaker" if empty else "",
        f"{format_count(accepted)} closed by a person" if accepted else "",
    ]
    return ", ".join(part for part in parts if part)


def _need_person(count: int) -> str:
    if not count:
        return ""
    return "1 needs a person" if count == 1 else f"{format_count(count)} need a person"
