"""Writes the ledger: listing, items in hand, outcomes, runs. Used by the run loop's thread only.

The order of writes is the promise (DESIGN 5.3): an item is in hand before its download starts, and it is settled, with
its row, in one transaction after its object was confirmed.
"""

from __future__ import annotations

import logging
import os
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import F, Max, Q, QuerySet

from unlade.cargo import Attempt, Content, Count, Outcome, RefStatus, Road, SourceRecord, Stored, Wire
from unlade.errors import OwnNetworkDown, UsageError
from unlade.importer import Consignment, ContainerImport
from unlade.keys import extension_of
from unlade.ledger.events import GONE, note, note_all, settled_detail
from unlade.ledger.models import Item, Run, Source, state_counts
from unlade.owners import OwnerFinder, OwnerMatch, normalise_ref
from unlade.states import SETTLED, STORED, ItemState, RunOutcome

log = logging.getLogger(__name__)

#: Waits between tries of a failure that may pass: at the end of the same run, then ever later.
RETRY_WAITS = (timedelta(0), timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))

#: Text longer than this that looks like base64 is not worth keeping twice (LESSONS 5).
_LONG_BASE64 = 2048


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


class Books:
    """The ledger of one run of one import."""

    def __init__(self, importer: ContainerImport, source: Source, run: Run, owners: OwnerFinder, uploaded_by: str):
        self.importer = importer
        self.source = source
        self.run = run
        self.road = run.road
        self.owners = owners
        self.uploaded_by = uploaded_by
        self.skipped = 0
        self.new = 0  #: items that this run met first
        self.edited = 0  #: items whose record was edited since the last run
        self._ended: Counter[str] = Counter()  #: items that this run settled, by state
        self._failed: set[int] = set()  #: those of them that failed: a later try of the same run may change that

    # Runs.

    @classmethod
    def open(
        cls,
        importer: ContainerImport,
        now: datetime,
        *,
        road: str,
        options: dict[str, Any],
        owners: OwnerFinder,
        uploaded_by: str,
        least: int = 0,
    ) -> Books:
        """Open the next run of `importer`; the lock is held, so a run that still says it is running has died.

        `least` is the lowest number the run may have.
        """
        with transaction.atomic():
            source, _ = Source.objects.get_or_create(name=importer.name, defaults={"layout": importer.layout})
            source.runs.filter(outcome=RunOutcome.RUNNING).update(
                outcome=RunOutcome.DIED, finished_at=F("heartbeat_at")
            )
            newest = source.runs.aggregate(newest=Max("number"))["newest"] or 0
            run = Run.objects.create(
                source=source,
                number=max(newest + 1, least),
                road=road,
                started_at=now,
                heartbeat_at=now,
                machine=platform.node()[:255],
                process=os.getpid(),
                options=options,
            )
        return cls(importer, source, run, owners, uploaded_by)

    @classmethod
    def by_hand(cls, importer: ContainerImport, source: Source, owners: OwnerFinder, uploaded_by: str) -> Books:
        """Books for what a person settles without a run; only `settle` may be asked of them."""
        no_run: Any = None
        books = cls(importer, source, Run(source=source), owners, uploaded_by)
        books.run = no_run
        return books

    def beat(self, now: datetime, **counters: int) -> None:
        """Say that the run is alive, and how far it is."""
        for name, value in {**self.this_run(), **counters}.items():
            setattr(self.run, name, value)
        self.run.heartbeat_at = now
        self.run.save()

    def close(
        self, outcome: str, now: datetime, *, reason: str, exit_code: int, retry_at: datetime | None, **counters: int
    ) -> None:
        """Close the run with its final figures; what is still in hand by it is let go."""
        with transaction.atomic():
            self.source.items.filter(in_hand=self.run).update(in_hand=None)
            self.run.outcome, self.run.reason = outcome, reason
            self.run.exit_code, self.run.retry_at, self.run.finished_at = exit_code, retry_at, now
            self.run.found = self.source.found
            self.beat(now, **counters)

    def this_run(self) -> dict[str, int]:
        """How many items ended in which state in this run; the fields of `Run`."""
        states = (S.IMPORTED, S.EMPTY, S.UNLINKED, S.QUARANTINED, S.FAILED)
        return {state.value: self._ended[state.value] for state in states} | {"skipped": self.skipped}

    def _ends(self, item: Item, state: str) -> None:
        if item.pk in self._failed:
            self._failed.discard(item.pk)
            self._ended[S.FAILED.value] -= 1
        if state == S.FAILED:
            self._failed.add(item.pk)
        self._ended[ItemState(state).value] += 1

    # The listing.

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
                edited = changed if changed and item.pk is not None and self._edited(item, record, holders) else None
                if edited is not None and item.state in STORED:
                    if edited.refetch or self._says_other_file(item, record):
                        listed.append(Listed(item, record, refetch=True))
                    else:
                        edits.append((item, record))
                elif self._needs_carrying(item, record):
                    listed.append(Listed(item, record))
                elif item.pk is not None and not met:
                    self.skipped += 1
        Item.objects.bulk_create(item for item in fresh if not later or item.state != S.PENDING)
        Item.objects.bulk_create(
            known, update_conflicts=True, unique_fields=["id"], update_fields=_LISTED_FIELDS, batch_size=500
        )
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
                if item.state == S.FAILED:
                    # What that road could not give, this one may.
                    item.move(S.PENDING)
                    item.attempts, item.tries = [], 0
        if self.road != Road.API:
            self._join_exports(by_identity, old)
        return old

    def _join_exports(self, by_identity: dict[str, SourceRecord], old: dict[tuple[str, str], Item]) -> None:
        """An export that tells no record ids has its records' made from their identity (`id=...`); the next one may
        tell them, and the other way round. Both speak of one item."""
        for item in self.source.items.filter(identity_key__in=by_identity, road=self.road).order_by("pk"):
            record = by_identity[item.identity_key]
            ids = (record.record_id, item.record_id)
            if sum(text.startswith("id=") for text in ids) == 1 and any(text.isdigit() for text in ids):
                old.setdefault((record.record_id, item.slot), item)

    def _slots(self, record: SourceRecord) -> list[str]:
        if not self.importer.each:
            return [""]
        filled = [name for name, ref in record.containers.items() if ref.status is not RefStatus.EMPTY]
        return filled or [""]

    def _new_item(self, record: SourceRecord, slot: str, holders: dict[str, str], now: datetime) -> Item:
        importer = self.importer
        item = Item(
            source=self.source,
            record_id=record.record_id,
            road=self.road,
            slot=slot,
            mod_id=record.mod_id,
            known_size=_size_hint(importer, record),
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

    def _describe(self, item: Item, record: SourceRecord) -> None:
        """What the record says of the item; an item that was caught up from the store knows little of it."""
        importer = self.importer
        identity, owner_ref = importer.identity_of(record), importer.owner_ref_of(record)
        item.identity, item.identity_key = identity[:255], normalise_ref(identity)[:255]
        item.owner_ref, item.owner_key = owner_ref[:255], normalise_ref(owner_ref)[:255]
        item.day = importer.taken_on.read(record)[0] if importer.taken_on else None
        item.category = str(record.fields.get(importer.category, ""))[:255] if importer.category else ""

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

    def _edited(self, item: Item, record: SourceRecord, holders: dict[str, str]) -> bool:
        """Whether the record was edited since; what is not stored is open again then."""
        if item.road != self.road or item.mod_id == record.mod_id or item.in_hand_id is not None:
            return False
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

    def _says_other_file(self, item: Item, record: SourceRecord) -> bool:
        """Whether a declared digest or size field tells that the file is another one."""
        field = self.importer.digest_field
        digest = str(record.fields.get(field, "")).strip().lower() if field else ""
        if len(digest) == 64:
            return digest != item.sha256
        size = _size_hint(self.importer, record) if self.importer.size_field else None
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
                _, outcome = self._record(item, record, outcome, _content_of(item))
        except Exception:
            log.exception("record %s: its row could not be refreshed; the next pass tries again", item.record_id)
            return
        self.skipped += item.state == outcome.state
        item.move(outcome.state)
        item.reason, item.detail, item.mod_id = outcome.reason, outcome.detail, record.mod_id
        item.original_name = outcome.original_name[:255]
        self._describe(item, record)
        item.save(update_fields=_SETTLED_FIELDS)
        note(item, "edited", now, self.run, **settled_detail(item))

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

    def is_meant(self, item: Item, wanted: Sequence[str]) -> bool:
        """Whether `--only` names this item."""
        return item.record_id in wanted or item.identity_key in {normalise_ref(word) for word in wanted}

    def missing_since(self, moment: datetime) -> QuerySet[Item]:
        """Items that a full pass that began at `moment` did not meet."""
        return self.source.items.filter(gone_at=None, seen_at__lt=moment)

    def gone(self, item: Item, now: datetime) -> None:
        """The record is no longer in the source: it leaves the totals, its file stays."""
        item.gone_at, item.in_hand = now, None
        item.save(update_fields=["gone_at", "in_hand"])
        note(item, GONE, now, self.run)

    def listed_through(self, place: int, anchor: str, complete: bool) -> None:
        """Remember how far the listing came."""
        source = self.source
        if (source.listed_through, source.anchor, source.listing_complete) != (place, anchor, complete):
            source.listed_through, source.anchor, source.listing_complete = place, anchor, complete
            source.save(update_fields=["listed_through", "anchor", "listing_complete"])

    # What is to do.

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

    # Items.

    def in_hand(self, items: Iterable[Item]) -> None:
        """Commit that these items are being carried. To be called before their downloads start."""
        pks = [item.pk for item in items]
        self.source.items.filter(pk__in=pks).update(in_hand=self.run)

    def let_go(self, item: Item, seen_at: datetime | None = None) -> None:
        """Nothing was decided about this item; `seen_at` when it was met in the source all the same."""
        seen = {} if seen_at is None else {"seen_at": seen_at}
        Item.objects.filter(pk=item.pk).update(in_hand=None, **seen)

    def settle(
        self, item: Item, record: SourceRecord | None, outcome: Outcome, now: datetime
    ) -> tuple[Consignment, Any] | None:
        """Write down what became of an item; with a stored file also the project's row, in the caller's transaction.

        Returns what `after_commit` is called with. An exception of the project's own code costs this item its row, not
        the run: the stored file is found again by the next try.
        """
        landed = None
        if self._keeps_the_old(item, outcome):
            self._kept(item, outcome.reason, now)
            return None
        if outcome.stored is not None and record is not None and outcome.content is not None:
            try:
                with transaction.atomic():
                    landed, outcome = self._record(item, record, outcome, outcome.content)
            except Exception as error:
                log.exception("record %s: its row could not be written", item.record_id)
                self.owners.forget(item.owner_ref)
                if isinstance(error, DatabaseError) and not transaction.get_connection().is_usable():
                    raise
                if item.state in STORED:
                    self._kept(item, "record_failed", now)
                    return None
                outcome = replace(
                    outcome,
                    state=S.FAILED,
                    reason="record_failed",
                    detail=f"{type(error).__name__} while its row was written; the file is stored",
                    final=False,
                )
        self._write(item, record, outcome, now)
        if outcome.state != S.PENDING:
            owner = landed[0].owner if landed else None
            note(item, item.state, now, self.run, **settled_detail(item, owner))
        return landed

    def settle_many(
        self, entries: Sequence[tuple[Item, SourceRecord, Outcome]], now: datetime
    ) -> list[tuple[Consignment, Any] | None]:
        """The same for many items at once, a few queries for all, in the caller's transaction; None for those without
        a file. Good files are not held against earlier ones: it is for records whose edits nobody looks for.

        An exception of the project's own code is raised: then nothing of them is settled.
        """
        importer = self.importer
        matches = self.owners.find(importer.owner_ref_of(record) for _, record, outcome in entries if outcome.stored)
        stored: list[tuple[Item, Consignment, Content]] = []
        settled: list[tuple[Item, SourceRecord, Outcome]] = []
        for item, record, outcome in entries:
            if outcome.stored is not None and outcome.content is not None:
                match = matches[normalise_ref(importer.owner_ref_of(record))]
                content = outcome.content
                consignment, outcome = self._consign(record, outcome, match)
                stored.append((item, consignment, content))
            settled.append((item, record, outcome))
        rows = importer.record_many([(consignment, content) for _, consignment, content in stored])
        for (item, _, _), row in zip(stored, rows, strict=True):
            item.row = str(row.pk) if row is not None else ""
        for item, record, outcome in settled:
            self._apply(item, record, outcome, now)
        items = [item for item, _, _ in settled]
        known = [item for item in items if item.pk is not None]
        Item.objects.bulk_create([item for item in items if item.pk is None], batch_size=500)
        Item.objects.bulk_create(
            known, update_conflicts=True, unique_fields=["id"], update_fields=_SETTLED_FIELDS, batch_size=500
        )
        for item in items:
            self._ends(item, item.state)
        owners = {item.pk: consignment.owner for item, consignment, _ in stored}
        for state in {item.state for item in items}:
            told = [(item, settled_detail(item, owners.get(item.pk))) for item in items if item.state == state]
            note_all(told, state, now, self.run)
        landed = {id(item): (consignment, row) for (item, consignment, _), row in zip(stored, rows, strict=True)}
        return [landed.get(id(item)) for item in items]

    def _record(
        self, item: Item, record: SourceRecord, outcome: Outcome, content: Content
    ) -> tuple[tuple[Consignment, Any], Outcome]:
        match = self.owners.one(self.importer.owner_ref_of(record)) if self.importer.owner else OwnerMatch()
        consignment, outcome = self._consign(record, outcome, match)
        row = self.importer.record(consignment, content)
        item.row = str(row.pk) if row is not None else ""
        return (consignment, row), outcome

    def _consign(self, record: SourceRecord, outcome: Outcome, match: OwnerMatch) -> tuple[Consignment, Outcome]:
        importer = self.importer
        owner_ref = importer.owner_ref_of(record)
        state, reason, detail = outcome.state, outcome.reason, outcome.detail
        if state == S.IMPORTED and importer.owner and match.owner is None:
            state, reason, detail = S.UNLINKED, match.reason, match.detail
        outcome = replace(outcome, state=state, reason=reason, detail=detail)
        assert outcome.stored is not None
        day, raw_day = importer.taken_on.read(record) if importer.taken_on else (None, "")
        consignment = Consignment(
            source=importer.name,
            record=record,
            identity=normalise_ref(importer.identity_of(record)),
            owner=match.owner,
            owner_ref=normalise_ref(owner_ref),
            day=day,
            raw_day=raw_day,
            category=str(record.fields.get(importer.category, "")) if importer.category else "",
            original_name=outcome.original_name,
            key=outcome.stored.key,
            thumbnail_key=outcome.thumbnail.key if outcome.thumbnail else "",
            thumbnail_size=outcome.thumbnail.size if outcome.thumbnail else 0,
            field=outcome.field,
            state=state,
            reason=reason,
            uploaded_by=self.uploaded_by or importer.name,
            metadata=metadata_of(record),
            attempts=outcome.attempts,
        )
        return consignment, outcome

    def _keeps_the_old(self, item: Item, outcome: Outcome) -> bool:
        """A file that was to replace a good one but is not to be had: the good one stays, another pass tries again."""
        if outcome.stored is not None and outcome.stored.key == item.key:
            return False  # the same file, looked at again
        return item.state in (S.IMPORTED, S.UNLINKED) and outcome.state in (S.FAILED, S.QUARANTINED, S.EMPTY)

    def _kept(self, item: Item, reason: str, now: datetime) -> None:
        item.in_hand = None
        item.detail = f"the edited record's file could not be had ({reason}); the earlier one stays"
        item.save(update_fields=["in_hand", "detail"])
        note(item, "kept", now, self.run, reason=reason)

    def _write(self, item: Item, record: SourceRecord | None, outcome: Outcome, now: datetime) -> None:
        self._apply(item, record, outcome, now)
        item.save(update_fields=_SETTLED_FIELDS)
        if outcome.state != S.PENDING:
            self._ends(item, outcome.state)

    def _apply(self, item: Item, record: SourceRecord | None, outcome: Outcome, now: datetime) -> None:
        item.in_hand = None
        item.move(outcome.state)
        item.reason, item.detail, item.final = outcome.reason, outcome.detail, outcome.final
        item.attempts = [_attempt_json(attempt) for attempt in outcome.attempts] or item.attempts
        item.known_size = outcome.known_size or item.known_size
        if record is not None:
            if item.road == self.road:
                item.mod_id = record.mod_id
            self._describe(item, record)
        if outcome.state == S.PENDING:
            return
        # What our own network broke is no attempt at the file (CONTRACT B4).
        item.tries += outcome.reason != OwnNetworkDown.reason
        item.settled_at, item.settled_in = now, self.run
        item.next_try_at = None
        if outcome.state == S.FAILED and not outcome.final:
            item.next_try_at = now + RETRY_WAITS[min(max(0, item.tries - 1), len(RETRY_WAITS) - 1)]
        if outcome.stored is not None:
            if item.key and item.key != outcome.stored.key and item.state in STORED:
                item.notes = [*item.notes, f"earlier version: {item.key}"]
            _store_facts(item, outcome)

    def marked(self, item_id: int, mod_id: str, now: datetime) -> None:
        """The marker is in FileMaker; its own modification id becomes the known one (CONTRACT B1)."""
        Item.objects.filter(pk=item_id).update(marked_at=now, mod_id=mod_id)

    def found_in_store(self, item: Item, key: str, sha256: str) -> None:
        """Remember that the store already has this item's file, so that it is not fetched again."""
        item.key, item.sha256 = key[:1024], sha256
        item.save(update_fields=["key", "sha256"])


S = ItemState


#: What a page changes.
_LISTED_FIELDS = ["position", "seen_at", "gone_at", "record_id", "road", "mod_id", "attempts", "tries", "state"]

#: What carrying an item changes; its place in the listing is not among it, since a page may have moved it meanwhile.
_SETTLED_FIELDS = [
    *(
        "state",
        "reason",
        "detail",
        "final",
        "tries",
        "next_try_at",
        "attempts",
        "in_hand",
        "mod_id",
        "known_size",
    ),
    *(
        "identity",
        "identity_key",
        "owner_ref",
        "owner_key",
        "day",
        "category",
    ),
    *("field", "lesser_copy", "original_name", "key", "size", "sha256", "mime_type", "width", "height", "notes", "row"),
    *("thumbnail_key", "thumbnail_size", "thumbnail_error", "spare_key", "settled_at", "settled_in", "proven_at"),
]


def metadata_of(record: SourceRecord) -> dict[str, Any]:
    """Every field that is no container as it was read, long base64 text left out; JSON types."""
    return {
        name: value if isinstance(value, (int, str)) else str(value)
        for name, value in record.fields.items()
        if not _is_long_base64(value)
    }


def _is_long_base64(value: object) -> bool:
    if not isinstance(value, str) or len(value) < _LONG_BASE64:
        return False
    sample = value[:_LONG_BASE64].replace("\r", "").replace("\n", "")
    return sample.isascii() and all(char.isalnum() or char in "+/=-_" for char in sample)


def _size_hint(importer: ContainerImport, record: SourceRecord) -> int | None:
    if importer.size_field:
        try:
            return int(record.fields.get(importer.size_field, ""))
        except (ValueError, TypeError):
            return None
    return next((ref.size for ref in record.containers.values() if ref.size), None)


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {"field": attempt.field, "result": attempt.result, "detail": attempt.detail, "size": attempt.size}


def _content_of(item: Item) -> Content:
    """What the ledger knows of a stored file."""
    return Content(
        mime_type=item.mime_type,
        extension=extension_of(item.key),
        size=item.size or 0,
        sha256=item.sha256,
        width=item.width,
        height=item.height,
        thumbnail_error=item.thumbnail_error or None,
        notes=tuple(item.notes),
    )


def _store_facts(item: Item, outcome: Outcome) -> None:
    stored, content = outcome.stored, outcome.content
    assert stored is not None
    if (item.key, item.sha256) != (stored.key, stored.sha256):
        item.proven_at = None  # what was read was another object
    item.key, item.size, item.sha256 = stored.key, stored.size, stored.sha256
    item.field, item.lesser_copy = outcome.field, outcome.lesser_copy
    item.original_name = outcome.original_name[:255]
    if content is not None:
        item.mime_type, item.width, item.height = content.mime_type, content.width, content.height
        item.thumbnail_error = (content.thumbnail_error or "")[:255]
        earlier = [note for note in item.notes if note.startswith("earlier version: ")]
        item.notes = [*(note for note in content.notes if note not in earlier), *earlier]
    if outcome.thumbnail is not None:
        item.thumbnail_key, item.thumbnail_size = outcome.thumbnail.key, outcome.thumbnail.size
    if outcome.spare is not None:
        item.spare_key = outcome.spare.key


__all__ = ["RETRY_WAITS", "SETTLED", "STORED", "Books", "Listed", "Wire", "metadata_of"]
