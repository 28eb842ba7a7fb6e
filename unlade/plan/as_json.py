"""The comparison as one JSON object; keys are only ever added."""

from __future__ import annotations

from typing import Any

from unlade.governor.forecast import Range
from unlade.plan.compare import Comparison
from unlade.plan.futures import year_left
from unlade.plan.roads import Road


def plan_json(found: Comparison, command: str = "") -> dict[str, Any]:
    """Sizes in bytes, `work` in seconds, times in ISO form. Ranges are `[low, middle, high]` (10, 50, 90 %)."""
    return {
        "generated_at": found.now.isoformat(),
        "sources": {
            stock.name: {
                "counted": stock.counted,
                "items": stock.outlook.items,
                "sizes_seen": stock.sampled,
                "sizes_known": min(len(stock.outlook.known), stock.outlook.items),
                "a_second": round(stock.outlook.rate, 3) if stock.prospect.rates else None,
            }
            for stock in found.stocks
        },
        "allowance_left": year_left(found.ground.budget, found.now),
        "roads": {road.key: _road(road) for road in found.roads},
        "recommended": found.advice.key or None,
        "reason": found.advice.reason,
        "trouble": found.trouble or None,
        "rests_on": dict(found.assumptions),
        "next": command or None,
        "exit": 0,
    }


def _road(road: Road) -> dict[str, Any]:
    return {
        "title": road.title,
        "needed": road.needed,
        "asks": road.how,
        "done_at": [moment.isoformat() for moment in road.done] if road.done else None,
        "bytes": _range(road.bytes),
        "requests": _range(road.requests),
        "runs": _range(road.runs),
        "work": _range(road.work),
        "allowance_left": _range(road.left) if road.left else None,
        "cost": str(road.cost),
    }


def _range(span: Range) -> list[int]:
    return [round(span.low), round(span.middle), round(span.high)]
