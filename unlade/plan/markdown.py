"""The comparison as Markdown, to paste into a message."""

from __future__ import annotations

from unlade.plan.compare import Comparison
from unlade.plan.text import asks, headlines
from unlade.plan.words import days, money, sizes
from unlade.report.words import stamp
from unlade.units import format_size


def render(found: Comparison, command: str = "") -> str:
    """The page, ending with a line break."""
    first, *others = headlines(found)
    lines = [f"**{first}**", "", *(f"{line}  " for line in others)]
    lines += [f"{stock.name}: not counted yet, so left out.  " for stock in found.uncounted]
    if found.ground.items:
        lines += ["", "| | road | done | over the API | left then | cost | asks |", "|---|---|---|---:|---:|---:|---|"]
        for road in found.roads:
            mark = "**" if road.key == found.advice.key else ""
            name = f"| {mark}{road.key}{mark} | {mark}{road.title}{mark}"
            if not road.needed:
                lines.append(f"{name} | not needed | | | | |")
                continue
            left = format_size(max(0, round(road.left.middle))) if road.left else ""
            when = days(road.done, found.now, found.zone)
            lines.append(f"{name} | {when} | {sizes(road.bytes)} | {left} | {money(road.cost)} | {asks(road)} |")
    title = f"{found.advice.key}, {found.advice.title}. " if found.advice.key else ""
    lines += ["", f"**Recommended:** {title}{found.advice.reason}" + (f" `{command}`" if command else "")]
    if found.ground.items:
        lines += ["", *(f"- {what}: {line}" for what, line in found.assumptions)]
    lines += ["", f"_{stamp(found.now, found.zone)}_"]
    return "\n".join(lines) + "\n"
