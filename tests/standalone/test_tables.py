"""`unlade tables`: every record, typed, with nothing lost of what was typed."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.fmp12 import naive, writer
from tests.fmp12.samples import sample
from tests.fmp12.test_samples import COUNTS
from tests.fmp12.writer import FieldSpec, FileSpec, RecordSpec, TableSpec
from tests.standalone.files import Unlade, images

FIELDS = [
    FieldSpec(1, "name", repetitions=3),
    FieldSpec(2, "weight", "number"),
    FieldSpec(3, "day", "date"),
    FieldSpec(4, "hour", "time"),
    FieldSpec(5, "moment", "timestamp"),
    FieldSpec(6, "_record", "number"),
    FieldSpec(7, "day (as typed)"),
    FieldSpec(8, "rate", "number", is_global=True),
]


def typed(path: Path, records: list[dict[Any, str]]) -> Path:
    rows = [
        RecordSpec(n, {(k if isinstance(k, tuple) else (k, 1)): v for k, v in row.items()}, n)
        for n, row in enumerate(records, 1)
    ]
    tables = [
        TableSpec(129, "sqlite_things", FIELDS, rows, {(8, 1): "1.5"}),
        TableSpec(130, 'a "b"/c', [FieldSpec(1, "x")]),
    ]
    writer.write(path, FileSpec(tables))
    return path


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as db:
        found = db.execute(f'SELECT * FROM "{table.replace(chr(34), chr(34) * 2)}"')
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]


RECORDS: list[dict[Any, str]] = [
    {1: "Anna", 2: "1.50", 3: "5/31/2024", 4: "11:22:33", 5: "5/31/2024 11:22:33", 6: "7", 7: "own"},
    {1: "Bea", (1, 3): "third", 2: "about 3", 3: "spring", 4: "?", 5: "5/31/2024"},
    {2: "12345678901234567890123", 3: "2024-05-31"},
    {2: "0.1234567890123456789"},
    {},
]


def test_values_by_type(unlade: Unlade, tmp_path: Path) -> None:
    path = typed(tmp_path / "in.fmp12", RECORDS)
    code, told = unlade("tables", path, "--to", tmp_path / "out.sqlite", "--yes")
    assert (code, told["tables"], told["records"]) == (0, 2, 5)
    one, two, three, four, five = rows(tmp_path / "out.sqlite", "_sqlite_things")
    assert (one["name"], one["weight"], one["day"]) == ("Anna", 1.5, "2024-05-31")
    assert (one["hour"], one["moment"]) == ("11:22:33", "2024-05-31 11:22:33")
    assert (one["_record"], one["_record_"], one["day (as typed)"]) == (1, 7, "own")
    assert (two["name(3)"], two["weight"], two["weight (as typed)"]) == ("third", None, "about 3")
    assert (two["day"], two["day (as typed)_"], two["hour (as typed)"]) == (None, "spring", "?")
    assert three["weight (as typed)"] == "12345678901234567890123" and three["weight"] == pytest.approx(
        1.23e22, rel=1e-2
    )
    assert (three["day"], three["day (as typed)_"]) == ("2024-05-31", "2024-05-31")
    assert four["weight (as typed)"] == "0.1234567890123456789"
    assert five["_record"] == 5 and five["name"] is None
    assert rows(tmp_path / "out.sqlite", "_globals") == [
        {"tbl": "sqlite_things", "field": "rate", "value": 1.5, "as_typed": None}
    ]
    kinds = {row["field"]: row["type"] for row in rows(tmp_path / "out.sqlite", "_fields")}
    assert kinds["moment"] == "timestamp" and kinds["x"] == "text"
    assert rows(tmp_path / "out.sqlite", 'a "b"/c') == []


def test_folders_of_json_lines_and_csv(unlade: Unlade, tmp_path: Path) -> None:
    path = typed(tmp_path / "in.fmp12", RECORDS)
    assert unlade("tables", path, "--to", tmp_path / "j", "--yes")[0] == 0
    lines = [json.loads(line) for line in (tmp_path / "j" / "_sqlite_things.jsonl").read_text().splitlines()]
    assert lines[0]["weight"] == 1.5 and lines[1]["day (as typed)_"] == "spring" and "day" not in lines[1]
    assert unlade("tables", path, "--to", tmp_path / "c", "--csv", "--yes")[0] == 0
    with (tmp_path / "c" / "_sqlite_things.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["name"] for row in table] == ["Anna", "Bea", "", "", ""]


def test_containers_point_to_the_pulled_files(unlade: Unlade, tmp_path: Path) -> None:
    path = images(tmp_path / "Clinic.fmp12", reference=6)
    unlade("pull", path, "--to", tmp_path / "files", "--yes")
    unlade("tables", path, "--to", tmp_path / "out.db", "--files", tmp_path / "files" / "manifest.jsonl", "--yes")
    found = rows(tmp_path / "out.db", "Images")
    assert (tmp_path / "files" / found[0]["photo"]).is_file()
    assert found[0]["photo(2)"] == "Images/1/photo%282%29.txt"
    assert found[5]["photo"] == "image:x.jpg"
    unlade("tables", path, "--to", tmp_path / "bare.db", "--yes")
    assert rows(tmp_path / "bare.db", "Images")[0]["photo"] == "IMG 1.jpg"


def test_what_is_there_is_never_replaced(unlade: Unlade, tmp_path: Path) -> None:
    path = images(tmp_path / "Clinic.fmp12", 1)
    (tmp_path / "out.sqlite").write_bytes(b"precious")
    assert unlade("tables", path, "--to", tmp_path / "out.sqlite", "--yes")[0] == 2
    assert (tmp_path / "out.sqlite").read_bytes() == b"precious"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").touch()
    assert unlade("tables", path, "--to", tmp_path / "out", "--yes")[0] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Clinic.fmp12", "out", "out.sqlite"]


def test_more_columns_than_a_table_can_have(unlade: Unlade, tmp_path: Path) -> None:
    fields = [FieldSpec(1, "name", repetitions=2500)]
    values: dict[tuple[int, int], Any] = {(1, place): f"v{place}" for place in range(1, 2501)}
    writer.write(tmp_path / "in.fmp12", FileSpec([TableSpec(129, "Wide", fields, [RecordSpec(1, values)])]))
    assert unlade("tables", tmp_path / "in.fmp12", "--to", tmp_path / "out.sqlite", "--yes")[0] == 0
    (row,) = rows(tmp_path / "out.sqlite", "Wide")
    more = json.loads(row["_more"])
    kept = {name: text for name, text in row.items() if name.startswith("name")} | more
    assert len(kept) == 2500 and kept["name(2500)"] == "v2500"


@pytest.mark.parametrize("name", COUNTS)
def test_real_files_agree_with_a_second_reading(unlade: Unlade, tmp_path: Path, name: str) -> None:
    """Text for text, against a reader that shares nothing with ours."""
    path = sample(name)
    code, told = unlade("tables", path, "--to", tmp_path / "out.sqlite", "--yes")
    assert (code, told["tables"], told["records"]) == (0, COUNTS[name][0], COUNTS[name][2])
    for name_of_table, table in naive.read(path).items():
        fields = table["fields"]
        found = {row["_record"]: row for row in rows(tmp_path / "out.sqlite", name_of_table)}
        assert set(found) == set(table["records"])
        for number, (values, modification) in table["records"].items():
            row = found[number]
            assert row["_modification"] == modification
            for (field, repetition), text in values.items():
                spelt = fields[field][0] if repetition == 1 else f"{fields[field][0]}({repetition})"
                if fields[field][1] == 1:
                    assert row[spelt] == text
                else:
                    assert row[spelt] is not None or row[f"{spelt} (as typed)"] == text
