"""What there is to guess from: the fields of a layout or a table, and a handful of its records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from unlade.cargo import RefStatus, SourceRecord
from unlade.doctor.books import HostBooks
from unlade.errors import LayoutMissing, UsageError
from unlade.filemaker import LayoutField
from unlade.fmp12 import DatabaseFile, FieldKind, FieldType, FileSource, Table, open_file
from unlade.importer import ContainerImport
from unlade.rigging import Rigging

#: So many records are looked at; each field of each of them is metered.
SAMPLE = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """A field. `kind` is text, number, date, time, timeStamp or container; `values` are those of the sample, as texts."""

    name: str
    kind: str
    values: tuple[str, ...] = ()
    filled: int = 0  #: of a container: in how many records of the sample it holds a file
    calculated: bool = False
    is_global: bool = False
    repetitions: int = 1
    auto_enter: bool = False

    @property
    def is_container(self) -> bool:
        return self.kind == "container"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A layout or table. `found` is how many records there are, `date_order` how its dates are written (`mdy`, `dmy`)."""

    layout: str
    fields: tuple[Seen, ...]
    found: int = 0
    sample: int = 0
    table: str = ""
    portals: tuple[str, ...] = ()
    date_order: str = "mdy"
    notes: tuple[str, ...] = field(default=())


def from_host(layout: str, rig: Rigging) -> Sheet:
    """A layout over the Data API: a sign-in, the layout's fields, a page of `SAMPLE` records, a sign-out; all booked.

    Raises `LayoutMissing` that lists the layouts which the account sees, and what the host and the governor raise.
    """
    books = HostBooks(rig)
    reader = type("Reader", (ContainerImport,), {"layout": layout})()  # without a name it is no declaration
    with books.source(rig.filemaker_config(), reader) as source:
        books.sign_in(source)
        try:
            shape = source.metadata()
        except LayoutMissing as error:
            names = ", ".join(source.layout_names()) or "none"
            raise LayoutMissing(str(error), remedy=f"This account sees the layouts: {names}.") from None
        page = source.page(1, SAMPLE)
    entries = tuple(_of_layout(entry, page.records) for entry in shape.fields)
    return Sheet(layout, entries, page.count.found, len(page.records), portals=tuple(shape.portals))


def _of_layout(entry: LayoutField, records: Iterable[SourceRecord]) -> Seen:
    return Seen(
        entry.name,
        entry.result,
        values=() if entry.is_container else _values(records, entry.name),
        filled=_filled(records, entry.name) if entry.is_container else 0,
        calculated=entry.type in ("calculation", "summary"),
        is_global=entry.is_global,
        repetitions=entry.max_repeat,
        auto_enter=entry.auto_enter,
    )


def from_file(path: Path, table: str, layout: str) -> Sheet:
    """A table of a database file. Without `table` the only one that has containers.

    Raises `UsageError` with the tables there are, and `DatabaseFileError`.
    """
    with open_file(path) as database:
        chosen = _choose(database, table)
        source = FileSource(database, chosen)
        records = source.page(1, SAMPLE).records
        order = "dmy" if str(database.header.locale.date_order) == "dmy" else "mdy"
        entries = tuple(_of_table(chosen, name, records) for name in (entry.name for entry in chosen.fields))
        return Sheet(
            layout or chosen.name, entries, database.count(chosen), len(records), table=chosen.name, date_order=order
        )


def _choose(database: DatabaseFile, name: str) -> Table:
    if name:
        try:
            return database.table(name)
        except KeyError as error:
            raise UsageError(str(error.args[0]), remedy=f"It has {_named(database.tables)}.") from None
    fitting = [table for table in database.tables if any(not column.is_global for column in table.containers)]
    if len(fitting) != 1:
        what = "No table has" if not fitting else "Several tables have"
        raise UsageError(f"{what} container fields.", remedy=f"Name one with --table: {_named(database.tables)}.")
    return fitting[0]


def _named(tables: Iterable[Table]) -> str:
    return ", ".join(islice((table.name for table in tables), 40)) or "no tables"


def _of_table(table: Table, name: str, records: Iterable[SourceRecord]) -> Seen:
    entry = table.field(name)
    kinds: Mapping[FieldType, str] = {FieldType.TIMESTAMP: "timeStamp", FieldType.UNKNOWN: "text"}
    container = entry.type is FieldType.CONTAINER
    return Seen(
        name,
        kinds.get(entry.type, str(entry.type)),
        values=() if container else _values(records, name),
        filled=_filled(records, name) if container else 0,
        calculated=entry.kind in (FieldKind.CALCULATION, FieldKind.SUMMARY),
        is_global=entry.is_global,
        repetitions=entry.repetitions,
    )


def _values(records: Iterable[SourceRecord], name: str) -> tuple[str, ...]:
    return tuple(str(record.fields.get(name, "")).strip() for record in records)


def _filled(records: Iterable[SourceRecord], name: str) -> int:
    refs = (record.containers.get(name) for record in records)
    return sum(ref is not None and ref.status is not RefStatus.EMPTY for ref in refs)


__all__ = ["SAMPLE", "Seen", "Sheet", "from_file", "from_host"]
