"""One item's story: what the source had, what was tried, where the file lies, whose it is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet

from unlade.errors import UnladeError
from unlade.importer import ContainerImport, RowFacts
from unlade.ledger.models import Event, Item
from unlade.owners import OwnerFinder
from unlade.states import ItemState
from unlade.store import Store

S = ItemState


@dataclass(frozen=True, slots=True)
class Chapter:
    """One event: `run` is the run's number, None for what a person or a check did."""

    at: datetime
    run: int | None
    what: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of one item. `object` says how its file is in the store now, "" when it has none;
    `row` is what its row says now, None when it has none or rows are not looked at. `raw_day` is the source's own text.
    """

    item: Item
    chapters: tuple[Chapter, ...]
    object: str
    row: RowFacts | None
    row_looked_at: bool
    raw_day: str

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        item = self.item
        return {
            "source": item.source.name,
            "record": item.record_id,
            "slot": item.slot or None,
            "modification": item.mod_id or None,
            "identity": item.identity or None,
            "owner": item.owner_ref or None,
            "owner_chosen": item.owner_row or None,
            "date": item.day.isoformat() if item.day else None,
            "state": item.state,
            "reason": item.reason or None,
            "detail": item.detail or None,
            "gone_at": _iso(item.gone_at),
            "field": item.field or None,
            "lesser_copy": item.lesser_copy,
            "object": {
                "key": item.key or None,
                "size": item.size,
                "sha256": item.sha256 or None,
                "mime_type": item.mime_type or None,
                "thumbnail": item.thumbnail_key or None,
                "damaged_copy": item.spare_key or None,
                "now": self.object or None,
                "proven_at": _iso(item.proven_at),
            },
            "row": {
                "pk": item.row or None,
                "now": None if not self.row_looked_at or not item.row else ("there" if self.row else "missing"),
                "owner": None if self.row is None or self.row.owner is None else str(self.row.owner),
            },
            "accepted": {"by": item.accepted_by, "why": item.accepted_why} if item.state == S.ACCEPTED else None,
            "marked_at": _iso(item.marked_at),
            "history": [
                {"at": each.at.isoformat(), "run": each.run, "what": each.what, **each.detail} for each in self.chapters
            ],
        }


def story_of(item: Item, importer: ContainerImport, store: Store | None) -> Story:
    """Tell the story of `item`; without a `store` its object is not looked at."""
    rows = importer.rows([item.row]) if item.row else {}
    raw_day = ""
    if item.row and importer.taken_on:
        raw_day = str(importer.row_metadata(item.row).get(importer.taken_on.field, "") or "")
    return Story(
        item=item,
        chapters=_chapters(item),
        object=_object(item, store),
        row=(rows or {}).get(item.row),
        row_looked_at=rows is not None,
        raw_day=raw_day,
    )


def _chapters(item: Item) -> tuple[Chapter, ...]:
    events = Event.objects.filter(item=item).select_related("run").order_by("at", "pk")
    told = tuple(
        Chapter(event.at, event.run.number if event.run else None, event.what, event.detail) for event in events
    )
    if told or item.settled_at is None:
        return told
    # Settled before a history was kept: the ledger knows how it ended.
    detail = {"reason": item.reason, "text": item.detail, "attempts": item.attempts, "field": item.field}
    run = item.settled_in.number if item.settled_in else None
    return (Chapter(item.settled_at, run, item.state, {name: value for name, value in detail.items() if value}),)


def _object(item: Item, store: Store | None) -> str:
    if not item.key:
        return ""
    if store is None:
        return "not looked at"
    try:
        info = store.head(item.key)
    except UnladeError as error:
        return f"not looked at ({error})"
    if info is None:
        return "missing"
    return "there" if info.size == item.size else f"there, but with {info.size} bytes"


@dataclass(frozen=True, slots=True)
class Line:
    """One item of an owner, in short."""

    source: str
    record_id: str
    slot: str
    day: date | None
    state: str
    reason: str
    size: int | None
    why: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Owned:
    """What the source had of one owner, and what became of it. `rows` are the owner's own rows here, by model."""

    owner: str
    found: int
    states: Counter[str] = field(default_factory=Counter)
    gone: int = 0
    size: int = 0
    lines: tuple[Line, ...] = ()
    rows: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "owner": self.owner,
            "found": self.found,
            "totals": dict(self.states),
            "gone": self.gone,
            "bytes": self.size,
            "rows": list(self.rows),
            "items": [
                {
                    "source": line.source,
                    "record": line.record_id,
                    "slot": line.slot or None,
                    "date": line.day.isoformat() if line.day else None,
                    "state": line.state,
                    "reason": line.reason or None,
                    "size": line.size,
                    "accepted_because": line.why or None,
                    "gone": line.gone,
                }
                for line in self.lines
            ],
        }


def owned_by(owner: str, items: QuerySet[Item], imports: dict[str, ContainerImport]) -> Owned:
    """The items of one owner, by day. Records that are gone from the source are counted apart, as everywhere."""
    lines = [
        Line(
            item.source.name,
            item.record_id,
            item.slot,
            item.day,
            item.state,
            item.reason,
            item.size,
            item.accepted_why if item.state == S.ACCEPTED else "",
            item.gone_at is not None,
        )
        for item in items.order_by("source", "day", "pk")
    ]
    alive = [line for line in lines if not line.gone]
    return Owned(
        owner=owner,
        found=len(alive),
        states=Counter(line.state for line in alive),
        gone=len(lines) - len(alive),
        size=sum(line.size or 0 for line in alive),
        lines=tuple(lines),
        rows=tuple(_rows_of(owner, list(imports.values()))),
    )


def _rows_of(owner: str, imports: Sequence[ContainerImport]) -> list[str]:
    found: dict[str, None] = {}
    for importer in imports:
        if importer.owner is None:
            continue
        match = OwnerFinder(importer.owner).one(owner)
        name = importer.owner.model_class._meta.verbose_name
        for pk in match.candidates or ((match.owner.pk,) if match.owner is not None else ()):
            found[f"{name} {pk}"] = None
    return list(found)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
