"""Which of the files and folders that were given holds what an import declares: `--from A --from B`, or a folder.

Database files: the one whose table has the declared name, or all declared fields. A folder of exports: a folder or a
metadata file that is called like the import.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from unlade.consent import agree, is_database
from unlade.errors import LayoutMissing, UsageError
from unlade.importer import ContainerImport
from unlade.options import RunOptions

if TYPE_CHECKING:
    from unlade.fmp12 import DatabaseFile
    from unlade.fmp12.catalogue import Table

#: What a metadata file may end with, in the order in which they are taken: XML tells most.
METADATA = (".xml", ".xlsx", ".csv", ".tab", ".tsv", ".mer")

#: Folders that FileMaker keeps beside a database: container files, and its own.
_THEIRS = frozenset({"rc_data_fms", "files", "thumbs.db", "desktop.ini"})


class NothingThere(UsageError):
    """What was given holds nothing for this import."""


def settle_place(importer: ContainerImport, options: RunOptions, *, by_name: bool = False) -> RunOptions:
    """The options with the one place for `importer` as `from_path`, and the solution's other files as `beside`.

    `by_name`: of a folder of exports, only what is called like the import (for all imports at once). Raises
    `NothingThere`, `UsageError` (with the candidates), `SourceError`, `Interrupted`.
    """
    if not options.from_path:
        return options
    given = [Path(each) for each in (options.from_path, *options.beside)]
    for path in given:
        if not path.exists():
            raise UsageError(
                f"--from {path}: there is nothing there", remedy="Name an export folder, an exported file or a .fmp12."
            )
    alone = importer.carries == "files" and not by_name
    paths = list(dict.fromkeys(each for path in given for each in _databases_in(path, alone=alone) or [path]))
    databases = [path for path in paths if is_database(path)]
    if databases and len(databases) == len(paths):
        if len(paths) > 1 or by_name:
            paths = _ordered(importer, paths, options)
        return replace(options, from_path=str(paths[0]), beside=tuple(map(str, paths[1:])))
    if databases:
        raise UsageError(
            "--from: database files and exports are not mixed in one run.",
            remedy="Import from one, then from the other: nothing is brought twice.",
        )
    return _exported(importer, paths, options, by_name=by_name)


# Database files.


def _databases_in(path: Path, *, alone: bool) -> list[Path]:
    """The database files of a folder, [] for any other path.

    `alone`: [] also where other things lie beside them: files of an export are taken from there, and a database among
    them is no cargo.
    """
    if not path.is_dir():
        return []
    entries = sorted(each for each in path.iterdir() if not each.name.startswith("."))
    databases = [each for each in entries if is_database(each)]
    theirs = _THEIRS | {each.stem.casefold() for each in databases}
    if alone and any(each not in databases and each.name.casefold() not in theirs for each in entries):
        return []
    return databases


def _ordered(importer: ContainerImport, paths: Sequence[Path], options: RunOptions) -> list[Path]:
    """The file with the import's table first."""
    from unlade.fmp12 import open_file

    bare = {name.partition("(")[0] for name in importer.containers}
    needed = [*bare, *(name for name in importer.fields_needed() if name not in bare and name != importer.marker)]
    with ExitStack() as stack:
        databases = []
        for path in paths:
            agree(path, yes=options.yes)
            databases.append(open_file(path))
            stack.callback(databases[-1].close)
        chosen = _chosen(importer, databases, needed)
    return [chosen, *(path for path in paths if path != chosen)]


def _chosen(importer: ContainerImport, databases: Sequence[DatabaseFile], needed: Sequence[str]) -> Path:
    tables = [(database, table) for database in databases for table in database.tables]
    if importer.table:
        fitting = [pair for pair in tables if pair[1].name.casefold() == importer.table.casefold()]
        # Files of one solution may have tables of one name: the one with the fields is meant.
        whole = [pair for pair in fitting if not _lacks(pair[1], needed)]
        fitting = whole or fitting
    else:
        fitting = [pair for pair in tables if not _lacks(pair[1], needed)]
    names = ", ".join(database.path.name for database in databases)
    if len({database.path for database, _ in fitting}) > 1 or (len(fitting) > 1 and not importer.table):
        candidates = ", ".join(f"{table.name} in {database.path.name}" for database, table in fitting)
        raise UsageError(
            f"Several tables fit the import {importer.name!r}: {candidates}.",
            remedy="Declare `table`, or give only the file that is meant with --from.",
        )
    if fitting:
        return fitting[0][0].path
    if importer.table:
        raise NothingThere(f"None of {names} has a table {importer.table}.")
    near = [(database, table) for database, table in tables if _is_near(importer, table, needed)]
    if near:
        said = "; ".join(
            f"{table.name} in {database.path.name} lacks {', '.join(_lacks(table, needed)[:5])}"
            for database, table in sorted(near, key=lambda pair: len(_lacks(pair[1], needed)))[:3]
        )
        raise LayoutMissing(
            f"No table has all fields that the import {importer.name!r} declares: {said}.",
            remedy="Fields of other tables and layouts are not in a table; declare those of one table.",
        )
    raise NothingThere(f"No table of {names} has the fields that the import {importer.name!r} declares.")


def _lacks(table: Table, names: Iterable[str]) -> list[str]:
    known = {field.name.casefold() for field in table.fields}
    return [name for name in names if name.casefold() not in known]


def _is_near(importer: ContainerImport, table: Table, needed: Sequence[str]) -> bool:
    """Whether a table looks as if it were meant: it has a declared container, or of plain fields more than half."""
    bare = {name.partition("(")[0] for name in importer.containers}
    if bare:
        return len(_lacks(table, bare)) < len(bare)
    plain = [name for name in needed if name != importer.identity]
    return len(_lacks(table, plain)) * 2 < len(plain)


# Exports.


def _exported(importer: ContainerImport, paths: Sequence[Path], options: RunOptions, *, by_name: bool) -> RunOptions:
    if len(paths) > 1:
        mine = _called(importer.name, paths)
        if mine is None:
            names = ", ".join(path.name for path in paths)
            raise NothingThere(
                f"None of {names} is called like the import {importer.name!r}.",
                remedy=f"Name its file {importer.name}.xml, .csv, ..., or give it alone with --from.",
            )
        return replace(options, from_path=str(mine), beside=tuple(str(path) for path in paths if path != mine))
    path = paths[0]
    if importer.carries == "files" and not by_name:
        return replace(options, beside=())  # a folder is an export of these files, whatever lies in it
    if not path.is_dir():
        if by_name and path.stem.casefold() != importer.name.casefold():
            raise NothingThere(f"{path.name} is not called like the import {importer.name!r}.")
        return replace(options, beside=())
    inside = sorted(path.iterdir())
    folder = next((each for each in inside if each.is_dir() and each.name.casefold() == importer.name.casefold()), None)
    metadata = None if options.metadata else _called(importer.name, [each for each in inside if each.is_file()])
    if importer.carries == "records" and metadata is not None:
        return replace(options, from_path=str(metadata), beside=tuple(str(each) for each in inside if _told(each)))
    if folder is not None:
        return replace(options, from_path=str(folder), metadata=options.metadata or str(metadata or ""))
    if by_name:
        what = f"no folder {importer.name}"
        if importer.carries == "records":
            what = f"neither a folder {importer.name} nor a file {importer.name}.xml, .csv, .tab, .mer or .xlsx"
        raise NothingThere(f"{path} has {what}.")
    return options


def _called(name: str, paths: Iterable[Path]) -> Path | None:
    """The metadata file with that name, whatever its suffix. Raises `UsageError` for several."""
    found = [path for path in paths if _told(path) and path.stem.casefold() == name.casefold()]
    if len(found) > 1:
        raise UsageError(
            f"Several files are called like {name}: {', '.join(path.name for path in found)}.",
            remedy="Give the one that is meant alone with --from, or move the others away.",
        )
    return found[0] if found else None


def _told(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in METADATA


def file_called(names: Iterable[str], paths: Iterable[Path]) -> Path | None:
    """The metadata file that has one of these names, the first of them first. Raises `UsageError` for several."""
    known = list(paths)
    return next((found for name in names if name and (found := _called(name, known)) is not None), None)


__all__ = ["METADATA", "NothingThere", "file_called", "settle_place"]
