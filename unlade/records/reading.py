"""What one record says, in the model's terms: values for its columns, what did not fit, which links are open."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import NOT_PROVIDED, Field

from unlade.cargo import SourceRecord
from unlade.errors import FieldMissing
from unlade.owners import OwnerFinder, OwnerMatch, normalise_ref
from unlade.records.converting import Invalid, plain
from unlade.records.declaring import RecordImport


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that does not fit its column. `raw` is kept and never shown."""

    field: str  #: the source's
    why: str
    raw: str = dataclasses.field(repr=False)


@dataclass(slots=True)
class Reading:
    """`values` by the model's column; `open_links` are those whose row is not here or not certain."""

    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    misfits: list[Misfit] = dataclasses.field(default_factory=list)
    open_links: list[OwnerMatch] = dataclasses.field(default_factory=list)


#: Per foreign key, what each normalised reference came to.
Matches = Mapping[str, Mapping[str, OwnerMatch]]


def find_links(importer: RecordImport, records: Sequence[SourceRecord]) -> Matches:
    """The rows that these records point to: one query a link for up to `owners.CHUNK` records."""
    return {
        name: OwnerFinder(link.owner).find(plain(record.fields.get(link.field, "")) for record in records)
        for name, link in importer.links().items()
    }


def check_fields(importer: RecordImport, record: SourceRecord) -> None:
    """Raise `FieldMissing` when a declared field is not on the layout: an absent value is not an empty one."""
    missing = [name for name in importer.fields_needed() if name not in record.fields]
    if missing:
        raise FieldMissing(
            f"The layout {importer.layout} lacks {', '.join(missing)}, which the import {importer.name!r} declares.",
            remedy="Put the field on the layout, or correct its name in the declaration. Nothing was changed.",
        )


def read(importer: RecordImport, record: SourceRecord, matches: Matches) -> Reading:
    """One record's values, links resolved by `matches`."""
    reading = Reading()
    for name, column in importer.columns().items():
        raw = plain(record.fields.get(column.field, ""))
        target = importer.model_field(name)
        if not raw:
            reading.values[name] = empty_of(target)
            continue
        try:
            reading.values[name] = _fitting(column.convert(raw), target)
        except Invalid as misfit:
            reading.misfits.append(Misfit(column.field, misfit.why, raw))
            reading.values[name] = empty_of(target) if misfit.instead is None else misfit.instead
        except (ValueError, ArithmeticError) as error:
            # A converter of the project's own: its words may hold the value.
            reading.misfits.append(Misfit(column.field, f"not convertible ({type(error).__name__})", raw))
            reading.values[name] = empty_of(target)
    for name, link in importer.links().items():
        match = matches[name][normalise_ref(plain(record.fields.get(link.field, "")))]
        reading.values[name] = match.owner
        if match.owner is None and match.reason != "no_owner_reference":
            reading.open_links.append(match)
    return reading


def empty_of(target: Field[Any, Any]) -> Any:
    """What a column holds where the source has nothing."""
    if target.null:
        return None
    if target.empty_strings_allowed and target.default is NOT_PROVIDED:
        return ""
    return target.get_default()


def _fitting(value: Any, target: Field[Any, Any]) -> Any:
    """`value` as the column takes it. Raises `Invalid`; a text that is too long is cut there."""
    try:
        return target.clean(value, None)
    except ValidationError as error:
        codes = {each.code for each in error.error_list}
        if codes == {"max_length"} and isinstance(value, str) and not target.choices:
            raise Invalid("longer than its column", value[: target.max_length]) from None
        raise Invalid("not allowed in its column") from None
