"""Where one record's file goes and what its object will say of itself: the declaration applied to a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unlade.cargo import Facts, Parcel, SourceRecord
from unlade.errors import BadKey
from unlade.importer import ContainerImport
from unlade.keys import render, stems


@dataclass(frozen=True, slots=True)
class Landing:
    """`names` are the container fields to try, best first; `values` what the key pattern is filled with."""

    importer: ContainerImport
    record_id: str
    slot: str
    names: Sequence[str]
    values: Mapping[str, str | None]
    original_name: str

    def key(self, extension: str) -> str:
        """The object's key for a file of this type. Raises `BadKey`."""
        try:
            return render(self.importer.key, self.values, extension)
        except ValueError as error:
            raise BadKey(
                f"record {self.record_id}: no key can be made: {error}", remedy="Change the declared key pattern."
            ) from None

    @property
    def stems(self) -> tuple[str, ...]:
        """What the item's keys begin with, whatever type its file has. Raises `BadKey`."""
        self.key("")
        return stems(self.importer.key, self.values)

    def facts(self, parcel: Parcel, record: SourceRecord, state: str) -> Facts:
        """What the object says of itself (CONTRACT B3)."""
        return Facts(
            source=self.importer.name,
            record_id=self.record_id,
            mod_id=record.mod_id,
            identity=self.values["identity"] or "",
            field_number=list(self.importer.containers).index(parcel.field),
            sha256=parcel.sha256,
            state=state,
            slot=self.slot,
        )


def landing_of(importer: ContainerImport, record: SourceRecord, slot: str, owner: str = "") -> Landing:
    """Apply the declaration to a record; `slot` names the one container of an item of an import with `each`.

    `owner` takes the place of the record's owner in the key, where a person had the file moved to another's folder.
    """
    day = importer.taken_on.read(record)[0] if importer.taken_on else None
    category = str(record.fields.get(importer.category, "")) if importer.category else None
    values: dict[str, str | None] = {
        "owner": owner or importer.owner_ref_of(record),
        "identity": importer.identity_of(record),
        "date": day.isoformat() if day else None,
        "category": category,
        "record": record.record_id,
        "field": slot or None,
        **importer.key_values(record),
    }
    original = str(record.fields.get(importer.original_name, "")).strip() if importer.original_name else ""
    names = [slot] if slot else list(importer.containers)
    return Landing(importer, record.record_id, slot, names, values, original)
