"""What every metadata reader gives: columns, and rows one after another."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from unlade.desktop.read.dates import Order
from unlade.errors import SourceError

#: A field's text; a list where the field has several repetitions or related rows.
Value = str | list[str]

VERTICAL_TAB = "\x0b"  #: a return within a field (DESKTOP.md 0.6)
GROUP_SEPARATOR = "\x1d"  #: between repetitions


@dataclass(frozen=True, slots=True)
class Row:
    """One record. `line` counts the rows of the file from 1, a header row included; for XML and manifests records."""

    values: dict[str, Value]
    line: int


class RowSource(Protocol):
    """One format's way to the rows."""

    def rows(self) -> Iterator[Row]:
        """From the beginning; may be called again."""


@dataclass(frozen=True, slots=True)
class MetadataFile:
    """A metadata file that can be read as often as needed, always in constant memory.

    `found` is how many records the file says it has, None when its format does not. `dates` is how the file itself
    says its dates are (`iso` when they were turned into ISO here), None when it does not. `notes` tell everything
    that was concluded: encoding, ends of rows, header.
    """

    path: Path
    format: str  #: manifest | tab | csv | merge | fmpxmlresult | xlsx
    columns: tuple[str, ...]
    source: RowSource
    found: int | None = None
    dates: str | None = None
    date_order: Order | None = None
    date_columns: frozenset[str] = frozenset()
    encoding: str = ""
    notes: tuple[str, ...] = field(default=())

    def __iter__(self) -> Iterator[Row]:
        """The rows. Raises `SourceError` naming file and row for what is broken."""
        return self.source.rows()


class RowError(SourceError):
    """A row of a file cannot be read."""

    def __init__(self, path: Path, line: int, what: str, *, remedy: str = "") -> None:
        super().__init__(f"{path.name}, row {line}: {what}", remedy=remedy)
        self.path = path
        self.line = line


def plain(name: str) -> str:
    """A column's name for comparison: NFC, lower case, without the table in front; `.`, `_` and blanks are one."""
    text = unicodedata.normalize("NFC", name).strip().lstrip("\ufeff").casefold().rpartition("::")[2]
    return "_".join(part for part in "".join(c if c.isalnum() else " " for c in text).split())


def match_columns(columns: Sequence[str], wanted: Collection[str]) -> dict[str, str]:
    """Wanted field name -> column of the file; exact spelling first, then by `plain`.

    A wanted name without a column is left out. Raises `SourceError` when two columns fit one name equally well.
    """
    found = {name: name for name in wanted if name in columns}
    for name in wanted:
        if name in found:
            continue
        fitting = [column for column in columns if plain(column) == plain(name)]
        if len(fitting) > 1:
            raise SourceError(
                f"{name!r} could be any of the columns {', '.join(map(repr, fitting))}",
                remedy="Say which with --columns, giving every column its field's name.",
            )
        if fitting:
            found[name] = fitting[0]
    return found


def unique_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names made distinct (`date`, `date#2`), and notes about what was done. The same field can be exported twice."""
    seen: dict[str, int] = {}
    result, notes = [], []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
        if seen[name] > 1:
            notes.append(f"the column {name!r} is there more than once; the further one is called {result[-1]!r}")
    return result, notes


def clean(text: str) -> Value:
    """A field of a text export: vertical tab is a return, group separator stands between repetitions."""
    if GROUP_SEPARATOR in text:
        return repetitions([part.replace(VERTICAL_TAB, "\n") for part in text.split(GROUP_SEPARATOR)])
    return text.replace(VERTICAL_TAB, "\n") if VERTICAL_TAB in text else text


def repetitions(values: list[str]) -> Value:
    """Empty repetitions at the end are left out; one that is left is a plain text."""
    while len(values) > 1 and not values[-1]:
        values = values[:-1]
    return values[0] if len(values) == 1 else (values or "")
