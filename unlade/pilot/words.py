"""The sentences of a pilot's page, the same on a terminal and in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

from unlade.pilot.learning import Learnt
from unlade.pilot.sizes import Sizes
from unlade.plan.futures import Ranges
from unlade.plan.words import days, sizes, times
from unlade.units import format_count, format_size

#: How kinds of traits are called, one and many.
KINDS = {
    "best field": ("best field", "best fields"),
    "fields filled": ("pattern of filled fields", "patterns of filled fields"),
    "repetition": ("filled repetition", "filled repetitions"),
    "odd value": ("odd value", "odd values"),
    "owner": ("case of an owner", "cases of owners"),
    "day": ("case without a day", "cases without a day"),
    "type": ("type by name", "types by name"),
    "name": ("case of a name", "cases of names"),
    "extreme": ("extreme", "extremes (oldest, newest, first, last, ...)"),
    "year": ("year", "years"),
    "category": ("category", "categories"),
}


def sample_line(found: Learnt) -> str:
    """What was looked at and what was taken."""
    noun = found.noun[1]
    whole = f" of {format_count(found.found)}" if found.found is not None else ""
    return (
        f"{format_count(found.listed)}{whole} records were listed; {format_count(found.taken)} {noun} were taken, half "
        "of them to differ as much as the listing shows, half evenly from it."
    )


def kinds_lines(found: Learnt) -> list[tuple[str, int, int]]:
    """For each kind of difference: its name, how many the listing has, how many of them the sample has."""
    return [(KINDS[kind][listed != 1], listed, taken) for kind, listed, taken in found.choice.kinds()]


def size_line(one: Sizes) -> str:
    """`24 files, mean 1.8 MB, 10 % below 300 KB, half below 1.5 MB, 10 % above 3 MB, largest 4.1 MB`."""
    if one.count == 1:
        return f"1 file, {format_size(one.mean)}"
    return (
        f"{format_count(one.count)} files, mean {format_size(one.mean)}, half below "
        f"{format_size(one.median)}, nine in ten below {format_size(one.large)}, largest {format_size(one.largest)}"
    )


def speed_line(found: Learnt) -> str:
    """How fast it went, all told."""
    run, rate = found.run, found.per_second
    if rate is None:
        return "too few files to tell a speed"
    speed = format_size(round(run.kept / run.seconds)) if run.seconds else "?"
    return (
        f"{rate * 60:,.0f} a minute, {speed}/s, listing and sign-in included; a run that is new to a host starts slowly"
    )


def policy_lines(found: Learnt) -> list[str]:
    """How the host handed files out."""
    if found.road != "api":
        return ["files are read where they lie: no host, no allowance"]
    lines = []
    for policy, count in found.policies.items():
        if policy.mode == "open":
            lines.append(
                f"{format_count(count)} downloads: open, the link alone gives the file (whoever has the link gets it; "
                "fmsadmin set serverprefs AuthenticatedStream=1 changes that)"
            )
        else:
            where = "a relative address" if policy.relative_redirect else "a full address"
            lines.append(f"{format_count(count)} downloads: protected, a redirect to {where} and a cookie come first")
    return lines or ["no file came, so it was not seen how the host hands them out"]


def thumbnail_line(found: Learnt) -> str:
    """How many thumbnails could be made."""
    made, failed, none = (found.thumbnails.get(word, 0) for word in ("made", "failed", "none"))
    if not found.thumbnails:
        return "none are declared"
    rest = [f"{format_count(failed)} failed" if failed else "", f"{format_count(none)} without one" if none else ""]
    return ", ".join([f"{format_count(made)} made", *filter(None, rest)])


def ahead_lines(found: Learnt, now: datetime, zone: tzinfo) -> Iterator[tuple[str, str]]:
    """The forecast: with the limits that rule, and without."""
    ahead = found.ahead
    yield "to come", f"{format_count(ahead.items)} {found.noun[1]}"
    if not ahead.mean:
        return
    yield "a file", f"{format_size(ahead.mean)} on average, each best field by its share in the listing"
    if ahead.free is None:
        return
    for name, one in (("within limits", ahead.limited), ("without limits", ahead.free)):
        if one is not None:
            limits = f" (limits: {', '.join(ahead.limits)})" if name == "within limits" else ""
            yield name, f"{_span(one, now, zone, found.road)}{limits}"
    if not ahead.limits and found.road == "api":
        yield "limits", "none are set; FileMaker Cloud has one: filemaker_allowance set"


def _span(one: Ranges, now: datetime, zone: tzinfo, road: str) -> str:
    over = "over the network" if road == "api" else "to be read"
    work = times(one.working_seconds)
    text = f"{sizes(one.bytes)} {over}, {work} of work, done {days(one.done, now, zone)}"
    if one.left is not None:
        text += f", {format_size(max(0, round(one.left.middle)))} of the year's allowance left then"
    return text
