"""Records that FileMaker exported, as a `Source`: tab, csv, merge, FMPXMLRESULT, xlsx, and our manifest's own lines.

The file is read once, into a temporary index: so pages have a stable order, the count is known before the first page,
and memory does not grow. Days are read by the file's own order; where it does not tell one, both readings are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from unlade.cargo import ContainerRef, Count, Page, Road, SourceRecord
from unlade.desktop.catalogue import Catalogue
from unlade.desktop.joining import made_up_id, text_of
from unlade.desktop.read import (
    MOD_ID,
    RECORD_ID,
    MetadataFile,
    Order,
    match_columns,
    open_metadata,
    parse_day,
    settle_order,
)
from unlade.desktop.read.model import plain as plain_name
from unlade.errors import FieldMissing, RecordGone, Unreadable, UsageError
from unlade.options import RunOptions
from unlade.records.converting import day
from unlade.records.declaring import Column, RecordImport, bare
from unlade.records.kept import KeptRows
from unlade.source import Download

#: Columns that hold a record's ids, however FileMaker or a person has called them.
_RECORD_IDS = {"recid", "recordid", "record_id"}
_MOD_IDS = {"modid", "modificationid", "modification_id"}


class ExportedRecords:
    """The records of one exported file (`unlade.source.Source`), which has no files to download."""

    road = Road.FOLDER

    def __init__(
        self,
        catalogue: Catalogue,
        importer: RecordImport,
        portals: Mapping[str, KeptRows],
        *,
        notes: tuple[str, ...] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.notes = notes  #: what a person should know before the run
        self._catalogue, self._importer, self._portals, self._clock = catalogue, importer, portals, clock
        self._orders: dict[str, Order | None] = {}
        self._count = Count(catalogue.count())

    def settle_dates(self, given: Order | None, where: str) -> None:
        """Find out how days are to be read, column by column. Raises `AmbiguousDate`, `SourceError`."""
        for name in dates_of(self._importer.columns()):
            texts = ((place, values.get(name, "")) for place, values in self._catalogue.values())
            self._orders[name] = settle_order(texts, given, f"{where}, column {name!r}: ").order

    def count(self) -> Count:
        """How many records the file has."""
        return self._count

    def page(self, offset: int, limit: int) -> Page:
        """Records by place."""
        records = [self._read(record) for record in self._catalogue.page(offset, limit, self._clock())]
        shown = {
            name: rows.of(self._importer.identity_of(record) for record in records)
            for name, rows in self._portals.items()
        }
        return Page(
            offset,
            tuple(
                replace(
                    record,
                    portals={name: found.get(self._importer.identity_of(record)) for name, found in shown.items()},
                )
                for record in records
            ),
            self._count,
        )

    def read(self, record_id: str) -> SourceRecord:
        """One record. Raises `RecordGone` when the file does not have it."""
        record = self._catalogue.record(record_id, self._clock())
        if record is None:
            raise RecordGone(f"record {record_id} is not in this export")
        return self._read(record)

    def download(
        self, record: SourceRecord, ref: ContainerRef, *, resume_at: int = 0
    ) -> AbstractContextManager[Download]:
        """Raises `Unreadable`: an export of records has no files."""
        raise Unreadable(f"record {record.record_id}, {ref.field}: an export of records has no files")

    def close(self) -> None:
        """Let go of the index."""
        self._catalogue.close()
        for rows in self._portals.values():
            rows.close()

    def _read(self, record: SourceRecord) -> SourceRecord:
        fields = dict(record.fields)
        for name, order in self._orders.items():
            found = parse_day(str(fields.get(name, "")), order)
            if found is not None:
                fields[name] = found.isoformat()
        return replace(record, fields=fields)


def dates_of(columns: Mapping[str, Column]) -> list[str]:
    """Fields that are read as days in the file's own order; `day_first` says its order itself."""
    return list(dict.fromkeys(column.field for column in columns.values() if column.convert is day))


def open_export(
    path: Path, importer: RecordImport, options: RunOptions, portals: Mapping[str, Path] | None = None
) -> ExportedRecords:
    """The records of `path`; `portals` are the files with the rows of its portals.

    Every declared field is looked for before anything starts. Raises `FieldMissing`, `UsageError`, `SourceError`.
    """
    order = cast("Order | None", options.date_order if options.date_order in ("mdy", "dmy") else None)
    file, columns = opened(path, importer.fields_needed(), options, importer.name)
    catalogue, kept = Catalogue(), dict[str, KeptRows]()
    try:
        _fill(catalogue, file, columns, importer.identity)
        notes = [f"{file.path.name}: {note}." for note in file.notes]
        for portal, rows in importer.portals.items():
            if portals and portal in portals:
                kept[portal] = kept_from(portals[portal], importer, portal, options)
            else:
                notes.append(_without(portal, rows.key))
        source = ExportedRecords(catalogue, importer, kept)
        source.settle_dates(order, file.path.name)
        source.notes = (*notes, f"{file.path.name}: {source.count().found:,} records.")
    except BaseException:
        catalogue.close()
        for rows_kept in kept.values():
            rows_kept.close()
        raise
    return source


def _without(portal: str, key: str) -> str:
    how = (
        f"they come from a file of their own beside it, {portal}.csv or the like"
        if key
        else "the declaration names no `key` for them"
    )
    return f"The rows of the portal {portal} are not in this export and stay as they are: {how}."


def opened(path: Path, wanted: Sequence[str], options: RunOptions, name: str) -> tuple[MetadataFile, Mapping[str, str]]:
    """The file and its column for each wanted field. Raises `FieldMissing` that names what it lacks."""
    file = open_metadata(
        path,
        columns=options.columns or None,
        declared=wanted,
        date_order=cast("Order | None", options.date_order if options.date_order in ("mdy", "dmy") else None),
        encoding=options.encoding or None,
    )
    columns = match_columns(file.columns, wanted)
    missing = [field for field in wanted if field not in columns]
    if missing:
        raise FieldMissing(
            f"{file.path.name} has no column {', '.join(missing)}, which the import {name!r} declares; it has "
            f"{', '.join(column for column in file.columns[:40] if not column.startswith('-'))}.",
            remedy="Export that field too, or name the columns in the file's order with --columns. Nothing was changed.",
        )
    return file, columns


def _fill(catalogue: Catalogue, file: MetadataFile, columns: Mapping[str, str], identity: str) -> None:
    rid = _column(file.columns, RECORD_ID, _RECORD_IDS - {plain_name(columns[identity])})
    mod = _column(file.columns, MOD_ID, _MOD_IDS)
    for row in file:
        values = {name: text_of(row.values.get(column, "")) for name, column in columns.items()}
        taken = {*columns.values(), rid, mod}
        values |= {column: text_of(value) for column, value in row.values.items() if column not in taken}
        told = text_of(row.values.get(rid, "")).strip()
        entry: dict[str, Any] = {
            "mod_id": text_of(row.values.get(mod, "")).strip(),
            "identity": values[identity].strip(),
            "owner": "",
            "values": values,
        }
        digits = told.isdigit() and len(told) < 30
        record_id = told if digits else made_up_id(entry["identity"]) if entry["identity"] else f"row={row.line}"
        if catalogue.add_row(record_id=record_id, **entry) is None:
            catalogue.add_row(record_id=f"row={row.line}", **entry)


def _column(columns: Sequence[str], exact: str, names: set[str]) -> str:
    return next((column for column in columns if column == exact or plain_name(column) in names), "")


def kept_from(path: Path, importer: RecordImport, portal: str, options: RunOptions) -> KeptRows:
    """The rows of a portal, from a file of their own. Raises as `open_export` does."""
    rows = importer.portals[portal]
    key = bare(rows.key)
    file, columns = opened(path, list(dict.fromkeys([key, *rows.fields_needed()])), options, importer.name)
    rid = _column(file.columns, RECORD_ID, _RECORD_IDS)
    if not rows.identity and not rid:
        raise UsageError(
            f"{file.path.name} does not tell record ids, and the portal {portal} is declared without an identity.",
            remedy="Export as FMPXMLRESULT, which tells them, or declare `identity`.",
        )
    orders: dict[str, Order | None] = {}
    given = cast("Order | None", options.date_order if options.date_order in ("mdy", "dmy") else None)
    for name in dates_of(rows.fields):
        column = columns[bare(name)]
        texts = ((row.line, text_of(row.values.get(column, ""))) for row in file)
        orders[bare(name)] = settle_order(texts, given, f"{file.path.name}, column {column!r}: ").order

    def all_rows() -> Iterator[tuple[str, Mapping[str, Any]]]:
        for row in file:
            values: dict[str, Any] = {name: text_of(row.values.get(column, "")) for name, column in columns.items()}
            for name, order in orders.items():
                found = parse_day(values[name], order)
                values[name] = found.isoformat() if found is not None else values[name]
            yield values[key], values | ({"recordId": text_of(row.values.get(rid, ""))} if rid else {})

    return KeptRows.of_rows(all_rows())


__all__ = ["ExportedRecords", "dates_of", "kept_from", "open_export", "opened"]
