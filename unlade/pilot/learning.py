"""What a pilot learnt: figures from the ledger, from the listing, and from how the host handed its files out."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count

from unlade.cargo import Road, Wire
from unlade.errors import UnladeError
from unlade.filemaker import ContainerPolicy
from unlade.governor.budget import Budget, opened
from unlade.governor.forecast import Outlook, Plan
from unlade.importer import ContainerImport
from unlade.importing import Ended
from unlade.ledger.models import Item
from unlade.pilot.choosing import Choice
from unlade.pilot.sizes import Sizes, sizes_of, stands_for
from unlade.plan.futures import Prospect, Ranges, draws, futures_of
from unlade.plan.stock import sizes_known, to_come
from unlade.report.advice import import_command
from unlade.report.figures import RunFigures
from unlade.report.reasons import reason, remedy
from unlade.report.runs import run_figures
from unlade.report.tally import needs_person, totals_of
from unlade.states import STORED, ItemState

#: Downloads from which on a pilot tells a speed.
_TELLING = 5

#: Items from which on futures are fewer, and are not played at all.
_MANY, _TOO_MANY = 20_000, 200_000

_SEED = 20


@dataclass(frozen=True, slots=True)
class Trouble:
    """Items of the sample that were not simply imported, by reason. `person`: no run brings them to an end."""

    state: str
    reason: str
    count: int
    sentence: str
    remedy: str
    person: bool
    records: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "state": self.state,
            "reason": self.reason,
            "count": self.count,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "needs_person": self.person,
            "records": list(self.records),
        }


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the real run will take: `limited` by the limits that rule, `free` if there were none. None: not known."""

    items: int
    mean: int  #: bytes of a file, weighed by what the listing shows
    limited: Ranges | None = None
    free: Ranges | None = None
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Learnt:
    """The whole page. `policies` is empty on our own disk; `kinds`: of each kind of trait, how many the sample has."""

    name: str
    noun: tuple[str, str]
    road: str
    run: RunFigures
    found: int | None
    listed: int
    asked: int
    choice: Choice
    states: Mapping[str, int]
    settled_by_listing: Sequence[tuple[str, str, int]]
    sizes: Sizes | None
    by_field: tuple[Sizes, ...]
    types: Sequence[tuple[str, int]]
    policies: Mapping[ContainerPolicy, int]
    troubles: tuple[Trouble, ...]
    thumbnails: Mapping[str, int]
    ahead: Ahead
    command: str
    error: str = ""
    page: str = field(default="", compare=False)

    @property
    def taken(self) -> int:
        """Items of the sample."""
        return len(self.choice.places)

    @property
    def settled(self) -> int:
        """Items of the sample that were brought to an end, good or bad."""
        return sum(count for state, count in self.states.items() if state != ItemState.PENDING)

    @property
    def per_second(self) -> float | None:
        """Files a second, listing and sign-in included; None where too few were taken to tell."""
        if self.settled < _TELLING or self.run.seconds <= 0:
            return None
        return self.settled / self.run.seconds


def learn(importer: ContainerImport, ended: Ended, budget: Budget | None, now: datetime) -> Learnt:
    """What the pilot that `ended` was learnt. `budget`: the limits that rule, None for a road of our own disk."""
    books, voyage = ended.books, ended.voyage
    gathered = voyage.pilot if voyage is not None else None
    run = run_figures(books.run, now)
    choice = gathered.choice if gathered is not None and gathered.choice is not None else Choice()
    items = _items(gathered.items if gathered is not None else ())
    stored = [item for item in items if item.state in STORED and item.size]
    return Learnt(
        name=importer.name,
        noun=importer.noun,
        road=books.road,
        run=run,
        found=books.source.found,
        listed=gathered.listed if gathered is not None else 0,
        asked=gathered.number if gathered is not None else 0,
        choice=choice,
        states=Counter(item.state for item in items),
        settled_by_listing=_by_listing(books.run.pk, [item.pk for item in items]),
        sizes=sizes_of("", [item.size or 0 for item in stored]),
        by_field=_by_field(importer, stored),
        types=Counter(item.mime_type or "unknown" for item in stored).most_common(),
        policies=getattr(voyage.ship.source, "policies", {}) if voyage is not None else {},
        troubles=_troubles(items, import_command(importer.name)),
        thumbnails=_thumbnails(importer, stored),
        ahead=_ahead(ended, choice, stored, run, budget, now),
        command=import_command(importer.name),
        error=_error(ended.error),
    )


def _error(error: UnladeError | None) -> str:
    """What ended the run, unless it is the sample's own end."""
    return "" if error is None or error.exit_code == 0 else str(error)


def _items(pks: Sequence[int]) -> list[Item]:
    found: list[Item] = []
    for start in range(0, len(pks), 500):
        found += Item.objects.filter(pk__in=pks[start : start + 500])
    return found


def _by_listing(run: int, sample: Sequence[int]) -> list[tuple[str, str, int]]:
    """What needed no download to be settled: the listing alone says it."""
    met = set(sample)
    rows = Item.objects.filter(settled_in_id=run, size=None, gone_at=None)
    counts: Counter[tuple[str, str]] = Counter()
    if len(met) <= 500:
        grouped: Any = rows.exclude(pk__in=met).values("state", "reason").annotate(count=Count("pk"))
        for row in grouped.order_by("state", "reason"):
            counts[row["state"], row["reason"]] += row["count"]
    else:
        for pk, state, why in rows.values_list("pk", "state", "reason").iterator(chunk_size=2000):
            counts[state, why] += pk not in met
    return [(state, why, count) for (state, why), count in counts.most_common() if count]


def _by_field(importer: ContainerImport, stored: Iterable[Item]) -> tuple[Sizes, ...]:
    sizes: dict[str, list[int]] = defaultdict(list)
    for item in stored:
        sizes[item.field].append(item.size or 0)
    order = {name: place for place, name in enumerate(importer.containers)}
    made = (sizes_of(name, sizes[name]) for name in sorted(sizes, key=lambda name: (order.get(name, 99), name)))
    return tuple(one for one in made if one is not None)


def _troubles(items: Iterable[Item], command: str) -> tuple[Trouble, ...]:
    groups: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        if item.state in (ItemState.FAILED, ItemState.QUARANTINED, ItemState.UNLINKED):
            groups[item.state, item.reason].append(item)
    found = []
    for (state, why), some in sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        code = why or ("damaged" if state == ItemState.QUARANTINED else why)
        person = needs_person(state, code, any(item.final for item in some))
        heals = state == ItemState.FAILED and not person
        what = "Nothing: a later run tries it again." if heals else remedy(code, f"{command} --retry-failed")
        records = tuple(item.record_id for item in some[:5])
        found.append(Trouble(state, code, len(some), reason(code).sentence, what, person, records))
    return tuple(found)


def _thumbnails(importer: ContainerImport, stored: Sequence[Item]) -> Mapping[str, int]:
    if importer.thumbnail is None:
        return {}
    made = sum(bool(item.thumbnail_key) for item in stored)
    failed = sum(bool(item.thumbnail_error) and not item.thumbnail_key for item in stored)
    return {"made": made, "failed": failed, "none": len(stored) - made - failed}


def _ahead(
    ended: Ended, choice: Choice, stored: Sequence[Item], run: RunFigures, budget: Budget | None, now: datetime
) -> Ahead:
    source = ended.books.source
    totals, _ = totals_of(source)
    failed = source.items.filter(state=ItemState.FAILED, final=False, gone_at=None).count()
    items = to_come(totals, failed)
    seen = stands_for(choice.best, [(item.field, item.size or 0) for item in stored])
    mean = sum(seen) // len(seen) if seen else 0
    names = tuple(limit.name for limit in budget.limits) if budget is not None else ()
    if not seen or not items or len(stored) < _TELLING or items > _TOO_MANY:
        return Ahead(items, mean, limits=names)
    rate = len(stored) / run.seconds if run.seconds > 0 else None
    outlook = Outlook(
        items=items,
        seen=tuple(seen),
        known=tuple(sizes_known(source)),
        overhead=_overhead(run, len(stored), ended.books.road),
        waste=_waste(run.wire, sum(item.size or 0 for item in stored)),
        **({} if rate is None else {"rate": rate}),
    )
    prospect = Prospect(outlook, (rate,) if rate is not None else ())
    chances = draws([prospect], random.Random(_SEED), 24 if items <= _MANY else 6)
    free = futures_of(chances, Plan(now), opened([], now))
    limited = futures_of(chances, Plan(now), budget) if budget is not None and names else None
    return Ahead(items, mean, limited, free, names)


def _overhead(run: RunFigures, files: int, road: str) -> int:
    """Bytes that an item costs besides its file, the pilot's own listing left out of the count as far as possible."""
    return 0 if road != Road.API else min(20_000, (run.wire.headers + run.wire.api // 4) // max(1, files))


def _waste(wire: Wire, kept: int) -> float:
    return min(1.0, max(0.0, wire.container / kept - 1)) if kept and wire.container else 0.0
