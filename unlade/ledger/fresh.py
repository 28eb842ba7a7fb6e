"""Records that the ledger has never met, settled by the thousand: items, events and rows without model instances.

What is written is what `take_page` and `settle_many` write (a test holds one against the other): the same rules are
applied to drafts, which cost a tenth of a model. The caller sends only records that are plainly new.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

from django.db import connection, transaction

from unlade import bulk
from unlade.cargo import Content, Outcome, RefStatus, SourceRecord
from unlade.importer import Consignment, ContainerImport
from unlade.ledger.books import Books
from unlade.ledger.choice import whose
from unlade.ledger.events import lean, settled_detail
from unlade.ledger.models import Event, Item
from unlade.ledger.outcomes import write_rows
from unlade.ledger.pages import size_hint
from unlade.owners import normalise_ref
from unlade.signals import item_settled
from unlade.states import ItemState

S = ItemState

_REFERENCES = {"source_id", "in_hand_id", "settled_in_id"}
_NAMES = [field.attname for field in Item._meta.concrete_fields if not field.primary_key]
_PLAIN = [name for name in _NAMES if name not in _REFERENCES]
_DEFAULTS: dict[str, Any] = {
    field.name: None if field.is_relation else field.get_default() for field in Item._meta.concrete_fields
}
_values_of = attrgetter(*_PLAIN)


class _Draft:
    """An item before it is written; what the books set on items can be set on it."""

    move = Item.move

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(_DEFAULTS)
        self.__dict__.update(values)


def is_plain(importer: ContainerImport) -> bool:
    """Whether this import's records can come by this way: one item a record, known by the declared identity,
    and nobody who wants to hear of each (`unlade.signals`)."""
    kind = type(importer)
    return (
        not importer.each and kind.identity_of is ContainerImport.identity_of and not item_settled.has_listeners(kind)
    )


def may_be_fresh(importer: ContainerImport, record: SourceRecord) -> bool:
    """Whether a record that the ledger does not know becomes an item by the plain rules alone."""
    identity = importer.identity_of(record)
    return (
        0 < len(identity) <= 255
        and importer.wants(record)
        and any(ref.status is not RefStatus.EMPTY for ref in record.containers.values())
    )


def known_to(books: Books, records: Sequence[SourceRecord]) -> set[str]:
    """Record ids of those that the ledger knows, by either id."""
    items = books.source.items
    known = set(items.filter(record_id__in=[r.record_id for r in records]).values_list("record_id", flat=True))
    keys = {normalise_ref(books.importer.identity_of(record)): record.record_id for record in records}
    for key in items.filter(identity_key__in=list(keys)).values_list("identity_key", flat=True):
        known.add(keys[key])
    return known


def met_again(books: Books, record_ids: Iterable[str], now: datetime) -> set[str]:
    """Those of the records whose item this road made and nothing is to be done about: they are only seen again."""
    done = [S.IMPORTED, S.EMPTY, S.UNLINKED, S.QUARANTINED, S.ACCEPTED]
    items = books.source.items.filter(road=books.road, slot="", in_hand=None, gone_at=None, state__in=done)
    with transaction.atomic():
        found = dict(items.filter(record_id__in=list(record_ids)).values_list("record_id", "pk"))
        Item.objects.filter(pk__in=list(found.values())).update(seen_at=now)
    books.skipped += len(found)
    return set(found)


def settle_fresh(
    books: Books, entries: Sequence[tuple[SourceRecord, Outcome]], now: datetime
) -> list[tuple[Consignment, Any]]:
    """Write items, events and rows of records that are new to the ledger, in the caller's transaction.

    Returns what `after_commit` is called with, where the project overrides it. What the project's own code raises is
    raised: then nothing of them is written.
    """
    importer = books.importer
    drafts: list[Any] = [
        _Draft(
            record_id=record.record_id,
            road=books.road,
            mod_id=record.mod_id,
            known_size=size_hint(importer, record),
            seen_at=now,
        )
        for record, _ in entries
    ]
    landed = [
        (draft, record, outcome)
        for draft, (record, outcome) in zip(drafts, entries, strict=True)
        if outcome.stored is not None and outcome.content is not None
    ]
    matches = whose(books.owners, [(draft, importer.owner_refs_of(record)) for draft, record, _ in landed])
    consigned: dict[int, tuple[Consignment, Outcome]] = {}
    for (draft, record, outcome), match in zip(landed, matches, strict=True):
        consigned[id(draft)] = books._consign(record, outcome, match)
    stored = [(consigned[id(draft)][0], cast(Content, outcome.content)) for draft, _, outcome in landed]
    owners: list[Any] = []
    for draft, (record, given) in zip(drafts, entries, strict=True):
        consignment, outcome = consigned.get(id(draft), (None, given))
        books._apply(draft, record, outcome, now)
        owners.append(consignment.owner if consignment is not None else None)
    rows, keys = write_rows(importer, stored)
    for (draft, _, _), key in zip(landed, keys, strict=True):
        draft.row = str(key) if key is not None else ""
    columns: dict[str, Sequence[Any]] = dict(zip(_PLAIN, zip(*map(_values_of, drafts), strict=True), strict=True))
    columns |= {
        "source_id": [books.source.pk] * len(drafts),
        "settled_in_id": [draft.settled_in.pk if draft.settled_in is not None else None for draft in drafts],
    }
    items = bulk.insert(Item, columns)
    details = [lean(settled_detail(draft, owner)) for draft, owner in zip(drafts, owners, strict=True)]
    run = books.run.pk
    bulk.insert(
        Event,
        {
            "item_id": items,
            "at": [now] * len(items),
            "run_id": [run] * len(items),
            "what": [str(draft.state) for draft in drafts],
            "detail": details,
        },
    )
    books.new += len(drafts)
    for draft in drafts:
        books._ended[ItemState(draft.state).value] += 1
    if type(importer).after_commit is ContainerImport.after_commit:
        return []
    return [(consignment, row) for (consignment, _), row in zip(stored, rows, strict=True)]


def tables_grew() -> None:
    """Let PostgreSQL know that tables which it believes to be empty are not, or it plans to read them through."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for model in (Item, Event):
                cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")


@contextmanager
def roomy_database() -> Iterator[None]:
    """Let SQLite keep the pages of its indexes in memory, and write them back less often, while this lasts.

    Meanwhile the file beside the database, in which writes wait, grows to a quarter of a GB.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        before = {}
        for name, value in (("cache_size", -48_000), ("wal_autocheckpoint", 64_000)):
            before[name] = cursor.execute(f"PRAGMA {name}").fetchone()[0]
            cursor.execute(f"PRAGMA {name} = {value}")
        try:
            yield
        finally:
            for name, value in before.items():
                cursor.execute(f"PRAGMA {name} = {value}")


@contextmanager
def without_collector() -> Iterator[None]:
    """Thousands of short-lived objects hold no circles: looking for some costs more than all else."""
    was = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
