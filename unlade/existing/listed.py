"""Rows for files that lie in the store already: listed, matched, recorded; their bytes are not read.

What was only listed has no sha256: its proof is the listing, until somebody reads it (`make_thumbnails`,
`filemaker_verify`).
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from unlade.cargo import Attempt, Content, Count, Outcome, RefStatus, Road, SourceRecord, Stored
from unlade.desktop.catalogue import Catalogue, FileRef, Finding
from unlade.desktop.findings import write_report
from unlade.desktop.listed import join_listing
from unlade.desktop.source import TROUBLES
from unlade.errors import Interrupted
from unlade.importer import ContainerImport
from unlade.keys import extension_of
from unlade.ledger.books import Books
from unlade.ledger.models import Item
from unlade.options import RunOptions
from unlade.owners import OwnerFinder
from unlade.states import ItemState
from unlade.store import Store

S = ItemState

#: Rows in one transaction.
PORTION = 1000
_MD5 = re.compile(r"[0-9a-f]{32}")


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
    catalogue, notes = join_listing(importer, _below(store, prefix), options)
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
    """Path below the prefix, size and, where the store tells it, MD5 of every file that is cargo."""
    cut = len(prefix) + 1 if prefix else 0
    for info in store.list(prefix, cargo_only=True):
        etag = (info.etag or "").strip('"').lower()
        yield info.key[cut:], info.size, etag if _MD5.fullmatch(etag) else ""


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
    count = Count(whole, count_is="files")
    with transaction.atomic():
        books.counted(count, clock())
    for offset in range(1, whole + 1, PORTION):
        if stopped():
            raise Interrupted
        now = clock()
        records = catalogue.page(offset, PORTION, now)
        landed: list[tuple[Any, Any]] = []
        with transaction.atomic():
            entries = []
            for listed in books.take_page(records, None, now, later=True):
                outcome = _outcome(importer, catalogue, listed.item, listed.record, prefix)
                entries.append((listed.item, listed.record, outcome))
            if entries:
                landed = [pair for pair in books.settle_many(entries, now) if pair is not None]
        listing.matched += len(landed)
        for consignment, row in landed:
            importer.after_commit(consignment, row)
        progress(min(whole, offset + PORTION - 1), whole)


def _outcome(importer: ContainerImport, catalogue: Catalogue, item: Item, record: SourceRecord, prefix: str) -> Outcome:
    """The best field's file, as far as the listing tells (CONTRACT B2: only a final answer leads to a lower field)."""
    attempts: list[Attempt] = []
    for name in [item.slot] if item.slot else importer.containers:
        known = catalogue.ref(record.record_id, name)
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
            return _taken(importer, catalogue, record, known, attempts, prefix)
    reasons = [attempt.result for attempt in attempts if attempt.result != "empty"]
    if not reasons:
        return Outcome(S.EMPTY, attempts=tuple(attempts))
    return Outcome(S.FAILED, reasons[0], final=True, attempts=tuple(attempts))


def _taken(
    importer: ContainerImport,
    catalogue: Catalogue,
    record: SourceRecord,
    known: FileRef,
    attempts: list[Attempt],
    prefix: str,
) -> Outcome:
    size = catalogue.size_of(known.path)
    wrong = "zero_bytes" if size == 0 else "truncated" if known.size not in (None, size) else ""
    if wrong == "truncated":
        detail = f"{size} bytes where FileMaker had {known.size}"
        catalogue.find(Finding("damaged", record.record_id, "", known.field, known.path, detail))
    key = f"{prefix}/{known.path}" if prefix else known.path
    declared = str(record.fields.get(importer.original_name, "")).strip() if importer.original_name else ""
    extension = extension_of(key).lower()
    content = Content(
        mime_type=mimetypes.guess_type(f"x{extension}")[0] or "application/octet-stream",
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
