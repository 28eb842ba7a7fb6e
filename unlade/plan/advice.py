"""Which road to take, and why: one answer, from the same figures that the comparison shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from unlade.plan.futures import year_left
from unlade.plan.roads import Ground, Road, blocks_needed
from unlade.plan.words import times
from unlade.report.words import day
from unlade.units import format_size

#: A transfer of up to this long may simply be started and left to run.
_ONE_GO = timedelta(hours=36)

#: So long a schedule may take before a quicker road is worth somebody's time.
_PATIENCE = timedelta(days=60)

#: When the allowance is short, so near a reset is waited for.
_NEAR = timedelta(days=21)


@dataclass(frozen=True, slots=True)
class Advice:
    """The road's key and the reason in a few sentences. `key` "" when nothing is left to do."""

    key: str
    title: str
    reason: str


def recommend(ground: Ground, roads: Sequence[Road], zone: tzinfo, *, trouble: str = "") -> Advice:
    """The road to take; `trouble` is what is known of the host's troubles, as a sentence."""
    if not ground.items:
        return Advice("", "nothing", "Nothing is left to download.")
    by_key = {road.key: road for road in roads}
    if blocks_needed(ground):
        return _short(ground, by_key, zone)
    best, scheduled = by_key["G"], by_key["B"]
    if best.done is None and scheduled.done is None:
        return _held_up(by_key["C"])
    if ground.limit is None and best.done and best.done[2] - ground.now <= _ONE_GO:
        return _advice(best, f"It runs for {times(best.work)} in one go, and {_fits(ground, best)}")
    if scheduled.done and scheduled.done[1] - ground.now <= _PATIENCE:
        why = f"It needs nobody and is done about {_day(scheduled.done[1], ground, zone)}; {_fits(ground, scheduled)}"
        return _advice(scheduled, _because(trouble) + why)
    if best.done is None:
        return _advice(scheduled, _because(trouble) + "It needs nobody, and nothing that is allowed is quicker.")
    saved = scheduled.done[1] - best.done[1] if scheduled.done else None
    quicker = f", {_days(saved)} before the schedule" if saved and saved > timedelta(days=1) else ""
    why = f"It is done about {_day(best.done[1], ground, zone)}{quicker}; {_fits(ground, best)}"
    return _advice(best, _because(trouble) + why)


def _short(ground: Ground, roads: dict[str, Road], zone: tzinfo) -> Advice:
    """What is left of the contract year is not enough."""
    left = max(0, year_left(ground.budget, ground.now) or 0)
    wanted = roads["G"].bytes
    lack = f"{format_size(round(wanted.middle))} are to come and {format_size(left)} of the allowance are left. "
    waiting = next((roads[key] for key in ("B", "G") if _within(roads[key], ground.now, _NEAR)), None)
    if waiting is not None and waiting.done:
        when = _day(waiting.done[1], ground, zone)
        return _advice(waiting, f"{lack}But the reset is near: it goes on by itself then, and is done about {when}.")
    best = roads["G"]
    until = (
        f"waiting for the reset takes until {_day(best.done[1], ground, zone)}" if best.done else "waiting is no way"
    )
    larger = roads["D"]
    costs = "costs" if larger.title.endswith("block") else "cost"
    money = f"{larger.title} {costs} {larger.cost:,.0f}" if larger.needed else "a larger plan does not help"
    copy = "If you can get a copy of the database file, E is even less work."
    why = f"{lack}An export asks nothing of it, while {until} and {money}. {copy}"
    return _advice(roads["C"], why)


def _held_up(road: Road) -> Advice:
    why = "Over the network it would not end within three years under the limits that are set; an export asks nothing of them."
    return _advice(road, why)


def _advice(road: Road, reason: str) -> Advice:
    return Advice(road.key, road.title, reason)


def _because(trouble: str) -> str:
    return f"{trouble[:1].upper()}{trouble[1:]}. " if trouble else ""


def _within(road: Road, now: datetime, span: timedelta) -> bool:
    return road.done is not None and road.done[2] - now <= span


def _fits(ground: Ground, road: Road) -> str:
    """How much of the allowance it takes, as a sentence's end."""
    left = year_left(ground.budget, ground.now)
    if left is None:
        return f"about {format_size(round(road.bytes.middle))} come over the network; no annual allowance is set."
    share = round(100 * road.bytes.high * float(ground.budget.container_factor) / left) if left > 0 else 100
    return f"it takes about {max(1, share)} % of the allowance that is left."


def _day(moment: datetime, ground: Ground, zone: tzinfo) -> str:
    return day(moment, ground.now, zone)


def _days(span: timedelta) -> str:
    days = round(span / timedelta(days=1))
    return "a day" if days == 1 else f"{days} days"
