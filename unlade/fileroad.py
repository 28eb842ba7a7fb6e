"""The road of the database file: a declared import reads its table of a .fmp12 or .fp7 file (CONTRACT A2, B2, B5).

A direct read asks no account and no privilege, so a person says once that they may read all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from unlade.cargo import SourceRecord
from unlade.consent import agree
from unlade.errors import RecordGone, UsageError
from unlade.fmp12 import Container, ContainerStream, DatabaseFile, FileSource, choose_table, open_file
from unlade.fmp12.records import Record
from unlade.options import RunOptions

if TYPE_CHECKING:
    from unlade.importer import ContainerImport


class ImportedFile(FileSource):
    """The table of one declared import, with what a person should know before the run."""

    notes: tuple[str, ...] = ()
    spelt: Mapping[str, str] = MappingProxyType({})  #: declared names to those of the table

    def _record(self, record: Record) -> SourceRecord:
        """Values under their declared names too: FileMaker takes names in any case."""
        made = super()._record(record)
        more = {name: made.fields[known] for name, known in self.spelt.items() if name != known}
        return replace(made, fields={**made.fields, **more}) if more else made

    def streams_of(self, record: SourceRecord, name: str) -> list[tuple[str, int]]:
        """Streams of a container's object besides its file: type and bytes."""
        container = self._container(record, name)
        thing = self.database.object(container) if container is not None else None
        return [(one.type, one.size) for one in thing.streams if one.type != thing.main] if thing else []

    def open_stream(self, record: SourceRecord, name: str, stream: str) -> ContainerStream:
        """One of them. Raises as `DatabaseFile.open` does."""
        container = self._container(record, name)
        if container is None:
            raise RecordGone(f"record {record.record_id}, {name}: it is empty")
        return self.database.open(container, stream=stream, keep_damaged=True)

    def _container(self, record: SourceRecord, name: str) -> Container | None:
        found = self.database.record(self.table, int(record.record_id))
        return found.containers.get(self._known(name)) if found else None


def open_database(path: Path, importer: ContainerImport, options: RunOptions) -> ImportedFile:
    """The source for `importer` in the database at `path`.

    All declared fields are looked for before anything starts. Damaged objects come out with the source's word that
    they are damaged, so that they end quarantined. Raises `DatabaseFileError` (encrypted, cut short, damaged, no
    FileMaker file), `FieldMissing`, `LayoutMissing`, `UsageError`, `Interrupted`.
    """
    database = open_file(path)
    try:
        return table_of(database, importer, options, ImportedFile)
    except BaseException:
        database.close()
        raise


F = TypeVar("F", bound=ImportedFile)


def table_of(database: DatabaseFile, importer: ContainerImport, options: RunOptions, kind: type[F]) -> F:
    """The same in an opened database, which stays the caller's when this raises."""
    for name in ("metadata", "columns", "encoding", "match", "report"):
        if getattr(options, name):
            raise UsageError(f"--{name} belongs to an export folder; a database file needs no other file beside it")
    notice = agree(database.path, yes=options.yes)
    if options.date_order in ("mdy", "dmy", "ymd"):
        locale = replace(database.header.locale, date_order=options.date_order, known=True)  # type: ignore[arg-type]
        database.header = replace(database.header, locale=locale)
    bare = {name.partition("(")[0] for name in importer.containers}
    # Nothing can be stamped in a closed file, so the marker need not be there.
    fields = [name for name in importer.fields_needed() if name not in bare and name != importer.marker]
    declared = [*importer.containers, *fields]
    table = choose_table(database, importer.table, declared)
    source = kind(database, table, containers=tuple(importer.containers), fields=fields, keep_damaged=True)
    source.spelt = {name: table.field(name).name for name in fields}
    source.notes = (notice, f"Table {table.name}: {source.count().found:,} records.", *database.header.warnings)
    return source
