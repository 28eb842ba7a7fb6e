"""Finds what a person means by an id, a file name, a digest or a key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from django.db.models import Q, QuerySet

from unlade.importer import ContainerImport
from unlade.ledger.models import Event, Item
from unlade.owners import normalise_ref

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Hit:
    """Items that go by what was asked for, and as what: `how` is for a person. `owner`: it is their owner's id."""

    how: str
    items: QuerySet[Item]
    owner: str = ""


def search(text: str, imports: dict[str, ContainerImport]) -> list[Hit]:
    """Everything of these imports that goes by `text`, what is most exact first; [] when there is nothing."""
    text = text.strip()
    everything = Item.objects.filter(source__name__in=imports).select_related("source", "settled_in")
    if not text:
        return []
    if _SHA256.fullmatch(text):
        return _hits(
            [
                ("sha256", everything.filter(sha256=text.lower())),
                ("sha256 of an earlier version", _once(everything, text)),
            ]
        )
    ref = normalise_ref(text)[:255]
    ways = [
        ("record id", everything.filter(record_id=text)),
        ("identity", everything.filter(identity_key=ref)),
        ("key", everything.filter(Q(key=text) | Q(thumbnail_key=text) | Q(spare_key=text))),
        ("file name", everything.filter(original_name__iexact=PurePath(text).name)),
    ]
    hits = _hits(ways)
    owned = everything.filter(owner_key=ref)
    if owned.exists():
        hits.append(Hit("owner", owned, owner=ref))
    return hits or _hits([("row", everything.filter(row=text))])


def _once(everything: QuerySet[Item], text: str) -> QuerySet[Item]:
    """Items that had this digest before."""
    sha256 = text.lower()
    return everything.filter(pk__in=Event.objects.filter(detail__sha256=sha256).values("item")).exclude(sha256=sha256)


def _hits(ways: list[tuple[str, QuerySet[Item]]]) -> list[Hit]:
    return [Hit(how, items.order_by("source", "pk")) for how, items in ways if items.exists()]
