"""What happens to items, kept for `filemaker_trace`: one row for each try that ended, link, decision of a person.

`Event.what` is the state that a try ended in, or one of the words here. Details hold ids, codes, keys and sizes; never
field values.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from unlade import bulk
from unlade.ledger.models import Event, Item, Run

LINKED = "linked"  #: its owner arrived; `owner` is the primary key
REASSIGNED = "reassigned"  #: a person chose its owner: `by`, `why`, `origin` and `to` (primary keys), `to_id`
REKEYED = "rekeyed"  #: its objects were moved: `by`, `was` and `to` (keys); `waits` until the old ones are deleted
OWNER_LOST = "owner lost"  #: its owner's row was deleted
ACCEPTED = "accepted"  #: a person closed it: `by`, `why`, and what it was
REOPENED = "reopened"  #: a person opened it again: `by`
AGAIN = "again"  #: a person handed it to the next run: `by`, `why`
BY_HAND = "by hand"  #: a person brought its file, or had its row written anew: `by`, `sha256`, `size`
GONE = "gone"  #: its record is no longer in the source
DAMAGED = "found damaged"  #: a check read its object and found other bytes


def note(item: Item, what: str, at: datetime, run: Run | None = None, **detail: Any) -> None:
    """Write down one event; empty details are left out."""
    Event.objects.create(item=item, at=at, run=run, what=what, detail=lean(detail))


def note_all(items: Iterable[tuple[Item, dict[str, Any]]], what: str, at: datetime, run: Run | None = None) -> None:
    """Write down the same for many items, each with its detail, in as few queries as the database allows."""
    told = list(items)
    count = len(told)
    columns: dict[str, list[Any]] = {
        "item_id": [item.pk for item, _ in told],
        "at": [at] * count,
        "run_id": [run.pk if run is not None else None] * count,
        "what": [str(what)] * count,
        "detail": [lean(detail) for _, detail in told],
    }
    bulk.insert(Event, columns)


def settled_detail(item: Item, owner: Any = None) -> dict[str, Any]:
    """The detail of an event of an item that was just settled; `owner` is its owner's row, if it has one."""
    stored = bool(item.key) and item.state not in ("pending", "failed", "empty")
    return {
        "reason": item.reason,
        "text": item.detail,
        "attempts": item.attempts,
        "modification": item.mod_id,
        "next_try_at": item.next_try_at.isoformat() if item.next_try_at else "",
        "field": item.field if stored else "",
        "key": item.key if stored else "",
        "size": item.size if stored else None,
        "sha256": item.sha256 if stored else "",
        "row": item.row if stored else "",
        "owner": str(owner.pk) if owner is not None else "",
        "lesser_copy": item.lesser_copy and stored,
    }


def lean(detail: dict[str, Any]) -> dict[str, Any]:
    """A detail without what is empty."""
    return {name: value for name, value in detail.items() if value or (value == 0 and value is not False)}
