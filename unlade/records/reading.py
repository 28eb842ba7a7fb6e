"""What one record says, in the model's terms: values for its columns, what did not fit, which links are open."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import NOT_PROVIDED, Field

from unlade.cargo import Road, SourceRecord
from unlade.errors import FieldMissing
from unlade.owners import OwnerFinder, OwnerMatch, normalise_ref
from unlade.records.converting import Invalid, plain
from unlade.records.declaring import Column, RecordImport, Rows, bare

#: The part of a record's digests that its own declared fields make; portals have theirs under `portal NAME`.
FIELDS = "fields"


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that does not fit its column. `raw` is kept and never shown."""

    field: str  #: the source's
    why: str
    raw: str = dataclasses.field(repr=False)


@dataclass(slots=True)
class Related:
    """One row of a portal: its id as it is compared, and values by the model's column."""

    identity: str
    values: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(slots=True)
class Reading:
    """`values` by the model's column; `open_links` are those whose row is not here or not certain.

    `related` are the rows of each portal that the road shows; `digests` tell whether any of it has changed since.
    """

    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    misfits: list[Misfit] = dataclasses.field(default_factory=list)
    open_links: list[OwnerMatch] = dataclasses.field(default_factory=list)
    related: dict[str, list[Related]] = dataclasses.field(default_factory=dict)
    digests: dict[str, str] = dataclasses.field(default_factory=dict)


#: Per foreign key, what each normalised reference came to.
Matches = Mapping[str, Mapping[str, OwnerMatch]]


def find_links(importer: RecordImport, records: Sequence[SourceRecord]) -> Matches:
    """The rows that these records point to: one query a link for up to `owners.CHUNK` records."""
    return {
        name: OwnerFinder(link.owner).find(plain(record.fields.get(link.field, "")) for record in records)
        for name, link in importer.links().items()
    }


def check_fields(importer: RecordImport, records: Sequence[SourceRecord], road: str) -> None:
    """Raise `FieldMissing` when a declared field is not on the layout: an absent value is not an empty one."""
    missing = [name for name in importer.fields_needed() if name not in records[0].fields]
    if missing:
        raise FieldMissing(
            f"The layout {importer.layout} lacks {', '.join(missing)}, which the import {importer.name!r} declares.",
            remedy="Put the field on the layout, or correct its name in the declaration. Nothing was changed.",
        )
    for portal, rows in importer.portals.items():
        if road == Road.API and portal not in records[0].portals:
            raise FieldMissing(
                f"The layout {importer.layout} has no portal {portal}, which the import {importer.name!r} declares.",
                remedy="A portal goes by its object name, without one by its table's. Correct the name, or put it on "
                "the layout. Nothing was changed.",
            )
        shown = next((row for record in records for row in record.portals.get(portal, ())), None)
        lacking = [] if shown is None else [name for name in rows.fields_needed() if _spelt(shown, name) is None]
        if lacking:
            raise FieldMissing(
                f"The portal {portal} shows no {', '.join(lacking)}, which the import {importer.name!r} declares.",
                remedy="Put the field into the portal, or correct its name in the declaration. Nothing was changed.",
            )


def read(importer: RecordImport, record: SourceRecord, matches: Matches, road: str = Road.API) -> Reading:
    """One record's values, links resolved by `matches`."""
    reading = Reading()
    values = _values(
        importer.columns(), importer.model_field, lambda name: record.fields.get(name, ""), reading.misfits
    )
    references = {
        name: normalise_ref(plain(record.fields.get(link.field, ""))) for name, link in importer.links().items()
    }
    reading.values = dict(values)
    reading.digests[FIELDS] = _digest([values, references, [misfit.raw for misfit in reading.misfits]])
    if importer.metadata:
        # Roads show different fields, so each is compared with itself.
        reading.digests[f"all by {road}"] = _digest({name: plain(value) for name, value in record.fields.items()})
    for name, reference in references.items():
        match = matches[name][reference]
        reading.values[name] = match.owner
        if match.owner is None and match.reason != "no_owner_reference":
            reading.open_links.append(match)
    for portal, rows in importer.portals.items():
        if portal in record.portals:
            reading.related[portal] = _related(portal, rows, record.portals[portal], reading)
    return reading


def _related(portal: str, rows: Rows, shown: Sequence[Mapping[str, Any]], reading: Reading) -> list[Related]:
    found: dict[str, Related] = {}
    misfits: list[Misfit] = []
    for row in shown:
        name = _spelt(row, rows.identity) if rows.identity else "recordId"
        identity = normalise_ref(plain(row.get(name or "", "")))
        if not identity or identity in found:
            why = "another row has the same id; it is left out" if identity else "a row without an id is left out"
            misfits.append(Misfit(rows.identity or "record id", why, ""))
            continue

        def value(wanted: str, row: Mapping[str, Any] = row) -> Any:
            return row.get(_spelt(row, wanted) or "", "")

        found[identity] = Related(identity, _values(rows.fields, rows.model_field, value, misfits))
    told = [[each.identity, each.values] for _, each in sorted(found.items())]
    reading.digests[f"portal {portal}"] = _digest([told, [misfit.raw for misfit in misfits]])
    reading.misfits += [Misfit(f"{portal}::{bare(each.field)}", each.why, each.raw) for each in misfits]
    return list(found.values())


def _spelt(row: Mapping[str, Any], name: str) -> str | None:
    """How a portal row spells a declared field: as it stands, or with another table in front; None if it has none."""
    if name in row:
        return name
    return next((known for known in row if bare(known) == bare(name)), None)


def _values(
    columns: Mapping[str, Column],
    target_of: Callable[[str], Field[Any, Any]],
    value_of: Callable[[str], Any],
    misfits: list[Misfit],
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, column in columns.items():
        raw = plain(value_of(column.field))
        target = target_of(name)
        if not raw:
            values[name] = empty_of(target)
            continue
        try:
            values[name] = _fitting(column.convert(raw), target)
        except Invalid as misfit:
            misfits.append(Misfit(column.field, misfit.why, raw))
            values[name] = empty_of(target) if misfit.instead is None else misfit.instead
        except (ValueError, ArithmeticError) as error:
            # A converter of the project's own: its words may hold the value.
            misfits.append(Misfit(column.field, f"not convertible ({type(error).__name__})", raw))
            values[name] = empty_of(target)
    return values


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


def _digest(what: object) -> str:
    """Of values as they were read, the same by whatever road they came."""
    text = json.dumps(what, default=_plainly, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plainly(value: object) -> str:
    # 12 and 12.0 are one number; roads write it differently.
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
