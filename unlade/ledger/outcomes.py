"""What became of items: in hand, let go, settled with their row in one transaction (DESIGN 5.3)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, models, transaction

from unlade.cargo import Attempt, Content, Outcome, SourceRecord
from unlade.errors import OwnNetworkDown
from unlade.importer import Consignment, ContainerImport
from unlade.keys import extension_of
from unlade.ledger.choice import whose
from unlade.ledger.events import GONE, note, note_all, settled_detail
from unlade.ledger.models import Item
from unlade.ledger.runs import RunBooks
from unlade.ledger.writing import enter, update
from unlade.owners import OwnerMatch, normalise_ref
from unlade.signals import item_gone, item_settled, send
from unlade.states import STORED, ItemState

log = logging.getLogger(__name__)

S = ItemState

#: Waits between tries of a failure that may pass: at the end of the same run, then ever later.
RETRY_WAITS = (timedelta(0), timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))

#: Text longer than this that looks like base64 is not worth keeping twice (LESSONS 5).
_LONG_BASE64 = 2048

#: What carrying an item changes; its place in the listing is not among it, since a page may have moved it meanwhile.
SETTLED_FIELDS = [
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
        "file_mod_id",
        "file_stamp",
        "known_size",
    ),
    *(
        "identity",
        "identity_key",
        "owner_ref",
        "owner_key",
        "owner_refs",
        "day",
        "category",
    ),
    *("field", "lesser_copy", "original_name", "key", "size", "sha256", "mime_type", "width", "height", "notes", "row"),
    *("thumbnail_key", "thumbnail_size", "thumbnail_error", "spare_key", "settled_at", "settled_in", "proven_at"),
]


class OutcomeBooks(RunBooks):
    """Writes down what workers bring."""

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
                self.owners.forget(item.reference)
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
            self._tell(item, landed)
        return landed

    def _tell(self, item: Item, landed: tuple[Consignment, Any] | None) -> None:
        consignment, row = landed or (None, None)
        send(item_settled, self.importer, item=item, row=row, consignment=consignment)

    def settle_many(
        self, entries: Sequence[tuple[Item, SourceRecord, Outcome]], now: datetime
    ) -> list[tuple[Consignment, Any] | None]:
        """The same for many items at once, a few queries for all, in the caller's transaction; None for those without
        a file, and rows that nobody asks for are None. Good files are not held against earlier ones: it is for records
        whose edits nobody looks for.

        An exception of the project's own code is raised: then nothing of them is settled.
        """
        importer = self.importer
        landed_ones = [(item, importer.owner_refs_of(record)) for item, record, outcome in entries if outcome.stored]
        matches = {
            id(item): match for (item, _), match in zip(landed_ones, whose(self.owners, landed_ones), strict=True)
        }
        stored: list[tuple[Item, Consignment, Content]] = []
        settled: list[tuple[Item, SourceRecord, Outcome]] = []
        for item, record, outcome in entries:
            if outcome.stored is not None and outcome.content is not None:
                match = matches[id(item)]
                content = outcome.content
                consignment, outcome = self._consign(record, outcome, match)
                stored.append((item, consignment, content))
            settled.append((item, record, outcome))
        rows, keys = write_rows(importer, [(consignment, content) for _, consignment, content in stored])
        for (item, _, _), key in zip(stored, keys, strict=True):
            item.row = str(key) if key is not None else ""
        for item, record, outcome in settled:
            self._apply(item, record, outcome, now)
        items = [item for item, _, _ in settled]
        known = [item for item in items if item.pk is not None]
        enter(item for item in items if item.pk is None)
        update(known, SETTLED_FIELDS)
        for item in items:
            self._ends(item, item.state)
        owners = {item.pk: consignment.owner for item, consignment, _ in stored}
        for state in {item.state for item in items}:
            told = [(item, settled_detail(item, owners.get(item.pk))) for item in items if item.state == state]
            note_all(told, state, now, self.run)
        landed = {id(item): (consignment, row) for (item, consignment, _), row in zip(stored, rows, strict=True)}
        for item in items:
            self._tell(item, landed.get(id(item)))
        return [landed.get(id(item)) for item in items]

    def _record(
        self, item: Item, record: SourceRecord, outcome: Outcome, content: Content
    ) -> tuple[tuple[Consignment, Any], Outcome]:
        refs = self.importer.owner_refs_of(record)
        match = whose(self.owners, [(item, refs)])[0] if self.importer.owner else OwnerMatch()
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
        if (state, reason, detail) != (outcome.state, outcome.reason, outcome.detail):
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
        item.save(update_fields=SETTLED_FIELDS)
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
            if record is not None and item.road == self.road:
                item.file_mod_id = record.mod_id
            if record is not None and outcome.started:
                taken = record.containers.get(outcome.field)
                item.file_stamp = taken.stamp[:64] if taken is not None else ""
            if item.key and item.key != outcome.stored.key and item.state in STORED:
                item.notes = [*item.notes, f"earlier version: {item.key}"]
            _store_facts(item, outcome)

    def _describe(self, item: Item, record: SourceRecord) -> None:
        """What the record says of the item; an item that was caught up from the store knows little of it."""
        importer = self.importer
        identity, owner_ref = importer.identity_of(record), importer.owner_ref_of(record)
        item.identity, item.identity_key = identity[:255], normalise_ref(identity)[:255]
        item.owner_ref, item.owner_key = owner_ref[:255], normalise_ref(owner_ref)[:255]
        refs = importer.owner_refs_of(record)
        item.owner_refs = [] if isinstance(refs, str) else list(refs)
        item.day = importer.taken_on.read(record)[0] if importer.taken_on else None
        item.category = str(record.fields.get(importer.category, ""))[:255] if importer.category else ""

    def gone(self, item: Item, now: datetime) -> None:
        """The record is no longer in the source: it leaves the totals, its file stays."""
        item.gone_at, item.in_hand = now, None
        item.save(update_fields=["gone_at", "in_hand"])
        note(item, GONE, now, self.run)
        send(item_gone, self.importer, item=item)

    def marked(self, item_id: int, mod_id: str, now: datetime) -> None:
        """The marker is in FileMaker; its own modification id becomes the known one (CONTRACT B1)."""
        item = Item.objects.filter(pk=item_id)
        item.filter(file_mod_id=models.F("mod_id")).update(file_mod_id=mod_id)
        item.update(marked_at=now, mod_id=mod_id)


def write_rows(
    importer: ContainerImport, stored: Sequence[tuple[Consignment, Content]]
) -> tuple[Sequence[Any], Sequence[Any]]:
    """Write the project's rows; they and their primary keys. Where nobody asks for rows, they are None."""
    kind = type(importer)
    if kind.after_commit is ContainerImport.after_commit and not item_settled.has_listeners(kind):
        keys = importer.insert_many(stored)
        if keys is not None:
            return [None] * len(keys), keys
    rows = importer.record_many(stored)
    return rows, [row.pk if row is not None else None for row in rows]


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


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {"field": attempt.field, "result": attempt.result, "detail": attempt.detail, "size": attempt.size}


def content_of(item: Item) -> Content:
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
