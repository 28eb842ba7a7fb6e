"""Reads what FileMaker exported: metadata files in all its formats, our manifest, and folders of files.

Everything streams, nothing is guessed: what a file does not say by itself and the caller did not say is an error that
tells which option says it.
"""

from unlade.desktop.read.dates import (
    AmbiguousDate,
    DateSurvey,
    Order,
    parse_clock,
    parse_day,
    parse_moment,
    readings,
    settle_order,
)
from unlade.desktop.read.fmpxml import MOD_ID, RECORD_ID
from unlade.desktop.read.folder import FolderIndex
from unlade.desktop.read.index import ManifestIndex, ManifestRecord, Problem
from unlade.desktop.read.manifest import WITH_FILE, Head, ManifestItem
from unlade.desktop.read.model import MetadataFile, Row, RowError, Value, match_columns
from unlade.desktop.read.names import FileName, Form, read_name
from unlade.desktop.read.opening import MD5, PATH, open_metadata, record_values, settle_dates
from unlade.desktop.read.paths import folded, inside, safe_relative
from unlade.desktop.read.tree import (
    FolderKind,
    Found,
    Kind,
    Recognised,
    external_paths,
    recognise,
    scan,
    storage_place,
)

__all__ = [
    "MD5",
    "MOD_ID",
    "PATH",
    "RECORD_ID",
    "WITH_FILE",
    "AmbiguousDate",
    "DateSurvey",
    "FileName",
    "FolderIndex",
    "FolderKind",
    "Form",
    "Found",
    "Head",
    "Kind",
    "ManifestIndex",
    "ManifestItem",
    "ManifestRecord",
    "MetadataFile",
    "Order",
    "Problem",
    "Recognised",
    "Row",
    "RowError",
    "Value",
    "external_paths",
    "folded",
    "inside",
    "match_columns",
    "open_metadata",
    "parse_clock",
    "parse_day",
    "parse_moment",
    "read_name",
    "readings",
    "recognise",
    "record_values",
    "safe_relative",
    "scan",
    "settle_dates",
    "settle_order",
    "storage_place",
]
