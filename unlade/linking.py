"""Links files to owners that arrived after them (LESSONS 9 and 10).

Rows are repointed, never written anew; the ledger and the rows change in one transaction for each chunk. Whoever calls
`relink` to write holds the source's lock: a run that is at work has items of its own in hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from unlade.importer import ContainerImport
from unlade.ledger.choice import whose
from unlade.ledger.events import LINKED, OWNER_LOST, note_all
from unlade.ledger.models import Item, Source
from unlade.owners import OwnerFinder, OwnerMatch
from unlade.signals import item_linked, send
from unlade.states import ItemState, check_arrow

#: The project's row that a file belongs to was deleted; its link cannot be made.
ROW_MISSING = "row_missing"
#: Why a file has no owner, as far as looking again can help.
REASONS = ("owner_missing", "ambiguous", "no_owner_reference", "chosen_missing", ROW_MISSING)


@dataclass
class RelinkReport:
    """What relinking came to. With `dry_run` the same numbers say what would be done.

    `looked` counts the files without an owner, `linked` those that have theirs now; `quarantined` of these are damaged
    and keep that state. `unlinked` counts imported files that had lost their owner, linked anew or not. `alone` is why
    the rest has no owner, by reason.
    """

    source: str
    dry_run: bool = False
    looked: int = 0
    linked: int = 0
    quarantined: int = 0
    unlinked: int = 0
    alone: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """JSON types, by the names above."""
        return {
            "source": self.source,
            "dry_run": self.dry_run,
            "looked": self.looked,
            "linked": self.linked,
            "quarantined": self.quarantined,
            "unlinked": self.unlinked,
            "alone": dict(sorted(self.alone.items())),
        }


def relink(
    importer: ContainerImport,
    *,
    dry_run: bool = False,
    chunk: int = 1000,
    now: Callable[[], datetime] = timezone.now,
) -> RelinkReport:
    """Look again for the owners of all files of `importer` that have none.

    These are the items that ended unlinked, and those imported or quarantined whose row has no owner (it was deleted
    since). The number of queries depends on how many chunks there are. May be repeated and interrupted at any time.
    """
    report = RelinkReport(importer.name, dry_run)
    if importer.owner is None:
        return report
    source = Source.objects.filter(name=importer.name).first()
    if source is None:
        return report
    for pks in _ownerless(importer, source, chunk):
        with transaction.atomic():
            items = Item.objects.filter(pk__in=pks, state__in=_SETTLED)  # without those that are taken back
            report.unlinked += items.filter(state=ItemState.IMPORTED).count()
            if not dry_run:
                _take_back(items, now())
            _relink(importer, items, report, now())
    for pks in _unlinked(source, chunk):
        with transaction.atomic():
            _relink(importer, Item.objects.filter(pk__in=pks), report, now())
    return report


#: Slices whose keys are read at once: a database may well read all that is left to find the next ones.
_AHEAD = 50

#: What relinking asks of an item.
_LEAN = ("state", "reason", "detail", "settled_at", "owner_key", "owner_refs", "owner_row", "row")

#: States in which a file has its owner, or was linked and is damaged.
_SETTLED = (ItemState.IMPORTED, ItemState.QUARANTINED)


def _ownerless(importer: ContainerImport, source: Source, chunk: int) -> Iterator[list[int]]:
    """Items that the ledger calls settled although their row has no owner, in slices, by primary key."""
    settled = source.items.filter(state__in=_SETTLED).order_by()
    after: Any = None
    while rows := importer.orphans(after, chunk * _AHEAD):
        after = rows[-1]
        for part in _sliced(rows, chunk):
            # Sorted here: asked for an order, a database without statistics reads the whole table in it.
            if pks := sorted(settled.filter(row__in=[str(row) for row in part]).values_list("pk", flat=True)):
                yield pks


def _unlinked(source: Source, chunk: int) -> Iterator[list[int]]:
    """Items that wait for their owner, in slices that are stable while items leave the set."""
    unlinked = source.items.filter(state=ItemState.UNLINKED, reason__in=REASONS).order_by("pk")
    last = 0
    while pks := list(unlinked.filter(pk__gt=last).values_list("pk", flat=True)[: chunk * _AHEAD]):
        last = pks[-1]
        yield from _sliced(pks, chunk)


def _sliced(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])


def _take_back(items: QuerySet[Item], now: datetime) -> None:
    """Say of imported items that they have lost their owner; they are looked at with the others that have none."""
    check_arrow(ItemState.IMPORTED, ItemState.UNLINKED)
    missing = OwnerMatch(reason="owner_missing")
    lost = items.filter(state=ItemState.IMPORTED)
    note_all([(item, {}) for item in lost.only("pk")], OWNER_LOST, now)
    lost.update(state=ItemState.UNLINKED, reason=missing.reason, detail=missing.detail, settled_at=now)


def _relink(importer: ContainerImport, items: QuerySet[Item], report: RelinkReport, now: datetime) -> None:
    if not item_linked.has_listeners(type(importer)):
        items = items.only(*_LEAN)  # who listens may ask for all of it
    found = list(items.order_by("pk").select_for_update())
    matches = whose(OwnerFinder(importer.owner), [(item, item.reference) for item in found])
    owned = [(item, match.owner) for item, match in zip(found, matches, strict=True) if match.owner is not None]
    alone = [(item, match) for item, match in zip(found, matches, strict=True) if match.owner is None]
    lost: set[Any] = set()
    if not report.dry_run:
        lost = set(importer.link([(item.row, owner) for item, owner in owned if item.row]) or ())
    linked = [item for item, _ in owned if item.row not in lost]
    alone += [(item, _ROW_GONE) for item, _ in owned if item.row in lost]
    report.looked += len(found)
    report.linked += len(linked)
    report.quarantined += sum(item.state == ItemState.QUARANTINED for item in linked)
    report.alone.update(match.reason for _, match in alone)
    if not report.dry_run:
        _move_to_imported(linked, now)
        owners = {item.pk: owner for item, owner in owned}
        _follow(linked, owners)
        note_all([(item, {"owner": str(owners[item.pk].pk)}) for item in linked], LINKED, now)
        for item in linked:
            send(item_linked, importer, item=item, owner=owners[item.pk])
        _leave_alone(alone, now)


def _follow(linked: Sequence[Item], owners: dict[int, Any]) -> None:
    """An owner that a person chose and that was made anew has another primary key now."""
    moved = [item for item in linked if item.owner_row and item.owner_row != str(owners[item.pk].pk)]
    for item in moved:
        item.owner_row = str(owners[item.pk].pk)
    Item.objects.bulk_update(moved, ["owner_row"])


_ROW_GONE = OwnerMatch(reason=ROW_MISSING)


def _leave_alone(alone: Iterable[tuple[Item, OwnerMatch]], now: datetime) -> None:
    """Write down why items have no owner, where that is news; a quarantined one keeps what is said of its damage."""
    changed = []
    for item, match in alone:
        detail = "its row is not there any more" if match is _ROW_GONE else match.detail
        if item.state == ItemState.UNLINKED and (item.reason, item.detail) != (match.reason, detail):
            item.reason, item.detail, item.settled_at = match.reason, detail, now
            changed.append(item)
    Item.objects.bulk_update(changed, ["reason", "detail", "settled_at"])


def _move_to_imported(linked: Sequence[Item], now: datetime) -> None:
    check_arrow(ItemState.UNLINKED, ItemState.IMPORTED)
    moved = [item.pk for item in linked if item.state == ItemState.UNLINKED]
    Item.objects.filter(pk__in=moved).update(state=ItemState.IMPORTED, reason="", detail="", settled_at=now)
