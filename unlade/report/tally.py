"""Counts of one source from the ledger. What every report says comes from here, so that all say the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Count, Min, Q

from unlade.importer import ContainerImport, declared_all
from unlade.ledger.models import Source, state_counts
from unlade.report.figures import Groups, OpenFigures
from unlade.report.reasons import reason, remedy
from unlade.states import STORED, ItemState

#: In this order items are taken out of the totals while the source counts fewer than are known and nobody can tell
#: yet which ones went: the report rather says too little than too much.
_VANISH_FIRST = ("imported", "unlinked", "empty", "accepted", "quarantined", "failed", "pending")

_DONE = (ItemState.IMPORTED, ItemState.ACCEPTED)
_Line = tuple[str, str, bool]  #: state, reason, whether it needs a person
K = TypeVar("K")


def in_use() -> dict[str, ContainerImport]:
    """Every declared import of files, and those of records that were ever run: what is told of when nobody says what."""
    used = set(Source.objects.values_list("name", flat=True))
    return {name: importer for name, importer in declared_all().items() if importer.carries == "files" or name in used}


def totals_of(source: Source) -> tuple[dict[str, int], int]:
    """Items by state, adding up to the source's own count, and how many known items that count leaves no room for."""
    totals = state_counts(source)
    excess = max(0, sum(totals.values()) - source.found) if source.found is not None else 0
    left = excess
    for state in _VANISH_FIRST:
        taken = min(left, totals[state])
        totals[state] -= taken
        left -= taken
    return totals, excess


def gone_of(source: Source) -> int:
    """Records that are no longer in the source, those included of which only the count tells."""
    return source.items.exclude(gone_at=None).count() + totals_of(source)[1]


def by_field_of(source: Source, totals: Mapping[str, int], order: tuple[str, ...] = ()) -> dict[str, int]:
    """Stored items by the container field that was taken, in the order of the declaration; never more than `totals`."""
    stored = source.items.filter(gone_at=None, state__in=list(STORED)).exclude(field="")
    counted: dict[str, int] = dict(stored.values_list("field").annotate(Count("pk")).order_by("field"))
    names = [*(name for name in order if name in counted), *(name for name in counted if name not in order)]
    return _fitted({name: counted[name] for name in names}, _stored(totals))


def by_road_of(source: Source, totals: Mapping[str, int]) -> dict[str, int]:
    """Stored items by the road of the run that brought them, the most first; what no run brought is not counted."""
    stored = source.items.filter(gone_at=None, state__in=list(STORED)).exclude(settled_in=None)
    counted = stored.values_list("settled_in__road").annotate(count=Count("pk")).order_by("-count")
    return _fitted(dict(counted), _stored(totals))


def _stored(totals: Mapping[str, int]) -> int:
    return sum(totals[state] for state in STORED)


def _fitted(counts: Mapping[K, int], room: int) -> dict[K, int]:
    """`counts`, no more than `room` together: what has gone without being named leaves its total (CONTRACT B1), so it
    must leave what the total is made of too. It is taken from the largest; what is left without any is not named."""
    fitted = dict(counts)
    for key in sorted(fitted, key=lambda name: -fitted[name]):
        excess = sum(fitted.values()) - room
        fitted[key] -= min(max(0, excess), fitted[key])
    return {key: count for key, count in fitted.items() if count}


def open_of(row: Source, totals: Mapping[str, int], command: str) -> tuple[OpenFigures, ...]:
    """What is not finished, by state and reason, the most numerous first; each state's lines add up to its total."""
    open_states = [ItemState.FAILED, ItemState.QUARANTINED, ItemState.UNLINKED]
    groups: Any = (
        row.items.filter(gone_at=None, state__in=open_states)
        .values("state", "reason", "final")
        .annotate(count=Count("pk"), due=Min("next_try_at"))
    )
    merged: dict[_Line, tuple[int, datetime | None]] = {}
    for group in groups:
        key = (group["state"], group["reason"], needs_person(group["state"], group["reason"], group["final"]))
        count, due = merged.get(key, (0, None))
        dues = [moment for moment in (due, group["due"]) if moment is not None]
        merged[key] = (count + group["count"], min(dues, default=None))
    counts: dict[_Line, int] = {}
    for each in open_states:
        counts |= _fitted({key: count for key, (count, _) in merged.items() if key[0] == each}, totals[each])
    lines = []
    for key, count in counts.items():
        state, code, person = key
        code = code or ("damaged" if state == ItemState.QUARANTINED else code)
        again = f"{command} --retry-failed"
        heals = state == ItemState.FAILED and not person
        what = "Nothing: it is tried again by the first run that finds it due." if heals else remedy(code, again)
        due = merged[key][1] if heals else None
        lines.append(OpenFigures(state, code, count, reason(code).sentence, what, person, due))
    rank = {ItemState.FAILED: 0, ItemState.QUARANTINED: 1, ItemState.UNLINKED: 2}
    return tuple(sorted(lines, key=lambda line: (rank[ItemState(line.state)], -line.count, line.reason)))


def needs_person(state: str, code: str, final: bool) -> bool:
    """Whether no run brings such an item to an end by itself."""
    if state == ItemState.FAILED:
        return bool(final)
    if state == ItemState.QUARANTINED:
        return True
    return code != "owner_missing" and reason(code).person


def groups_of(importer: ContainerImport, row: Source) -> Groups | None:
    """Owners' days; None until every record is known, or when the import speaks of none (DESIGN 5.8)."""
    known = row.items.filter(gone_at=None)
    if not (importer.owner and importer.group_noun and row.listing_complete and known.count() >= (row.found or 0)):
        return None
    days = (
        known.exclude(state=ItemState.EMPTY)
        .exclude(owner_key="")
        .values("owner_key", "day")
        .annotate(unfinished=Count("pk", filter=~Q(state__in=_DONE)))
    )
    counted = days.aggregate(total=Count("owner_key"), complete=Count("owner_key", filter=Q(unfinished=0)))
    return Groups(complete=counted["complete"], total=counted["total"])
