"""Proves a finished import against the database file: every record, its bytes in the store, its row, its owner.

Nothing is asked of FileMaker. What the file's own MD5 proves is compared with what the store holds now, read anew.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from unlade.cargo import ContainerRef, RefStatus, SourceRecord
from unlade.errors import ItemError, StoreError
from unlade.fileroad import ImportedFile
from unlade.importer import ContainerImport, RowFacts
from unlade.ledger.choice import whose
from unlade.ledger.models import Item, Source
from unlade.owners import OwnerFinder, OwnerMatch, normalise_ref
from unlade.states import STORED, ItemState
from unlade.store import Store
from unlade.waterfall import DAMAGED

S = ItemState

_PAGE = 200
_THREADS = 4

#: What can be found, as sentences. Those of `NOTES` are no difference.
KINDS = {
    "not_imported": "the file has this record, the import does not know it",
    "not_stored": "its file is not in the store",
    "left_out": "the import says that it is empty, and the file holds a picture",
    "object_missing": "its object is gone from the store",
    "object_differs": "its object is not what was stored",
    "different": "what was imported is not what the file holds",
    "better_in_file": "a better field is filled in the file",
    "row_missing": "its row is gone",
    "row_key": "its row points to another object",
    "row_owner": "it is linked to another owner than the record names",
    "row_unlinked": "it is linked to nobody, and its owner is here",
    "row_day": "it is filed under another day",
    "another_rendition": "the host sent another rendition that the file holds too",
    "unproven": "the file cannot prove it",
    "not_in_file": "the file does not have this record",
    "accepted": "a person has closed it",
}
NOTES = frozenset({"another_rendition", "unproven", "not_in_file", "accepted"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One finding; `detail` holds no field values."""

    kind: str
    record_id: str
    slot: str = ""
    key: str = ""
    detail: str = ""

    @property
    def is_note(self) -> bool:
        return self.kind in NOTES

    def __str__(self) -> str:
        where = f"record {self.record_id}" + (f", {self.slot}" if self.slot else "")
        return f"{where}: {KINDS[self.kind]}" + (f" ({self.detail})" if self.detail else "")


@dataclass
class Against:
    """What came of it. `same` records are in the store byte for byte, with their row and owner; `empty` have no file."""

    source: str
    file: str
    found: int = 0
    same: int = 0
    empty: int = 0
    bytes: int = 0
    findings: list[Difference] = field(default_factory=list)

    @property
    def differences(self) -> list[Difference]:
        return [one for one in self.findings if not one.is_note]

    @property
    def exit_code(self) -> int:
        """1 on a difference."""
        return 1 if self.differences else 0

    def line(self) -> str:
        """One line for a person."""
        empty = f", {self.empty:,} are empty in both" if self.empty else ""
        return f"{self.same:,} of {self.found:,} are stored byte for byte as {self.file} has them{empty}."

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "outcome": "failed" if self.exit_code else "done",
            "file": self.file,
            "found": self.found,
            "same": self.same,
            "empty": self.empty,
            "bytes": self.bytes,
            "counts": dict(Counter(one.kind for one in self.findings)),
            "findings": [
                {"kind": one.kind, "record_id": one.record_id, "slot": one.slot, "key": one.key, "detail": one.detail}
                for one in self.findings
            ],
            "exit": self.exit_code,
        }


@dataclass(frozen=True, slots=True)
class _Pair:
    """An item with its record in the file."""

    item: Item
    record: SourceRecord


def compare(
    importer: ContainerImport,
    store: Store,
    file: ImportedFile,
    *,
    tick: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> Against:
    """Compare everything. `tick` is told how many records are done, and how many there are.

    Raises `DamagedFile` where the file itself is broken, `StoreError` when the store cannot be read at all.
    """
    result = Against(importer.name, file.database.path.name, file.count().found)
    source = Source.objects.filter(name=importer.name).first()
    seen: set[int] = set()
    done = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="against") as pool:
        for records in _pages(file):
            pairs = _pairs(importer, source, records, result)
            seen.update(pair.item.pk for pair in pairs)
            stored = [pair for pair in pairs if pair.item.state in STORED]
            linked = _rows_differ(importer, stored)
            bytes_ = pool.map(lambda pair: _bytes_differ(importer, store, file, pair), stored)
            for pair, found in zip(stored, bytes_, strict=True):
                kinds = [*found, *linked.get(pair.item.pk, [])]
                result.findings += kinds
                if not kinds:
                    result.same += 1
                    result.bytes += pair.item.size or 0
            done += len(records)
            tick(done, result.found)
    told = ("pk", "record_id", "slot", "key")
    rows = source.items.filter(gone_at=None).order_by("pk").values_list(*told).iterator() if source is not None else ()
    result.findings += (Difference("not_in_file", *names) for pk, *names in rows if pk not in seen)
    return result


def _pages(file: ImportedFile) -> Iterator[tuple[SourceRecord, ...]]:
    offset = 1
    while records := file.page(offset, _PAGE).records:
        yield records
        offset += len(records)


def _pairs(
    importer: ContainerImport, source: Source | None, records: tuple[SourceRecord, ...], result: Against
) -> list[_Pair]:
    """Records with their items; says of the others what is wrong with them."""
    by_identity = {normalise_ref(importer.identity_of(record)): record for record in records}
    items: dict[str, list[Item]] = {}
    if source is not None:
        for item in source.items.filter(identity_key__in=set(by_identity) - {""}, gone_at=None):
            items.setdefault(item.identity_key, []).append(item)
    pairs = []
    for record in records:
        mine = items.get(normalise_ref(importer.identity_of(record)), [])
        if not mine and not (importer.each and not _filled(importer, record)):
            result.findings.append(Difference("not_imported", record.record_id))
        for item in mine:
            pairs.append(_Pair(item, record))
            if item.state == S.EMPTY and not _filled(importer, record):
                result.empty += 1
            elif item.state == S.EMPTY:
                result.findings.append(Difference("left_out", item.record_id, item.slot))
            elif item.state == S.ACCEPTED:
                result.findings.append(Difference("accepted", item.record_id, item.slot, item.key))
            elif item.state not in STORED:
                why = f"{item.state}, {item.reason}" if item.reason else str(item.state)
                result.findings.append(Difference("not_stored", item.record_id, item.slot, detail=why))
    return pairs


def _filled(importer: ContainerImport, record: SourceRecord) -> list[str]:
    """The declared containers that hold a file, best first."""
    return [name for name in importer.containers if record.containers[name].status is RefStatus.FILE]


def _bytes_differ(importer: ContainerImport, store: Store, file: ImportedFile, pair: _Pair) -> list[Difference]:
    """What is wrong with the bytes of one item; [] when they are what the file proves."""
    item, record = pair.item, pair.record

    def say(kind: str, detail: str = "") -> list[Difference]:
        return [Difference(kind, item.record_id, item.slot, item.key, detail)]

    info = store.head(item.key)
    if info is None:
        return say("object_missing")
    try:
        stored = store.sha256(item.key)
    except StoreError:
        return say("object_missing", "it cannot be read")
    if stored != item.sha256:
        return say("object_differs")
    if better := _better(importer, file, pair):
        return say("better_in_file", better)
    ref = record.containers.get(item.field)
    if ref is None or ref.status is not RefStatus.FILE:
        return say("unproven", f"{item.field} holds no file there")
    try:
        digest, _, damage = _read(file, record, ref)
    except ItemError as error:
        return say("unproven", error.reason)
    if digest == stored:
        return (
            say("unproven", "damaged in the file, and stored just so") if damage and item.state != S.QUARANTINED else []
        )
    if damage:
        return say("unproven", "damaged in the file")
    if stored in _renditions(file, pair):
        return say("another_rendition")
    return say("different")


def _better(importer: ContainerImport, file: ImportedFile, pair: _Pair) -> str:
    """A better field than the one that was taken, if the file proves that it holds something; "" for none.

    A field that was tried and found to be no good file is none, nor is one of a lesser copy, which is told elsewhere.
    """
    item = pair.item
    if item.slot or item.lesser_copy or item.state == S.QUARANTINED or item.field not in importer.containers:
        return ""
    tried = {attempt.get("field"): attempt.get("result") for attempt in item.attempts}
    for name in importer.containers[: list(importer.containers).index(item.field)]:
        ref = pair.record.containers[name]
        if ref.status is not RefStatus.FILE or tried.get(name) in DAMAGED:
            continue
        try:
            _, size, damage = _read(file, pair.record, ref)
        except ItemError:
            continue  # it is no better than what the host said of it
        if size and not damage:
            return name
    return ""


def _read(file: ImportedFile, record: SourceRecord, ref: ContainerRef) -> tuple[str, int, str | None]:
    """sha256 and size of a container's file, and what is wrong with it. Raises `ItemError`."""
    digest, size = hashlib.sha256(), 0
    with file.download(record, ref) as download:
        for chunk in download.chunks():
            digest.update(chunk)
            size += len(chunk)
        return digest.hexdigest(), size, getattr(download, "damage", None)


def _renditions(file: ImportedFile, pair: _Pair) -> Iterator[str]:
    """Digests of the object's other streams."""
    for name, size in file.streams_of(pair.record, pair.item.field):
        if size > 16:
            with file.open_stream(pair.record, pair.item.field, name) as stream:
                digest = hashlib.sha256()
                for chunk in stream.chunks():
                    digest.update(chunk)
            yield digest.hexdigest()


def _rows_differ(importer: ContainerImport, pairs: list[_Pair]) -> dict[int, list[Difference]]:
    """What is wrong with rows, by the item's primary key."""
    rows = importer.rows([pair.item.row for pair in pairs if pair.item.row])
    if rows is None:
        return {}
    matches: dict[int, OwnerMatch] = {}
    if importer.owner:
        answers = whose(OwnerFinder(importer.owner), [(each.item, importer.owner_refs_of(each.record)) for each in pairs])
        matches = {each.item.pk: match for each, match in zip(pairs, answers, strict=True)}
    found: dict[int, list[Difference]] = {}
    for pair in pairs:
        kind = _row_differs(importer, pair, rows, matches)
        if kind:
            item = pair.item
            found[item.pk] = [Difference(kind, item.record_id, item.slot, item.key)]
    return found


def _row_differs(
    importer: ContainerImport, pair: _Pair, rows: Mapping[str, RowFacts], matches: Mapping[int, OwnerMatch]
) -> str:
    row = rows.get(pair.item.row)
    if row is None:
        return "row_missing"
    if row.key != pair.item.key:
        return "row_key"
    match = matches.get(pair.item.pk)
    if match is not None and match.owner is not None and row.owner != match.owner.pk:
        return "row_unlinked" if row.owner is None else "row_owner"
    if importer.taken_on is not None and row.day != "" and row.day != importer.taken_on.read(pair.record)[0]:
        return "row_day"
    return ""
