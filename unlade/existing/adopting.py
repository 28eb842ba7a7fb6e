"""What an earlier script left enters the ledger without a fetch: its rows, and objects that nobody has a row for.

A row or object is known by the source's id, by the id that begins its key's name, or by its bytes; two that claim one
id are both left alone. What cannot be matched is a finding. The source's lock is held.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from unlade.cargo import Content, Outcome, Road, SourceRecord, Stored
from unlade.desktop.catalogue import Catalogue, Finding, key_of
from unlade.desktop.findings import write_report
from unlade.desktop.joining import enter_files, file_row, made_up_id
from unlade.desktop.listed import join_listing
from unlade.errors import Interrupted
from unlade.importer import ContainerImport, LeftRow
from unlade.keys import extension_of, stem_of
from unlade.ledger.books import Books
from unlade.ledger.choice import whose
from unlade.ledger.events import note_all, settled_detail
from unlade.ledger.models import Item, Source
from unlade.options import RunOptions
from unlade.owners import OwnerFinder, normalise_ref
from unlade.states import STORED, ItemState
from unlade.store import Store
from unlade.worklist.byhand import record_of

S = ItemState

_PORTION = 500
_MD5 = re.compile(r"[0-9a-f]{32}")
_TAIL = re.compile(r"[_\-~. ][^_\-~. ]*\Z")


@dataclass
class Adoption:
    """What adopting came to: `rows` and `objects` that entered the ledger, `known` rows it had, findings by kind."""

    dry_run: bool = False
    rows: int = 0
    objects: int = 0
    known: int = 0
    findings: dict[str, int] = field(default_factory=dict)

    @property
    def open(self) -> int:
        """How many could not be matched."""
        return sum(count for what, count in self.findings.items() if what not in ("row_adopted", "object_adopted"))


def adopt(
    importer: ContainerImport,
    store: Store,
    options: RunOptions,
    *,
    prefix: str,
    clock: Callable[[], datetime],
    uploaded_by: str = "",
    stopped: Callable[[], bool] = lambda: False,
) -> Adoption:
    """Match rows and objects below `prefix`; with `options.dry_run` only say what would be adopted.

    `options.from_path` or `metadata` name an export whose MD5s and records are used as well. Each portion is a
    transaction: a second call goes on where one was broken off. Raises `UsageError`, `SourceError`, `StoreError`, and
    `Interrupted` between two portions.
    """
    told = bool(options.from_path or options.metadata)
    records, _ = join_listing(importer, (), options) if told else (Catalogue(), [])
    objects = Catalogue()
    try:
        _list(store, objects, prefix.strip("/"))
        result = Adoption(options.dry_run)
        adopter = _Adopter(importer, store, records, objects, clock, uploaded_by, result, stopped)
        try:
            with transaction.atomic() if options.dry_run else nullcontext():
                adopter.rows()
                adopter.left_objects()
                if options.dry_run:
                    transaction.set_rollback(True)
        finally:
            result.findings = objects.found()
            if options.report:
                write_report(objects, Path(options.report))
        return adopter.result
    finally:
        records.close()
        objects.close()


def _list(store: Store, objects: Catalogue, prefix: str) -> None:
    rows, digests = [], []
    for info in store.list(prefix, cargo_only=True):
        rows.append(file_row(info.key, info.size, 0))
        etag = (info.etag or "").strip('"').lower()
        if _MD5.fullmatch(etag):
            digests.append((etag, info.key))
        if len(rows) >= 5000:
            enter_files(objects, rows)
            rows = []
    enter_files(objects, rows)
    objects.db.executemany("UPDATE files SET md5 = ? WHERE path = ?", digests)


@dataclass
class _Adopter:
    importer: ContainerImport
    store: Store
    records: Catalogue
    objects: Catalogue
    clock: Callable[[], datetime]
    uploaded_by: str
    result: Adoption
    stopped: Callable[[], bool]

    def __post_init__(self) -> None:
        defaults = {"layout": self.importer.layout}
        self.objects.db.executescript(
            "CREATE TABLE claims (kind TEXT, who TEXT, identity TEXT, how TEXT, PRIMARY KEY (kind, who)) WITHOUT ROWID;"
            "CREATE INDEX claims_identity ON claims (kind, identity);"
        )
        self.source, _ = Source.objects.get_or_create(name=self.importer.name, defaults=defaults)

    # Rows.

    def rows(self) -> None:
        """Every row that the ledger does not know. Who claims what is settled first: two claims are none."""
        for rows in self._unknown_rows():
            for row in rows:
                self.objects.db.execute("UPDATE files SET used = used + 1 WHERE path = ?", (row.key,))
                identity, how = self._identity(row.identity, row.key)
                self._claim("row", str(row.pk), identity, how)
        for rows in self._unknown_rows():
            self._go_on()
            with transaction.atomic():
                self._take(rows)

    def _go_on(self) -> None:
        if self.stopped():
            raise Interrupted

    def _unknown_rows(self) -> Iterator[list[LeftRow]]:
        after: Any = None
        self.result.known = 0
        while rows := self.importer.left_rows(after, _PORTION):
            after = rows[-1].pk
            pks = [str(row.pk) for row in rows]
            known = set(self.source.items.filter(row__in=pks).values_list("row", flat=True))
            self.result.known += len(known)
            for row in rows:
                if str(row.pk) in known:
                    self.objects.db.execute("UPDATE files SET used = used + 1 WHERE path = ?", (row.key,))
            yield [row for row in rows if str(row.pk) not in known]

    def _claim(self, kind: str, who: str, identity: str, how: str) -> None:
        self.objects.db.execute("INSERT INTO claims VALUES (?, ?, ?, ?)", (kind, who, identity, how))

    def _claimed(self, kind: str, who: str) -> tuple[str, str, int]:
        """The identity that was claimed, by what it is known, and how many claim it."""
        identity, how = self.objects.db.execute(
            "SELECT identity, how FROM claims WHERE kind = ? AND who = ?", (kind, who)
        ).fetchone()
        count = self.objects.db.execute(
            "SELECT count(*) FROM claims WHERE kind = ? AND identity = ?", (kind, identity)
        ).fetchone()
        return identity, how, int(count[0])

    def _take(self, rows: Sequence[LeftRow]) -> None:
        facts = self.importer.rows([str(row.pk) for row in rows]) or {}
        owners = self._owner_refs([fact.owner for fact in facts.values() if fact.owner is not None])
        settled = []
        for row in rows:
            size = self._size(row.key)
            if size is None:
                self._find("row_without_object", row.identity, row.key, f"row {row.pk}: its object is not in the store")
                continue
            identity, how, count = self._claimed("row", str(row.pk))
            if not identity:
                self._find("row_unmatched", "", row.key, f"row {row.pk}: nothing tells which record it is")
                continue
            item = self._item(identity)
            if count > 1 or (item.row and item.state in STORED):
                self._find("two_rows", identity, row.key, f"row {row.pk}: another row is this record's too")
                continue
            fact = facts.get(str(row.pk))
            owner = fact.owner if fact is not None else None
            day = fact.day if fact is not None and isinstance(fact.day, date) else item.day
            self._settle(item, row, size, owner, owners.get(owner, ""), day)
            self.importer.adopt_row(row.pk, identity)
            if item.owner_row and item.owner_row != str(owner):
                self._to_chosen(item)
            settled.append((item, settled_detail(item)))
            self.result.rows += 1
            self._find("row_adopted", identity, row.key, f"row {row.pk}, known by its {how}", item)
        for state in {item.state for item, _ in settled}:
            note_all([pair for pair in settled if pair[0].state == state], state, self.clock())

    def _owner_refs(self, pks: Sequence[Any]) -> dict[Any, str]:
        owner = self.importer.owner
        if owner is None or not pks:
            return {}
        return owner.refs_by_key(sorted(set(pks)))

    def _settle(self, item: Item, row: LeftRow, size: int, owner: Any, ref: str, day: date | None) -> None:
        linked = owner is not None or self.importer.owner is None
        item.move(S.IMPORTED if linked else S.UNLINKED)
        item.reason = "" if linked else "owner_missing"
        item.detail, item.final, item.next_try_at = "", True, None
        item.row, item.key, item.size, item.sha256 = str(row.pk), row.key, size, row.sha256
        item.original_name = row.original_name[:255]
        item.mime_type = mimetypes.guess_type(f"x{extension_of(row.key)}")[0] or ""
        item.day, item.settled_at = day, self.clock()
        if ref:
            item.owner_ref, item.owner_key = ref[:255], normalise_ref(ref)[:255]
        item.save()

    def _to_chosen(self, item: Item) -> None:
        """A person has chosen the owner before; the row that was left goes there too."""
        match = whose(OwnerFinder(self.importer.owner), [(item, item.reference)])[0]
        if match.owner is not None:
            self.importer.reassign([(item.row, match.owner)])
            if item.state == S.UNLINKED:
                item.move(S.IMPORTED)
        item.reason, item.detail = match.reason, match.detail
        if match.owner is None and item.state == S.IMPORTED:
            item.move(S.UNLINKED)
        item.save(update_fields=["state", "reason", "detail"])

    # Objects without a row.

    def left_objects(self) -> None:
        """Every object that no row and no item holds: a record that is still open may be the one it belongs to."""
        for files in self._unheld():
            for key, _ in files:
                self._claim("object", key, *self._identity("", key))
        for files in self._unheld():
            self._go_on()
            with transaction.atomic():
                self._take_objects(files)

    def _unheld(self) -> Iterator[list[tuple[str, int]]]:
        query = "SELECT path, size FROM files WHERE used = 0 AND path > ? ORDER BY path LIMIT ?"
        after = ""
        while files := self.objects.db.execute(query, (after, _PORTION)).fetchall():
            after = files[-1][0]
            held = self._held([key for key, _ in files])
            yield [(key, size) for key, size in files if key not in held]

    def _held(self, keys: Sequence[str]) -> set[str]:
        items = Item.objects.filter(source=self.source)
        found = set(items.filter(key__in=keys).values_list("key", flat=True))
        return found | set(items.filter(spare_key__in=keys).values_list("spare_key", flat=True))

    def _take_objects(self, files: Sequence[tuple[str, int]]) -> None:
        books = Books.by_hand(self.importer, self.source, OwnerFinder(self.importer.owner), self.uploaded_by)
        entries: list[tuple[Item, SourceRecord, Outcome]] = []
        for key, size in files:
            identity, how, count = self._claimed("object", key)
            if not identity:
                self._find("object_unmatched", "", key, "nothing tells which record it is")
                continue
            item = self._item(identity)
            if count > 1 or item.state in STORED:
                self._find("two_objects", identity, key, "another file is this record's, or may be")
                continue
            record = self.records.record(made_up_id(identity), self.clock()) if self.records.count() else None
            if record is None and item._state.adding:
                self._find(
                    "object_unmatched", identity, key, "nobody knows whose record this is: list the source first"
                )
                continue
            entries.append((item, record or record_of(self.importer, item), self._outcome(key, size)))
            self.result.objects += 1
            self._find("object_adopted", identity, key, f"known by its {how}", item)
        if entries:
            books.settle_many(entries, self.clock())

    def _outcome(self, key: str, size: int) -> Outcome:
        extension = extension_of(key).lower()
        mime = mimetypes.guess_type(f"x{extension}")[0] or "application/octet-stream"
        wrong = "zero_bytes" if size == 0 else ""
        content = Content(mime, extension, size, "", damage=wrong or None)
        stored = Stored(key, size, "", existed=True)
        state = S.QUARANTINED if wrong else S.IMPORTED
        field = self.importer.containers[0]
        return Outcome(state, wrong, final=True, field=field, content=content, stored=stored)

    # Who is who.

    def _item(self, identity: str) -> Item:
        """The record's item, or a new one that is not written yet."""
        found = self.source.items.filter(identity_key=normalise_ref(identity), slot="").order_by("pk").first()
        if found is not None:
            return found
        return Item(
            source=self.source,
            record_id=made_up_id(identity),
            road=Road.FOLDER,
            identity=identity[:255],
            identity_key=normalise_ref(identity)[:255],
            seen_at=self.clock(),
        )

    def _identity(self, told: str, key: str) -> tuple[str, str]:
        """The record's id and by what it is known: filemaker_id, key or content; ("", "") when nothing tells it."""
        if told:
            return told, "filemaker_id"
        for name in _names(key):
            if self._is_known(name):
                return normalise_ref(name), "key"
        md5 = self.objects.db.execute("SELECT md5 FROM files WHERE path = ?", (key,)).fetchone()
        if self.records.count():
            digest = (md5[0] if md5 else "") or self._digest(key)
            query = "SELECT DISTINCT identity FROM rows LEFT JOIN refs USING (place) WHERE rows.md5 = ? OR refs.md5 = ? LIMIT 2"
            found = self.records.db.execute(query, (digest, digest)).fetchall()
            if digest and len(found) == 1:
                return normalise_ref(found[0][0]), "content"
        return "", ""

    def _is_known(self, identity: str) -> bool:
        """Whether the source has such a record, as far as the ledger or the export tells."""
        if self.records.db.execute("SELECT 1 FROM rows WHERE identity_key = ?", (key_of(identity),)).fetchone():
            return True
        return self.source.items.filter(identity_key=normalise_ref(identity)).exists()

    def _digest(self, key: str) -> str:
        import hashlib

        digest = hashlib.md5(usedforsecurity=False)
        with self.store.open(key) as chunks:
            for chunk in chunks:
                digest.update(chunk)
        return digest.hexdigest()

    def _size(self, key: str) -> int | None:
        row = self.objects.db.execute("SELECT size FROM files WHERE path = ?", (key,)).fetchone()
        if row:
            return int(row[0])
        info = self.store.head(key) if key else None
        return info.size if info is not None else None

    def _find(self, what: str, identity: str, key: str, detail: str, item: Item | None = None) -> None:
        record_id = item.record_id if item is not None else ""
        self.objects.find(Finding(what, record_id, identity, "", key, detail))


def _names(key: str) -> Iterator[str]:
    """What may be an id in a key's last part: all of it, then without what follows its last separator, and so on."""
    name = stem_of(key).rpartition("/")[2]
    while name:
        yield name
        shorter = _TAIL.sub("", name)
        if shorter == name:
            return
        name = shorter


__all__ = ["Adoption", "adopt"]
