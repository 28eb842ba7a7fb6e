"""Reads FileMaker database files (.fmp12, .fp7) without FileMaker, and proves that it read all of them.

    with open_file("Clinic.fmp12") as database:
        for container in database.containers(database.table("Images")):
            with database.open(container) as stream:
                for chunk in stream.chunks(): ...
        print(database.proof().line())

The layers, from the bytes up; each reads on its own:

    pages     the file as numbered pages                    tokens     the grammar of a page
    index     the leaves in order, and where to start       tree       directories, values, long values
    scsu      text                                          header     kind, state, programs, locale
    catalogue tables and fields                             values     numbers, dates, times
    records   records and their container values            objects    container objects and their streams
    streams   the bytes of objects, their MD5               outside    files in open storage
    content   one file as a stream that proves itself       proof      completeness
    salvage   what a damaged file still holds               database   all of it behind one object
    source    a table as a `Source` of the engine

Facts come from FMP12.md, which says how certain each is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unlade.fmp12.catalogue import Field, FieldKind, FieldType, Storage, Table
from unlade.fmp12.content import ContainerStream, State
from unlade.fmp12.database import DatabaseFile
from unlade.fmp12.errors import (
    CutShort,
    DamagedFile,
    DamagedObject,
    DatabaseFileError,
    EncryptedFile,
    NotFileMaker,
    ObjectLost,
    OutsideMissing,
    SecureStorage,
)
from unlade.fmp12.header import Header, Locale
from unlade.fmp12.objects import FileName, Object, Outside, Stream
from unlade.fmp12.proof import Proof
from unlade.fmp12.records import Container, Record
from unlade.fmp12.salvage_report import SalvageReport
from unlade.fmp12.source import FileSource, choose_table
from unlade.fmp12.values import Value


def open_file(path: str | Path, *, salvage: bool = False, outside: Sequence[str | Path] = ()) -> DatabaseFile:
    """Open a closed FileMaker file.

    `salvage` reads on behind damage and reports what is lost. `outside` are folders to look for files of open storage
    in, besides the database's own. Raises `DatabaseFileError`: `NotFileMaker`, `EncryptedFile`, `CutShort`,
    `DamagedFile`.
    """
    return DatabaseFile(Path(path), salvage=salvage, outside=[Path(folder) for folder in outside])


__all__ = [
    "Container",
    "ContainerStream",
    "CutShort",
    "DamagedFile",
    "DamagedObject",
    "DatabaseFile",
    "DatabaseFileError",
    "EncryptedFile",
    "Field",
    "FieldKind",
    "FieldType",
    "FileName",
    "FileSource",
    "Header",
    "Locale",
    "NotFileMaker",
    "Object",
    "ObjectLost",
    "Outside",
    "OutsideMissing",
    "Proof",
    "Record",
    "SalvageReport",
    "SecureStorage",
    "State",
    "Storage",
    "Stream",
    "Table",
    "Value",
    "choose_table",
    "open_file",
]
