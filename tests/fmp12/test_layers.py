"""The layers one by one: grammar, keys, text, values, header."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fmp12 import naive, writer
from unlade.fmp12 import (
    CutShort,
    DamagedFile,
    DatabaseFileError,
    EncryptedFile,
    FieldType,
    Locale,
    NotFileMaker,
    State,
    open_file,
    scsu,
)
from unlade.fmp12.index import index_leaves
from unlade.fmp12.objects import choose_main, parse_names
from unlade.fmp12.pages import HEADER, PageFile
from unlade.fmp12.records import counter, parse_reference
from unlade.fmp12.tokens import EMPTY, decode_integer, decode_integers, encode_integer, leaf_entries
from unlade.fmp12.values import interpret


def entries(payload: str) -> list:
    data = bytes.fromhex(payload)
    return leaf_entries(bytes(HEADER) + data + bytes(4076 - len(data)), HEADER + len(data), 9)


def test_every_code_of_the_grammar() -> None:
    # Key classes 0 to 3, value classes 0 to 7, push, no-op, pop.
    found = entries("20 02  00 01  01 02 AA  0A 03 00 AABB  13 04 00 00 AABBCCDD  80  1C 05 0500000000 112233445566 40"
                    "30 03 00 00  05 01 0102030405060708  06 02 03 AABBCC  07 03 00 01 DD 40 40")  # fmt: skip
    inside, second = (b"\2",), (b"\3\0\0",)
    assert found == [
        (inside, b"\1", b""),
        (inside, b"\2", b"\xaa"),
        (inside, b"\3\0", b"\xaa\xbb"),
        (inside, b"\4\0\0", bytes.fromhex("aabbccdd")),
        (inside, b"\5\0\0\0\0", bytes.fromhex("112233445566")),
        (second, b"\1", bytes(range(1, 9))),
        (second, b"\2", b"\xaa\xbb\xcc"),
        (second, b"\3", b"\xdd"),
    ]


def test_a_record_without_values_is_an_entry() -> None:
    found = entries("28 8001 20 05 20 01 40 20 02 01 01 AA")
    assert found[0] == ((b"\x80\1", b"\5"), b"\1", EMPTY)
    assert found[0][2] is EMPTY


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("02 01 AA", "ends in the middle|does not end"),
        ("07 01 FF FF AA", "does not end"),
        ("C1 01 AA", "no code C1"),
        ("41 01", "no code 41"),
        ("01 02 AA 01 01 AA", "order"),
        ("01 02 AA 01 02 AA", "order"),
        ("20 02 00 01 40 20 01 00 01 40", "order"),
        ("40 00 01", "never opened"),
        ("21 01", "opened wrongly"),
        ("18 00 00", "empty"),
        ("20 01 " * 41, "opened wrongly"),
    ],
)
def test_what_breaks_a_rule_names_the_page(payload: str, why: str) -> None:
    with pytest.raises(DamagedFile, match=why) as caught:
        entries(payload)
    assert caught.value.page == 9
    assert "page 9" in str(caught.value)
    assert "Recover" in caught.value.remedy


@given(st.integers(0, 0x4080 + (1 << 21) - 1))
def test_integers_go_there_and_back_in_order(number: int) -> None:
    key = encode_integer(number)
    assert decode_integer(key) == number
    assert decode_integers(encode_integer(30) + key) == (30, number)
    if number:
        assert encode_integer(number - 1) < key


def test_integers_at_the_seams() -> None:
    assert [decode_integer(bytes.fromhex(key)) for key in ("7f", "8000", "bfff", "c00000")] == [127, 128, 16511, 16512]
    assert [decode_integer(bytes.fromhex(key)) for key in ("fc", "d8", "fc01", "80", "0102")] == [None] * 5


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2))
def test_text_goes_there_and_back(text: str, manner: int) -> None:
    data = writer.scsu(text, manner)
    assert scsu.decode(data) == text == naive.scsu(data)
    assert scsu.text(scsu.unmask(data)) == text
    assert scsu.units_of(text) == len(text.encode("utf-16-be")) // 2


@given(st.binary(max_size=40))
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    try:
        text = scsu.decode(data)
    except scsu.ScsuError:
        return
    assert text == naive.scsu(data)


@pytest.mark.parametrize("data", ["0f41", "0e41", "0c", "1800", "0fd800", "0ff2", "0b"])
def test_unfinished_text_is_refused(data: str) -> None:
    with pytest.raises(scsu.ScsuError):
        scsu.decode(bytes.fromhex(data))


US, GERMAN, JAPANESE = Locale(), Locale(25, ".", ",", ".", ":", "dmy"), Locale(31, date_order="ymd")


@pytest.mark.parametrize(
    ("text", "type_", "locale", "value", "misfit"),
    [
        ("12", "number", US, 12, False),
        ("1,234.5", "number", US, Decimal("1234.5"), False),
        ("1.234,5", "number", GERMAN, Decimal("1234.5"), False),
        ("-.5", "number", US, Decimal("-0.5"), False),
        ("12,34", "number", US, None, True),
        ("12 apples", "number", US, None, True),
        ("٣", "number", US, None, True),
        ("1" * 900, "number", US, None, True),
        ("4/5/2019", "date", US, date(2019, 4, 5), False),
        ("4.5.2019", "date", GERMAN, date(2019, 5, 4), False),
        ("2019/4/5", "date", JAPANESE, date(2019, 4, 5), False),
        ("0001/01/01", "date", JAPANESE, date(1, 1, 1), False),
        ("18/04/2019", "date", US, None, True),  # fits another order only: never swapped
        ("4/5/2019", "date", JAPANESE, None, True),
        ("2019-04-05", "date", US, date(2019, 4, 5), True),  # reads one way only
        ("4/5/19", "date", US, None, True),
        ("4/5-2019", "date", US, None, True),
        ("?", "date", US, None, True),
        ("11:22:33", "time", US, timedelta(hours=11, minutes=22, seconds=33), False),
        ("11:08:15 PM", "time", US, timedelta(hours=23, minutes=8, seconds=15), False),
        ("12:00 AM", "time", US, timedelta(0), False),
        ("午後 1:00", "time", JAPANESE, timedelta(hours=13), False),
        ("100:00:00", "time", US, timedelta(hours=100), False),
        ("-1:30", "time", US, timedelta(hours=-1, minutes=-30), False),
        ("1:02:03.25", "time", US, timedelta(hours=1, minutes=2, seconds=3, milliseconds=250), False),
        ("1:61", "time", US, None, True),
        ("5/31/2024 11:22:33 PM", "timestamp", US, datetime(2024, 5, 31, 23, 22, 33), False),  # noqa: DTZ001
        ("5/31/2024 25:00:00", "timestamp", US, None, True),
        ("anything", "text", US, "anything", False),
    ],
)
def test_values(text: str, type_: str, locale: Locale, value: object, misfit: bool) -> None:
    found = interpret(text, FieldType(type_), locale)
    assert (found.text, found.value, found.misfit) == (text, value, misfit)


@given(
    st.text(), st.sampled_from(list(FieldType)), st.sampled_from([US, GERMAN, JAPANESE, Locale(1, "٬", "٫", "-", ".")])
)
def test_any_text_has_a_reading(text: str, type_: FieldType, locale: Locale) -> None:
    value = interpret(text, type_, locale)
    assert value.text == text
    assert (value.value is None) <= value.misfit


def test_references_counters_and_names() -> None:
    assert parse_reference("8084\ue000") == (bytes.fromhex("8084"), None)
    assert parse_reference("file:x.jpg") == (None, "file:x.jpg")
    assert parse_reference("xy\ue000") == (None, None)
    assert [counter(bytes.fromhex(data)) for data in ("0108", "020123", "", "03aa")] == [8, 291, 0, 0]
    two = parse_names(writer.fnam(("image", "", "Füße.jpg"), ("filemac", "a\ue000b", "x" * 200)))
    assert [(name.kind, name.directory, name.name) for name in two] == [
        ("image", (), "Füße.jpg"),
        ("filemac", ("a", "b"), "x" * 200),
    ]
    assert parse_names(b"\0\0\0\5\x01") == ()


@pytest.mark.parametrize(
    ("types", "main", "chosen"),
    [
        (["BMPf", "FNAM", "JPEG", "SIZE"], b"", "BMPf"),
        (["JPEG", "PDF "], b"JPEG", "JPEG"),
        (["FILE", "FNAM", "JPEG"], b"", "FILE"),
        (["FNAM", "JPEG"], b"FNAM", "JPEG"),
        (["FNAM", "NEWt"], b"", "NEWt"),
        (["FNAM", "SIZE"], b"", None),
    ],
)
def test_which_stream_is_the_file(types: list[str], main: bytes, chosen: str | None) -> None:
    assert choose_main(types, main) == chosen


def test_the_room_needs_no_django_and_no_network() -> None:
    code = "import sys, unlade.fmp12; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"django", "httpx2", "socket", "obstore", "PIL"} & set(done.stdout.split())


def test_states_name_their_proof() -> None:
    assert [state.proof for state in (State.VERIFIED, State.VERIFIED_OUTSIDE, State.MISMATCH)] == [
        "md5",
        "md5-external",
        "none",
    ]


SMALL = writer.FileSpec([writer.TableSpec(129, "T", [writer.FieldSpec(1, "a")], [writer.RecordSpec(1, {(1, 1): "x"})])])


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda data: b"PK\3\4" + data[4:], NotFileMaker, "not a FileMaker"),
        (lambda data: b"", NotFileMaker, "not a FileMaker"),
        (lambda data: data[:15] + b"HBAMe" + data[20:], EncryptedFile, "encrypted"),
        (lambda data: data[:15] + b"HBAM3" + data[20:], NotFileMaker, "version"),
        (lambda data: data[:-1], CutShort, "no whole number"),
        (lambda data: data[:-4096], CutShort, "should have|no whole"),
        (lambda data: data[:8192] + b"\1" + data[8193:], DamagedFile, "page 2"),
    ],
)
def test_files_that_cannot_be_read_say_why_and_what_to_do(tmp_path: Path, change, error, says: str) -> None:
    path = tmp_path / "Clinic.fmp12"
    path.write_bytes(change(writer.build(SMALL)))
    with pytest.raises(error, match=says) as caught:
        open_file(path)
    assert caught.value.remedy
    assert str(tmp_path) not in str(caught.value)


def test_encryption_names_both_steps(tmp_path: Path) -> None:
    path = tmp_path / "a.fmp12"
    data = writer.build(SMALL)
    path.write_bytes(data[:15] + b"HBAMe" + data[20:])
    with pytest.raises(EncryptedFile) as caught:
        open_file(path, salvage=True)
    assert "--removeEncryption" in caught.value.remedy and "self-contained" in caught.value.remedy


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatabaseFileError, match=r"no\.fmp12 cannot be opened"):
        open_file(tmp_path / "no.fmp12")


@pytest.mark.parametrize(("fan", "levels"), [(2, 6), (7, 3), (100, 1)])
def test_index_of_several_levels_lists_the_chain(tmp_path: Path, fan: int, levels: int) -> None:
    records = [writer.RecordSpec(n, {(1, 1): "x" * 900}) for n in range(1, 300)]
    spec = writer.FileSpec([writer.TableSpec(129, "T", [writer.FieldSpec(1, "a")], records)])
    spec.layout = writer.Layout(fan=fan, shuffle=5, free_pages=3)
    path = tmp_path / "a.fmp12"
    path.write_bytes(writer.build(spec))
    with PageFile(path) as file, open_file(path) as database:
        assert file.head(1).level >= levels
        assert len(list(index_leaves(file))) == database.proof().leaves
        assert [record.id for record in database.records(database.tables[0])] == list(range(1, 300))
