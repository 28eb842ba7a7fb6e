"""What an object that no item holds is: somebody else's, an older version, or one that the ledger never heard of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from unlade import keys
from unlade.cargo import Facts
from unlade.ledger.models import Event, Item
from unlade.owners import normalise_ref
from unlade.states import ItemState
from unlade.store import ObjectInfo
from unlade.verify.differences import Finding


def names_of(item: Item) -> tuple[str, str, str]:
    """The keys of all objects that an item holds; "" for those it has not."""
    return item.key, item.thumbnail_key, item.spare_key


def explain(objects: Iterable[ObjectInfo | None], source: str, url: str) -> Iterator[Finding]:
    """A finding for each of the objects, as `head` gives them, unless it is gone again or held meanwhile."""
    for info in objects:
        finding = _explain(info, source, url) if info is not None else None
        if finding is not None:
            yield finding


def _explain(info: ObjectInfo, source: str, url: str) -> Finding | None:
    facts = info.facts
    if facts is None:
        return Finding("stranger", source, key=info.key, url=url, detail="it does not say whose it is")
    item = _item_of(facts)
    if item is not None and info.key in names_of(item):
        return None
    says = f"it says that it is record {facts.record_id} of {facts.source}"
    if facts.source != source:
        return Finding("stranger", source, key=info.key, url=url, detail=says)
    if item is None:
        return Finding("orphan", source, facts.record_id, facts.slot, info.key, url=url)
    unsettled = item.state in (ItemState.PENDING, ItemState.FAILED)
    if unsettled and "~damaged-" not in info.key:
        return Finding("unrecorded", source, item.record_id, item.slot, info.key)
    if _was_its(info.key, item):
        return Finding("older_version", source, item.record_id, item.slot, info.key, item.row)
    return Finding("stranger", source, key=info.key, url=url, detail=f"{says}, whose file lies elsewhere")


def _item_of(facts: Facts) -> Item | None:
    """The item that an object speaks of: by its record, else by its identity (record ids differ by road)."""
    items = Item.objects.filter(source__name=facts.source, slot=facts.slot)
    ref = normalise_ref(facts.identity)[:255]
    by_record = list(items.filter(record_id=facts.record_id).order_by("pk"))
    same = [item for item in by_record if item.identity_key == ref]
    by_identity = items.filter(identity_key=ref).first() if ref and not same else None
    return next(iter([*same, *filter(None, [by_identity]), *by_record]), None)


def _was_its(key: str, item: Item) -> bool:
    """Whether an object lies where a file of the item lay once, or beside it: its history knows the places."""
    places = {item.key, *(event.detail.get("key", "") for event in Event.objects.filter(item=item))} - {""}
    stem = keys.stem_of(key).removesuffix(".thumb")
    return any(stem == keys.stem_of(place) or stem.startswith(f"{keys.stem_of(place)}~") for place in places)
