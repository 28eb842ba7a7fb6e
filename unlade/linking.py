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
from unlade.ledger.models import Item
from unlade.owners import OwnerFinder, OwnerMatch
from unlade.states import ItemState, check_arrow

#: The project's row that a file belongs to was deleted; its link cannot be made.
ROW_MISSING = "row_missing"
#: Why a file has no owner, as far as looking again can help.
REASONS = ("owner_missing", "ambiguous", "no_owner_reference", ROW_MISSING)


@dataclass
class RelinkReport:
    """What relinking came to. With `dry_run` the same numbers say what would be done.

    `linked` counts files that have their owner now; `quarantined` of them are damaged and keep that state. `unlinked`
    counts those whose owner was found to be gone. `alone` is why the rest has no owner, by reason.
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
    for items in _chunks(importer, chunk):
        with transaction.atomic():
            _relink(importer, items, report, now())
    return report


def _chunks(importer: ContainerImport, chunk: int) -> Iterator[QuerySet[Item]]:
    """The items to look at, in slices that are stable while items leave the set."""
    mine = Item.objects.filter(source__name=importer.name)
    unlinked = mine.filter(state=ItemState.UNLINKED, reason__in=REASONS).order_by("pk")
    last = 0
    while pks := list(unlinked.filter(pk__gt=last).values_list("pk", flat=True)[:chunk]):
        yield unlinked.filter(pk__in=pks)
        last = pks[-1]
    settled = mine.filter(state__in=[ItemState.IMPORTED, ItemState.QUARANTINED]).order_by("pk")
    after: Any = None
    while rows := importer.orphans(after, chunk):
        yield settled.filter(row__in=[str(row) for row in rows])
        after = rows[-1]


def _relink(importer: ContainerImport, items: QuerySet[Item], report: RelinkReport, now: datetime) -> None:
    found = list(items.select_for_update(of=("self",)))
    matches = OwnerFinder(importer.owner).find({item.owner_key for item in found})
    owned = [(item, matches[item.owner_key].owner) for item in found if matches[item.owner_key].owner is not None]
    alone = [(item, matches[item.owner_key]) for item in found if matches[item.owner_key].owner is None]
    lost: set[Any] = set()
    if not report.dry_run:
        lost = set(importer.link([(item.row, owner) for item, owner in owned if item.row]) or ())
    linked = [item for item, _ in owned if item.row not in lost]
    alone += [(item, _ROW_GONE) for item, _ in owned if item.row in lost]
    report.looked += len(found)
    report.linked += len(linked)
    report.quarantined += sum(item.state == ItemState.QUARANTINED for item in linked)
    report.unlinked += sum(item.state == ItemState.IMPORTED for item, _ in alone)
    report.alone.update(match.reason for _, match in alone)
    if not report.dry_run:
        _move_to_imported(linked, now)
        _leave_alone(alone, now)


_ROW_GONE = OwnerMatch(reason=ROW_MISSING)


def _leave_alone(alone: Iterable[tuple[Item, OwnerMatch]], now: datetime) -> None:
    """Write down why items have no owner, where that is news; a quarantined one keeps what is said of its damage."""
    changed = []
    for item, match in alone:
        detail = "its row is not there any more" if match is _ROW_GONE else match.detail
        if item.state == ItemState.QUARANTINED:
            continue
        if (item.state, item.reason, item.detail) != (ItemState.UNLINKED, match.reason, detail):
            item.move(ItemState.UNLINKED)
            item.reason, item.detail, item.settled_at = match.reason, detail, now
            changed.append(item)
    Item.objects.bulk_update(changed, ["state", "reason", "detail", "settled_at"])


def _move_to_imported(linked: Sequence[Item], now: datetime) -> None:
    moved = [item for item in linked if item.state == ItemState.UNLINKED]
    for state in {item.state for item in moved}:
        check_arrow(state, ItemState.IMPORTED)
    Item.objects.filter(pk__in=[item.pk for item in moved]).update(
        state=ItemState.IMPORTED, reason="", detail="", settled_at=now
    )
