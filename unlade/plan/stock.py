"""What is still to come of each import, as far as the ledger knows: how many files, how large, at what speed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Q, Sum

from unlade.cargo import Road
from unlade.governor.forecast import Outlook
from unlade.importer import ContainerImport
from unlade.ledger.models import Run, Source
from unlade.plan.futures import Prospect
from unlade.report.tally import totals_of
from unlade.states import STORED, ItemState, RunOutcome

#: Sizes of so many files, the newest, stand for those to come.
_SAMPLE = 4000

#: Speed and overhead are those of so many runs.
_RUNS = 10

#: What a record of a lean layout weighs on the wire in bytes, and how many come in a second, before any was seen.
_RECORD, _RECORD_RATE = 2_000, 100.0

#: A run with fewer downloads tells nothing about speed; from a database file files come faster than a run begins.
_TELLING = 5
_TELLING_FILE = 50


@dataclass(frozen=True, slots=True)
class Stock:
    """One import. `counted` false: the source's own count is not known yet, so nothing is known to be to come.

    `sampled`: sizes of so many files were seen; 0: they are assumed. `here`: bytes that are in the store already.
    """

    name: str
    noun: tuple[str, str]
    prospect: Prospect
    counted: bool
    sampled: int
    here: int = 0

    @property
    def outlook(self) -> Outlook:
        """The files to come, as the governor's forecast sees them."""
        return self.prospect.outlook


def stocks_of(imports: Mapping[str, ContainerImport]) -> tuple[Stock, ...]:
    """The stock of every import, in their order."""
    return tuple(stock_of(importer) for importer in imports.values())


def stock_of(importer: ContainerImport) -> Stock:
    """What the ledger knows of `importer`."""
    row = Source.objects.filter(name=importer.name).first()
    if row is None:
        return Stock(importer.name, importer.noun, Prospect(Outlook(items=0)), False, 0)
    totals, _ = totals_of(row)
    if importer.carries == "records":
        return _records(importer, row, totals[ItemState.PENDING])
    failed = row.items.filter(state=ItemState.FAILED, final=False, gone_at=None).count()
    stored = row.items.filter(state__in=list(STORED), gone_at=None, size__gt=0)
    sizes = sizes_seen(row)
    speed = speed_of(row.runs.filter(road="api").order_by("-number"))
    outlook = outlook_of(to_come(totals, failed), sizes, known=sizes_known(row), speed=speed)
    return Stock(
        name=importer.name,
        noun=importer.noun,
        prospect=Prospect(outlook, speed.rates, speed.shares),
        counted=row.found is not None,
        sampled=len(sizes),
        here=sum(sizes) if len(sizes) < _SAMPLE else _whole(stored),
    )


def _records(importer: ContainerImport, row: Source, pending: int) -> Stock:
    """Records without files: each costs its part of a page."""
    runs = row.runs.filter(road="api", found__gt=0, outcome=RunOutcome.DONE).order_by("-number")[:_RUNS]
    seen = [(run.api_bytes + run.header_bytes) // run.found for run in runs if run.found]
    size = max(1, sum(seen) // len(seen)) if seen else _RECORD
    outlook = Outlook(items=pending, seen=(size,), overhead=0, requests_per_item=0.01, rate=_RECORD_RATE)
    return Stock(importer.name, importer.noun, Prospect(outlook), row.found is not None, len(seen))


def to_come(totals: Mapping[str, int], retriable: int) -> int:
    """Downloads still to come: what is pending, less the share that will turn out empty, and what is tried again."""
    settled = sum(count for state, count in totals.items() if state != ItemState.PENDING)
    empty = totals[ItemState.EMPTY] / settled if settled else 0.0
    return round(totals[ItemState.PENDING] * (1 - empty)) + retriable


def upload_speed(imports: Iterable[str]) -> float | None:
    """Bytes a second that the last runs brought into the store; the store could take at least as many.

    A run downloads while it uploads, so this is a lower bound. None while no run brought anything.
    """
    rows = Run.objects.filter(source__name__in=list(imports), kept_bytes__gt=0, downloads__gte=_TELLING)
    telling = [run for run in rows.order_by("-started_at")[:_RUNS] if _seconds(run) > 0]
    if not telling:
        return None
    return sum(run.kept_bytes for run in telling) / sum(_seconds(run) for run in telling)


def file_rates(imports: Iterable[str]) -> tuple[float, float] | None:
    """Files a second that the last imports from a database file brought, the slowest and the quickest of them.

    Reading, looking at and storing are in it. None while no such run brought enough to tell.
    """
    rows = Run.objects.filter(source__name__in=list(imports), road=Road.FILE.value, downloads__gte=_TELLING_FILE)
    rates = [run.downloads / _seconds(run) for run in rows.order_by("-started_at")[:_RUNS] if _seconds(run) > 0]
    return (min(rates), max(rates)) if rates else None


@dataclass(frozen=True, slots=True)
class Speed:
    """What the last runs show: items a second (None: nothing yet), and what an item costs besides its file.

    `rates` are those of single runs; `shares`: what runs that were given a limit brought of it, 0 to 1.
    """

    rate: float | None = None
    rates: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    overhead: int = 4000
    waste: float = 0.0
    requests_per_item: float = 1.05


def speed_of(runs: Iterable[Run]) -> Speed:
    """The speed of the newest of `runs` (newest first) that downloaded enough to tell; our own disk tells of no host."""
    asked = (run for run in runs if run.road == Road.API.value)
    telling = list(islice((run for run in asked if run.downloads >= _TELLING and _seconds(run) > 0), _RUNS))
    if not telling:
        return Speed()
    downloads = sum(run.downloads for run in telling)
    kept, moved = sum(run.kept_bytes for run in telling), sum(run.container_bytes for run in telling)
    return Speed(
        rate=downloads / sum(_seconds(run) for run in telling),
        rates=tuple(run.downloads / _seconds(run) for run in telling),
        shares=tuple(share for run in telling if (share := _share(run)) is not None),
        overhead=sum(run.api_bytes + run.header_bytes for run in telling) // downloads,
        waste=min(1.0, max(0.0, moved / kept - 1)) if kept else 0.0,
        requests_per_item=max(1.0, sum(run.requests for run in telling) / downloads),
    )


def outlook_of(items: int, seen: Iterable[int], *, known: Iterable[int] = (), speed: Speed | None = None) -> Outlook:
    """The governor's outlook over `items` downloads."""
    speed = speed or Speed()
    facts: dict[str, Any] = {} if speed.rate is None else {"rate": speed.rate}
    return Outlook(
        items=items,
        seen=tuple(seen),
        known=tuple(known),
        overhead=speed.overhead,
        waste=speed.waste,
        requests_per_item=speed.requests_per_item,
        **facts,
    )


def sizes_seen(row: Source) -> list[int]:
    """Bytes of the newest stored files, which stand for those to come."""
    stored = row.items.filter(state__in=list(STORED), gone_at=None, size__gt=0)
    return [size for size in stored.order_by("-pk").values_list("size", flat=True)[:_SAMPLE] if size]


def sizes_known(row: Source) -> list[int]:
    """Bytes of files to come that are known beforehand, in the order of their coming."""
    open_ = Q(state=ItemState.PENDING) | Q(state=ItemState.FAILED, final=False)
    rows = row.items.filter(open_, gone_at=None, known_size__gt=0).order_by("position", "pk")
    return [size for size in rows.values_list("known_size", flat=True) if size]


def _whole(stored: Any) -> int:
    return stored.aggregate(sum=Sum("size"))["sum"] or 0


def _share(run: Run) -> float | None:
    """What a run brought of its limit; None for one without, and for one that found nothing more to do."""
    limit = run.options.get("limit")
    if not limit or run.outcome == RunOutcome.DONE:
        return None
    return min(1.0, run.downloads / float(limit))


def _seconds(run: Run) -> float:
    end = run.finished_at or run.heartbeat_at
    return (end - run.started_at).total_seconds()
