"""FMPXMLRESULT: dates by its own word, ids of records, nothing cut without an error."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.desktop import writers
from unlade.desktop.read import MOD_ID, RECORD_ID, RowError, open_metadata
from unlade.errors import SourceError

FIELDS = [("id", "TEXT"), ("date", "DATE"), ("TO::note", "TEXT"), ("at", "TIMESTAMP"), ("long", "TIME")]


def write(path: Path, *args: Any, **options: Any) -> Path:
    path.write_text(writers.fmpxml(*args, **options), encoding="utf-8", newline="")
    return path


def test_rows(tmp_path: Path) -> None:
    row = ["1", "4/5/2019", ["a & b", "<two>"], "4/5/2019 1:02:03 PM", "26:00:00"]
    file = open_metadata(write(tmp_path / "a.xml", FIELDS, [("17", "3", row), ("18", "0", ["", "", "", "", ""])]))
    assert file.columns == (RECORD_ID, MOD_ID, "id", "date", "TO::note", "at", "long")
    assert (file.found, file.date_columns) == (2, {"date", "at"})
    first, second = file
    assert first.values == {
        RECORD_ID: "17",
        MOD_ID: "3",
        "id": "1",
        "date": "2019-04-05",
        "TO::note": ["a & b", "<two>"],
        "at": "2019-04-05T13:02:03",
        "long": "26:00:00",
    }
    assert set(second.values.values()) == {"18", "0", ""}
    assert (first.line, second.line) == (1, 2)


@pytest.mark.parametrize(
    ("form", "text"),
    [("M/d/yyyy", "4/5/2019"), ("D/m/yyyy", "5/4/2019"), ("d.M.yyyy", "5.4.2019"), ("yyyy/MM/dd", "2019/04/05")],
)
def test_dates_by_the_files_own_word(tmp_path: Path, form: str, text: str) -> None:
    path = write(tmp_path / "a.xml", [("d", "DATE")], [("1", "1", [text])], dates=form)
    assert [row.values["d"] for row in open_metadata(path)] == ["2019-04-05"]


def test_without_its_word_the_caller_must_say(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", [("d", "DATE")], [("1", "1", ["4/5/2019"])], dates="")
    with pytest.raises(RowError, match="two readings") as caught:
        list(open_metadata(path))
    assert "--date-order" in caught.value.remedy
    assert [row.values["d"] for row in open_metadata(path, date_order="dmy")] == ["2019-05-04"]


def test_a_text_is_never_turned_into_a_date(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", [("d", "TEXT")], [("1", "1", ["4/5/2019"])])
    assert [row.values["d"] for row in open_metadata(path)] == ["4/5/2019"]


def test_what_is_no_date_stays(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", [("d", "DATE")], [("1", "1", ["?"])])
    assert [row.values["d"] for row in open_metadata(path)] == ["?"]


@pytest.mark.parametrize("empty", ["<DATA></DATA>", "<DATA/>", ""])
def test_empty_values(tmp_path: Path, empty: str) -> None:
    path = write(tmp_path / "a.xml", FIELDS, [("1", "1", [""] * 5)], empty=empty)
    assert set(next(iter(open_metadata(path))).values.values()) == {"1", ""}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"found": 3}, "says it has 3 records and has 1"),
        ({"error": "15"}, "error 15"),
        ({"prolog": '<!DOCTYPE a [<!ENTITY x "y">]>'}, "entities"),
    ],
)
def test_files_that_are_not_whole_or_not_ours(tmp_path: Path, options: Any, message: str) -> None:
    path = write(tmp_path / "a.xml", [("a", "TEXT")], [("1", "1", ["x"])], **options)
    with pytest.raises(SourceError, match=message):
        list(open_metadata(path))


def test_empty_repetitions_at_the_end_are_left_out(tmp_path: Path) -> None:
    rows: list[Any] = [("1", "1", [["a", "", "c", "", ""]]), ("2", "1", [["a", ""]]), ("3", "1", [["", ""]])]
    file = open_metadata(write(tmp_path / "a.xml", [("a", "TEXT")], rows))
    assert [row.values["a"] for row in file] == [["a", "", "c"], "a", ""]


def test_web_publishing_writes_a_doctype(tmp_path: Path) -> None:
    prolog = '<!DOCTYPE FMPXMLRESULT PUBLIC "-//FMI//DTD FMPXMLRESULT//EN" "/fmi/xml/FMPXMLRESULT.dtd">'
    path = write(tmp_path / "a.xml", [("a", "TEXT")], [("1", "1", ["x"])], prolog=prolog)
    assert len(list(open_metadata(path))) == 1


def test_cut_anywhere_is_an_error(tmp_path: Path) -> None:
    whole = writers.fmpxml([("a", "TEXT")], [(str(n), "1", ["x"]) for n in range(3)]).encode()
    path = tmp_path / "a.xml"
    for length in range(60, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(SourceError):
            list(open_metadata(path))


def test_other_grammars(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text('<?xml version="1.0"?><FMPDSORESULT><ROW/></FMPDSORESULT>')
    with pytest.raises(SourceError, match="FMPDSORESULT") as caught:
        open_metadata(path)
    assert "FMPXMLRESULT" in caught.value.remedy


def test_rows_of_another_width(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", [("a", "TEXT"), ("b", "TEXT")], [("1", "1", ["x", "y"]), ("2", "1", ["x"])])
    with pytest.raises(RowError, match=r"a\.xml, row 2: it has 1 columns"):
        list(open_metadata(path))


def test_other_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", [("a", "TEXT"), ("a", "TEXT")], [("1", "1", ["x", "y"])])
    assert open_metadata(path).columns[2:] == ("a", "a#2")
    assert open_metadata(path, columns=["p", "q"]).columns[2:] == ("p", "q")
    with pytest.raises(SourceError, match="2 columns, 1"):
        open_metadata(path, columns=["p"])


xml_text = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=20)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(xml_text, xml_text), max_size=5))
def test_whatever_is_written_reads_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = write(tmp_path / "a.xml", [("a", "TEXT"), ("b", "NUMBER")], [("1", "1", list(row)) for row in rows])
    assert [(row.values["a"], row.values["b"]) for row in open_metadata(path)] == rows


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    rows = [(str(n), "1", ["x" * 200, "y" * 200]) for n in range(10_000)]
    path = write(tmp_path / "a.xml", [("a", "TEXT"), ("b", "TEXT")], rows)
    tracemalloc.start()
    assert sum(1 for _ in open_metadata(path)) == 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 4_000_000 and peak < 2_000_000
