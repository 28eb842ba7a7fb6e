"""Reads every object again and compares its bytes with the ledger's sha256. What is proven stays proven (DESIGN 5.1).

A reading that was broken off goes on where it was: objects that were proven since it began are not read again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Container, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from queue import SimpleQueue

from django.db.models import Q, QuerySet

from unlade.errors import StoreBusy, StoreError, StoreRefused
from unlade.ledger.events import DAMAGED, note
from unlade.ledger.models import Item, Source
from unlade.store import Store
from unlade.verify.differences import Finding

#: Objects that are read at once; each holds a few MB.
READERS = 8
_AHEAD = 3 * READERS
_SAVE_EVERY = 200
_JOBS = 1000  #: items that are looked up at a time
_SAVE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reading is. Bytes are those of objects that are read to their end."""

    done: int
    whole: int
    read_bytes: int


@dataclass
class Reading:
    """What reading came to. `proven` counts all objects that are proven now, `before` those of an earlier part."""

    began_at: datetime
    whole: int = 0
    before: int = 0
    read: int = 0
    read_bytes: int = 0
    proven: int = 0
    seconds: float = 0.0
    finished: bool = False
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Job:
    """One object to read. `main` is False for the damaged copy beside a lesser one."""

    item: Item
    key: str
    sha256: str
    main: bool = True


@dataclass(frozen=True, slots=True)
class _Answer:
    problem: str = ""  #: a kind of finding
    detail: str = ""
    size: int = 0
    sha256: str = ""  #: of what was read


_Done = tuple[_Job, Future[_Answer]]


def read_all(
    items: QuerySet[Item],
    source: Source,
    store: Store,
    *,
    again: bool,
    skip: Container[int],
    clock: Callable[[], datetime],
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Reading:
    """Read the objects of `items`, those with a primary key in `skip` left out (the listing told enough of them).

    Goes on with the reading that is unfinished, unless there is none or `again` is said. Raises `StoreError` when the
    store itself fails; what was proven until then is kept, as it is on Ctrl-C.
    """
    if again or source.reading_since is None:
        source.reading_since = clock()
        source.save(update_fields=["reading_since"])
    reading = Reading(source.reading_since, whole=items.count())
    unread = items.filter(Q(proven_at=None) | Q(proven_at__lt=source.reading_since))
    reading.before = reading.whole - unread.count()
    began = time.monotonic()
    books = _Proofs(clock)
    pool = ThreadPoolExecutor(READERS, "unlade-read")
    try:
        for job, answer in _answers(pool, _jobs(unread, store, skip), store):
            _take(reading, books, job, answer, clock)
            on_progress(Progress(reading.before + reading.read, reading.whole, reading.read_bytes))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        books.save()
        reading.seconds = time.monotonic() - began
    source.reading_since = None
    source.save(update_fields=["reading_since"])
    reading.finished = True
    reading.proven = items.filter(proven_at__gte=reading.began_at).count()
    return reading


def _take(reading: Reading, books: _Proofs, job: _Job, answer: _Answer, clock: Callable[[], datetime]) -> None:
    item = job.item
    reading.read += job.main
    reading.read_bytes += answer.size
    if not answer.problem:
        if job.main:
            if not item.sha256:
                item.sha256 = answer.sha256
                Item.objects.filter(pk=item.pk, key=job.key, sha256="").update(sha256=answer.sha256)
            books.proven(item)
        return
    kind = answer.problem if job.main else "spare_missing" if answer.problem == "object_missing" else "spare_damaged"
    name = item.source.name
    reading.findings.append(Finding(kind, name, item.record_id, item.slot, job.key, item.row, answer.detail))
    if job.main:
        Item.objects.filter(pk=item.pk).update(proven_at=None)
    if kind == "object_damaged":
        note(item, DAMAGED, clock(), key=job.key, text=answer.detail)


class _Proofs:
    """Writes down in portions what was proven; only while the item still means the object that was read."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._items: list[Item] = []
        self._last = time.monotonic()

    def proven(self, item: Item) -> None:
        self._items.append(item)
        if len(self._items) >= _SAVE_EVERY or time.monotonic() - self._last > _SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        if self._items:
            read = {item.pk: (item.key, item.sha256) for item in self._items}
            now = Item.objects.filter(pk__in=read).values_list("pk", "key", "sha256")
            same = [pk for pk, key, sha256 in now if read[pk] == (key, sha256)]
            Item.objects.filter(pk__in=same).update(proven_at=self._clock())
        self._items, self._last = [], time.monotonic()


def _jobs(unread: QuerySet[Item], store: Store, skip: Container[int]) -> Iterator[_Job]:
    last = 0
    # An item has long fields that nobody looks at here, and they would be read for every object.
    needed = unread.only("source", "record_id", "slot", "key", "sha256", "row", "spare_key").order_by("pk")
    while batch := list(needed.filter(pk__gt=last)[:_JOBS]):
        last = batch[-1].pk
        for item in batch:
            if item.pk in skip:
                continue
            if item.key:  # without a digest it was only listed until now: reading gives it one
                yield _Job(item, item.key, item.sha256)
            beside = store.head(item.spare_key) if item.spare_key else None
            if beside is not None and beside.facts is not None:
                yield _Job(item, beside.key, beside.facts.sha256, main=False)


def _answers(pool: ThreadPoolExecutor, jobs: Iterator[_Job], store: Store) -> Iterator[tuple[_Job, _Answer]]:
    """Every job with its answer, as they come; only a few are ever under way."""
    finished: SimpleQueue[_Done] = SimpleQueue()
    under_way, more = 0, True
    while more or under_way:
        while more and under_way < _AHEAD:
            job = next(jobs, None)
            if job is None:
                more = False
                break
            pool.submit(_read, store, job.key, job.sha256).add_done_callback(partial(_put, finished, job))
            under_way += 1
        if not under_way:
            return
        done = [finished.get(), *(finished.get() for _ in range(finished.qsize()))]
        under_way -= len(done)
        # What was read stands, also when something went wrong in the same moment.
        for job, future in sorted(done, key=lambda pair: pair[1].exception() is not None):
            yield job, future.result()


def _put(finished: SimpleQueue[_Done], job: _Job, future: Future[_Answer]) -> None:
    if not future.cancelled():
        finished.put((job, future))


def _read(store: Store, key: str, sha256: str) -> _Answer:
    """In a worker: read one object. Raises `StoreError` only for what concerns the store as a whole."""
    digest, size = hashlib.sha256(), 0
    try:
        with store.open(key) as chunks:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
    except (StoreBusy, StoreRefused):
        raise
    except (StoreError, OSError) as error:
        if store.head(key) is None:
            return _Answer("object_missing")
        return _Answer("object_unreadable", type(error).__name__ if isinstance(error, OSError) else str(error), size)
    if sha256 and digest.hexdigest() != sha256:
        return _Answer("object_damaged", f"it has sha256 {digest.hexdigest()}; {sha256} was stored", size)
    return _Answer(size=size, sha256=digest.hexdigest())
