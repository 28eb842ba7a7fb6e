"""Records from the database file itself, with the rows of their portals from the related tables.

The same reading as for files (`unlade.fileroad`); the related rows may lie in another file of the same solution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from unlade.cargo import Page, SourceRecord
from unlade.consent import agree
from unlade.errors import FieldMissing, LayoutMissing
from unlade.fileroad import ImportedFile, table_of
from unlade.fmp12 import DatabaseFile, choose_table, open_file
from unlade.fmp12.catalogue import Table
from unlade.fmp12.source import as_field
from unlade.options import RunOptions
from unlade.records.declaring import RecordImport, Rows, bare
from unlade.records.kept import KeptRows


class RecordFile(ImportedFile):
    """One table's records; container fields are left alone."""

    importer: RecordImport
    portals: Mapping[str, KeptRows]
    beside: tuple[DatabaseFile, ...] = ()

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.portals = {}
        self._spelt = {}

    def page(self, offset: int, limit: int) -> Page:
        """Records with the rows of their portals."""
        page = super().page(offset, limit)
        return replace(page, records=tuple(self._with_portals(page.records)))

    def read(self, record_id: str) -> SourceRecord:
        """One record. Raises `RecordGone`, `DamagedFile`."""
        return next(self._with_portals([super().read(record_id)]))

    def close(self) -> None:
        """Let go of all files."""
        for rows in self.portals.values():
            rows.close()
        for database in self.beside:
            database.close()
        super().close()

    def _with_portals(self, records: Sequence[SourceRecord]) -> Iterator[SourceRecord]:
        identities = [self.importer.identity_of(record) for record in records]
        shown = {name: rows.of(identities) for name, rows in self.portals.items()}
        for record, identity in zip(records, identities, strict=True):
            yield replace(record, portals={name: found.get(identity) for name, found in shown.items()})


def open_record_file(path: Path, importer: RecordImport, options: RunOptions) -> RecordFile:
    """The table of `importer` in the database at `path`, and its related tables there or in `options.beside`.

    Every declared field is looked for before anything starts. Raises as `unlade.fileroad.open_database` does.
    """
    main = open_file(path)
    others: list[DatabaseFile] = []
    try:
        source = table_of(main, importer, options, RecordFile)
        for each in options.beside:
            agree(Path(each), yes=options.yes)
            others.append(open_file(Path(each)))
        source.importer, source.beside = importer, tuple(others)
        source.portals, notes = _portals(source, [main, *others])
    except BaseException:
        for database in (main, *others):
            database.close()
        raise
    source.notes = (*source.notes, *notes)
    return source


def _portals(source: RecordFile, databases: Sequence[DatabaseFile]) -> tuple[dict[str, KeptRows], list[str]]:
    kept: dict[str, KeptRows] = {}
    notes: list[str] = []
    for portal, rows in source.importer.portals.items():
        if not rows.key:
            notes.append(f"The rows of the portal {portal} stay as they are: the declaration names no `key` for them.")
            continue
        database, table = _related_table(portal, rows, databases)
        where = "" if database is databases[0] else f" of {database.path.name}"
        notes.append(f"Portal {portal}: table {table.name}{where}, {database.count(table):,} records.")
        kept[portal] = KeptRows(lambda database=database, table=table, rows=rows: _rows(database, table, rows))  # type: ignore[misc]
    return kept, notes


def _related_table(portal: str, rows: Rows, databases: Sequence[DatabaseFile]) -> tuple[DatabaseFile, Table]:
    """The table of a portal's rows. Raises `LayoutMissing`, `FieldMissing`, `UsageError`."""
    needed = list(dict.fromkeys([bare(rows.key), *rows.fields_needed()]))
    refusal: LayoutMissing | None = None
    for database in databases:
        try:
            table = choose_table(database, rows.table, needed)
        except LayoutMissing as error:
            refusal = refusal or error
            continue
        known = {field.name.casefold() for field in table.fields}
        missing = [name for name in needed if name.casefold() not in known]
        if missing:
            raise FieldMissing(
                f"The table {table.name} has no field {', '.join(missing)}, which the portal {portal} declares.",
                remedy="Correct the names in its `Rows`. Nothing was changed.",
            )
        return database, table
    assert refusal is not None
    raise LayoutMissing(f"Portal {portal}: {refusal}", remedy=refusal.remedy)


def _rows(database: DatabaseFile, table: Table, rows: Rows) -> Iterator[tuple[str, Mapping[str, Any]]]:
    names = {name: table.field(name).name for name in dict.fromkeys([bare(rows.key), *rows.fields_needed()])}
    for record in database.records(table):
        values = {
            name: as_field(record.values[known]) if known in record.values else "" for name, known in names.items()
        }
        yield str(values[bare(rows.key)]), {**values, "recordId": str(record.id), "modId": str(record.modification)}


__all__ = ["RecordFile", "open_record_file"]
