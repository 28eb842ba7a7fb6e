"""The contact sheet: thumbnails of what was imported, in one HTML file for its owner's eyes alone (DESIGN 5.7)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import islice
from pathlib import Path
from typing import Protocol, TextIO

from django.db.models import QuerySet

from unlade.errors import UnladeError
from unlade.importer import ContainerImport
from unlade.ledger.models import Item, Source
from unlade.report.reasons import reason
from unlade.report.sheet_page import Card, bottom, card, kind_of, top
from unlade.report.status import gather
from unlade.report.words import headline, stamp
from unlade.states import ItemState

#: Thumbnails in memory at once.
_AT_ONCE = 32
_READERS = 8
_LARGEST = 2_000_000  #: bytes of one thumbnail


class Reader(Protocol):
    """The one thing that the sheet wants of a store (`unlade.store.Store` has it)."""

    def open(self, key: str) -> AbstractContextManager[Iterator[bytes]]:
        """The object's bytes in pieces. Raises `StoreError`."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was written: `shown` cards of `total` items that are settled."""

    path: Path
    shown: int
    total: int


def write_sheet(
    importer: ContainerImport,
    store: Reader,
    path: Path | str,
    limit: int = 200,
    *,
    now: datetime | None = None,
    zone: tzinfo = UTC,
) -> Sheet:
    """Write the sheet of `importer` to `path` (replaced if it is there), readable by its owner alone.

    Items come in the source's order, pending ones left out. A thumbnail that cannot be read leaves a blank that says
    so. Raises `OSError` when the file cannot be written.
    """
    now, path = now or datetime.now(UTC), Path(path)
    status = gather({importer.name: importer}, now, zone=zone).sources[0]
    source = Source.objects.filter(name=importer.name).first()
    items = (
        source.items.filter(gone_at=None).exclude(state=ItemState.PENDING).order_by("position", "pk")
        if source
        else Item.objects.none()
    )
    total = items.count()
    shown = min(limit, total)
    with _private(path) as out:
        out.write(top(importer.name, headline(status, now, zone), stamp(now, zone), status.totals, shown))
        for each in _cards(items, store, limit):
            out.write(card(each))
        out.write(bottom(total - shown))
    return Sheet(path, shown, total)


@contextmanager
def _private(path: Path) -> Iterator[TextIO]:
    """A new file that takes the place of `path` once it is whole. Other accounts cannot read it, not even in between.

    `mkstemp` makes it 0600; on Windows the rights of the folder hold, which in a user's own folders are theirs alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".sheet-", suffix=".html", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            yield out
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _cards(items: QuerySet[Item], store: Reader, limit: int) -> Iterator[Card]:
    with ThreadPoolExecutor(_READERS, thread_name_prefix="sheet") as pool:
        waiting = items[:limit].iterator(chunk_size=_AT_ONCE)
        while some := list(islice(waiting, _AT_ONCE)):
            keys = [item.thumbnail_key for item in some]
            for item, (picture, why) in zip(some, pool.map(lambda key: _thumbnail(store, key), keys), strict=True):
                yield _card(item, picture, why)


def _thumbnail(store: Reader, key: str) -> tuple[bytes, str]:
    if not key:
        return b"", ""
    data = bytearray()
    try:
        with store.open(key) as chunks:
            for chunk in chunks:
                data += chunk
                if len(data) > _LARGEST:
                    return b"", "the thumbnail is too large to show"
    except UnladeError:
        return b"", "the thumbnail could not be read"
    return bytes(data), ""


def _card(item: Item, picture: bytes, why: str) -> Card:
    troubled = item.state in (ItemState.FAILED, ItemState.QUARANTINED) or item.reason
    note = reason(item.reason).sentence if troubled and item.reason else ""
    blank = why or ("no thumbnail of this type" if item.key else "no file")
    if item.state == ItemState.QUARANTINED and item.key and not why:
        blank = "damaged"
    elif item.thumbnail_error and not picture:
        blank = "no thumbnail could be made"
    return Card(
        record_id=item.record_id + (f" {item.slot}" if item.slot else ""),
        state=item.state,
        note="a lesser copy; the better one is damaged" if item.lesser_copy else note,
        field=item.field,
        size=item.size,
        kind=kind_of(item.key, item.mime_type),
        pixels=(item.width, item.height) if item.width and item.height else None,
        day=item.day,
        picture=picture,
        why_blank=blank,
    )
