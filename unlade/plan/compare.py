"""All roads for the imports that a person named: what `filemaker_plan` shows."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from unlade.governor.budget import Budget
from unlade.governor.quiet import QuietHours
from unlade.importer import ContainerImport
from unlade.ledger.models import Host
from unlade.plan import advice
from unlade.plan.advice import Advice
from unlade.plan.futures import FUTURES, draws
from unlade.plan.roads import Ground, Market, Road, Speeds, all_roads, blocks_needed
from unlade.plan.stock import Stock, stocks_of
from unlade.plan.troubles import past_runs, safe_limit, trouble_line
from unlade.units import format_size

#: The same ledger gives the same plan.
_SEED = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole page. `uncounted`: imports of which the source's own count is not known yet."""

    now: datetime
    zone: tzinfo
    stocks: tuple[Stock, ...]
    ground: Ground
    roads: tuple[Road, ...]
    advice: Advice
    trouble: str = ""
    assumptions: tuple[tuple[str, str], ...] = ()  #: what it is about, and the sentence

    @property
    def uncounted(self) -> tuple[Stock, ...]:
        """Imports that never ran."""
        return tuple(stock for stock in self.stocks if not stock.counted)

    def road(self, key: str) -> Road:
        """The road with this key."""
        return next(road for road in self.roads if road.key == key)


def compare(
    imports: Mapping[str, ContainerImport],
    budget: Budget,
    now: datetime,
    zone: tzinfo,
    *,
    host: Host | None = None,
    speeds: Speeds | None = None,
    market: Market | None = None,
    quiet: QuietHours | None = None,
    futures: int = FUTURES,
) -> Comparison:
    """Play every road for `imports` from `now` under `budget`. Reads the ledger, asks no host."""
    stocks = stocks_of(imports)
    limit = safe_limit(past_runs(host))
    # Runs that were cut short by a host in trouble tell nothing about runs that end before the trouble begins.
    prospects = tuple(stock.prospect if limit is None else replace(stock.prospect, shares=()) for stock in stocks)
    ground = Ground(
        now=now,
        prospects=prospects,
        chances=tuple(draws(prospects, random.Random(_SEED), futures)),
        budget=budget,
        speeds=speeds or Speeds(),
        market=market or Market(),
        limit=limit,
        quiet=quiet,
        resting=host.retry_at if host is not None else None,
        here=sum(stock.here for stock in stocks),
    )
    roads, trouble = all_roads(ground), trouble_line(host, zone)
    return Comparison(
        now=now,
        zone=zone,
        stocks=stocks,
        ground=ground,
        roads=roads,
        advice=advice.recommend(ground, roads, zone, trouble=trouble),
        trouble=trouble,
        assumptions=tuple(_assumptions(stocks, ground)),
    )


def _assumptions(stocks: tuple[Stock, ...], ground: Ground) -> list[tuple[str, str]]:
    """What the figures rest on: what it is about, and a sentence."""
    found = []
    for stock in stocks:
        if not stock.counted or not stock.outlook.items:
            continue
        known = min(len(stock.outlook.known), stock.outlook.items)
        if known == stock.outlook.items:
            sizes = "every size is known beforehand"
        elif stock.sampled:
            sizes = f"sizes like those of the last {stock.sampled:,} files"
        else:
            sizes = "sizes are a guess (1.8 MB a file): import 20 to learn them"
        rate = stock.outlook.rate * 60
        pace = f"{rate:.0f} a minute" if rate >= 1 else f"{rate * 60:.0f} an hour"
        speed = f"{pace} as in the last runs" if stock.prospect.rates else "18 to 120 a minute is a guess"
        found.append((stock.name, f"{sizes}; {speed}."))
    speeds = ground.speeds
    for what, span, origin, option in (
        ("upload", speeds.upload, speeds.upload_from, "--upload-speed"),
        ("disk", speeds.disk, speeds.disk_from, "--disk-speed"),
    ):
        better = f" ({option} says better)" if origin == "assumed" else ""
        low, high = format_size(round(span[0])), format_size(round(span[1]))
        size = low if low == high else f"{low} to {high}"
        found.append((what, f"{size} a second, {origin}{better}."))
    slowest, quickest = (f"{files:.0f}" if files >= 10 else f"{files:.1f}" for files in speeds.file)
    files = slowest if slowest == quickest else f"{slowest} to {quickest}"
    learn = " (import some with --from FILE.fmp12 --limit 200 to learn it)" if speeds.file_from == "assumed" else ""
    found.append(("database file", f"{files} files a second, {speeds.file_from}{learn}."))
    if blocks_needed(ground):
        price = f"{ground.market.price.normalize():f} for {format_size(ground.market.size)} a year"
        found.append(("larger plan", f"{price} (UNLADE_BLOCK_PRICE, UNLADE_BLOCK_SIZE); ask Claris."))
    return found
