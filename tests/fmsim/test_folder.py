"""A data set as a folder: what the writer writes the reader reads, and what is wrong is said."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fmsim import BytesBlob, ContainerValue, FileBlob, GeneratedBlob, Simulator
from fmsim.folder import BadDataSet, read, write
from tests.fmsim.sample import BIG, EXACT, data_set, jpeg, logged_in


def test_written_and_read_again(tmp_path: Path) -> None:
    data = data_set(4)
    rows = data.tables["Photos"]
    rows[0].values |= {"Serial": BIG, "extra(2)": rows[0].values["photo"]}
    rows[1].values |= {"Serial": EXACT, "photo": ContainerValue(None, "gone.jpg", "image/jpeg", missing=True)}
    rows[2].values["photo"] = ContainerValue(reference="file:a\rfilewin:/C:/a")
    rows[3].values["photo"] = ContainerValue(BytesBlob(b""), "odd:/näme?.tar.gz", "application/gzip")
    assert write(data, tmp_path / "set") == 2
    back = read(tmp_path / "set")
    assert (back.accounts, back.layouts, back.scripts) == (data.accounts, data.layouts, data.scripts)
    assert (back.database, back.product_version) == (data.database, data.product_version)
    for old, new in zip(rows, back.tables["Photos"], strict=True):
        assert (old.record_id, old.mod_id, old.portals["notes"]) == (
            new.record_id,
            new.mod_id,
            new.portals.get("notes", []),
        )
        for name, value in old.values.items():
            other = new.values[name]
            if isinstance(value, ContainerValue):
                assert (value.name, value.content_type, value.missing) == (
                    other.name,
                    other.content_type,
                    other.missing,
                ) or value.reference
                assert value.reference == other.reference
                if value.blob is not None:
                    assert b"".join(value.blob.chunks()) == b"".join(other.blob.chunks())
            else:
                assert value == other and type(value) is type(other)
    assert all(":" not in path.name for path in (tmp_path / "set").rglob("*"))
    with Simulator(tmp_path / "set") as sim, logged_in(sim) as client:
        assert (
            json.loads(client.records().body, parse_float=Decimal)["response"]["data"][1]["fieldData"]["Serial"]
            == EXACT
        )
        assert client.fetch(client.link("11", "extra(2)")).body == jpeg(1)


def minimal(folder: Path, **changes: Any) -> Path:
    given = {
        "database": "D",
        "accounts": [{"name": "a", "password": "p", "privileges": ["fmrest"]}],
        "layouts": [{"name": "L", "fields": [{"name": "id", "result": "text"}, {"name": "f", "result": "container"}]}],
    }
    (folder / "records").mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(given | changes), encoding="utf-8")
    return folder


def test_only_the_named_members_are_needed_and_a_layout_is_its_own_table(tmp_path: Path) -> None:
    minimal(tmp_path)
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    line = {"fieldData": {"id": "1", "f": {"file": "a.jpg"}}}
    (tmp_path / "records" / "L.jsonl").write_text("\ufeff" + json.dumps(line) + "\n\n", encoding="utf-8")
    data = read(tmp_path)
    record = data.tables["L"][0]
    assert (record.record_id, record.mod_id) == ("1", "0")
    value = record.values["f"]
    assert isinstance(value.blob, FileBlob) and value.name == "a.jpg"
    assert read(minimal(tmp_path / "none")).tables == {"L": []}


def test_product_selects_the_profile(tmp_path: Path) -> None:
    minimal(tmp_path, product={"name": "Mine", "version": "18.0.1"})
    with Simulator(tmp_path) as sim, logged_in(sim) as client:
        info = client.ask("GET", "/fmi/data/v1/productInfo").response["productInfo"]
        assert (info["name"], info["version"]) == ("Mine", "18.0.1")
        assert client.api("GET", "/layouts").response["layouts"] == [{"name": "L"}]


@pytest.mark.parametrize(
    ("changes", "line", "message"),
    [
        ({"layouts": []}, "", "layouts"),
        ({"accounts": [{}]}, "", "name"),
        ({}, "{", "line 1"),
        ({}, '{"fieldData": {"f": {"file": "nothing.jpg"}}}', "no such file: nothing.jpg"),
        (
            {},
            '{"recordId": "7", "fieldData": {}}\n{"recordId": "7", "fieldData": {}}',
            "line 2: recordId 7 is there twice",
        ),
    ],
)
def test_what_cannot_be_served_is_said_with_its_place(
    tmp_path: Path, changes: dict[str, Any], line: str, message: str
) -> None:
    minimal(tmp_path, **changes)
    (tmp_path / "records" / "L.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(BadDataSet, match=message):
        read(tmp_path)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(BadDataSet, match=r"dataset\.json: No such file"):
        read(tmp_path / "nowhere")
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(BadDataSet, match="not JSON"):
        read(tmp_path)


def test_generated_files_need_no_disk(tmp_path: Path) -> None:
    data = data_set(1)
    size = 3 * (1 << 20) + 17
    blob = GeneratedBlob(size, 7)
    whole = b"".join(blob.chunks())
    assert (len(whole), len({whole[n : n + (1 << 20)] for n in range(0, size, 1 << 20)})) == (size, 4)
    for start in (1, 1 << 20, (1 << 20) + 5, size - 1, size):
        assert b"".join(blob.chunks(start)) == whole[start:]
    data.tables["Photos"][0].values["photo"] = ContainerValue(blob, "big.jpg", "image/jpeg")
    assert write(data, tmp_path) == 0
    with Simulator(tmp_path) as sim, logged_in(sim) as client:
        assert client.fetch(client.link()).body == whole


@pytest.mark.parametrize(
    "portals",
    [
        None,
        {"notes": [{"name": "N::t", "result": "text"}]},
        ["notes"],
        [{"name": "notes", "fields": [{"name": "N::t"}]}],
    ],
)
def test_portals_may_be_declared_or_follow_from_the_rows(tmp_path: Path, portals: Any) -> None:
    layout: dict[str, Any] = {"name": "L", "fields": [{"name": "id", "result": "text"}]}
    minimal(tmp_path, layouts=[layout | ({} if portals is None else {"portals": portals})])
    lines = [
        {"fieldData": {"id": "1"}},
        {"fieldData": {"id": "2"}, "portalData": {"notes": [{"recordId": "5", "N::t": "x", "modId": "1"}]}},
    ]
    (tmp_path / "records" / "L.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    with Simulator(tmp_path) as sim, logged_in(sim) as client:
        shown = [row["portalData"] for row in client.records(layout="L").rows]
        assert shown == [{"notes": []}, {"notes": [{"recordId": "5", "N::t": "x", "modId": "1"}]}]
        assert [f["name"] for f in client.api("GET", "/layouts/L").response["portalMetaData"]["notes"]] == ["N::t"]
