"""The road of an import of records that does not come over the API: a database file, or what FileMaker exported."""

from __future__ import annotations

from pathlib import Path

from unlade.consent import is_database
from unlade.desktop.source import holds_manifest
from unlade.errors import SourceError, UsageError
from unlade.options import RunOptions
from unlade.places import METADATA, file_called
from unlade.records.declaring import RecordImport
from unlade.records.exports import open_export, opened
from unlade.records.fromfile import open_record_file
from unlade.source import Source


def open_records(path: Path, importer: RecordImport, options: RunOptions) -> Source:
    """The records that lie at `path`. Raises `UsageError`, `SourceError`, `Interrupted`."""
    for name in ("match", "report"):
        if getattr(options, name):
            raise UsageError(f"--{name} speaks of files; records without files have none to be matched.")
    if is_database(path):
        return open_record_file(path, importer, options)
    file = Path(options.metadata) if options.metadata else _export_at(path, importer, options)
    folder = path if path.is_dir() else path.parent
    around = [Path(each) for each in options.beside] or (sorted(folder.iterdir()) if path.is_dir() else [])
    portals = {
        portal: found
        for portal, rows in importer.portals.items()
        if rows.key and (found := file_called((portal, rows.table), around)) is not None and found != file
    }
    return open_export(file, importer, options, portals)


def _export_at(path: Path, importer: RecordImport, options: RunOptions) -> Path:
    """The one file of a folder that has all declared fields, its manifest included."""
    if not path.is_dir():
        return path
    fitting: list[Path] = [path] if holds_manifest(path) else []
    refused: list[str] = []
    for entry in sorted(path.iterdir()):
        if entry.is_file() and entry.suffix.lower() in METADATA:
            try:
                opened(entry, importer.fields_needed(), options, importer.name)
            except (SourceError, UsageError) as error:
                refused.append(str(error))
            else:
                fitting.append(entry)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(entry.name for entry in fitting)
        raise UsageError(
            f"Several files of {path} fit the import {importer.name!r}: {names}.",
            remedy=f"Give one of them with --from, or call it {importer.name}.csv.",
        )
    raise UsageError(
        f"{path} holds no export with the fields of the import {importer.name!r}."
        + (f" {refused[0]}" if len(refused) == 1 else ""),
        remedy=f"Export them from FileMaker as {importer.name}.xml (FMPXMLRESULT), .xlsx, .csv, .tab or .mer.",
    )


__all__ = ["open_records"]
