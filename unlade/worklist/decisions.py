"""What a person decides about an item: close it, open it again, hand it to the next run. Under the source's lock."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from unlade import keys
from unlade.cargo import Facts
from unlade.errors import UsageError
from unlade.importer import ContainerImport
from unlade.ledger.events import ACCEPTED, AGAIN, REOPENED, note
from unlade.ledger.models import Event, Item
from unlade.spool import Spool
from unlade.states import STORED, ItemState
from unlade.store import Store

S = ItemState

#: What an item was when it was accepted, so that opening it again takes everything back.
_KEPT = ("state", "reason", "detail", "final")


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one item. `changed` is False when it was so before; `set_aside` is the key of a damaged copy."""

    item: Item
    before: str
    changed: bool = True
    set_aside: str = ""


def accept(item: Item, why: str, by: str, now: datetime) -> Decided:
    """Close an item as it is. An imported one may be accepted too: its row is then meant as it is.

    Raises `UsageError` without a reason.
    """
    if not why.strip():
        raise UsageError("an item is accepted for a reason", remedy='Say it: --accept "the picture is lost".')
    before = item.state
    if before == S.ACCEPTED and (item.accepted_why, item.accepted_by) == (why, by):
        return Decided(item, before, changed=False)
    was = {name: getattr(item, name) for name in _KEPT}
    with transaction.atomic():
        if before != S.ACCEPTED:
            item.move(S.ACCEPTED)
            item.settled_at, item.settled_in = now, None
        item.accepted_by, item.accepted_why, item.next_try_at, item.in_hand = by[:150], why, None, None
        item.save()
        note(item, ACCEPTED, now, by=by, why=why, was=was if before != S.ACCEPTED else None)
    return Decided(item, before)


def reopen(item: Item, by: str, now: datetime) -> Decided:
    """Take an acceptance back: the item is what it was before. Raises `UsageError` when it was not accepted."""
    if item.state != S.ACCEPTED:
        raise UsageError(f"record {item.record_id} is {item.state}, not accepted: there is nothing to take back")
    events = Event.objects.filter(item=item, what=ACCEPTED, detail__has_key="was").order_by("-at", "-pk")
    last = events.first()
    was: dict[str, Any] = (
        last.detail["was"] if last else {"state": S.PENDING, "reason": "", "detail": "", "final": False}
    )
    with transaction.atomic():
        item.move(was["state"])
        item.reason, item.detail, item.final = was["reason"], was["detail"], was["final"]
        item.accepted_by = item.accepted_why = ""
        if item.state == S.FAILED and not item.final:
            item.next_try_at = now
        item.save()
        note(item, REOPENED, now, by=by)
    return Decided(item, S.ACCEPTED)


def hand_back(importer: ContainerImport, store: Store, spool: Spool, item: Item, by: str, now: datetime) -> Decided:
    """Let the next run try the item anew: it reads the record, and fetches the file unless a good one is in the store.

    A damaged object is set aside first, since a file that is in the store is never fetched again.
    Raises `UsageError` for what a run would not touch, `StoreError`.
    """
    before = item.state
    if before == S.ACCEPTED:
        raise UsageError(f"record {item.record_id} was accepted", remedy="Take that back first: --reopen.")
    if before == S.PENDING:
        return Decided(item, before, changed=False)
    if item.reason in ("duplicate_identity", "no_identity"):
        raise UsageError(
            f"record {item.record_id} cannot be told from others by its id; trying again does not help",
            remedy="Give it an id of its own in FileMaker and import with --changed, or accept it.",
        )
    aside, good = "", False
    if item.key and before in STORED:
        good, aside = set_aside_if_damaged(store, spool, importer, item)
    with transaction.atomic():
        if before == S.EMPTY:
            item.move(S.PENDING)
        else:
            item.move(S.FAILED)
        item.reason, item.detail, item.final = "asked_again", f"asked for by {by}", False
        item.next_try_at, item.in_hand = now, None
        if not good or before == S.QUARANTINED:
            item.key, item.attempts, item.known_size = ("" if before in STORED else item.key), [], None
        item.save()
        note(item, AGAIN, now, by=by, set_aside=aside)
    return Decided(item, before, set_aside=aside)


def set_aside_if_damaged(store: Store, spool: Spool, importer: ContainerImport, item: Item) -> tuple[bool, str]:
    """Whether the item's object is there and as it was stored; if it is other than that, it is copied to a key of
    its own and its place is free. Also returns that key, "" when nothing had to move. Raises `StoreError`.
    """
    info = store.head(item.key)
    if info is None:
        return False, ""
    found = store.sha256(item.key)
    if found == item.sha256:
        return True, ""
    aside = keys.variant_key(item.key, f"damaged-{found[:12]}")
    facts = info.facts or facts_of(importer, item)
    facts = replace(facts, sha256=found, state=S.QUARANTINED)
    with tempfile.TemporaryDirectory(prefix="set-aside-", dir=spool.folder) as folder:
        copy = Path(folder) / "object"
        store.read(item.key, copy)
        kept = store.put(aside, copy, content_type=info.content_type or item.mime_type, facts=facts)
    store.delete(item.key)
    return False, kept.key


def facts_of(importer: ContainerImport, item: Item) -> Facts:
    """What an object that says nothing of itself would say, by the ledger."""
    names = list(importer.containers)
    number = names.index(item.field) if item.field in names else 0
    return Facts(importer.name, item.record_id, item.mod_id, item.identity, number, item.sha256, item.state, item.slot)
