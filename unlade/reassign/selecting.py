"""Which items and which owners a person means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet

from unlade.errors import UsageError
from unlade.importer import ContainerImport
from unlade.ledger.choice import whose
from unlade.ledger.models import Item
from unlade.owners import CHUNK, Owner, OwnerFinder, normalise_ref

#: What stands before a primary key where FileMaker's id is expected.
OURS = "pk:"


@dataclass(frozen=True, slots=True)
class Named:
    """An owner that a person named. `id` is FileMaker's, "" when the owner has none."""

    row: Any
    id: str
    noun: str

    @property
    def pk(self) -> str:
        return str(self.row.pk)

    def __str__(self) -> str:
        return f"{self.noun} {self.pk}{f' ({self.id})' if self.id else ''}"


def declared_owner(importer: ContainerImport) -> Owner:
    """The import's owner. Raises `UsageError` when its files belong to nobody."""
    if importer.owner is None:
        raise UsageError(f"the import {importer.name!r} declares no owner: its files belong to nobody")
    return importer.owner


def noun_of(importer: ContainerImport) -> str:
    """What the owners are called."""
    model: type[Model] = declared_owner(importer).model_class
    return str(model._meta.verbose_name)


def owner_named(importer: ContainerImport, text: str) -> Named:
    """The owner with FileMaker's id `text`, or with our primary key, written `pk:17`.

    Raises `UsageError` when there is none, or more than one.
    """
    owner, noun = declared_owner(importer), noun_of(importer)
    finder = OwnerFinder(owner)
    if text.lower().startswith(OURS):
        key = text[len(OURS) :].strip()
        row = finder.by_key([key]).get(key)
        if row is None:
            raise UsageError(f"no {noun} has the primary key {key}")
        return Named(row, owner.ref_of(row), noun)
    match = finder.one(text)
    if match.reason == "ambiguous":
        which = " or ".join(f"{OURS}{pk}" for pk in match.candidates)
        raise UsageError(f"more than one {noun} has the id {text}", remedy=f"Say which by its primary key: {which}.")
    if match.owner is None:
        raise UsageError(
            f"no {noun} has the id {text}",
            remedy=f"Give FileMaker's id of a {noun} that is here, or our primary key as {OURS}17.",
        )
    return Named(match.owner, owner.ref_of(match.owner), noun)


def items_named(importer: ContainerImport, ids: Sequence[str]) -> list[Item]:
    """The items with these record ids or identities (all slots of a record), in that order; in bulk queries.

    Raises `UsageError` for ids that nobody has, or several records.
    """
    mine = Item.objects.filter(source__name=importer.name).select_related("source").order_by("pk")
    by_record: dict[str, list[Item]] = {}
    by_identity: dict[str, list[Item]] = {}
    keys = {text: normalise_ref(text)[:255] for text in ids}
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        for item in mine.filter(record_id__in=part):
            by_record.setdefault(item.record_id, []).append(item)
        for item in mine.filter(identity_key__in=[keys[text] for text in part]):
            by_identity.setdefault(item.identity_key, []).append(item)
    found: dict[int, Item] = {}
    missing = []
    for text in ids:
        hits = by_record.get(text) or by_identity.get(keys[text]) or []
        if not hits:
            missing.append(text)
        elif len({(item.road, item.record_id) for item in hits}) > 1:
            names = ", ".join(dict.fromkeys(item.identity or f"record {item.record_id}" for item in hits[:6]))
            raise UsageError(f"{importer.name}: more than one record goes by {text}", remedy=f"Say which: {names}.")
        found |= {item.pk: item for item in hits}
    if missing:
        more = f" and {len(missing) - 5:,} more" if len(missing) > 5 else ""
        raise UsageError(
            f"{importer.name}: no item has the record id or identity {', '.join(missing[:5])}{more}",
            remedy="filemaker_trace shows the ids there are. Nothing was changed.",
        )
    return list(found.values())


def items_of(importer: ContainerImport, text: str) -> tuple[list[Item], Named | None]:
    """The items that belong to the owner `text` now, and that owner; None when only files name it, and no row is it.

    An item belongs to the owner of its row, else to whom a run or relink would give it.
    Raises `UsageError` when the name is ambiguous or nobody goes by it.
    """
    mine = Item.objects.filter(source__name=importer.name).select_related("source")
    try:
        named = owner_named(importer, text)
    except UsageError:
        ref = normalise_ref(text)[:255]
        waiting = mine.filter(owner_key=ref, owner_row="")
        if text.lower().startswith(OURS) or OwnerFinder(importer.owner).one(text).reason == "ambiguous":
            raise
        items = [item for item, owner in _with_owners(importer, waiting) if owner == ""]
        if not items:
            raise
        return items, None
    return [item for item, owner in _with_owners(importer, mine) if owner == named.pk], named


def _with_owners(importer: ContainerImport, items: QuerySet[Item]) -> Iterator[tuple[Item, str]]:
    last = 0
    while part := list(items.filter(Q(pk__gt=last)).order_by("pk")[:CHUNK]):
        owners = owners_now(importer, part)
        yield from ((item, owners[item.pk]) for item in part)
        last = part[-1].pk


def owners_now(importer: ContainerImport, items: Sequence[Item]) -> dict[int, str]:
    """The primary key of the owner that each of up to `CHUNK` items has, "" without one; by the items' own."""
    rows = importer.rows([item.row for item in items if item.row])
    matches = whose(OwnerFinder(importer.owner), [(item, item.reference) for item in items])
    found = {}
    for item, match in zip(items, matches, strict=True):
        facts = (rows or {}).get(item.row)
        owner = facts.owner if facts is not None else None
        if owner is None and (facts is None or not item.row):
            owner = match.owner.pk if match.owner is not None else None
        found[item.pk] = "" if owner is None else str(owner)
    return found


__all__ = ["OURS", "Named", "declared_owner", "items_named", "items_of", "noun_of", "owner_named", "owners_now"]
