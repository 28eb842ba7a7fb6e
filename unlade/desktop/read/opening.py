"""One door to every metadata format: what a file is stands in its first bytes, its name only tells tab from csv."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unlade.desktop.read.dates import DateSurvey, Order, settle_order
from unlade.desktop.read.delimited import Kind, open_delimited
from unlade.desktop.read.encoding import find_encoding
from unlade.desktop.read.fmpxml import MOD_ID, RECORD_ID, open_fmpxml
from unlade.desktop.read.index import ManifestIndex, ManifestRecord
from unlade.desktop.read.manifest import PART_NAME, WITH_FILE, Head
from unlade.desktop.read.model import MetadataFile, Row, Value
from unlade.desktop.read.workbook import open_workbook
from unlade.errors import UsageError

PATH = "-path"  #: files of the record, relative to the manifest's folder
MD5 = "-md5"

FILEMAKER_MAGIC = bytes.fromhex("000100000002000100050002 0002c0") + b"HBAM"
_OLD_XLS = bytes.fromhex("d0cf11e0a1b11ae1")
_SUFFIXES: dict[str, Kind] = {".tab": "tab", ".tsv": "tab", ".txt": "tab", ".csv": "csv", ".mer": "merge"}


def open_metadata(
    path: Path | str,
    *,
    columns: Sequence[str] | None = None,
    declared: Collection[str] = (),
    date_order: Order | None = None,
    encoding: str | None = None,
) -> MetadataFile:
    """Open a metadata file: our manifest (its folder or one of its parts), tab, csv, merge, FMPXMLRESULT or xlsx.

    `columns` name the columns in the file's order; without them `declared` field names recognise a header.
    `date_order` and `encoding` settle what the file does not. Raises `UsageError` for what is no metadata file and
    `SourceError` for what cannot be read or told; nothing is guessed.
    """
    path = Path(path)
    if path.is_dir() or PART_NAME.fullmatch(path.name):
        return open_manifest(path if path.is_dir() else path.parent)
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    _refuse(path, start)
    if start.startswith(b"PK\x03\x04"):
        return open_workbook(path, columns=columns, declared=declared, date_order=date_order)
    if _is_xml(start):
        return open_fmpxml(path, columns=columns, date_order=date_order)
    kind = _SUFFIXES.get(path.suffix.lower()) or _kind(path, encoding)
    return open_delimited(path, kind, columns=columns, declared=declared, date_order=date_order, encoding=encoding)


def settle_dates(file: MetadataFile, column: str, given: Order | None = None) -> DateSurvey:
    """How the days of a column are to be read; reads the file once. `given` or the file's `date_order` must fit it.

    Raises `AmbiguousDate` when nothing settles it and `SourceError` for dates that contradict each other.
    """
    order = given or file.date_order
    return settle_order(_texts_of(file, column), order, where=f"{file.path.name}, column {column!r}: ")


def _texts_of(file: MetadataFile, column: str) -> Iterator[tuple[int, str]]:
    for row in file:
        value = row.values[column]
        for text in value if isinstance(value, list) else [value]:
            yield row.line, text


def _refuse(path: Path, start: bytes) -> None:
    if start.startswith(FILEMAKER_MAGIC):
        raise UsageError(
            f"{path.name} is a FileMaker database, no export of one",
            remedy="Give it with --from to read it directly, or export its records as FMPXMLRESULT.",
        )
    if start.startswith(_OLD_XLS):
        raise UsageError(f"{path.name} is an old Excel workbook (.xls)", remedy="Export as .xlsx or FMPXMLRESULT.")
    if start.lstrip(b"\xef\xbb\xbf \r\n").startswith(b'{"') and b'"t"' in start:
        raise UsageError(
            f"{path.name} looks like a part of our manifest under another name",
            remedy="Give the folder that holds manifest-00001.jsonl and the others.",
        )


def _is_xml(start: bytes) -> bool:
    text = start.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return text.startswith((b"<?xml", b"<FMP", b"<!DOCTYPE"))


def _kind(path: Path, encoding: str | None) -> Kind:
    """Tab or csv of a file whose name does not say: only when its beginning leaves no doubt."""
    settled = find_encoding(path, encoding)
    with path.open("rb") as file:
        sample = file.read(64 * 1024).decode(settled.name, errors="replace")
    first = re.split(r"[\r\n]", sample.strip("\r\n"), maxsplit=1)[0]
    tabs, quotes = "\t" in first, first.lstrip("\ufeff").startswith('"')
    if tabs and not quotes:
        return "tab"
    if quotes and not tabs:
        return "csv"
    raise UsageError(
        f"{path.name}: it cannot be told what kind of file this is",
        remedy="Name it .tab, .csv, .mer, .xml or .xlsx, as FileMaker does.",
    )


@dataclass(frozen=True, slots=True)
class ManifestRows:
    """A manifest's records as rows, the newest session's lines."""

    folder: Path
    columns: tuple[str, ...]

    def rows(self) -> Iterator[Row]:
        """One `Row` a record, in the order of the export."""
        with ManifestIndex.build(self.folder) as index:
            head = index.head
            for number, record in enumerate(index, 1):
                yield Row(record_values(record, head), number)


def record_values(record: ManifestRecord, head: Head) -> dict[str, Value]:
    """A record's values under the names of the declared fields, with its ids, files and MD5s."""
    item = record.items[0]
    given = {
        "pk": item.identity,
        "owner": item.owner,
        "date": item.date or item.date_raw,
        "cat": item.category,
        "orig": item.original_name,
    }
    values: dict[str, Value] = {RECORD_ID: item.record_id, MOD_ID: item.mod_id}
    values |= {name: given[role] for role, name in head.roles.items() if role in given}
    values |= dict(zip(head.extras, item.extras, strict=False))
    there = [entry for entry in record.items if entry.status in WITH_FILE]
    for name, texts in ((PATH, [e.path for e in there]), (MD5, [e.md5 for e in there])):
        values[name] = texts[0] if len(texts) == 1 else (texts or "")
    return values


def open_manifest(folder: Path) -> MetadataFile:
    """A manifest as a metadata file: one row a record. For pages and single records use `ManifestIndex`."""
    with ManifestIndex.build(folder) as index:
        head = index.head
        notes = tuple(problem.text for problem in index.problems())
    known = [head.roles[role] for role in ("pk", "owner", "date", "cat", "orig") if role in head.roles]
    columns = tuple(dict.fromkeys([RECORD_ID, MOD_ID, *known, *head.extras, PATH, MD5]))
    return MetadataFile(
        path=folder,
        format="manifest",
        columns=columns,
        source=ManifestRows(folder, columns),
        found=head.found,
        encoding="utf-8",
        notes=notes,
    )
