"""Files of one solution that number their records differently: a clone that was filled by an import, an older copy.

A record id says something within one file alone. Items of a database file are joined by their identity; the id only
tells two records of one identity apart (CONTRACT B5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from unlade.cargo import SourceRecord
from unlade.ledger.models import Item
from unlade.owners import normalise_ref

Joined = dict[tuple[str, str], Item]


def join_clones(
    items: Iterable[Item], records: Mapping[str, list[SourceRecord]], old: Joined, met: dict[int, str], since: datetime
) -> None:
    """Put into `old`, by (record id, slot), those of `items` that the records of their identity are.

    `old` holds items by record id alone; those of another identity are taken out. `records` are those of a page by
    their identity, `met` as which record an item was met in this run, which began at `since`: an item that was met as
    one record is not another one too.
    """
    identities = {record.record_id: identity for identity, some in records.items() for record in some}
    for place, item in list(old.items()):
        identity = identities.get(place[0], "")
        if identity and item.identity_key and item.identity_key != identity:
            del old[place]
    taken = {item.pk for item in old.values()}
    for item in items:
        if item.pk in taken:
            continue
        for record in records.get(item.identity_key, ()):
            place = (record.record_id, item.slot)
            if place in old or (item.seen_at >= since and met.get(item.pk) != record.record_id):
                continue
            old[place], met[item.pk] = item, record.record_id
            break


def free_id(record: SourceRecord, identity: str, taken: bool) -> str:
    """The id by which a new item is kept: the record's, or where another record has that, one made of its identity."""
    return f"id={normalise_ref(identity)}"[:64] if taken else record.record_id
