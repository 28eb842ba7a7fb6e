"""Thumbnails of files that a pull over the API brought before any were asked for; read from the target, not the host."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from unlade import keys
from unlade.cargo import Facts, Parcel
from unlade.errors import StoreError
from unlade.ledger.models import Item
from unlade.media.filetypes import ALL, Kind
from unlade.media.workers import DecoderPool
from unlade.rigging import Rigging
from unlade.standalone.layouts import LayoutImport
from unlade.standalone.targets import Target
from unlade.states import ItemState
from unlade.store import Store

_WITH_PIXELS = [known.mime_type for known in ALL if known.kind in (Kind.IMAGE, Kind.PDF)]


def make_late(importers: Sequence[LayoutImport], rig: Rigging, box: tuple[int, int], target: Target) -> int:
    """Make those that were never made or are gone, one after the other; how many. Raises `StoreError`, `SettingsError`."""
    items = Item.objects.filter(
        source__name__in=[importer.name for importer in importers],
        state=ItemState.IMPORTED,
        mime_type__in=_WITH_PIXELS,
        thumbnail_error="",
    ).order_by("pk")
    missing = [pk for pk, key in items.values_list("pk", "thumbnail_key") if not key or target.size(key) is None]
    if not missing:
        return 0
    store, made = rig.store(), 0
    try:
        with rig.decoders() as decoders:
            for pk in missing:
                made += _make(Item.objects.select_related("source").get(pk=pk), store, decoders, box, target.desk)
    finally:
        store.close()
    return made


def _make(item: Item, store: Store, decoders: DecoderPool, box: tuple[int, int], desk: Path) -> bool:
    path = desk / f"{os.getpid()}-thumb-{item.pk}"
    try:
        try:
            store.read(item.key, path)
        except StoreError:
            return False  # a file that is gone is for `unlade verify` to name
        parcel = Parcel(path, item.field, item.size or 0, item.sha256, "", name=item.original_name or None)
        content = decoders.inspect(parcel, box=box)
    finally:
        path.unlink(missing_ok=True)
    thumb = content.thumbnail
    if thumb is None:
        item.thumbnail_error = (content.thumbnail_error or content.damage or "none could be made")[:255]
    else:
        facts = Facts(
            item.source.name, item.record_id, item.mod_id, item.identity, 0, item.sha256, item.state, item.slot
        )
        key = keys.thumbnail_key(item.key, thumb.extension)
        stored = store.put_thumbnail(key, thumb.data, content_type=thumb.mime_type, facts=facts)
        item.thumbnail_key, item.thumbnail_size = stored.key, stored.size
    item.save(update_fields=["thumbnail_key", "thumbnail_size", "thumbnail_error"])
    return thumb is not None
