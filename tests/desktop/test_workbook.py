"""Excel workbooks, written and read with the library."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from unlade.desktop.read import RowError, open_metadata
from unlade.desktop.read.workbook import cell_text
from unlade.errors import SourceError


def write(path: Path, rows: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


ROWS: list[list[Any]] = [
    ["id", "date", "note"],
    [6066, datetime(2019, 4, 18), "a\nb"],  # noqa: DTZ001
    ["007", None, ""],
    [1.5, datetime(2019, 4, 18, 9, 30), "é"],  # noqa: DTZ001
]
VALUES = [["6066", "2019-04-18", "a\nb"], ["007", "", ""], ["1.5", "2019-04-18T09:30:00", "é"]]


def test_with_a_header_and_without(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", ROWS)
    file = open_metadata(path, declared=["id", "date"])
    assert [list(row.values.values()) for row in file] == VALUES
    assert [row.line for row in file] == [2, 3, 4]
    path = write(tmp_path / "b.xlsx", ROWS[1:])
    file = open_metadata(path, columns=["id", "date", "note"])
    assert [list(row.values.values()) for row in file] == VALUES
    assert any("Excel rounds" in note for note in file.notes)


def test_columns_without_names(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no header"):
        open_metadata(write(tmp_path / "a.xlsx", ROWS[1:]), declared=["id", "date"])
    with pytest.raises(SourceError, match="another order"):
        open_metadata(write(tmp_path / "b.xlsx", ROWS), columns=["date", "id", "note"])
    with pytest.raises(SourceError, match="3 columns, 2"):
        open_metadata(write(tmp_path / "c.xlsx", ROWS), columns=["date", "id"])


def test_a_cut_text_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", [["id", "note"], ["1", "x" * 32_767]])
    with pytest.raises(RowError, match="row 2"):
        list(open_metadata(path, columns=["id", "note"]))


def test_what_is_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(SourceError, match="no workbook"):
        open_metadata(path, columns=["a"])
    whole = write(tmp_path / "c.xlsx", ROWS * 50).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError):
        list(open_metadata(path, columns=["id", "date", "note"]))
    with pytest.raises(SourceError, match="no rows"):
        open_metadata(write(tmp_path / "b.xlsx", []), columns=["a"])


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        (True, "1"),
        (6066.0, "6066"),
        (0.1, "0.1"),
        (1e20, "1e+20"),
        (date(2019, 4, 18), "2019-04-18"),
        (time(9, 30), "09:30:00"),
        (timedelta(hours=26, minutes=1), "26:01:00"),
        (-timedelta(hours=1), "-01:00:00"),
    ],
)
def test_cells(cell: Any, text: str) -> None:
    assert cell_text(cell) == text
