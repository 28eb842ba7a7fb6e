"""Catching the ledger up from the store: what is in the store says by itself whose it is (CONTRACT B3).

Each run leaves a mark with its number in the store. A ledger whose newest run is older than the newest mark was restored
from a backup: everything that was stored since is found by one listing and enters the ledger without a fetch.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from unlade.cargo import Facts, Road
from unlade.importer import ContainerImport
from unlade.ledger.models import Item, Source
from unlade.owners import normalise_ref
from unlade.states import ItemState
from unlade.store import Store

log = logging.getLogger(__name__)


def static_prefix(pattern: str) -> str:
    """The folders of a key pattern that are the same for every record."""
    folders = []
    for segment in pattern.split("/")[:-1]:
        if "{" in segment:
            break
        folders.append(segment)
    return "/".join(folders)


def catch_up(importer: ContainerImport, source: Source, store: Store, now: datetime) -> int:
    """Enter every object of this source that the ledger does not know; returns how many.

    They are pending with their key known: the next steps of the run read them back from the store, not from the host.
    """
    found = 0
    for info in store.list(static_prefix(importer.key), cargo_only=True):
        if source.items.filter(key=info.key).exclude(state=ItemState.PENDING).exists():
            continue
        full = store.head(info.key)
        if full is None or full.facts is None or full.facts.source != importer.name:
            continue
        if full.facts.state == ItemState.QUARANTINED and "~damaged-" in info.key:
            continue  # kept beside a lesser copy; the copy's own object speaks for the item
        with transaction.atomic():
            found += _enter(source, full.facts, info.key, now)
    if found:
        log.info("%s: %s stored files were not in the ledger and were caught up", importer.name, found)
    return found


def _enter(source: Source, facts: Facts, key: str, now: datetime) -> int:
    item, new = Item.objects.get_or_create(
        source=source,
        record_id=facts.record_id,
        slot=facts.slot,
        defaults={
            # An id that was made up from the identity says that it came from an export (CONTRACT B5).
            "road": Road.FOLDER if "=" in facts.record_id else Road.API,
            "mod_id": facts.mod_id,
            "file_mod_id": facts.mod_id,
            "identity": facts.identity[:255],
            "identity_key": normalise_ref(facts.identity)[:255],
            "key": key[:1024],
            "sha256": facts.sha256,
            "seen_at": now,
        },
    )
    if new:
        return 1
    if item.state not in (ItemState.PENDING, ItemState.FAILED) or item.key == key:
        return 0
    item.key, item.sha256 = key[:1024], facts.sha256
    item.save(update_fields=["key", "sha256"])
    return 1
