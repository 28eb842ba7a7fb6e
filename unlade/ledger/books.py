"""The ledger of one run of one import. Used by the run loop's thread only.

The order of writes is the promise (DESIGN 5.3): an item is in hand before its download starts, and it is settled, with
its row, in one transaction after its object was confirmed. The parts: `runs` opens and closes a run, `pages` takes the
listing, `outcomes` writes down what became of items; here is what there is to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import F, Q, QuerySet

from unlade.errors import UsageError
from unlade.ledger.models import Item, state_counts
from unlade.ledger.outcomes import RETRY_WAITS, metadata_of
from unlade.ledger.pages import Changed, Listed, PageBooks
from unlade.owners import normalise_ref
from unlade.states import ItemState

S = ItemState


class Books(PageBooks):
    """The ledger of one run of one import."""

    def only(self, wanted: Sequence[str]) -> list[Item]:
        """The open items of these record ids or identities; a quarantined one is opened again.

        Raises `UsageError` that names what the ledger does not have.
        """
        keys = {normalise_ref(word) for word in wanted}
        rows = self.source.items.filter(Q(record_id__in=wanted) | Q(identity_key__in=keys), gone_at=None)
        items = list(rows.order_by("pk"))
        found = {item.record_id for item in items} | {item.identity_key for item in items}
        missing = [word for word in wanted if word not in found and normalise_ref(word) not in found]
        if missing:
            raise UsageError(
                f"--only: the ledger has no record {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}",
                remedy="Write record ids or identities as filemaker_worklist shows them; a run lists what is new.",
            )
        opened = []
        for item in items:
            if item.state == S.QUARANTINED:
                item.move(S.PENDING)
                item.attempts, item.key = [], ""
                item.save(update_fields=["state", "attempts", "key"])
            if item.state in (S.PENDING, S.FAILED) and item.in_hand_id is None:
                opened.append(item)
            else:
                self.skipped += 1
        return opened

    def still_open(self, pks: Sequence[int]) -> list[Item]:
        """Those of these items that no try has settled yet; a failure of this run waits for its own time."""
        found: list[Item] = []
        for start in range(0, len(pks), 500):
            some = self.source.items.filter(pk__in=pks[start : start + 500], state=S.PENDING, gone_at=None)
            found += some.filter(in_hand=None)
        return found

    def is_meant(self, item: Item, wanted: Sequence[str]) -> bool:
        """Whether `--only` names this item."""
        return item.record_id in wanted or item.identity_key in {normalise_ref(word) for word in wanted}

    def pending_places(self) -> list[int]:
        """Places of listed items that were never settled, in order."""
        rows = self.source.items.filter(
            state=S.PENDING, gone_at=None, in_hand=None, position__isnull=False, road=self.road
        )
        return [place for place in rows.order_by("position").values_list("position", flat=True) if place is not None]

    def left_in_hand(self) -> list[Item]:
        """Items that an earlier run held when it ended without a word."""
        return list(self.source.items.filter(in_hand__isnull=False).exclude(in_hand=self.run))

    def by_record(self, record_ids: Iterable[str]) -> list[Item]:
        """The items of these records."""
        ids = sorted(set(record_ids))
        found: list[Item] = []
        for start in range(0, len(ids), 500):
            found += self.source.items.filter(record_id__in=ids[start : start + 500])
        return found

    def due(self, now: datetime, *, also_final: bool) -> QuerySet[Item]:
        """Failures whose next try is due, oldest first; with `also_final` all that this run has not tried.

        Pending items without a place in the listing belong to them: only reading the single record can help.
        """
        ready = Q(state=S.FAILED, final=False, next_try_at__lte=now) | Q(state=S.PENDING, position=None)
        if also_final:
            ready |= Q(state=S.FAILED) & (Q(settled_in=None) | ~Q(settled_in=self.run))
        return (
            self.source.items.filter(ready, gone_at=None, in_hand=None, road=self.road)
            .exclude(reason__in=["duplicate_identity", "no_identity"])
            .order_by(F("next_try_at").asc(nulls_first=True), "pk")
        )

    def unmarked(self) -> QuerySet[Item]:
        """Items that are recorded but whose marker is not written yet."""
        return self.source.items.filter(
            state__in=[S.IMPORTED, S.UNLINKED], marked_at=None, gone_at=None, in_hand=None
        ).order_by("pk")

    def counts(self) -> dict[str, int]:
        """Totals by state (CONTRACT B1)."""
        return state_counts(self.source)


__all__ = ["RETRY_WAITS", "Books", "Changed", "Listed", "metadata_of"]
