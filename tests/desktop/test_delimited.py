"""Tab, csv and merge files as FileMaker writes them, and as others spoil them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.desktop import writers
from unlade.desktop.read import RowError, delimited, match_columns, open_metadata, settle_dates
from unlade.errors import SourceError, UnladeError, UsageError

COLUMNS = ["id", "owner", "note"]
ROWS: list[list[writers.Cell]] = [
    ["1", "P1", 'two lines\nand a "quote"'],
    ["2", "", ["first", "", "third\nline"]],
    ["3", "Müller, Jörg; 日本語", ""],
]
FORMATS = [
    ("a.tab", lambda rows, end: writers.tab(rows, end)),
    ("a.csv", lambda rows, end: writers.quoted(rows, end)),
    ("a.mer", lambda rows, end: writers.quoted([COLUMNS, *rows], end)),
    ("b.mer", lambda rows, end: writers.quoted([COLUMNS, *rows], end, ";")),
]
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\t\x0b\x1d\ufeff\0"), max_size=12)
cells = st.one_of(texts, st.lists(texts, min_size=2, max_size=3))


def values(path: Path, **options: Any) -> list[list[writers.Cell]]:
    return [list(row.values.values()) for row in open_metadata(path, **options)]


def without_empty_ends(cell: writers.Cell) -> writers.Cell:
    if isinstance(cell, str):
        return cell
    full = [n for n, text in enumerate(cell) if text]
    kept = cell[: full[-1] + 1] if full else [""]
    return kept if len(kept) > 1 else kept[0]


def attempt(path: Path, **options: Any) -> list[list[writers.Cell]] | SourceError:
    try:
        return values(path, **options)
    except SourceError as error:
        return error


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"], ids=["CR", "LF", "CRLF"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le"])
@pytest.mark.parametrize(("name", "write"), FORMATS, ids=["tab", "csv", "merge", "merge-semicolon"])
def test_every_format(tmp_path: Path, name: str, write: Any, encoding: str, end: str) -> None:
    path = tmp_path / name
    path.write_bytes(write(ROWS, end).encode(encoding))
    file = open_metadata(path, columns=None if name.endswith("mer") else COLUMNS)
    assert file.columns == tuple(COLUMNS)
    assert [list(row.values.values()) for row in file] == ROWS
    assert [list(row.values.values()) for row in file] == ROWS, "it can be read again"
    assert [row.line for row in file] == ([2, 3, 4] if name.endswith("mer") else [1, 2, 3])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=6),
    end=st.sampled_from(["\r", "\n", "\r\n"]),
    kind=st.sampled_from(["tab", "csv", "mer"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_whatever_filemaker_writes_reads_back(
    tmp_path: Path, rows: list[list[writers.Cell]], end: str, kind: str, encoding: str
) -> None:
    path = tmp_path / f"a.{kind}"
    whole = [*([COLUMNS] if kind == "mer" else []), *rows]
    path.write_bytes((writers.tab(whole, end) if kind == "tab" else writers.quoted(whole, end)).encode(encoding))
    found = attempt(path, columns=None if kind == "mer" else COLUMNS)
    if isinstance(found, SourceError):  # told, never wrong
        assert "cannot be told" in str(found) or "is empty" in str(found)
    else:
        assert found == [[without_empty_ends(cell) for cell in row] for row in rows]


def test_a_return_of_another_kind_within_values_stays_data(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'"1","a\nb","c"\r"2","d\r\ne","f"\r')
    assert values(path, columns=COLUMNS) == [["1", "a\nb", "c"], ["2", "d\n\ne", "f"]]
    path = tmp_path / "a.tab"
    path.write_bytes(b"1\ta\nb\tc\r2\td\te\r")
    assert values(path, columns=COLUMNS) == [["1", "a\nb", "c"], ["2", "d", "e"]]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_pieces_may_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, encoding: str) -> None:
    monkeypatch.setattr(delimited, "CHUNK", chunk)
    for name, write in (("a.tab", writers.tab), ("a.csv", writers.quoted)):
        path = tmp_path / name
        path.write_bytes(write(ROWS, "\r\n").encode(encoding))
        assert values(path, columns=COLUMNS) == ROWS


def test_python_would_have_cut_rows_here(tmp_path: Path) -> None:
    path = tmp_path / "a.tab"
    path.write_bytes("1\ta\x0b\x1cb\x85c\u2028d\te\r".encode())
    assert values(path, columns=COLUMNS) == [["1", "a\n\x1cb\x85c\u2028d", "e"]]


def test_ends_that_cannot_be_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tab"
    path.write_bytes(b"1\ta\r2\tb\n3\tc\r")
    with pytest.raises(SourceError, match="where rows end"):
        open_metadata(path, columns=["id", "x"])


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b'"1","a","b"\r"2","c"\r', 2, "2 columns where 3"),
        (b'"1","a","b"\r"2","c"x,"d"\r', 2, "quotes"),
        (b'"1","a","b"\r"2","c","d', 2, "quotes"),
    ],
)
def test_broken_rows_are_named(tmp_path: Path, data: bytes, line: int, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(RowError, match=message) as caught:
        list(open_metadata(path, columns=COLUMNS))
    assert caught.value.line == line and str(caught.value).startswith("a.csv, row 2: ")


# Columns.


def test_a_header_is_known_by_declared_names(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(writers.quoted([["ID", "API_Images::id_Contact", "x"], *ROWS]), newline="")
    file = open_metadata(path, declared=["id", "id_Contact", "date"])
    assert len(list(file)) == 3
    assert match_columns(file.columns, ["id", "id_Contact", "date"]) == {
        "id": "ID",
        "id_Contact": "API_Images::id_Contact",
    }
    assert any("the first row is a header" in note for note in file.notes)


@pytest.mark.parametrize("declared", [[], ["id"], ["id", "2"]])
def test_no_header_and_no_names_is_an_error(tmp_path: Path, declared: list[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text(writers.quoted(ROWS), newline="")
    with pytest.raises(SourceError) as caught:
        open_metadata(path, declared=declared)
    assert "--columns" in caught.value.remedy and "3 columns" in str(caught.value)


def test_given_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(writers.quoted([COLUMNS, *ROWS]), newline="")
    assert len(values(path, columns=COLUMNS)) == 3
    with pytest.raises(SourceError, match="another order"):
        open_metadata(path, columns=["owner", "id", "note"])
    with pytest.raises(SourceError, match="3 columns, 2 were named"):
        open_metadata(path, columns=["a", "b"])


def test_a_field_exported_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.mer"
    path.write_text(writers.quoted([["id", "date", "date"], ["1", "a", "b"]]), newline="")
    file = open_metadata(path)
    assert [row.values for row in file] == [{"id": "1", "date": "a", "date#2": "b"}]
    assert any("more than once" in note for note in file.notes)


def test_two_columns_for_one_name() -> None:
    assert match_columns(["id.key", "name"], ["id_key", "gone"]) == {"id_key": "id.key"}
    assert match_columns(["id_key", "id.key"], ["id_key"]) == {"id_key": "id_key"}
    with pytest.raises(SourceError, match="could be any"):
        match_columns(["id.key", "id key"], ["id_key"])


def test_dates_of_a_column(tmp_path: Path) -> None:
    path = tmp_path / "a.tab"
    path.write_text(writers.tab([["1", "4/5/2019"], ["2", ""], ["3", ["4/18/2019", "x"]]]), newline="")
    survey = settle_dates(open_metadata(path, columns=["id", "date"]), "date")
    assert (survey.order, survey.days, survey.unreadable) == ("mdy", 2, (3,))
    with pytest.raises(SourceError, match=r"a\.tab, column 'date': --date-order dmy was given, but the date in row 3"):
        settle_dates(open_metadata(path, columns=["id", "date"], date_order="dmy"), "date")


# Encodings.

WORDS = "Müller José Señora Crème fraîche Weiß Ångström Œuvre MÜNCHEN Zürich"


@pytest.mark.parametrize("encoding", ["mac_roman", "cp1252"])
def test_encodings_of_one_byte_are_told_apart(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.tab"
    path.write_bytes(writers.tab([["1", word] for word in WORDS.split()]).encode(encoding))
    file = open_metadata(path, columns=["id", "word"])
    assert file.encoding == encoding
    assert [row.values["word"] for row in file] == WORDS.split()
    assert any(encoding in note for note in file.notes)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    words=st.lists(st.sampled_from([*WORDS.split(), "Émile", "5°", "plain", "d’Arc", "«ici»"]), min_size=1, max_size=4),
    encoding=st.sampled_from(["mac_roman", "cp1252"]),
)
def test_never_read_wrong(tmp_path: Path, words: list[str], encoding: str) -> None:
    path = tmp_path / "a.tab"
    path.write_bytes(writers.tab([[str(n), word] for n, word in enumerate(words)]).encode(encoding))
    found = attempt(path, columns=["id", "word"])
    if isinstance(found, SourceError):
        assert "--encoding" in found.remedy
    else:
        assert [word for _, word in found] == words


def test_an_undecidable_encoding_shows_both_readings_of_a_byte_and_no_word(tmp_path: Path) -> None:
    path = tmp_path / "a.tab"
    path.write_bytes("1\tÉmile\r".encode("cp1252"))
    with pytest.raises(SourceError) as caught:
        open_metadata(path, columns=["id", "word"])
    assert "C9" in str(caught.value) and "É" in str(caught.value) and "…" in str(caught.value)
    assert "mile" not in str(caught.value)
    assert values(path, columns=["id", "word"], encoding="windows-1252") == [["1", "Émile"]]


def test_a_given_encoding_that_does_not_fit_names_the_row(tmp_path: Path) -> None:
    path = tmp_path / "a.tab"
    path.write_bytes(b"1\ta\r2\t\xff\xfe\xfa\r")
    with pytest.raises(RowError, match="utf-8"):
        list(open_metadata(path, columns=["id", "x"], encoding="utf-8"))
    with pytest.raises(UsageError, match="no encoding"):
        open_metadata(path, columns=["id", "x"], encoding="klingon")


def test_japanese(tmp_path: Path) -> None:
    path = tmp_path / "a.tab"
    path.write_bytes("1\t写真\r".encode("shift_jis"))
    with pytest.raises(SourceError, match="cannot be told"):
        open_metadata(path, columns=["id", "x"])
    assert values(path, columns=["id", "x"], encoding="shift_jis") == [["1", "写真"]]


# What a file is.


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        ("a.csv", b"", SourceError),
        ("a.xml", bytes.fromhex("00010000000200010005000200 02c0") + b"HBAM7" + bytes(40), UsageError),
        ("a.xls", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(20), UsageError),
        ("a.dat", b"nothing to tell", UsageError),
        ("a.txt", b'{"t":"head","v":1}\n', UsageError),
    ],
)
def test_what_is_no_metadata_is_explained(tmp_path: Path, name: str, data: bytes, error: type[UnladeError]) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(error) as caught:
        open_metadata(path, columns=["a"])
    assert name in str(caught.value)


def test_a_missing_file() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        open_metadata(Path("nowhere.csv"))


def test_a_name_without_a_meaning_is_told_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_bytes(writers.tab(ROWS).encode())
    assert open_metadata(path, columns=COLUMNS).format == "tab"


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        for number in range(60_000):
            file.write(writers.quoted([[str(number), "P1", "x" * 60]]))
    tracemalloc.start()
    assert sum(1 for _ in open_metadata(path, columns=COLUMNS)) == 60_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 4_000_000
    assert peak < 9 * delimited.CHUNK + 4 * 512 * 1024, "a few pieces and the sample, not the file"
