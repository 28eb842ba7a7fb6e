"""The listing in the ledger: a page of records becomes items; what is new, edited, gone, or the same by another road."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from unlade.cargo import Count, Outcome, RefStatus, Road, SourceRecord, Stored
from unlade.importer import ContainerImport
from unlade.ledger.agreement import Agreement, completed
from unlade.ledger.clones import free_id, join_clones
from unlade.ledger.events import note, note_all, settled_detail
from unlade.ledger.models import Item
from unlade.ledger.outcomes import SETTLED_FIELDS, OutcomeBooks, content_of
from unlade.ledger.writing import enter, new_item, update
from unlade.owners import normalise_ref
from unlade.states import STORED, ItemState

log = logging.getLogger(__name__)

S = ItemState

#: What a page changes.
_LISTED_FIELDS = [
    *("position", "seen_at", "gone_at", "record_id", "road", "mod_id", "file_mod_id"),
    *("attempts", "tries", "state"),
]


@dataclass(frozen=True, slots=True)
class Listed:
    """A record of a page that needs carrying, with its item."""

    item: Item
    record: SourceRecord
    refetch: bool = False  #: it is stored, but its record was edited and its file is wanted anew


@dataclass(frozen=True, slots=True)
class Changed:
    """Look for edited records too; `refetch`: and fetch their files again (CONTRACT B1)."""

    refetch: bool = False


class PageBooks(OutcomeBooks):
    """Takes pages of the source into the ledger."""

    #: What is known of this road's record ids (`ledger.agreement.weigh`); nothing, so that identity alone joins.
    agreement = Agreement()

    def counted(self, count: Count, now: datetime) -> None:
        """Keep the source's own count. With `each` it is of values: of those that are known, and of records to come."""
        found, count_is = count.found, count.count_is
        if self.importer.each:
            items = self.source.items.filter(gone_at=None)
            found, count_is = max(0, count.found - self.alive()) + items.count(), "values"
        if self.road != Road.API and self.source.count_is != count_is and self.source.counted_at:
            return  # the host's own count stands; what a folder holds is the run's alone
        self.source.found, self.source.total, self.source.count_is = found, count.total, count_is
        self.source.counted_at = now
        self.source.save(update_fields=["found", "total", "count_is", "counted_at"])

    def alive(self) -> int:
        """Records that are not gone."""
        return self.source.items.filter(gone_at=None).values("record_id").distinct().count()

    def known(self, record_ids: Sequence[str], since: datetime | None = None) -> set[str]:
        """Which of these records the ledger has; with `since`, only those seen since then."""
        rows = self.source.items.filter(record_id__in=record_ids)
        if since is not None:
            rows = rows.filter(seen_at__gte=since)
        return set(rows.values_list("record_id", flat=True))

    def take_page(
        self,
        records: Sequence[SourceRecord],
        offset: int | None,
        now: datetime,
        changed: Changed | None = None,
        *,
        later: bool = False,
    ) -> list[Listed]:
        """Enter a page of records and return those that need carrying. One fixed number of queries a page.

        `offset` is the place of the first one, None when places mean nothing. Settled items only get their place,
        unless edits are looked for: a moved modification id refreshes the row, and may want the file anew.
        `later`: new items that need carrying are not written yet, `settle_many` does it in the same transaction.
        """
        old = self._items_of(records)
        if self.agreement.usable:
            records = self._join_by_record_id(records, old)
        keys = {normalise_ref(self.importer.identity_of(record)) for record in records} - {""}
        rows = self.source.items.filter(identity_key__in=keys).order_by("-pk")
        holders = dict(rows.values_list("identity_key", "record_id"))
        fresh: list[Item] = []
        known: list[Item] = []
        listed: list[Listed] = []
        edits: list[tuple[Item, SourceRecord]] = []
        for index, record in enumerate(records):
            position = None if offset is None else offset + index
            for slot in self._slots(record):
                item = old.get((record.record_id, slot))
                if item is None:
                    item = self._new_item(record, slot, holders, now)
                    fresh.append(item)
                else:
                    known.append(item)
                    item.gone_at = None
                if self.road == Road.API or item.road == self.road:
                    item.position = position
                # The record that two pages share is not looked at twice.
                met = item.pk is not None and item.seen_at >= self.run.started_at
                item.seen_at = now
                looks = changed if item.pk is not None else None
                edited = looks is not None and self._edited(item, record, holders, looks)
                if edited and looks is not None and item.state in STORED:
                    if looks.refetch or self._says_other_file(item, record):
                        listed.append(Listed(item, record, refetch=True))
                    else:
                        edits.append((item, record))
                elif self._has_other_file(item, record):
                    listed.append(Listed(item, record, refetch=True))
                elif self._needs_carrying(item, record):
                    listed.append(Listed(item, record))
                elif item.pk is not None and not met:
                    self.skipped += 1
        enter(item for item in fresh if not later or item.state != S.PENDING)
        update(known, _LISTED_FIELDS)
        self.new += len(fresh)
        for item, record in edits:
            self._refresh(item, record, now)
        closed = [item for item in fresh if item.state != S.PENDING]
        for item in closed:
            self._ends(item, item.state)
        for state in {item.state for item in closed}:
            note_all([(item, settled_detail(item)) for item in closed if item.state == state], state, now, self.run)
        return listed

    def _items_of(self, records: Sequence[SourceRecord]) -> dict[tuple[str, str], Item]:
        """The items of these records, by (record id, slot); of another road they are known by their identity.

        An item that came by another road is the same item (CONTRACT B5). Over the API it takes the API's ids.
        """
        ids = [record.record_id for record in records]
        old = {
            (item.record_id, item.slot): item for item in self.source.items.filter(record_id__in=ids, road=self.road)
        }
        by_identity = {normalise_ref(self.importer.identity_of(record)): record for record in records}
        by_identity.pop("", None)
        for item in self.source.items.filter(identity_key__in=by_identity).exclude(road=self.road).order_by("pk"):
            record = by_identity[item.identity_key]
            if (record.record_id, item.slot) in old:
                continue
            old[record.record_id, item.slot] = item
            if self.road == Road.API:
                item.record_id, item.mod_id, item.road = record.record_id, record.mod_id, self.road
                item.file_mod_id = ""  # an export's file is as old as the export
                if item.state == S.FAILED:
                    # What that road could not give, this one may.
                    item.move(S.PENDING)
                    item.attempts, item.tries = [], 0
        if self.road == Road.FILE:
            self._join_clones(records, old)
        elif self.road != Road.API:
            self._join_exports(records, old)
        return old

    def _join_by_record_id(
        self, records: Sequence[SourceRecord], old: dict[tuple[str, str], Item]
    ) -> Sequence[SourceRecord]:
        """Records without an identity belong to the items of another road that have their record id (CONTRACT B5).

        Returns all records, those completed by what the ledger knows of them.
        """
        bare = [r for r in records if not normalise_ref(self.importer.identity_of(r)) and r.record_id.isdigit()]
        items = self.source.items.filter(record_id__in=[r.record_id for r in bare], slot="").exclude(road=self.road)
        known = {item.record_id: item for item in items.exclude(identity_key="")}
        whole = {}
        for record in bare:
            item = known.get(record.record_id)
            if item is not None and (record.record_id, "") not in old:
                old[record.record_id, ""] = item
                whole[record.record_id] = completed(self.importer, item, record)
        return [whole.get(record.record_id, record) for record in records]

    def _join_clones(self, records: Sequence[SourceRecord], old: dict[tuple[str, str], Item]) -> None:
        """See `clones.join_clones`. Ids that another record has are remembered, for new items of theirs."""
        by_identity: dict[str, list[SourceRecord]] = {}
        for record in records:
            by_identity.setdefault(normalise_ref(self.importer.identity_of(record)), []).append(record)
        by_identity.pop("", None)
        before = set(old)
        items = self.source.items.filter(identity_key__in=by_identity, road=self.road).order_by("pk")
        join_clones(items, by_identity, old, self.met_as, self.run.started_at)
        self.ids_taken = before - set(old)

    def _join_exports(self, records: Sequence[SourceRecord], old: dict[tuple[str, str], Item]) -> None:
        """An export that tells no record ids has its records' made from their identity (`id=...`); the next one may
        tell them, and the other way round. Both speak of one item.

        In a tree a second file of an identity makes both of them files without a record (`file=...`): the item stays
        with the one that it was made of.
        """
        by_identity: dict[str, list[SourceRecord]] = {}
        for record in records:
            by_identity.setdefault(normalise_ref(self.importer.identity_of(record)), []).append(record)
        by_identity.pop("", None)
        met = {item.pk for item in old.values()}
        for item in self.source.items.filter(identity_key__in=by_identity, road=self.road).order_by("pk"):
            if item.pk in met:
                continue
            for record in by_identity[item.identity_key]:
                if (record.record_id, item.slot) in old:
                    continue
                ids = (record.record_id, item.record_id)
                told = sum(text.startswith("id=") for text in ids) == 1 and any(text.isdigit() for text in ids)
                if told or (_are_file_and_id(*ids) and self._is_of(item, record)):
                    old[record.record_id, item.slot] = item
                    break

    def _is_of(self, item: Item, record: SourceRecord) -> bool:
        """Whether an item was made of just this file of a tree: by the file itself, else by the folder it lies in."""
        stamps = {ref.stamp for ref in record.containers.values() if ref.stamp}
        if item.file_stamp and stamps:
            return item.file_stamp in stamps
        day = self.importer.taken_on.read(record)[0] if self.importer.taken_on else None
        return (item.owner_key, item.day) == (normalise_ref(self.importer.owner_ref_of(record))[:255], day)

    def _has_other_file(self, item: Item, record: SourceRecord) -> bool:
        """Whether the export's file was changed since it was taken. What was never seen on a disk is not looked at."""
        if self.road == Road.API or item.state not in STORED or not item.file_stamp or item.in_hand_id is not None:
            return False
        ref = record.containers.get(item.field)
        return ref is not None and bool(ref.stamp) and ref.stamp != item.file_stamp

    def _slots(self, record: SourceRecord) -> list[str]:
        if not self.importer.each:
            return [""]
        # A layout may show containers that nobody declared.
        declared = self.importer.containers or record.containers
        refs = {name: record.containers[name] for name in declared if name in record.containers}
        return [name for name, ref in refs.items() if ref.status is not RefStatus.EMPTY] or [""]

    def _new_item(self, record: SourceRecord, slot: str, holders: dict[str, str], now: datetime) -> Item:
        importer = self.importer
        item = new_item(
            source=self.source,
            record_id=free_id(record, importer.identity_of(record), (record.record_id, slot) in self.ids_taken),
            road=self.road,
            slot=slot,
            mod_id=record.mod_id,
            known_size=size_hint(importer, record),
            seen_at=now,
        )
        self._describe(item, record)
        holder = holders.setdefault(item.identity_key, record.record_id) if item.identity_key else ""
        if not importer.wants(record):
            self._settled(item, S.ACCEPTED, "not_wanted", now)
            item.accepted_by, item.accepted_why = importer.name, "the declaration leaves this record out"
        elif not item.identity_key:
            self._settled(item, S.FAILED, "no_identity", now)
        elif holder != record.record_id:
            self._settled(item, S.FAILED, "duplicate_identity", now)
            item.detail = f"record {holder} has the same identity"
        elif all(ref.status is RefStatus.EMPTY for ref in self._refs(record, slot)):
            self._settled(item, S.EMPTY, "", now)
        return item

    def _refs(self, record: SourceRecord, slot: str) -> list[Any]:
        names = [slot] if slot else self.importer.containers
        return [record.containers[name] for name in names if name in record.containers]

    def _settled(self, item: Item, state: str, reason: str, now: datetime) -> None:
        item.move(state)
        item.reason, item.final = reason, state == S.FAILED
        item.settled_at, item.settled_in = now, self.run

    def _needs_carrying(self, item: Item, record: SourceRecord) -> bool:
        if self.road != Road.API and item.state == S.FAILED and item.in_hand_id is None:
            # Another road may have what this one could not give; who has no identity is nobody there too.
            return item.reason not in ("duplicate_identity", "no_identity")
        if item.state == S.PENDING and item.in_hand_id is None:
            if item.mod_id != record.mod_id and item.road == self.road:
                item.mod_id, item.attempts, item.tries = record.mod_id, [], 0
            return True
        return False

    def _edited(self, item: Item, record: SourceRecord, holders: dict[str, str], changed: Changed) -> bool:
        """Whether the record was edited since; what is not stored is open again then.

        An edit that only refreshed the row may have replaced the file: whoever wants files anew gets those too.
        """
        if item.road != self.road or item.in_hand_id is not None:
            return False
        if item.mod_id == record.mod_id:
            return changed.refetch and item.state in STORED and item.file_mod_id not in ("", record.mod_id)
        self.edited += 1
        if self._worth_another_try(item, record, holders):
            item.move(S.PENDING)
            note(item, "edited", item.seen_at, self.run)
        elif item.state not in STORED and item.state != S.PENDING:
            item.mod_id = record.mod_id
        return True

    def _worth_another_try(self, item: Item, record: SourceRecord, holders: dict[str, str]) -> bool:
        if item.state == S.EMPTY:
            return any(ref.status is not RefStatus.EMPTY for ref in self._refs(record, item.slot))
        if item.state != S.FAILED:
            return False
        if item.reason not in ("duplicate_identity", "no_identity"):
            return True
        identity = normalise_ref(self.importer.identity_of(record))
        return bool(identity) and holders.get(identity, item.record_id) == item.record_id

    def _declared_sha256(self, record: SourceRecord) -> str:
        field = self.importer.digest_field
        digest = str(record.fields.get(field, "")).strip().lower() if field else ""
        return digest if len(digest) == 64 else ""

    def _says_same_file(self, item: Item, record: SourceRecord) -> bool:
        return bool(item.sha256) and self._declared_sha256(record) == item.sha256

    def _says_other_file(self, item: Item, record: SourceRecord) -> bool:
        """Whether a declared digest or size field tells that the file is another one."""
        if digest := self._declared_sha256(record):
            return digest != item.sha256
        size = size_hint(self.importer, record) if self.importer.size_field else None
        return size is not None and item.size is not None and size != item.size

    def _refresh(self, item: Item, record: SourceRecord, now: datetime) -> None:
        """Write an edited record's fields into the row; the file stays as it is, and so does the item's place."""
        damaged = item.state == S.QUARANTINED
        original = str(record.fields.get(self.importer.original_name, "")) if self.importer.original_name else ""
        outcome = Outcome(
            S.QUARANTINED if damaged else S.IMPORTED,
            reason=item.reason if damaged else "",
            detail=item.detail if damaged else "",
            field=item.field,
            stored=Stored(item.key, item.size or 0, item.sha256, existed=True),
            thumbnail=Stored(item.thumbnail_key, item.thumbnail_size or 0, "") if item.thumbnail_key else None,
            original_name=original or item.original_name,
        )
        try:
            with transaction.atomic():
                _, outcome = self._record(item, record, outcome, content_of(item))
        except Exception:
            log.exception("record %s: its row could not be refreshed; the next pass tries again", item.record_id)
            return
        self.skipped += item.state == outcome.state
        item.move(outcome.state)
        item.reason, item.detail, item.mod_id = outcome.reason, outcome.detail, record.mod_id
        if self._says_same_file(item, record):
            item.file_mod_id = record.mod_id
        item.original_name = outcome.original_name[:255]
        self._describe(item, record)
        item.save(update_fields=SETTLED_FIELDS)
        note(item, "edited", now, self.run, **settled_detail(item))

    def files_gone(self, moment: datetime) -> None:
        """Files of a tree that were no record of their own (`file=...`) and that this pass did not meet."""
        if self.road == Road.FOLDER:
            for item in self.missing_since(moment).filter(road=self.road, record_id__startswith="file=", row=""):
                self.gone(item, moment)

    def missing_since(self, moment: datetime) -> QuerySet[Item]:
        """Items that a full pass that began at `moment` did not meet."""
        return self.source.items.filter(gone_at=None, seen_at__lt=moment)

    def listed_through(self, place: int, anchor: str, complete: bool) -> None:
        """Remember how far the listing came."""
        source = self.source
        if (source.listed_through, source.anchor, source.listing_complete) != (place, anchor, complete):
            source.listed_through, source.anchor, source.listing_complete = place, anchor, complete
            source.save(update_fields=["listed_through", "anchor", "listing_complete"])


def _are_file_and_id(one: str, other: str) -> bool:
    return {one.partition("=")[0], other.partition("=")[0]} == {"file", "id"}


def size_hint(importer: ContainerImport, record: SourceRecord) -> int | None:
    """The file's bytes as the record tells them before it is fetched; None when it does not."""
    if importer.size_field:
        try:
            return int(record.fields.get(importer.size_field, ""))
        except (ValueError, TypeError):
            return None
    return next((ref.size for ref in record.containers.values() if ref.size), None)
