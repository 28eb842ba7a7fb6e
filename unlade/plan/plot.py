"""The comparison as a picture: bytes used over time against the limits, for every road over the Data API.

Needs matplotlib, the extra `unlade[plot]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from unlade.errors import SettingsError, UsageError
from unlade.governor.budget import Room
from unlade.governor.forecast import Future, Point
from unlade.governor.periods import Period
from unlade.plan.compare import Comparison
from unlade.plan.roads import Road, simulated
from unlade.plan.words import days
from unlade.report.words import day
from unlade.units import format_size

#: Colours that people with any kind of sight tell apart (Okabe and Ito).
_COLOURS = {"A": "#0072B2", "B": "#009E73", "G": "#D55E00", "D": "#CC79A7"}
_INK, _FAINT, _LIMIT = "#222222", "#999999", "#B00020"

#: At most so much of the future is drawn.
_FAR = timedelta(days=420)


def write_plot(found: Comparison, path: Path, past: Sequence[Point] = ()) -> None:
    """Draw `found` into `path`, a `.png` or `.svg`; `past`: what was used so far, its last point being now.

    Raises `UsageError` for another suffix, `SettingsError` where matplotlib is missing or the file cannot be written.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg"):
        raise UsageError(f"{path.name} is neither a .png nor a .svg", remedy="Name the plot FILE.png or FILE.svg.")
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise SettingsError(
            "matplotlib is not installed, so nothing can be drawn", remedy="pip install 'unlade[plot]'"
        ) from None
    figure = Figure(figsize=(10, 5.6), dpi=150, layout="constrained")
    _draw(figure.add_subplot(), found, past)
    try:
        figure.savefig(path, format=kind)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}", remedy="Name another file.") from None


def _draw(axes: Any, found: Comparison, past: Sequence[Point]) -> None:
    now = found.now
    year = next((room for room in found.ground.budget.headroom(now) if room.limit.name == "year"), None)
    base = past[-1].spent if past else (year.used + year.held if year else 0)
    period = year.limit.period if year else None
    roads = [road for road in simulated(found.roads) if road.needed]
    end = _end(roads, now)
    top = _lines(axes, found, roads, base, period, end)
    if past:
        axes.plot([p.at for p in past], [p.spent / 1e9 for p in past], color=_INK, linewidth=2.2)
        axes.annotate("used so far", (past[-1].at, base / 1e9), xytext=(7, -14), textcoords="offset points",
                      color=_INK)  # fmt: skip
        top = max(top, base)
    begin = min([now, *(p.at for p in past)])
    axes.set_xlim(begin, end)
    if year is not None:
        top = _limits(axes, year, top, begin, end)
        _resets(axes, year, now, end, found)
    axes.set_ylim(0, max(top * 1.12, 1e6) / 1e9)
    _dress(axes, found)


def _lines(
    axes: Any, found: Comparison, roads: Sequence[Road], base: int, period: Period | None, end: datetime
) -> float:
    """Every road's typical future, and a band from its early to its late one; returns the highest byte drawn."""
    top = float(base)
    for road in roads:
        if road.futures is None:
            continue
        colour = _COLOURS[road.key]
        typical = in_year(road.futures.typical, base, period, found.now)
        for future in (road.futures.early, road.futures.late):
            points = in_year(future, base, period, found.now)
            axes.plot([p.at for p in points], [p.spent / 1e9 for p in points], color=colour, alpha=0.3, linewidth=0.8)
        label = f"{road.key}  {road.title}: {days(road.done, found.now, found.zone)}"
        axes.plot([p.at for p in typical], [p.spent / 1e9 for p in typical], color=colour, linewidth=2, label=label)
        shown = [point for point in typical if point.at <= end]
        axes.plot([shown[-1].at], [shown[-1].spent / 1e9], "o", color=colour, markersize=5)
        top = max(top, *(point.spent for point in shown))
    return top


def in_year(future: Future, base: int, period: Period | None, now: datetime) -> list[Point]:
    """A future's points as bytes of their contract year: `base` were used before, and each reset begins at nought."""
    if period is None:
        return [Point(point.at, point.spent + base) for point in future.points]
    points: list[Point] = []
    offset, window, last = base, period.window(now), 0
    for point in future.points:
        if point.at >= window.end:
            points += [Point(window.end, last + offset), Point(window.end, 0)]
            offset, window = -last, period.window(point.at)
        points.append(Point(point.at, point.spent + offset))
        last = point.spent
    return points


def _end(roads: Sequence[Road], now: datetime) -> datetime:
    """Where the picture ends: with the last road, or as far as it makes sense to look."""
    dates = [road.done[2] for road in roads if road.done]
    last = min(max(dates, default=now + _FAR), now + _FAR)
    return max(last, now + timedelta(hours=1)) + max(last - now, timedelta(hours=1)) * 0.04


def _limits(axes: Any, year: Room, top: float, begin: datetime, end: datetime) -> float:
    """Lines for what may be used; where nothing comes near them only a remark, so that the rest can be seen."""
    usable, size = year.limit.usable, year.limit.size
    if top < usable * 0.25:
        text = f"limit: {format_size(usable)}, far above"
        axes.text(0.985, 0.965, text, transform=axes.transAxes, ha="right", va="top", color=_LIMIT)
        return top
    axes.axhline(usable / 1e9, color=_LIMIT, linewidth=1.2, linestyle="--")
    place = begin + (end - begin) * 0.99
    axes.text(place, usable / 1e9, f"{format_size(usable)} may be used", color=_LIMIT, va="bottom", ha="right")
    if size != usable:
        axes.axhline(size / 1e9, color=_LIMIT, linewidth=1.2)
        axes.text(place, size / 1e9, f"{format_size(size)}, reserve included", color=_LIMIT, va="bottom", ha="right")
    return max(top, float(size))


def _resets(axes: Any, year: Room, now: datetime, end: datetime, found: Comparison) -> None:
    moment = year.resets_at
    while moment is not None and moment < end:
        axes.axvline(moment, color=_FAINT, linewidth=1, linestyle=":")
        axes.annotate(f"reset {day(moment, now, found.zone)}", (moment, 1), xycoords=("data", "axes fraction"),
                      xytext=(4, -12), textcoords="offset points", color=_FAINT)  # fmt: skip
        moment = year.limit.period.window(moment).end


def _dress(axes: Any, found: Comparison) -> None:
    import matplotlib.dates

    dates: Any = matplotlib.dates  # its types are only half there
    locator = dates.AutoDateLocator(tz=found.zone)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=found.zone))
    axes.axvline(found.now, color=_FAINT, linewidth=1)
    axes.set_ylabel("GB used in the contract year")
    names = " and ".join(stock.name for stock in found.stocks if stock.outlook.items) or "nothing to come"
    axes.set_title(f"When {names} will be here", loc="left", color=_INK, fontweight="bold")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color="#EEEEEE")
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.figure.legend(frameon=False, loc="outside lower center", ncols=2)
