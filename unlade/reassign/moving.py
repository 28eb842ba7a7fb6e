"""Objects follow their owner to another key: copied, read again, then the rows, then the old ones deleted.

What is under way stands in the ledger before the first copy, so that after a crash nothing is left over: the next
call takes copies away that no row came to, or deletes the old objects that every row has left. Under the source's lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from unlade import keys
from unlade.cargo import Facts
from unlade.errors import KeyCollision
from unlade.importer import ContainerImport
from unlade.landing import landing_of
from unlade.ledger.events import REKEYED
from unlade.ledger.models import Event, Item, Source
from unlade.owners import CHUNK, normalise_ref
from unlade.states import STORED
from unlade.store import Store
from unlade.verify.strangers import names_of
from unlade.worklist.byhand import record_of
from unlade.worklist.decisions import facts_of

_THREADS = 4

#: Steps of a move that is under way; a finished one has none.
COPYING, DELETING = "copying", "deleting"


@dataclass
class Move:
    """One item's objects. `pairs` are (old key, new key), the original first; `problem` says why they stay."""

    item: Item
    owner: str  #: as the new key has it; "" for the source's
    pairs: list[tuple[str, str]] = field(default_factory=list)
    problem: str = ""
    sha256: str = ""
    event: Event | None = None

    @property
    def old(self) -> list[str]:
        return [old for old, _ in self.pairs]

    @property
    def new(self) -> list[str]:
        return [new for _, new in self.pairs]

    def place_of(self, key: str) -> str:
        """Where the object of `key` lies afterwards."""
        return dict(self.pairs).get(key, key)


def plan(importer: ContainerImport, item: Item, owner: str) -> Move:
    """Where the item's objects would lie with `owner` in the key ("": the source's). Raises `BadKey`."""
    move = Move(item, owner)
    if not item.key or item.state not in (*STORED, "accepted"):
        return move
    new = landing_of(importer, record_of(importer, item), item.slot, owner).key(keys.extension_of(item.key))
    if new != item.key and not item.key.startswith(f"{keys.stem_of(new)}~"):
        move.pairs = [(item.key, new)]
        if item.thumbnail_key:
            move.pairs.append((item.thumbnail_key, keys.thumbnail_key(new, keys.extension_of(item.thumbnail_key))))
        stem = keys.stem_of(item.key)
        if item.spare_key.startswith(stem):
            move.pairs.append((item.spare_key, keys.stem_of(new) + item.spare_key[len(stem) :]))
    return move


def copy_all(importer: ContainerImport, store: Store, moves: Sequence[Move], by: str, now: datetime) -> None:
    """Copy the objects of `moves` and read the copies; a move that cannot be made gets its `problem`.

    Raises `StoreError` when the store itself fails: then nothing has moved.
    """
    for move in moves:
        move.event = Event(item=move.item, at=now, what=REKEYED, detail=_detail(move, by, COPYING))
    Event.objects.bulk_create([move.event for move in moves if move.event], batch_size=500)
    with ThreadPoolExecutor(_THREADS, "unlade-rekey") as pool:
        list(pool.map(lambda move: _copy(importer, store, move), moves))
    left = [move for move in moves if move.problem]
    for move in left:
        _delete(store, move.item, move.new)
    Event.objects.filter(pk__in=[move.event.pk for move in left if move.event]).delete()


def _copy(importer: ContainerImport, store: Store, move: Move) -> None:
    """One item's objects, in a worker."""
    for place, (old, new) in enumerate(move.pairs):
        info = store.head(old)
        if info is None:
            if place == 0:
                move.problem = "its file is not in the store"
                return
            continue
        digest = store.sha256(old)
        if place == 0 and move.item.sha256 and digest != move.item.sha256:
            move.problem = "its file in the store has other bytes than were stored"
            return
        facts = replace(info.facts or facts_of(importer, move.item), sha256=digest)
        mime = info.content_type or move.item.mime_type
        try:
            stored = store.copy(old, new, content_type=mime, facts=facts)
        except KeyCollision:
            move.problem = f"{new} holds the file of another record"
            return
        if store.sha256(stored.key) != digest:
            move.problem = "its copy in the store has other bytes"
            return
        move.pairs[place] = (old, stored.key)
        if place == 0:
            move.sha256 = digest


def record_all(importer: ContainerImport, moves: Sequence[Move], by: str, now: datetime) -> None:
    """Write the new keys into items and rows, in the caller's transaction. Raises `LookupError` for rows that are gone."""
    rows = []
    for move in moves:
        item = move.item
        item.key, item.spare_key = move.place_of(item.key), move.place_of(item.spare_key)
        item.thumbnail_key = move.place_of(item.thumbnail_key)
        item.sha256 = item.sha256 or move.sha256
        item.proven_at = now  # the object was read, and has its sha256
        if item.row:
            rows.append((item.row, item.key, item.thumbnail_key))
        if move.event is not None:
            move.event.detail = _detail(move, by, DELETING)
    for start in range(0, len(rows), 1000):
        lost = importer.rekey(rows[start : start + 1000])
        if lost:
            raise LookupError(", ".join(str(row) for row in lost))
    fields = ["key", "thumbnail_key", "spare_key", "sha256", "proven_at"]
    Item.objects.bulk_update([move.item for move in moves], fields, batch_size=500)
    Event.objects.bulk_update([move.event for move in moves if move.event], ["detail"], batch_size=500)


def under_way(source: Source) -> QuerySet[Event]:
    """Moves that are not at their end: of now, or of a process that died."""
    return Event.objects.filter(item__source=source, what=REKEYED, detail__step__in=[COPYING, DELETING])


def finish(source: Source, store: Store) -> int:
    """Bring all moves to their end; how many there were. Raises `StoreError`; may be repeated."""
    count = 0
    for events in _slices(under_way(source)):
        held = _held(key for event in events for key in (*event.detail["was"], *event.detail["to"]))
        for event in events:
            copying = event.detail["step"] == COPYING
            over = [key for key in event.detail["to" if copying else "was"] if key not in held]
            _delete(store, event.item, over, nameless=not copying)
            if copying:
                event.delete()
            else:
                event.detail.pop("step")
                event.save(update_fields=["detail"])
            count += 1
    return count


def _slices(events: Any) -> Iterator[list[Event]]:
    last = 0
    while part := list(events.filter(pk__gt=last).select_related("item__source").order_by("pk")[:CHUNK]):
        last = part[-1].pk
        yield part  # the caller may delete them


def _held(names: Iterable[str]) -> set[str]:
    """Those of the keys that an item holds."""
    wanted, found = list(dict.fromkeys(names)), set()
    for start in range(0, len(wanted), CHUNK):
        part = wanted[start : start + CHUNK]
        for column in ("key", "thumbnail_key", "spare_key"):
            for item in Item.objects.filter(**{f"{column}__in": part}):
                found |= set(names_of(item)) - {""}
    return found


def _delete(store: Store, item: Item, names: Iterable[str], *, nameless: bool = False) -> None:
    """Delete those of the objects that say they are this item's; with `nameless` also those that say nothing."""
    for name in names:
        info = store.head(name)
        if info is not None and (nameless if info.facts is None else _is_of(info.facts, item)):
            store.delete(name)


def _is_of(facts: Facts, item: Item) -> bool:
    mine = (item.source.name, item.slot, item.identity_key)
    return (facts.source, facts.slot, normalise_ref(facts.identity)[:255]) == mine


def _detail(move: Move, by: str, step: str) -> dict[str, Any]:
    return {"by": by, "key": move.new[0], "was": move.old, "to": move.new, "step": step}


__all__ = ["Move", "copy_all", "finish", "plan", "record_all", "under_way"]
