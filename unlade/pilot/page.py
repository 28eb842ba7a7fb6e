"""A pilot's page as one self-contained HTML file, and as JSON. It holds counts and record ids, no values, no pictures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from html import escape
from pathlib import Path
from typing import Any

from unlade.pilot.learning import Learnt
from unlade.pilot.sizes import Sizes
from unlade.pilot.text import next_step
from unlade.pilot.words import ahead_lines, kinds_lines, policy_lines, sample_line, speed_line, thumbnail_line
from unlade.plan.futures import Ranges
from unlade.report.private import write_private
from unlade.survey.page import TAIL, head, table
from unlade.units import format_count, format_duration, format_size


def write_page(found: Learnt, folder: Path, now: datetime, *, zone: tzinfo) -> Path:
    """Write the page into `folder` (made for its owner alone); its path. Raises `UsageError`, `OSError`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return write_private(folder / f"pilot-{found.name}-{found.run.number}.html", page(found, now, zone=zone))


def page(found: Learnt, now: datetime, *, zone: tzinfo) -> str:
    """The page."""
    return "".join(_parts(found, now, zone))


def _parts(found: Learnt, now: datetime, zone: tzinfo) -> Iterator[str]:
    run = found.run
    yield head(f"Pilot of {found.name}")
    yield f"<h1>Pilot of {escape(found.name)}</h1>"
    yield f'<p class="soft">Run {run.number}, {now.astimezone(zone):%d %B %Y, %H:%M %Z}</p>'
    if found.error:
        yield f'<p class="note">{escape(found.error)}</p>'
    yield f"<p>{escape(sample_line(found))}</p>"
    yield '<div class="cards">' + "".join(_cards(found)) + "</div>"
    for line in policy_lines(found) if found.road == "api" else ():
        yield f'<p class="note">{escape(line)}</p>'
    yield "<h2>What the rest will take</h2>"
    yield table(("", ""), [(escape(name), escape(line)) for name, line in ahead_lines(found, now, zone)], "k")
    if found.by_field:
        yield "<h2>Sizes by the field that was taken</h2>"
        everything = [found.sizes] if found.sizes is not None and len(found.by_field) > 1 else []
        titles = ("Field", "Files", "Mean", "10 % below", "Half below", "90 % below", "Largest", "All")
        yield table(titles, [_sizes(one) for one in (*found.by_field, *everything)], "knnnnnnn")
    if found.types:
        yield "<h2>Types, as the bytes say</h2>"
        yield table(("Type", "Files"), [(escape(name), f"{count:,}") for name, count in found.types], "kn")
    yield "<h2>What the sample has of what the listing shows</h2>"
    lines = [(escape(name), f"{listed:,}", f"{taken:,}") for name, listed, taken in kinds_lines(found)]
    yield table(("What differs", "In the listing", "In the sample"), lines, "-nn")
    yield from _troubles(found)
    yield f"<h2>Next</h2><p>{escape(next_step(found))}</p><p><code>{escape(found.command)}</code></p>"
    yield TAIL


def _cards(found: Learnt) -> Iterator[str]:
    run = found.run
    cards = [(format_count(count), state) for state, count in sorted(found.states.items(), key=lambda pair: -pair[1])]
    cards.append((format_duration(run.seconds), "time"))
    rate = found.per_second
    if rate is not None:
        cards.append((f"{rate * 60:,.0f}", "files a minute"))
    if found.sizes is not None:
        cards.append((format_size(found.sizes.mean), "mean size in the sample"))
    if found.road == "api":
        cards.append((format_size(run.wire.total), f"over the wire, {format_count(run.requests)} requests"))
    if found.thumbnails:
        cards.append((format_count(found.thumbnails["made"]), f"thumbnails ({escape(thumbnail_line(found))})"))
    return (f'<div><b>{escape(value)}</b><span class="soft">{escape(name)}</span></div>' for value, name in cards)


def _sizes(one: Sizes) -> list[str]:
    figures = (one.mean, one.small, one.median, one.large, one.largest, one.total)
    return [escape(one.field or "all"), f"{one.count:,}", *(escape(format_size(size)) for size in figures)]


def _troubles(found: Learnt) -> Iterator[str]:
    settled = [f"{count:,} {state}{': ' + why.replace('_', ' ') if why else ''}" for state, why, count in
               found.settled_by_listing]  # fmt: skip
    if found.troubles:
        yield "<h2>What went wrong, and what to do</h2>"
        rows = [
            (
                f"{one.count:,}",
                f"{escape(one.state)} {escape(one.reason)}",
                f"{escape(one.sentence)}<br>{escape(one.remedy)}",
                f'<span class="soft">{escape(", ".join(one.records))}{" ..." if one.count > 5 else ""}</span>',
            )
            for one in found.troubles
        ]
        yield table(("Items", "What", "Why, and what to do", "Records"), rows, "nk")
    if settled:
        yield f'<p class="soft">The listing alone settled {escape(", ".join(settled))}.</p>'


def as_json(found: Learnt) -> dict[str, Any]:
    """The value of `pilot`. Sizes in bytes; ranges are `[low, middle, high]` (10, 50, 90 %)."""
    rate = found.per_second
    return {
        "asked": found.asked,
        "listed": found.listed,
        "candidates": found.choice.candidates,
        "taken": found.taken,
        "states": dict(found.states),
        "settled_by_listing": [
            {"state": state, "reason": why or None, "count": count} for state, why, count in found.settled_by_listing
        ],
        "differences": [
            {"kind": kind, "in_listing": listed, "in_sample": taken} for kind, listed, taken in found.choice.kinds()
        ],
        "best_field_in_listing": dict(found.choice.best),
        "sizes": found.sizes.as_json() if found.sizes else None,
        "sizes_by_field": {one.field: one.as_json() for one in found.by_field},
        "types": dict(found.types),
        "per_minute": round(rate * 60, 1) if rate is not None else None,
        "speed": speed_line(found),
        "containers": [
            {"mode": policy.mode, "relative_redirect": policy.relative_redirect, "cookie": policy.mode == "protected",
             "downloads": count}
            for policy, count in found.policies.items()
        ],
        "thumbnails": dict(found.thumbnails),
        "failures": [trouble.as_json() for trouble in found.troubles],
        "forecast": {
            "items": found.ahead.items,
            "mean_size": found.ahead.mean or None,
            "limits": list(found.ahead.limits),
            "within_limits": _ranges(found.ahead.limited),
            "without_limits": _ranges(found.ahead.free),
        },
        "page": found.page or None,
    }  # fmt: skip


def _ranges(one: Ranges | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "done_at": [moment.isoformat() for moment in one.done] if one.done else None,
        "bytes": [round(one.bytes.low), round(one.bytes.middle), round(one.bytes.high)],
        "seconds": [round(value) for value in (one.working_seconds.low, one.working_seconds.middle,
                                               one.working_seconds.high)],
        "allowance_left": round(one.left.middle) if one.left else None,
    }  # fmt: skip
