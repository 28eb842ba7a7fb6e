"""Excel workbooks (.xlsx) as FileMaker exports them, read as a stream. Needs the extra `unlade[xlsx]` (openpyxl).

A workbook rounds numbers to 15 digits and cuts texts at 32,767 characters (DESKTOP.md 3): the notes say so. Its
shared strings are held in memory by the library; everything else is not.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from unlade.desktop.read.dates import Order
from unlade.desktop.read.model import MetadataFile, Row, RowError, Value, clean, plain, unique_names
from unlade.errors import SettingsError, SourceError

_LONGEST_CELL = 32_767


@dataclass(frozen=True, slots=True)
class WorkbookRows:
    """The rows of a workbook's first sheet."""

    path: Path
    columns: tuple[str, ...]
    skip: int

    def rows(self) -> Iterator[Row]:
        """One `Row` a record; days and moments in ISO."""
        for line, cells in _cells(self.path):
            if line <= self.skip:
                continue
            cells = cells[: _width(cells)]
            if not cells:
                continue
            if len(cells) > len(self.columns):
                raise RowError(self.path, line, f"it has {len(cells)} columns where {len(self.columns)} are expected")
            texts = [self._text(cell, line) for cell in cells]
            texts += [""] * (len(self.columns) - len(texts))
            yield Row(dict(zip(self.columns, texts, strict=True)), line)

    def _text(self, cell: Any, line: int) -> Value:
        text = cell_text(cell)
        if len(text) >= _LONGEST_CELL:
            raise RowError(
                self.path, line, "a text fills its cell to the last character: Excel's limit has probably cut it"
            )
        return clean(text.replace("\r\n", "\n").replace("\r", "\n"))


def cell_text(cell: Any) -> str:
    """A cell's value as text: whole numbers without a point, days as 2019-04-18, moments as 2019-04-18T09:30:00."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        whole = cell.time() == time()
        return cell.date().isoformat() if whole else cell.isoformat(timespec="seconds")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        seconds = int(cell.total_seconds())
        sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
        return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return str(cell)


def open_workbook(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    declared: Collection[str] = (),
    date_order: Order | None = None,
) -> MetadataFile:
    """The first sheet of a workbook. `columns` and `declared` as for text exports.

    Raises `SettingsError` without openpyxl, `SourceError` for a broken workbook or columns without names.
    """
    first = next((cells for _, cells in _cells(path)), None)
    if first is None:
        raise SourceError(f"{path.name} has no rows")
    cells = [cell_text(cell).strip() for cell in first[: _width(first)]]
    known = {plain(name) for name in (columns if columns is not None else declared)}
    is_header = bool(cells) and all(cells) and sum(plain(cell) in known for cell in cells) >= min(2, len(cells))
    if columns is not None:
        if len(cells) > len(columns):
            raise SourceError(f"{path.name} has {len(cells)} columns, {len(columns)} were named with --columns")
        if is_header and [plain(cell) for cell in cells] != [plain(name) for name in columns]:
            raise SourceError(
                f"{path.name}: its first row holds names given with --columns in another order",
                remedy="Give them in the file's order, or leave --columns out.",
            )
        names = list(columns)
    elif is_header:
        names = cells
    else:
        raise SourceError(
            f"{path.name} has no header that names declared fields, so its {len(cells)} columns have no names",
            remedy="Give their names, in the file's order, with --columns NAME,NAME,...",
        )
    distinct, doubles = unique_names(names)
    notes = (
        "the first row is a header" if is_header else "there is no header: the first row is a record",
        "Excel rounds numbers to 15 digits and cuts long texts; FMPXMLRESULT does neither",
    )
    rows = WorkbookRows(path, tuple(distinct), 1 if is_header else 0)
    return MetadataFile(
        path=path,
        format="xlsx",
        columns=tuple(distinct),
        source=rows,
        date_order=date_order,
        encoding="UTF-8",
        notes=(*notes, *doubles),
    )


def _width(cells: Sequence[Any]) -> int:
    """Columns up to the last that holds something."""
    return max((index for index, cell in enumerate(cells, 1) if cell not in (None, "")), default=0)


def _cells(path: Path) -> Iterator[tuple[int, tuple[Any, ...]]]:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise SettingsError(
            f"{path.name} is an Excel workbook; reading it needs openpyxl",
            remedy="Install it (pip install 'unlade[xlsx]'), or export as FMPXMLRESULT.",
        ) from None
    from openpyxl.utils.exceptions import InvalidFileException

    broken = (InvalidFileException, BadZipFile, zlib.error, KeyError, ValueError, OSError, EOFError, SyntaxError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles it does not know
        try:
            book = load_workbook(path, read_only=True, data_only=True)
        except broken as error:
            raise SourceError(f"{path.name} is no workbook that can be read ({type(error).__name__})") from None
    number = 0
    try:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what the file says of its size is often wrong
        for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            yield number, cells
    except broken as error:
        raise RowError(path, number + 1, f"the workbook breaks off ({type(error).__name__})") from None
    finally:
        book.close()
