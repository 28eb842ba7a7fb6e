"""One decision of a person about whose files are: what it comes to for each item, and its one transaction.

Afterwards `Item.owner_row` says who was chosen. Runs, relinking, checks and proofs go by it (`unlade.ledger.choice`).
Whoever calls `reassign` to write holds the source's lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from unlade.errors import UnladeError, UsageError
from unlade.importer import ContainerImport
from unlade.ledger.events import REASSIGNED, note_all
from unlade.ledger.models import Item, Source
from unlade.owners import CHUNK, OwnerFinder
from unlade.reassign.moving import Move, copy_all, finish, plan, record_all, under_way
from unlade.reassign.selecting import Named, declared_owner, noun_of, owners_now
from unlade.signals import item_linked, send
from unlade.states import STORED, ItemState, check_arrow
from unlade.store import Store

S = ItemState

#: What a decision comes to for an item, and whether that leaves something to do.
MOVED = "moved"  #: its row goes from one owner to another
LINKED = "linked"  #: its row had no owner
PINNED = "pinned"  #: its row is the owner's already, from now on by choice
WAITS = "waits"  #: it has no row yet; it goes to the owner when it comes
ROW_MISSING = "row_missing"  #: its row was deleted; one that is written anew goes to the owner
RETURNED = "returned"  #: the source's word holds again, and its row goes to whom the source names
SAME = "same"  #: nothing changes
NOBODY = "nobody"  #: it was to be given back, and the source names nobody certain: it stays where it is


@dataclass
class Fate:
    """What becomes of one item. `origin` is the primary key of its owner before, "" for none; `to` of the one after."""

    item: Item
    what: str
    origin: str
    to: str
    owner: Any = None
    move: Move | None = None


@dataclass
class Decision:
    """What was decided, and what it comes to. `to` is None where items are given back to the source's word."""

    source: str
    to: Named | None
    why: str
    by: str
    dry_run: bool = False
    rekey: bool = False
    fates: list[Fate] = field(default_factory=list)

    def of(self, *what: str) -> list[Fate]:
        """The fates of these kinds."""
        return [fate for fate in self.fates if fate.what in what]

    @property
    def counts(self) -> Counter[str]:
        return Counter(fate.what for fate in self.fates)

    @property
    def stuck(self) -> list[Move]:
        """Objects that could not be moved."""
        return [fate.move for fate in self.fates if fate.move is not None and fate.move.problem]

    @property
    def exit_code(self) -> int:
        """1 when something is left that a person must look at."""
        return 1 if self.stuck or self.of(ROW_MISSING, NOBODY) else 0


def decide(importer: ContainerImport, items: Sequence[Item], to: Named | None, why: str, by: str) -> Decision:
    """What giving these items to an owner (None: back to the source's word) comes to; changes nothing."""
    decision = Decision(importer.name, to, why, by)
    finder = OwnerFinder(declared_owner(importer))
    for start in range(0, len(items), CHUNK):
        part = items[start : start + CHUNK]
        now = owners_now(importer, part)
        rows = importer.rows([item.row for item in part if item.row])
        matches = finder.find(item.reference for item in part) if to is None else {}
        for item in part:
            owner = to.row if to is not None else matches[item.reference].owner
            gone = rows is not None and bool(item.row) and item.row not in rows
            decision.fates.append(_fate(item, now[item.pk], owner, gone=gone, back=to is None))
    return decision


def _fate(item: Item, origin: str, owner: Any, *, gone: bool, back: bool) -> Fate:
    to = str(owner.pk) if owner is not None else ""
    fate = Fate(item, "", origin, to, owner)
    if back and not item.owner_row:
        fate.what = SAME
    elif back and owner is None and item.row:
        fate.what, fate.to = NOBODY, origin
    elif not back and item.owner_row == to and (origin == to or not item.row or gone):
        fate.what = SAME
    elif gone:
        fate.what = ROW_MISSING
    elif not item.row:
        fate.what = RETURNED if back else WAITS
    elif back:
        fate.what = RETURNED
    else:
        fate.what = PINNED if origin == to else MOVED if origin else LINKED
    return fate


def plan_moves(importer: ContainerImport, decision: Decision) -> None:
    """Say of each item where its objects go. Raises `UsageError` where they cannot."""
    to = decision.to
    if "{owner}" not in importer.key:
        raise UsageError(f"--rekey: the keys of {importer.name} do not hold the owner: there is nothing to move")
    if type(importer).rekey is ContainerImport.rekey:
        raise UsageError(
            f"--rekey: the declaration of {importer.name} does not say how a row gets another key",
            remedy="Write its `rekey`, or leave the files where they are: rows and owners are right without it.",
        )
    if to is not None and not to.id:
        raise UsageError(f"--rekey: {to} has no id of FileMaker's, which is what keys are made of")
    decision.rekey = True
    for fate in decision.fates:
        if fate.what not in (NOBODY, ROW_MISSING):
            fate.move = plan(importer, fate.item, to.id if to is not None else "")


def reassign(importer: ContainerImport, decision: Decision, store: Store | None, now: datetime) -> None:
    """Carry a decision out: copies first, then ledger and rows in one transaction, then what is over is deleted.

    `store` is needed for moves, and to bring earlier ones to their end. Raises `UnladeError` when a row did not follow,
    `StoreError`: then nothing has changed.
    """
    source = Source.objects.filter(name=importer.name).first()
    if source is None:
        return
    if store is not None and under_way(source).exists():
        finish(source, store)
    moves = [fate.move for fate in decision.fates if fate.move is not None and fate.move.pairs]
    if moves and store is not None:
        copy_all(importer, store, moves, decision.by, now)
    good = [move for move in moves if not move.problem]
    with transaction.atomic():
        _give(importer, decision, now)
        if decision.rekey:
            _name_owners(decision)
        try:
            record_all(importer, good, decision.by, now)
        except LookupError as error:
            raise UnladeError(
                f"{importer.name}: no row has the primary key {error}; nothing was changed",
                remedy="Run filemaker_verify: it names rows that are missing, and what to do.",
            ) from error
        for fate in decision.of(MOVED, LINKED, RETURNED):
            if fate.owner is not None and fate.item.row:
                send(item_linked, importer, item=fate.item, owner=fate.owner)
    if good and store is not None:
        finish(source, store)


def _give(importer: ContainerImport, decision: Decision, now: datetime) -> None:
    """Ledger, rows and history of one decision, in the caller's transaction."""
    fates = [fate for fate in decision.fates if fate.what not in (SAME, NOBODY)]
    rows = [fate for fate in fates if fate.item.row and fate.what != ROW_MISSING and fate.owner is not None]
    for start in range(0, len(rows), 1000):
        part = rows[start : start + 1000]
        lost = set(importer.reassign([(fate.item.row, fate.owner) for fate in part if fate.origin != fate.to]) or ())
        for fate in part:
            if fate.item.row in lost:
                fate.what = ROW_MISSING
    _check_rows(importer, [fate for fate in rows if fate.what != ROW_MISSING])
    for fate in fates:
        item = fate.item
        item.owner_row = fate.to if decision.to is not None else ""
        if item.state == S.UNLINKED and item.row and fate.what != ROW_MISSING:
            check_arrow(S.UNLINKED, S.IMPORTED)
            item.state, item.reason, item.detail, item.settled_at = S.IMPORTED, "", "", now
    fields = ["owner_row", "state", "reason", "detail", "settled_at"]
    Item.objects.bulk_update([fate.item for fate in fates], fields, batch_size=500)
    to = decision.to
    told = {"by": decision.by, "why": decision.why, "to_id": to.id if to is not None else ""}
    note_all(
        [(fate.item, {**told, "origin": fate.origin, "to": fate.to, "back": to is None}) for fate in fates],
        REASSIGNED,
        now,
    )


def _check_rows(importer: ContainerImport, fates: Sequence[Fate]) -> None:
    """Raise `UnladeError` when a declaration's hook did not do what it was asked for."""
    for start in range(0, len(fates), CHUNK):
        part = fates[start : start + CHUNK]
        rows = importer.rows([fate.item.row for fate in part])
        for fate in part if rows is not None else ():
            facts = (rows or {}).get(fate.item.row)
            if facts is None or str(facts.owner) != fate.to:
                raise UnladeError(
                    f"record {fate.item.record_id}: its row {fate.item.row} did not go to {noun_of(importer)} {fate.to};"
                    " nothing was changed",
                    remedy="Mend the declaration's `reassign` or `link`.",
                )


def _name_owners(decision: Decision) -> None:
    """Files that come later go where the moved ones are."""
    named = decision.to.id[:255] if decision.to is not None else ""
    changed = []
    for fate in decision.fates:
        problem = fate.move is None or fate.move.problem
        if not problem and fate.item.owner_in_key != named:
            fate.item.owner_in_key = named
            changed.append(fate.item)
    Item.objects.bulk_update(changed, ["owner_in_key"], batch_size=500)


#: States whose file lies in the store.
HAVE_FILE = (*STORED, S.ACCEPTED)

__all__ = ["HAVE_FILE", "Decision", "Fate", "decide", "plan_moves", "reassign"]
