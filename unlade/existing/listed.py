"""Rows for files that lie in the store already: listed, matched, recorded; their bytes are not read.

What was only listed has no sha256: its proof is the listing, until somebody reads it (`make_thumbnails`,
`filemaker_verify`).
"""

from __future__ import annotations

import gc
import logging
import mimetypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.db import transaction

from unlade import bulk
from unlade.ahead import Ahead
from unlade.cargo import Attempt, Content, Count, Outcome, RefStatus, Road, SourceRecord, Stored
from unlade.desktop.catalogue import Catalogue, FileRef, Finding
from unlade.desktop.findings import write_report
from unlade.desktop.listed import join_listing
from unlade.desktop.source import TROUBLES
from unlade.errors import Interrupted
from unlade.existing.digests import ListedDigests
from unlade.existing.turns import Turn, Turns
from unlade.hooks import after_commit
from unlade.importer import ContainerImport
from unlade.keys import extension_of
from unlade.ledger.agreement import weigh
from unlade.ledger.books import Books
from unlade.ledger.fresh import (
    is_plain,
    known_to,
    may_be_fresh,
    met_again,
    roomy_database,
    settle_fresh,
    tables_grew,
    without_collector,
)
from unlade.options import RunOptions
from unlade.owners import OwnerFinder
from unlade.states import ItemState
from unlade.store import Store

log = logging.getLogger(__name__)

S = ItemState

#: Rows in one transaction, where each may be odd, and of those that are plainly new.
PORTION = 1000
FRESH_PORTION = 5000


@dataclass
class Listing:
    """What became of a listing: the books of its run, findings by kind, and what a person should know."""

    books: Books
    matched: int = 0
    proof: str = "listed"
    findings: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def record_listed(
    importer: ContainerImport,
    store: Store,
    options: RunOptions,
    *,
    prefix: str,
    clock: Callable[[], datetime],
    uploaded_by: str = "",
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Listing:
    """List `prefix`, match what is there, and write ledger and rows. The source's lock is held.

    A second call takes only what is new. Raises `UsageError`, `SourceError`, `StoreError` before anything is written,
    `Interrupted` between two portions.
    """
    prefix = prefix.strip("/")
    with without_collector():
        folder = Path(options.from_path) if options.from_path and Path(options.from_path).is_dir() else None
        digests = ListedDigests(store, prefix, folder, options.read_objects)
        catalogue, notes = join_listing(importer, _below(store, prefix), options, digests)
        notes += filter(None, [digests.note])
    try:
        report = Path(options.report) if options.report else None
        books = Books.open(
            importer,
            clock(),
            road=Road.FOLDER,
            options=options.to_json(),
            owners=OwnerFinder(importer.owner),
            uploaded_by=uploaded_by,
        )
        books.agreement = weigh(books, lambda offset, limit: catalogue.page(offset, limit, clock()))
        if books.agreement.text:
            notes.append(books.agreement.text)
            books.run.options = {**books.run.options, "ids": books.agreement.as_json()}
        listing = Listing(books, notes=notes)
        outcome, code, reason = "failed", 1, "it ended with an error"
        try:
            _record_all(importer, catalogue, listing, prefix, clock, stopped, progress)
            this_run = books.this_run()
            outcome, reason = "done", ""
            code = 3 if this_run["failed"] + this_run["quarantined"] else 0
        except Interrupted as error:
            outcome, code, reason = "interrupted", error.exit_code, str(error)
            raise
        finally:
            books.close(outcome, clock(), reason=reason, exit_code=code, retry_at=None)
            listing.findings = catalogue.found()
            if report is not None:
                write_report(catalogue, report)
        return listing
    finally:
        catalogue.close()


def _below(store: Store, prefix: str) -> Iterator[tuple[str, int, str]]:
    """Path below the prefix, size and ETag ("" unknown) of every file that is cargo."""
    cut = len(prefix) + 1 if prefix else 0
    for info in store.list(prefix, cargo_only=True):
        yield info.key[cut:], info.size, (info.etag or "").strip('"').lower()


def _record_all(
    importer: ContainerImport,
    catalogue: Catalogue,
    listing: Listing,
    prefix: str,
    clock: Callable[[], datetime],
    stopped: Callable[[], bool],
    progress: Callable[[int, int], None],
) -> None:
    books, whole = listing.books, catalogue.count()
    with transaction.atomic():
        books.counted(Count(whole, count_is="files"), clock())
    recorder = _Recorder(importer, catalogue, books, prefix, clock)
    turns = Turns(catalogue, plain=is_plain(importer))
    done, counts = 0, {True: 0, False: 0}
    with (
        without_collector(),
        roomy_database(),
        closing(Ahead(turns.portions(FRESH_PORTION, PORTION, clock), "unlade-rows")) as ahead,
    ):
        while (portion := ahead.take()) is not None:
            if stopped():
                raise Interrupted
            records, plain = portion
            listing.matched += recorder.plain(records, ahead) if plain else recorder.one_by_one(records)
            done += len(records)
            progress(done, whole)
            counts[plain] += 1
            if counts[plain] in (1, 10, 100):
                gc.collect()
                tables_grew()


class _Recorder:
    """Writes portions of records down, each in one transaction."""

    def __init__(
        self, importer: ContainerImport, catalogue: Catalogue, books: Books, prefix: str, clock: Callable[[], datetime]
    ) -> None:
        self.importer, self.catalogue, self.books, self.prefix, self.clock = importer, catalogue, books, prefix, clock
        self._ledger_is_empty = not books.source.items.exists()

    def plain(self, turns: Sequence[Turn], ahead: Ahead[Any]) -> int:
        """Records that the ledger does not know, all at once; the others, and all where that fails, by `one_by_one`.

        The next ones are read while the database commits, and at no other time: there is one catalogue.
        """
        now = self.clock()
        known = set() if self._ledger_is_empty else known_to(self.books, [turn.record for turn in turns])
        if known:
            met = met_again(self.books, known, now)
            turns = [turn for turn in turns if turn.record.record_id not in met]
        fresh: list[Turn] = []
        odd: list[Turn] = []
        for turn in turns:
            good = turn.record.record_id not in known and may_be_fresh(self.importer, turn.record)
            (fresh if good else odd).append(turn)
        entries = [(turn.record, self._outcome(turn, turn.record, "")) for turn in fresh]
        try:
            with transaction.atomic(), bulk.overlapped():
                landed = settle_fresh(self.books, entries, now) if entries else []
                ahead.begin()
        except Exception:
            ahead.wait()
            log.exception("%d rows could not be written together; they are tried a thousand at a time", len(entries))
            return self.one_by_one(turns)
        ahead.wait()
        for pair in landed:
            after_commit(self.importer, pair, pair[0].record.record_id)
        matched = sum(outcome.stored is not None for _, outcome in entries)
        return matched + (self.one_by_one(odd) if odd else 0)

    def one_by_one(self, turns: Sequence[Turn]) -> int:
        """Records with all that may be odd about them: known already, twins, without an identity, several items each."""
        matched = 0
        for start in range(0, len(turns), PORTION):
            portion = turns[start : start + PORTION]
            by_id = {turn.record.record_id: turn for turn in portion}
            now, landed = self.clock(), []
            with transaction.atomic():
                entries = []
                for listed in self.books.take_page([turn.record for turn in portion], None, now, later=True):
                    turn = by_id[listed.record.record_id]
                    entries.append((listed.item, listed.record, self._outcome(turn, listed.record, listed.item.slot)))
                if entries:
                    landed = [pair for pair in self.books.settle_many(entries, now) if pair is not None]
            matched += len(landed)
            for pair in landed:
                after_commit(self.importer, pair, pair[0].record.record_id)
        return matched

    def _outcome(self, turn: Turn, record: SourceRecord, slot: str) -> Outcome:
        """The best field's file, as far as the listing tells (CONTRACT B2: only a final answer leads to a lower field)."""
        importer = self.importer
        attempts: list[Attempt] = []
        for name in [slot] if slot else importer.containers:
            known = turn.refs.get(name)
            if known is None or known.status is RefStatus.EMPTY:
                attempts.append(Attempt(name, "empty"))
            elif known.status is not RefStatus.FILE:
                attempts.append(Attempt(name, "reference_only"))
            elif known.trouble == "not_exported":
                attempts.append(Attempt(name, "not_exported"))
            elif known.trouble:
                detail = f"record {record.record_id}, {name}: {TROUBLES[known.trouble]}"
                return Outcome(S.FAILED, known.trouble, detail, attempts=tuple(attempts))
            else:
                size = turn.sizes.get(known.path, 0)
                return _taken(importer, self.catalogue, record, known, size, attempts, self.prefix)
        reasons = [attempt.result for attempt in attempts if attempt.result != "empty"]
        if not reasons:
            return Outcome(S.EMPTY, attempts=tuple(attempts))
        return Outcome(S.FAILED, reasons[0], final=True, attempts=tuple(attempts))


@cache
def _type_of(extension: str) -> str:
    return mimetypes.guess_type(f"x{extension}")[0] or "application/octet-stream"


def _taken(
    importer: ContainerImport,
    catalogue: Catalogue,
    record: SourceRecord,
    known: FileRef,
    size: int,
    attempts: list[Attempt],
    prefix: str,
) -> Outcome:
    wrong = "zero_bytes" if size == 0 else "truncated" if known.size not in (None, size) else ""
    if wrong == "truncated":
        detail = f"{size} bytes where FileMaker had {known.size}"
        catalogue.find(Finding("damaged", record.record_id, "", known.field, known.path, detail))
    key = f"{prefix}/{known.path}" if prefix else known.path
    declared = str(record.fields.get(importer.original_name, "")).strip() if importer.original_name else ""
    extension = extension_of(key).lower()
    content = Content(
        mime_type=_type_of(extension),
        extension=extension,
        size=size,
        sha256="",
        damage=wrong or None,
    )
    attempts.append(Attempt(known.field, wrong or "taken", size=size))
    return Outcome(
        S.QUARANTINED if wrong else S.IMPORTED,
        reason=wrong,
        final=True,
        field=known.field,
        attempts=tuple(attempts),
        content=content,
        stored=Stored(key, size, "", existed=True),
        original_name=declared or known.name or "",
    )
