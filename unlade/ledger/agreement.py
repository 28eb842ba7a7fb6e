"""Whether an export's record and modification ids are those that the ledger knows from another road (CONTRACT B5).

Items are joined by identity. A file that was copied, converted or imported into has record ids of its own: only after
twenty shared items agreed on both ids, and none had another record id, do record ids join what has no identity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from unlade.cargo import SourceRecord
from unlade.importer import ContainerImport
from unlade.ledger.models import Item
from unlade.owners import normalise_ref

if TYPE_CHECKING:
    from unlade.ledger.books import Books

ENOUGH = 20
#: So many shared items are looked at, where there are as many.
_LOOK_AT = 400
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of `shared` items `agreed` have both ids in common; `others` have another record id on each road."""

    shared: int = 0
    agreed: int = 0
    others: int = 0

    @property
    def usable(self) -> bool:
        """Whether record ids tell who is who across the roads."""
        return self.agreed >= ENOUGH and not self.others

    @property
    def text(self) -> str:
        """For a person; "" when no item is shared."""
        if not self.shared:
            return ""
        ids = f"{self.agreed} of {self.shared} items that came by another road too have the same record and modification ids"
        if self.usable:
            return f"Items are joined by their identity, and by record id where that is missing: {ids}."
        why = f"{self.others} have another record id" if self.others else f"{ENOUGH} must agree"
        return f"Items are joined by their identity alone: {ids}, and {why}."

    def as_json(self) -> dict[str, Any]:
        """For the run's options in the ledger."""
        return asdict(self) | {"record_ids_used": self.usable}


def weigh(books: Books, page: Callable[[int, int], Sequence[SourceRecord]]) -> Agreement:
    """Compare the export's records, `page(offset, limit)` from 1, with the items of other roads; writes nothing."""
    elsewhere = books.source.items.exclude(road=books.road).filter(slot="")
    if not elsewhere.exists():
        return Agreement()
    shared = agreed = others = 0
    offset = 1
    while shared < _LOOK_AT and (records := page(offset, _PAGE)):
        offset += len(records)
        told = {normalise_ref(books.importer.identity_of(r)): r for r in records if r.record_id.isdigit()}
        told.pop("", None)
        items = elsewhere.filter(identity_key__in=told).values_list("identity_key", "record_id", "mod_id")
        for key, record_id, mod_id in items:
            record = told[key]
            shared += 1
            others += record_id != record.record_id
            agreed += (record_id, mod_id) == (record.record_id, record.mod_id)
    return Agreement(shared, agreed, others)


def completed(importer: ContainerImport, item: Item, record: SourceRecord) -> SourceRecord:
    """A record that tells no identity, with what the ledger knows of it."""
    known: dict[str, str] = {importer.identity: item.identity}
    if importer.owner is not None and isinstance(importer.owner.field, str):
        known[importer.owner.field] = item.owner_ref
    if importer.taken_on is not None:
        known[importer.taken_on.field] = item.day.isoformat() if item.day else ""
    if importer.category:
        known[importer.category] = item.category
    told = {name: value for name, value in record.fields.items() if str(value).strip()}
    return replace(record, fields={**record.fields, **known, **told})
