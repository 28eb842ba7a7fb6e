"""Proves a finished import against the database file: every record, its bytes in the store, its row, its owner.

Nothing is asked of FileMaker. What the file's own MD5 proves is compared with what the store holds now, read anew.
A comparison that was broken off goes on where it was: bytes that it has proven are not read again, rows and owners are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from unlade.cargo import RefStatus, SourceRecord
from unlade.errors import ItemError, StoreError
from unlade.fileroad import ImportedFile
from unlade.importer import ContainerImport, RowFacts
from unlade.ledger.choice import whose
from unlade.ledger.models import Item, Source
from unlade.owners import OwnerFinder, OwnerMatch, normalise_ref
from unlade.proving import Proofs
from unlade.renditions import better, filled, holds_a_file, other_streams, read
from unlade.rigging import utc_now
from unlade.states import STORED, ItemState
from unlade.store import Store

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
    "better_in_file": "the file holds better bytes than those that were stored",
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
    """What came of it.

    `same` records are in the store byte for byte, with their row and owner; `empty` are so in both; `without` have no
    file that could be read in either. `before`: so many of them were proven by a part that was broken off.
    """

    source: str
    file: str
    found: int = 0
    same: int = 0
    empty: int = 0
    without: int = 0
    before: int = 0
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
        parts = [f"{self.same:,} are stored byte for byte, with their rows"]
        parts += [f"{self.empty:,} are empty in both"] if self.empty else []
        parts += [f"{self.without:,} have no file in either"] if self.without else []
        agreed = self.same + self.empty + self.without
        return f"{agreed:,} of {self.found:,} records agree with {self.file}: {', '.join(parts)}."

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "outcome": "failed" if self.exit_code else "done",
            "file": self.file,
            "found": self.found,
            "same": self.same,
            "empty": self.empty,
            "without": self.without,
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
    *files: ImportedFile,
    again: bool = False,
    clock: Callable[[], datetime] = utc_now,
    tick: Callable[[int, int, int], None] = lambda done, total, size: None,  # noqa: ARG005
) -> Against:
    """Compare everything, with one file or with several that hold the table together.

    `tick` is told how many records are done, how many there are, and the bytes that were found to be the same. Goes on
    with a comparison with the same files that was broken off, unless `again`. Raises `DamagedFile` where a file itself
    is broken, `StoreError` when the store cannot be read at all.
    """
    names = " and ".join(file.database.path.name for file in files)
    result = Against(importer.name, names, sum(file.count().found for file in files))
    source = Source.objects.filter(name=importer.name).first()
    books = Proofs(source, files, clock, again=again)
    seen: set[int] = set()
    done = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="against") as pool:
        for file in files:
            for records in _pages(file):
                pairs = _pairs(importer, source, file, records, result)
                seen.update(pair.item.pk for pair in pairs)
                _compare_page(importer, store, file, pairs, books, pool, result)
                done += len(records)
                books.through(done)
                tick(done, result.found, result.bytes)
    told = ("pk", "record_id", "slot", "key")
    rows = source.items.filter(gone_at=None).order_by("pk").values_list(*told).iterator() if source is not None else ()
    result.findings += (Difference("not_in_file", *names) for pk, *names in rows if pk not in seen)
    books.close()
    return result


def _compare_page(
    importer: ContainerImport,
    store: Store,
    file: ImportedFile,
    pairs: list[_Pair],
    books: Proofs,
    pool: ThreadPoolExecutor,
    result: Against,
) -> None:
    stored = [pair for pair in pairs if pair.item.state in STORED]
    linked = _rows_differ(importer, stored)
    known = [books.knows(pair.item) for pair in stored]
    result.before += sum(known)

    def look(pair: _Pair, proven: bool) -> list[Difference]:
        return [] if proven else _bytes_differ(importer, store, file, pair)

    for pair, proven, found in zip(stored, known, pool.map(look, stored, known), strict=True):
        if not proven:
            books.read(pair.item, found[0].kind if found else "")
        kinds = [*found, *linked.get(pair.item.pk, [])]
        result.findings += kinds
        if not kinds:
            result.same += 1
            result.bytes += pair.item.size or 0


def _pages(file: ImportedFile) -> Iterator[tuple[SourceRecord, ...]]:
    offset = 1
    while records := file.page(offset, _PAGE).records:
        yield records
        offset += len(records)


def _pairs(
    importer: ContainerImport,
    source: Source | None,
    file: ImportedFile,
    records: tuple[SourceRecord, ...],
    result: Against,
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
        if not mine and not (importer.each and not filled(importer, record)):
            result.findings.append(Difference("not_imported", record.record_id))
        for item in mine:
            pairs.append(_Pair(item, record))
            if item.state == S.EMPTY and not filled(importer, record):
                result.empty += 1
            elif item.state == S.EMPTY:
                result.findings.append(Difference("left_out", item.record_id, item.slot))
            elif item.state == S.ACCEPTED:
                result.findings.append(Difference("accepted", item.record_id, item.slot, item.key))
            elif item.state == S.FAILED and item.final and not holds_a_file(importer, file, record):
                result.without += 1
            elif item.state not in STORED:
                why = f"{item.state}, {item.reason}" if item.reason else str(item.state)
                result.findings.append(Difference("not_stored", item.record_id, item.slot, detail=why))
    return pairs


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
    if name := better(importer, store, file, item, record):
        return say("better_in_file", name)
    ref = record.containers.get(item.field)
    if ref is None or ref.status is not RefStatus.FILE:
        return say("unproven", f"{item.field} holds no file there")
    try:
        digest, _, damage = read(file, record, ref)
    except ItemError as error:
        return say("unproven", error.reason)
    if digest == stored:
        return (
            say("unproven", "damaged in the file, and stored just so") if damage and item.state != S.QUARANTINED else []
        )
    if damage:
        return say("unproven", "damaged in the file")
    if stored in other_streams(file, record, item.field):
        return say("another_rendition")
    return say("different")


def _rows_differ(importer: ContainerImport, pairs: list[_Pair]) -> dict[int, list[Difference]]:
    """What is wrong with rows, by the item's primary key."""
    rows = importer.rows([pair.item.row for pair in pairs if pair.item.row])
    if rows is None:
        return {}
    matches: dict[int, OwnerMatch] = {}
    if importer.owner:
        answers = whose(
            OwnerFinder(importer.owner), [(each.item, importer.owner_refs_of(each.record)) for each in pairs]
        )
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
