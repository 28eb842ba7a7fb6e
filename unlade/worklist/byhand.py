"""A file that a person found, or a row that is to be written anew, on the same voyage as all others: spool, inspection,
store, ledger and row. FileMaker is not asked: what the record says comes from the ledger and from the row.

Called under the source's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from unlade.agenda import order_for
from unlade.cargo import Attempt, Content, Outcome, Parcel, SourceRecord, Wire
from unlade.errors import UnladeError, UsageError
from unlade.hooks import after_commit
from unlade.importer import ContainerImport
from unlade.ledger.books import Books
from unlade.ledger.events import BY_HAND, note
from unlade.ledger.models import Item
from unlade.media import Kind, sniff
from unlade.owners import OwnerFinder
from unlade.ship import Inspector
from unlade.spool import Spool
from unlade.states import STORED, ItemState
from unlade.store import Store
from unlade.stowing import stow
from unlade.waterfall import Haul
from unlade.worklist.decisions import set_aside_if_damaged

S = ItemState

#: What `field` and the attempts call a file that a person brought.
HAND = "by hand"

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Landed:
    """What became of an item. `existed`: the store had these bytes already."""

    item: Item
    before: str
    existed: bool
    notes: tuple[str, ...] = ()


@dataclass
class Quay:
    """What landing by hand needs; `importer` and `store` are what `stow` asks for."""

    importer: ContainerImport
    store: Store
    spool: Spool
    inspector: Inspector
    clock: Callable[[], datetime]
    uploaded_by: str = ""

    def send(self, item: Item, path: Path, by: str) -> Landed:
        """Send the file at `path` as the item's. Raises `UsageError` for a file that is none, or is damaged."""
        if item.reason in ("duplicate_identity", "no_identity"):
            raise UsageError(
                f"record {item.record_id} has no identity of its own, so its file would take another one's place",
                remedy="Give it an id in FileMaker and import with --changed, or accept it.",
            )
        self._refuse_rubbish(path)
        field = item.slot or self.importer.containers[0]
        with self._parcel(item, field, _read(path), path.name) as parcel:
            content = self._inspect(parcel)
            if content.damage:
                raise UsageError(
                    f"{path.name} is damaged ({content.damage}); nothing was changed",
                    remedy="Look for a better copy, or accept the item as it is.",
                )
            if item.key and item.state in (*STORED, S.ACCEPTED):
                set_aside_if_damaged(self.store, self.spool, self.importer, item)
            haul = Haul(record_of(self.importer, item), taken=(parcel, content))
            attempts = (*order_for(item, None).prior, Attempt(HAND, "taken", size=parcel.size))
            return self._land(item, haul, by, field=HAND, attempts=attempts, name=path.name)

    def rewrite(self, item: Item, by: str) -> Landed:
        """Write the item's row and thumbnail anew from the stored file. Raises `UsageError` when there is none."""
        if not item.key or item.state not in STORED:
            raise UsageError(f"record {item.record_id} is {item.state}: it has no stored file to write a row for")
        info = self.store.head(item.key)
        if info is None or info.size != item.size:
            raise UsageError(
                f"record {item.record_id}: its file is not in the store as it was stored",
                remedy="Have it fetched anew with --again, or give it with --file PATH.",
            )
        field = item.field if item.field in self.importer.containers else item.slot or self.importer.containers[0]
        with self.store.open(item.key) as chunks, self._parcel(item, field, chunks, item.original_name) as parcel:
            if parcel.sha256 != item.sha256:
                raise UsageError(
                    f"record {item.record_id}: its file in the store has other bytes than were stored",
                    remedy="Have it fetched anew with --again, or give it with --file PATH.",
                )
            content = self._inspect(parcel)
            haul, reason = Haul(record_of(self.importer, item)), {}
            if item.state == S.QUARANTINED:
                haul.damaged = (parcel, replace(content, damage=content.damage or item.reason or "damaged"))
                reason = {"reason": item.reason, "detail": item.detail}
            else:
                haul.taken = (parcel, replace(content, damage=None))
            return self._land(
                item, haul, by, field=item.field, name=item.original_name, lesser_copy=item.lesser_copy, **reason
            )

    def _land(self, item: Item, haul: Haul, by: str, *, name: str, **outcome_changes: Any) -> Landed:
        """Store, then ledger and row in one transaction (DESIGN 5.3)."""
        before = item.state
        order = order_for(item, haul.record)
        outcome = stow(order, haul, self, None)
        stored = outcome.stored
        assert stored is not None
        if stored.existed and self.store.sha256(stored.key) != stored.sha256:
            # The object only says that it has these bytes.
            self.store.delete(stored.key)
            outcome = stow(order, haul, self, None)
        outcome = replace(outcome, original_name=(item.original_name or name), **outcome_changes)
        landed = self._settle(item, haul.record, outcome, by)
        if item.state == S.FAILED:
            raise UnladeError(
                f"record {item.record_id}: the file is stored, but its row could not be written: {item.detail}",
                remedy="Mend the declaration's `record`, then type the same again.",
            )
        after_commit(self.importer, landed, item.record_id)
        content = outcome.content
        return Landed(item, before, stored.existed, tuple(content.notes) if content else ())

    def _settle(self, item: Item, record: SourceRecord, outcome: Outcome, by: str) -> tuple[Any, Any] | None:
        books = Books.by_hand(self.importer, item.source, OwnerFinder(self.importer.owner), self.uploaded_by)
        stored = outcome.stored
        with transaction.atomic():
            if item.state in (S.EMPTY, S.ACCEPTED):
                item.move(S.PENDING)
                item.accepted_by = item.accepted_why = ""
                item.save(update_fields=["accepted_by", "accepted_why"])
            now = self.clock()
            note(
                item, BY_HAND, now, by=by, sha256=stored.sha256 if stored else "", size=stored.size if stored else None
            )
            return books.settle(item, record, outcome, now)

    def _inspect(self, parcel: Parcel) -> Content:
        box = self.importer.thumbnail
        return self.inspector.inspect(
            parcel, name=parcel.name, box=(box.width, box.height) if box else (0, 0), want_thumbnail=box is not None
        )

    @contextmanager
    def _parcel(self, item: Item, field: str, chunks: Iterable[bytes], name: str) -> Iterator[Parcel]:
        """The bytes in the spool; gone from there afterwards, whatever happens."""
        key = order_for(item, None).spool_key
        writer = self.spool.begin(self.importer.name, key, field, record_id=item.record_id, mod_id=item.mod_id)
        try:
            for chunk in chunks:
                writer.write(chunk)
            parcel = writer.finish(content_type=None, name=name or None, wire=Wire())
        except BaseException:
            writer.abandon(keep_partial=False)
            raise
        try:
            yield parcel
        finally:
            self.spool.discard(parcel)

    @staticmethod
    def _refuse_rubbish(path: Path) -> None:
        try:
            found = sniff(path, path.name, None)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
        if found.kind is Kind.EMPTY:
            raise UsageError(f"{path.name} has no bytes; nothing was changed")


def record_of(importer: ContainerImport, item: Item) -> SourceRecord:
    """The record as the ledger and the row know it, without any container."""
    fields: dict[str, Any] = dict(importer.row_metadata(item.row)) if item.row else {}
    fields[importer.identity] = item.identity
    if importer.owner:
        fields |= dict(zip(importer.owner.fields, item.owner_refs or [item.owner_ref], strict=False))
    record = SourceRecord(item.record_id, item.mod_id, fields, {}, item.seen_at)
    if importer.taken_on and importer.taken_on.read(record)[0] != item.day:
        fields[importer.taken_on.field] = item.day.isoformat() if item.day else ""
    if importer.category:
        fields.setdefault(importer.category, item.category)
    if importer.original_name and item.original_name:
        fields.setdefault(importer.original_name, item.original_name)
    return record


def _read(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
