"""Compares source, ledger, rows and store by one listing, and names what differs.

What the listing does not show is looked up once more before it is called missing, and what the ledger does not know is
looked for again: so a run that is at work meanwhile makes no false alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from unlade.importer import ContainerImport, RowFacts
from unlade.ledger.catchup import static_prefix
from unlade.ledger.choice import whose
from unlade.ledger.models import Item, Source
from unlade.owners import OwnerFinder, OwnerMatch
from unlade.report.tally import gone_of, totals_of
from unlade.states import STORED, ItemState
from unlade.store import Store
from unlade.verify.differences import Finding, Weight
from unlade.verify.reading import Reading
from unlade.verify.shelf import Shelf
from unlade.verify.strangers import explain, names_of

S = ItemState

_CHUNK = 400  #: items at a time
_THREADS = 8

#: Items that have an object and a row: stored ones, and those of them that a person has closed.
HAVE_OBJECT = Q(state__in=list(STORED)) | (Q(state=S.ACCEPTED) & ~Q(key=""))


@dataclass
class Verdict:
    """What a check came to.

    `stored` counts items whose file is to be in the store, those gone from the source included (`gone_stored`); `rows`
    those of them that have their row (None: rows are not looked at), `objects` those that have their object;
    `without_object` are the primary keys of the others. `listed` counts all objects, thumbnails included.
    """

    source: str
    carries: str = "files"  #: `records`: there are rows alone
    found: int | None = None
    count_is: str = "records"
    counted_at: datetime | None = None
    totals: dict[str, int] = field(default_factory=dict)
    gone: int = 0
    stored: int = 0
    gone_stored: int = 0
    objects: int = 0
    object_bytes: int = 0
    listed: int = 0
    with_row: int = 0
    rows: int | None = 0
    with_thumbnail: int = 0
    thumbnails: int = 0
    findings: list[Finding] = field(default_factory=list)
    without_object: set[int] = field(default_factory=set)
    reading: Reading | None = None

    def of(self, weight: Weight) -> list[Finding]:
        """The findings of that weight."""
        return [finding for finding in self.findings if finding.weight is weight]

    @property
    def open(self) -> int:
        """Items of the source whose story has not ended well yet."""
        return sum(self.totals.get(state, 0) for state in (S.PENDING, S.FAILED, S.UNLINKED, S.QUARANTINED))

    @property
    def exit_code(self) -> int:
        """CONTRACT A3: 1 on a difference."""
        return 1 if self.of(Weight.DIFFERENCE) else 0


def check(importer: ContainerImport, store: Store, *, on_step: Callable[[str], None] = lambda _: None) -> Verdict:
    """Compare by one listing. Raises `StoreError` when the store cannot be read."""
    verdict = Verdict(importer.name)
    source = Source.objects.filter(name=importer.name).first()
    if source is None:
        source = Source(name=importer.name)
    else:
        verdict.found, verdict.count_is, verdict.counted_at = source.found, source.count_is, source.counted_at
        verdict.totals, verdict.gone = totals_of(source)[0], gone_of(source)
    with Shelf() as shelf, ThreadPoolExecutor(_THREADS) as pool:
        on_step("listing the store")
        shelf.fill(store.list(static_prefix(importer.key)))
        verdict.listed = len(shelf)
        on_step("comparing")
        _Comparison(importer, store, shelf, pool, verdict).items(source)
        _hold_others(importer, source, shelf)
        for names in shelf.unheld():
            verdict.findings += explain(pool.map(store.head, names), importer.name, store.url)
    return verdict


def stored_items(source: Source) -> QuerySet[Item]:
    """Items whose object is to be in the store, gone ones included."""
    return Item.objects.filter(HAVE_OBJECT, source=source)


def slices(items: QuerySet[Item], size: int = _CHUNK) -> Iterator[list[Item]]:
    """`items` in the order of their keys, in slices that are read one at a time."""
    last = 0
    while batch := list(items.filter(pk__gt=last).order_by("pk")[:size]):
        yield batch
        last = batch[-1].pk


@dataclass
class _Comparison:
    importer: ContainerImport
    store: Store
    shelf: Shelf
    pool: ThreadPoolExecutor
    verdict: Verdict

    def items(self, source: Source) -> None:
        """All items that know an object."""
        if source._state.adding:
            return
        known = Item.objects.filter(~Q(key="") | Q(state__in=list(STORED)), source=source)
        for batch in slices(known):
            sizes = self.shelf.sizes(name for item in batch for name in names_of(item))
            batch = [item for item in batch if item.state in STORED or item.state == S.ACCEPTED]
            self._objects(batch, sizes)
            self._rows(batch)

    def _objects(self, batch: Sequence[Item], sizes: dict[str, int]) -> None:
        verdict = self.verdict
        absent = [name for item in batch for name in names_of(item) if name and name not in sizes]
        for info in self.pool.map(self.store.head, absent):
            if info is not None:  # stored since the listing, or outside of the folder that was listed
                sizes[info.key] = info.size
        for item in batch:
            verdict.stored += 1
            verdict.gone_stored += item.gone_at is not None
            size = sizes.get(item.key)
            if size is None or (item.size is not None and size != item.size):
                verdict.without_object.add(item.pk)
            if size is None:
                self._find("object_missing", item)
            elif item.size is not None and size != item.size:
                self._find("object_size", item, detail=f"{size} bytes; {item.size} were stored")
            else:
                verdict.objects += 1
                verdict.object_bytes += size
            if item.thumbnail_key:
                verdict.with_thumbnail += 1
                verdict.thumbnails += item.thumbnail_key in sizes
                if item.thumbnail_key not in sizes:
                    self._find("thumbnail_missing", item, key=item.thumbnail_key)
            if item.spare_key and item.spare_key not in sizes:
                self._find("spare_missing", item, key=item.spare_key)

    def _rows(self, batch: Sequence[Item]) -> None:
        with_row = [item for item in batch if item.row]
        rows = self.importer.rows([item.row for item in with_row])
        if rows is None:
            self.verdict.rows = None
            return
        assert self.verdict.rows is not None
        matches: dict[int, OwnerMatch] = {}
        if self.importer.owner:
            answers = whose(OwnerFinder(self.importer.owner), [(item, item.reference) for item in with_row])
            matches = {item.pk: match for item, match in zip(with_row, answers, strict=True)}
        for item in with_row:
            self.verdict.with_row += 1
            facts = rows.get(item.row)
            if facts is None:
                self._find("row_missing", item)
                continue
            self.verdict.rows += 1
            kind, detail = _row_differs(item, facts, matches)
            if kind:
                self._find(kind, item, detail=detail)

    def _find(self, kind: str, item: Item, *, key: str | None = None, detail: str = "") -> None:
        name = item.key if key is None else key
        self.verdict.findings.append(
            Finding(kind, self.importer.name, item.record_id, item.slot, name, item.row, detail)
        )


def _row_differs(item: Item, row: RowFacts, matches: Mapping[int, OwnerMatch]) -> tuple[str, str]:
    """The gravest thing that a row says otherwise than the ledger, and a word on it; ("", "") when nothing is."""
    if row.key != item.key:
        return "row_key", f"it points to {row.key}"
    if row.sha256 and item.sha256 and row.sha256 != item.sha256:
        return "row_digest", f"it says {row.sha256}"
    if item.state == S.ACCEPTED:
        return "", ""  # a person has said that links and days are as they are meant
    match = matches.get(item.pk)
    if match is not None and (found := _owner_differs(item, row.owner, match)) is not None:
        return found
    if row.day != "" and row.day != item.day:
        return "row_day", f"it says {row.day or 'no day'}, the record {item.day or 'no day'}"
    return "", ""


def _owner_differs(item: Item, owner: Any, match: OwnerMatch) -> tuple[str, str] | None:
    if item.state == S.IMPORTED and owner is None:
        return "owner_lost", ""
    if owner is None or (match.owner is not None and match.owner.pk == owner) or owner in match.candidates:
        return None
    says = f"owner {match.owner.pk}" if match.owner is not None else match.detail
    if item.state == S.UNLINKED and match.owner is None:
        return "linked_by_hand", f"it belongs to owner {owner}; {says}"
    if item.owner_row:
        return "row_owner", f"it belongs to owner {owner}; a person chose owner {item.owner_row}"
    return "row_owner", f"it belongs to owner {owner}; by the record: {says}"


def _hold_others(importer: ContainerImport, source: Source, shelf: Shelf) -> None:
    """What other imports hold under the same folder is none of our business."""
    prefix = static_prefix(importer.key)
    others = Item.objects.filter(key__startswith=f"{prefix}/" if prefix else "").exclude(key="")
    for batch in slices(others if source._state.adding else others.exclude(source=source)):
        shelf.sizes(name for item in batch for name in names_of(item))
