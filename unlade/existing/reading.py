"""Reads files that lie in the store already: for thumbnails that are missing, and for digests that only reading gives.

Each is looked at as on the voyage: sniffed, digested, decoded in a child process; the ledger and the row learn what
came of it. Called under the source's lock; every step may be repeated.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from django.db import transaction
from django.db.models import Q, QuerySet

from unlade.cargo import Content, Facts, Outcome, Parcel, SourceRecord, Stored
from unlade.errors import BadKey, Interrupted, KeyCollision, StoreBusy, StoreError, StoreRefused
from unlade.hooks import after_commit
from unlade.importer import ContainerImport
from unlade.keys import encode_segment, thumbnail_key
from unlade.landing import landing_of
from unlade.ledger.books import Books
from unlade.ledger.models import Item, Source
from unlade.media import filetypes
from unlade.owners import OwnerFinder
from unlade.rigging import Rigging
from unlade.ship import Inspector
from unlade.states import ItemState
from unlade.store import Store
from unlade.units import format_count
from unlade.worklist.byhand import record_of

log = logging.getLogger(__name__)

S = ItemState

#: What thumbnails are made of; everything else is read once, for its digest, and then left alone.
_PICTURES = [
    known.mime_type
    for known in vars(filetypes).values()
    if isinstance(known, filetypes.FileType) and known.kind in (filetypes.Kind.IMAGE, filetypes.Kind.PDF)
]
_PORTION = 50
_CHUNK = 1 << 20


@dataclass
class Read:
    """What reading came to. `copied` were brought to their declared key, `left` could not be read this time."""

    whole: int = 0
    read: int = 0
    read_bytes: int = 0
    thumbnails: int = 0
    without: int = 0  #: pictures of which no thumbnail can be made
    damaged: int = 0
    copied: int = 0
    left: int = 0

    def as_json(self) -> dict[str, Any]:
        """JSON types, by the names above."""
        return asdict(self)

    def text(self, noun: str) -> str:
        """For a person."""
        parts = [f"{format_count(self.read)} {noun} were read, {format_count(self.thumbnails)} have a new thumbnail"]
        for count, what in (
            (self.without, "have none: their pictures cannot be decoded"),
            (self.damaged, "are damaged and quarantined"),
            (self.copied, "were copied to their declared key"),
            (self.left, "could not be read; run it again"),
        ):
            if count:
                parts.append(f"{format_count(count)} {what}")
        return "; ".join(parts) + "."


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a worker brings back of one item."""

    item: Item
    record: SourceRecord
    content: Content | None = None
    stored: Stored | None = None
    thumbnail: Stored | None = None
    problem: str = ""


class Reporting(Protocol):
    """Told how far the reading is."""

    def __call__(self, done: int, whole: int) -> None: ...


def wanting(importer: ContainerImport) -> QuerySet[Item]:
    """Stored items whose bytes nobody has read, or that lack a thumbnail they could have."""
    source = Source.objects.filter(name=importer.name).first()
    items = Item.objects.filter(source=source, state__in=[S.IMPORTED, S.UNLINKED, S.QUARANTINED]).exclude(key="")
    missing = Q(sha256="")
    if importer.thumbnail is not None:
        missing |= Q(thumbnail_key="", thumbnail_error="", mime_type__in=_PICTURES) & ~Q(state=S.QUARANTINED)
    return items.filter(missing)


def read_listed(
    importer: ContainerImport,
    rig: Rigging,
    store: Store,
    *,
    copy: bool = False,
    thumbnails: bool = True,
    stopped: Callable[[], bool] = lambda: False,
    progress: Reporting = lambda *_: None,
) -> Read:
    """Read every item of `wanting`, make its thumbnail, and write down what it is. Raises `StoreError`, `Interrupted`.

    `copy` also brings each file to its declared key, by the store's own copying; the old object stays.
    """
    items = wanting(importer)
    read = Read(whole=items.count())
    if not read.whole:
        return read
    books = _books(importer, rig)
    spool = Path(rig.settings.need("UNLADE_SPOOL"))
    spool.mkdir(parents=True, exist_ok=True)
    mine = f"reading-{encode_segment(importer.name, 40)}-"
    for left in spool.glob(f"{mine}*"):  # of a process that was killed; the lock says that none is at work
        shutil.rmtree(left, ignore_errors=True)
    workers = 2 * rig.settings["UNLADE_CONCURRENCY"] + 2
    with (
        tempfile.TemporaryDirectory(prefix=mine, dir=spool) as folder,
        rig.decoders() as decoders,
        ThreadPoolExecutor(workers, "unlade-reading") as pool,
    ):
        reader = _Reader(importer, store, decoders, Path(folder), copy, thumbnails)
        done: list[_Seen] = []
        for seen in _answers(pool, _jobs(items), reader, workers, stopped):
            done.append(seen)
            if len(done) >= _PORTION:
                _settle(books, done, read, rig)
                progress(read.read, read.whole)
                done = []
        _settle(books, done, read, rig)
        progress(read.read, read.whole)
    if stopped():
        raise Interrupted
    return read


def _books(importer: ContainerImport, rig: Rigging) -> Books:
    source = Source.objects.get(name=importer.name)
    return Books.by_hand(importer, source, OwnerFinder(importer.owner), rig.settings.text("UNLADE_UPLOADED_BY"))


def _jobs(items: QuerySet[Item]) -> Iterator[Item]:
    last = 0
    while batch := list(items.filter(pk__gt=last).order_by("pk")[:500]):
        yield from batch
        last = batch[-1].pk


def _answers(
    pool: ThreadPoolExecutor, jobs: Iterator[Item], reader: _Reader, workers: int, stopped: Callable[[], bool]
) -> Iterator[_Seen]:
    """Every item with what was seen, as they come; only a few are ever under way."""
    under_way: set[Future[_Seen]] = set()
    more = True
    while more or under_way:
        while more and len(under_way) < 2 * workers:
            item = None if stopped() else next(jobs, None)
            if item is None:
                more = False
            else:
                # The row is asked for its fields here: workers never touch the database.
                under_way.add(pool.submit(reader.look, item, record_of(reader.importer, item)))
        finished, under_way = wait(under_way, return_when=FIRST_COMPLETED) if under_way else (set(), set())
        for future in finished:
            yield future.result()


@dataclass(frozen=True)
class _Reader:
    importer: ContainerImport
    store: Store
    inspector: Inspector
    folder: Path
    copy: bool
    thumbnails: bool

    def look(self, item: Item, record: SourceRecord) -> _Seen:
        """In a worker: one file. Raises `StoreError` only for what concerns the store as a whole."""
        path = self.folder / str(item.pk)
        try:
            parcel = self._fetch(item, path)
            box = self.importer.thumbnail if self.thumbnails else None
            content = self.inspector.inspect(
                parcel,
                name=parcel.name,
                box=(box.width, box.height) if box else (0, 0),
                want_thumbnail=box is not None,
            )
            return self._keep(item, record, parcel, content)
        except (StoreBusy, StoreRefused):
            raise
        except (StoreError, KeyCollision, BadKey) as error:
            return _Seen(item, record, problem=str(error))
        finally:
            path.unlink(missing_ok=True)

    def _fetch(self, item: Item, path: Path) -> Parcel:
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        with self.store.open(item.key) as chunks, path.open("xb") as file:
            for chunk in chunks:
                sha256.update(chunk)
                md5.update(chunk)
                size += file.write(chunk)
        field = item.slot or item.field or self.importer.containers[0]
        name = item.original_name or item.key.rpartition("/")[2]
        return Parcel(path, field, size, sha256.hexdigest(), md5.hexdigest(), name=name)

    def _keep(self, item: Item, record: SourceRecord, parcel: Parcel, content: Content) -> _Seen:
        state = S.QUARANTINED if content.damage else ItemState(item.state)
        names = list(self.importer.containers)
        number = names.index(parcel.field) if parcel.field in names else 0
        facts = Facts(
            self.importer.name, item.record_id, item.mod_id, item.identity, number, parcel.sha256, state, item.slot
        )  # fmt: skip
        if item.sha256 and item.sha256 != parcel.sha256:
            return _Seen(item, record, problem="it has other bytes than were stored; filemaker_verify tells more")
        self.store.adopt(item.key, content_type=content.mime_type, facts=facts)
        stored = Stored(item.key, parcel.size, parcel.sha256, existed=True)
        if self.copy:
            key = landing_of(self.importer, record, item.slot, item.owner_in_key).key(content.extension)
            stored = self.store.copy(item.key, key, content_type=content.mime_type, facts=facts)
        thumb, thumbnail = content.thumbnail, None
        if thumb is not None:
            name = thumbnail_key(stored.key, thumb.extension)
            thumbnail = self.store.put_thumbnail(name, thumb.data, content_type=thumb.mime_type, facts=facts)
        return _Seen(item, record, content, stored, thumbnail)


def _settle(books: Books, seen: list[_Seen], read: Read, rig: Rigging) -> None:
    """In the main thread: ledger and rows, in one transaction."""
    landed: list[tuple[tuple[Any, Any] | None, str]] = []
    with transaction.atomic():
        for each in seen:
            if each.content is None or each.stored is None:
                log.warning("record %s: %s", each.item.record_id, each.problem)
                read.left += 1
                continue
            landed.append((books.settle(each.item, each.record, _outcome(each), rig.clock()), each.item.record_id))
            read.read += 1
            read.read_bytes += each.stored.size
            read.thumbnails += each.thumbnail is not None
            read.without += each.content.thumbnail_error is not None
            read.damaged += each.content.damage is not None
            read.copied += not each.stored.existed
    for pair, record_id in landed:
        after_commit(books.importer, pair, record_id)


def _outcome(seen: _Seen) -> Outcome:
    item, content = seen.item, seen.content
    assert content is not None
    damaged = content.damage is not None or item.state == S.QUARANTINED
    return Outcome(
        S.QUARANTINED if damaged else S.IMPORTED,
        reason=(item.reason or "damaged") if damaged else "",
        detail=content.damage or "",
        final=True,
        field=item.field,
        content=content,
        stored=seen.stored,
        thumbnail=seen.thumbnail,
        original_name=item.original_name,
    )
