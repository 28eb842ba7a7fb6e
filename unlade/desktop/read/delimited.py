"""Tab, csv and merge files as FileMaker writes them.

Rows end with CR (as documented), LF or CRLF; which one is settled before anything is split, because the other two may
stand within values. Python's own line splitting would also cut at vertical tab and group separator, so rows are cut
here. Source: DESKTOP.md 0.6, 0.7, 3.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unlade.desktop.read.dates import Order
from unlade.desktop.read.encoding import CHUNK, Encoding, find_encoding
from unlade.desktop.read.model import MetadataFile, Row, RowError, clean, plain, unique_names
from unlade.errors import SourceError

Kind = Literal["tab", "csv", "merge"]

LARGEST_ROW = 64 * 1024 * 1024  #: characters; a row without an end would otherwise fill the memory
_SAMPLE = 512 * 1024
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_NAMES = {"\r": "CR", "\n": "LF", "\r\n": "CRLF"}


@dataclass(frozen=True, slots=True)
class DelimitedRows:
    """The rows of one file, with everything settled."""

    path: Path
    encoding: str
    terminator: str
    delimiter: str
    quoted: bool
    columns: tuple[str, ...]
    skip: int  #: header rows

    def rows(self) -> Iterator[Row]:
        """One `Row` a record."""
        wide = len(self.columns)
        for number, (line, cells) in enumerate(self.cells()):
            if number < self.skip:
                continue
            if len(cells) != wide:
                raise RowError(
                    self.path,
                    line,
                    f"it has {len(cells)} columns where {wide} are expected",
                    remedy="Export again; a row that was cut or edited by hand cannot be trusted.",
                )
            values = {name: clean(cell) for name, cell in zip(self.columns, cells, strict=True)}
            yield Row(values, line)

    def cells(self) -> Iterator[tuple[int, list[str]]]:
        """The raw rows with their numbers."""
        return split_cells(self.path, self.lines(), self.delimiter, quoted=self.quoted, wide=len(self.columns))

    def lines(self) -> Iterator[str]:
        """The rows' texts without their ends; a quoted value may go on in the next one."""
        return read_lines(self.path, self.encoding, self.terminator)


def read_lines(path: Path, encoding: str, terminator: str) -> Iterator[str]:
    """The file cut at `terminator` and nowhere else. Raises `RowError` for bytes that the encoding does not have."""
    rest, line = "", 1
    texts = _texts(path, encoding)
    while True:
        try:
            text = next(texts, None)
        except UnicodeDecodeError:
            raise RowError(
                path,
                line,
                f"at or behind it are bytes that {encoding} does not have",
                remedy="Give the right encoding with --encoding, or export again as UTF-8.",
            ) from None
        if text is None:
            break
        parts = (rest + text).split(terminator)
        rest = parts.pop()
        for part in parts:
            yield part
            line += 1
        if len(rest) > LARGEST_ROW:
            raise RowError(path, line, "it does not end within 64 million characters")
    if rest:
        yield rest


def _texts(path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def split_cells(
    path: Path, lines: Iterator[str], delimiter: str, *, quoted: bool, wide: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Rows as (number, cells). An empty row is left out, but for files of one column, where it is an empty value."""
    if not quoted:
        for number, line in enumerate(lines, 1):
            if line or wide == 1:
                yield number, line.split(delimiter)
        return
    csv.field_size_limit(max(csv.field_size_limit(), LARGEST_ROW))
    # A lone CR or LF within quotes is data: the reader gets the row's end as LF and nothing else to cut at.
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise RowError(path, number, f"its quotes do not match ({error})") from None
        if cells or wide == 1:
            yield number, cells or [""]


def open_delimited(
    path: Path,
    kind: Kind,
    *,
    columns: Sequence[str] | None = None,
    declared: Collection[str] = (),
    date_order: Order | None = None,
    encoding: str | None = None,
) -> MetadataFile:
    """Settle everything about a text export and give its rows.

    `columns` name them in the file's order; else the first row must be a header, known by `declared` names (merge
    files always have one). Raises `SourceError` when something cannot be told, with the option that tells it.
    """
    settled = find_encoding(path, encoding)
    sample, whole = _sample(path, settled)
    if not sample.strip("\r\n"):
        raise SourceError(f"{path.name} is empty")
    quoted = kind != "tab"
    terminator = _terminator(path, sample, quoted=quoted, whole=whole, wide=len(columns or ()))
    delimiter = "\t" if kind == "tab" else _delimiter(path, sample, kind)
    notes = [f"read as {settled.name}: {settled.why}", f"rows end with {_NAMES[terminator]}"]
    if quoted:
        notes.append(f"columns are separated by {_DELIMITERS[delimiter]}")
    lines = read_lines(path, settled.name, terminator)
    _, first = next(split_cells(path, lines, delimiter, quoted=quoted), (1, [""]))
    names, skip, more = _header(path, kind, first, columns, declared)
    distinct, doubles = unique_names(names)
    rows = DelimitedRows(path, settled.name, terminator, delimiter, quoted, tuple(distinct), skip)
    return MetadataFile(
        path=path,
        format=kind,
        columns=tuple(distinct),
        source=rows,
        date_order=date_order,
        encoding=settled.name,
        notes=(*notes, *more, *doubles),
    )


def _sample(path: Path, encoding: Encoding) -> tuple[str, bool]:
    """The beginning, decoded, and whether that is all of it."""
    with path.open("rb") as file:
        data = file.read(_SAMPLE)
    text = codecs.getincrementaldecoder(encoding.name)("replace").decode(data)
    if len(data) < _SAMPLE:
        return text, True
    # Cut in the middle of a CRLF it would show a CR that is none.
    return text.removesuffix("\r"), False


def _terminator(path: Path, sample: str, *, quoted: bool, whole: bool, wide: int) -> str:
    """What ends rows. Where more than one could: the only one that gives rows of one width (of `wide`, if known)."""
    outside = _outside_quotes(sample) if quoted else sample
    pairs = outside.count("\r\n")
    counts = {"\r\n": pairs, "\r": outside.count("\r") - pairs, "\n": outside.count("\n") - pairs}
    used = [end for end, count in counts.items() if count]
    if not used:
        return "\n"
    if len(used) == 1:
        return used[0]
    fitting = [end for end in used if _even(sample, end, quoted=quoted, whole=whole, wide=wide)]
    if len(fitting) == 1:
        return fitting[0]
    kinds = ", ".join(f"{_NAMES[end]} {counts[end]} times" for end in used)
    raise SourceError(
        f"{path.name}: it cannot be told where rows end; its beginning has {kinds}",
        remedy="The file was probably edited or joined. Export it again.",
    )


def _even(sample: str, terminator: str, *, quoted: bool, whole: bool, wide: int) -> bool:
    """Whether all rows of the sample look whole when cut there; the last one may be cut by the sample's end."""
    lines = sample.split(terminator)
    lines = [line for line in (lines if whole else lines[:-1]) if line]
    if quoted:
        return all(line.startswith('"') and line.endswith('"') for line in lines)
    widths = {line.count("\t") + 1 for line in lines}
    return len(widths) == 1 and (not wide or widths == {wide})


def _outside_quotes(sample: str) -> str:
    return "".join(sample.split('"')[::2])


def _delimiter(path: Path, sample: str, kind: Kind) -> str:
    """Comma in csv; in merge files a comma or, on European systems, a semicolon (and so in a csv saved by Excel)."""
    between = [piece.strip("\r\n") for piece in sample.split('"')[::2]]
    used = [char for char in _DELIMITERS if char in between]
    if not used:
        outside = "".join(between)
        used = [char for char in _DELIMITERS if char in outside]
        if kind == "csv" and "," in used:
            return ","
    if len(used) > 1:
        words = " and ".join(_DELIMITERS[char] for char in used)
        raise SourceError(
            f"{path.name}: it cannot be told whether {words} separate its columns",
            remedy="Export again with all values in quotes, as FileMaker does, or as FMPXMLRESULT.",
        )
    return used[0] if used else ","


def _header(
    path: Path, kind: Kind, first: list[str], columns: Sequence[str] | None, declared: Collection[str]
) -> tuple[list[str], int, list[str]]:
    """The columns' names, how many rows are header, and what was concluded."""
    cells = [str(cell).strip() for cell in first]
    if columns is not None:
        return _given(path, kind, cells, list(columns))
    if kind == "merge":
        return cells, 1, []
    known = {plain(name) for name in declared}
    hits = [cell for cell in cells if plain(cell) in known]
    enough = len(hits) >= min(2, len(cells)) and all(cells) and len(set(cells)) == len(cells)
    if hits and enough:
        return cells, 1, [f"the first row is a header: it has the names {', '.join(map(repr, hits))}"]
    raise SourceError(
        f"{path.name} has no header that names declared fields, so its {len(cells)} columns have no names",
        remedy="Give their names, in the file's order, with --columns NAME,NAME,...",
    )


def _given(path: Path, kind: Kind, cells: list[str], columns: list[str]) -> tuple[list[str], int, list[str]]:
    if len(cells) != len(columns):
        raise SourceError(f"{path.name} has {len(cells)} columns, {len(columns)} were named with --columns")
    wanted = [plain(name) for name in columns]
    same = [plain(cell) for cell in cells]
    if same == wanted:
        return columns, 1, ["the first row is a header: it has the names that were given"]
    if len(columns) > 1 and sorted(same) == sorted(wanted):
        raise SourceError(
            f"{path.name}: its first row holds the names given with --columns in another order: {', '.join(cells)}",
            remedy="Give them in that order, or leave --columns out.",
        )
    if kind == "merge":
        return columns, 1, [f"the header's names were replaced by those given: {', '.join(cells)}"]
    return columns, 0, ["there is no header: the first row is a record"]
