"""What a database file holds of one stored item: the same bytes, another rendition, a better one, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from unlade.cargo import ContainerRef, RefStatus, SourceRecord
from unlade.errors import ItemError
from unlade.fileroad import ImportedFile
from unlade.importer import ContainerImport
from unlade.ledger.models import Item
from unlade.states import ItemState
from unlade.store import Store
from unlade.waterfall import DAMAGED

#: Streams below this are no rendition of a file: sizes, resolutions, frames.
_SMALL = 16


def read(file: ImportedFile, record: SourceRecord, ref: ContainerRef) -> tuple[str, int, str | None]:
    """sha256 and size of a container's file, and what is wrong with it. Raises `ItemError`."""
    digest, size = hashlib.sha256(), 0
    with file.download(record, ref) as download:
        for chunk in download.chunks():
            digest.update(chunk)
            size += len(chunk)
        return digest.hexdigest(), size, getattr(download, "damage", None)


def other_streams(file: ImportedFile, record: SourceRecord, field: str) -> Iterator[str]:
    """sha256 of each other stream of the field's object."""
    for name, size in file.streams_of(record, field):
        if size > _SMALL:
            with file.open_stream(record, field, name) as stream:
                digest = hashlib.sha256()
                for chunk in stream.chunks():
                    digest.update(chunk)
            yield digest.hexdigest()


def filled(importer: ContainerImport, record: SourceRecord) -> list[str]:
    """The declared containers that hold a file, best first."""
    return [name for name in importer.containers if record.containers[name].status is RefStatus.FILE]


def holds_a_file(importer: ContainerImport, file: ImportedFile, record: SourceRecord) -> bool:
    """Whether any declared container of the record can be read there; an object that has lost its file cannot."""
    for name in filled(importer, record):
        try:
            with file.download(record, record.containers[name]):
                return True
        except ItemError:
            continue
    return False


def better(importer: ContainerImport, store: Store, file: ImportedFile, item: Item, record: SourceRecord) -> str:
    """The field of which the file proves better bytes than those that were stored; "" for none.

    Of a lesser or damaged copy that is any better field, or the same one, whose bytes are whole here and are not the
    damaged ones that the host sent; of all others a better field that the import never saw filled. Only the best
    field's damaged bytes are kept (CONTRACT B2); of the others their size tells.
    """
    if item.slot or item.field not in importer.containers:
        return ""
    tried = {attempt.get("field"): attempt for attempt in item.attempts}
    names = list(importer.containers[: list(importer.containers).index(item.field)])
    if item.state == ItemState.QUARANTINED:
        names = list(importer.containers)
    kept = next((name for name in importer.containers if tried.get(name, {}).get("result") in DAMAGED), "")
    bad: set[str] | None = None
    for name in names:
        ref = record.containers[name]
        if ref.status is not RefStatus.FILE:
            continue
        try:
            digest, size, damage = read(file, record, ref)
        except ItemError:
            continue  # it is no better than what the host said of it
        if damage or not size:
            continue
        if tried.get(name, {}).get("result") in DAMAGED:
            bad = _damaged_copies(store, item) if bad is None else bad
            if digest in bad or ((not bad or name != kept) and tried[name].get("size") == size):
                continue
        return name
    return ""


def _damaged_copies(store: Store, item: Item) -> set[str]:
    """sha256 of what was kept of the item's damaged bytes."""
    kept = {item.sha256} if item.state == ItemState.QUARANTINED else set()
    spare = store.head(item.spare_key) if item.spare_key else None
    return kept | {spare.facts.sha256} if spare is not None and spare.facts is not None else kept
