"""Manifests as crashes, editors and attackers leave them."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlade.desktop.read import MD5, MOD_ID, PATH, RECORD_ID, ManifestIndex, RowError, open_metadata
from unlade.desktop.read.manifest import Cut, ManifestItem, parse_line, read_part
from unlade.errors import SourceError

FIELDS = ["full", "small"]


def head(part: int = 1, session: str = "S1", found: int = 2, **more: Any) -> dict[str, Any]:
    roles = {"pk": "id", "owner": "id_Contact", "date": "date"}
    base = {"t": "head", "v": 1, "run": "run-1", "session": session, "part": part, "name": "images", "found": found}
    base |= {"total": found, "mode": "missing_only", "waterfall": "best", "roles": roles, "extras": ["Stage"]}
    return base | {"fields": [{"n": name, "rep": 1} for name in FIELDS], "started": "63900000000000"} | more


def item(rid: int, field: str, st: str = "written", **more: Any) -> dict[str, Any]:
    base = {"t": "item", "seq": rid, "rid": str(rid), "mid": "3", "pk": f"I{rid}", "owner": "P1", "date": "2019-04-18"}
    base |= {"field": field, "rep": "1", "st": st, "size": "10", "disk": 10, "md5": "AB" * 16, "v": ["x"]}
    return base | {"path": f"files/P1/2019-04-18/I{rid}~{rid}-1-1.jpg" if st != "empty" else ""} | more


def part_end(part: int, lines: int) -> dict[str, Any]:
    return {"t": "part_end", "part": part, "lines": lines, "bytes": 0}


def end(session: str = "S1", records: int = 2, **counts: Any) -> dict[str, Any]:
    return {"t": "end", "session": session, "records": records, "found_after": records, "bytes": 0} | counts


def whole() -> list[dict[str, Any]]:
    lines = [item(n, field, "written" if field == "full" else "empty") for n in (1, 2) for field in FIELDS]
    return [head(), *lines, part_end(1, 4), end(written=2, empty=2)]


def text(lines: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def write(folder: Path, *parts: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, lines in enumerate(parts, 1):
        (folder / f"manifest-{number:05}.jsonl").write_text(text(lines), encoding="utf-8", newline="")
    return folder


def codes(folder: Path) -> set[str]:
    with ManifestIndex.build(folder) as index:
        return {problem.code for problem in index.problems()}


def test_a_whole_one_has_no_problems(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", whole())
    assert codes(folder) == set()
    with ManifestIndex.build(folder, tmp_path / "index.sqlite") as index:
        assert index.count() == 2
        assert index.head.started is not None and index.head.started.year == 2025
        record = index.record("2")
        assert record is not None and record.complete
        assert record.items[0].md5 == "ab" * 16 and record.items[0].extras == ("x",)
        assert index.record("3") is None
        assert [entry.record_id for entry in index.records(2, 5)] == ["2"]
        assert index.with_md5("ab" * 16)[:2] == [("1", "full"), ("1", "small")] and index.with_md5("00" * 16) == []
        assert index.names_path("FILES/p1/2019-04-18/i1~1-1-1.JPG")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda lines: lines[:-2], {"part_open", "no_end"}),
        (lambda lines: lines[:-3] + lines[-2:], {"lines", "incomplete", "counts"}),
        (lambda lines: [head(found=3), *lines[1:]], {"records", "changed"}),
        (lambda lines: [head(total=5), *lines[1:]], {"not_all_found"}),
        (lambda lines: [*lines[:-1], end(written=2, empty=2, stopped="stop file")], {"stopped"}),
        (lambda lines: [*lines[:-1], end(written=2, empty=2, found_after=3)], {"changed"}),
        (lambda lines: [*lines[:-1], end(written=1, empty=3)], {"counts"}),
        (lambda lines: [lines[0], lines[1], *lines[1:5], part_end(1, 5), lines[-1]], {"doubles"}),
        (lambda lines: lines[1:], {"no_head"}),
    ],
)
def test_problems_are_told(
    tmp_path: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], expected: set[str]
) -> None:
    if expected == {"no_head"}:
        folder = write(tmp_path / "m", whole(), change(whole()))
        assert codes(folder) == expected
    else:
        assert codes(write(tmp_path / "m", change(whole()))) == expected


def test_a_missing_part(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", whole(), [head(2)], whole())
    (folder / "manifest-00002.jsonl").unlink()
    assert "part_missing" in codes(folder)


def test_a_later_session_replaces_lines_and_keeps_the_order(tmp_path: Path) -> None:
    first = [head(), item(1, "full", "error", err="800"), item(1, "small"), item(2, "full")]
    second = [
        head(2, "S2"),
        *(item(n, field, "present" if field == "full" else "empty") for n in (2, 1) for field in FIELDS),
        part_end(2, 4),
        end("S2", present=2, empty=2),
    ]
    folder = write(tmp_path / "m", first, second)
    assert codes(folder) == {"part_open"}
    with ManifestIndex.build(folder) as index:
        assert [entry.record_id for entry in index] == ["1", "2"]
        assert index.counts()["present"] == 2 and index.counts()["error"] == 0


def test_cut_anywhere_in_the_last_line(tmp_path: Path) -> None:
    data = text(whole()[:5]).encode()
    last = len(data) - len(text(whole()[4:5]).encode())
    folder = write(tmp_path / "m", whole())
    part = folder / "manifest-00001.jsonl"
    for length in range(last + 1, len(data) - 1):
        part.write_bytes(data[:length])
        entries = [placed.entry for placed in read_part(part)]
        assert isinstance(entries[-1], Cut) and len(entries) == 5
    assert codes(folder) == {"cut", "part_open", "no_end", "incomplete"}
    part.write_bytes(data[: len(data) - 1])  # whole but for its line feed
    assert isinstance([placed.entry for placed in read_part(part)][-1], ManifestItem)


@pytest.mark.parametrize(
    "broken", ["{}", "[]", "nonsense", '{"t":"item"}', '{"t":"item","rid":"1","field":"a","st":"done"}']
)
def test_a_broken_line_in_the_middle_is_named(tmp_path: Path, broken: str) -> None:
    folder = write(tmp_path / "m", whole())
    part = folder / "manifest-00001.jsonl"
    lines = part.read_text().splitlines()
    part.write_text("\n".join([*lines[:2], broken, *lines[2:]]))
    with pytest.raises(RowError, match=r"manifest-00001\.jsonl, row 3"):
        ManifestIndex.build(folder)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_saved_again_by_an_editor(tmp_path: Path, encoding: str, ends: str) -> None:
    folder = write(tmp_path / "m", whole())
    part = folder / "manifest-00001.jsonl"
    part.write_bytes(part.read_text(encoding="utf-8").replace("\n", ends).encode(encoding))
    assert codes(folder) == set()
    with ManifestIndex.build(folder) as index:
        assert [entry.items[0].identity for entry in index] == ["I1", "I2"]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "C:/x", "a\\b", "a//b", "./a", "a/../../b", "//server/x", "a\x00b"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, path: str) -> None:
    folder = write(tmp_path / "m", [head(), item(1, "full", path=path)])
    with pytest.raises(SourceError, match="own folder"):
        ManifestIndex.build(folder)


def test_twins(tmp_path: Path) -> None:
    one, two = "files/Größe/a.jpg", "files/GRO\u0308\u00dfe/A.jpg"
    folder = write(tmp_path / "m", [head(), item(1, "full", path=one), item(2, "full", path=two)])
    with ManifestIndex.build(folder) as index:
        assert index.twins() == [tuple(sorted((one, two)))]


def test_two_exports_in_one_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="another export"):
        ManifestIndex.build(write(tmp_path / "m", whole(), [head(2, name="documents")]))
    with pytest.raises(SourceError, match="no manifest"):
        ManifestIndex.build(tmp_path)


def test_as_a_metadata_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", whole())
    for path in (folder, folder / "manifest-00001.jsonl"):
        file = open_metadata(path)
        assert (file.format, file.found) == ("manifest", 2)
        assert file.columns == (RECORD_ID, MOD_ID, "id", "id_Contact", "date", "Stage", PATH, MD5)
        row = next(iter(file))
        assert set(row.values) == set(file.columns)
        assert (row.values["id"], row.values["date"], row.values["Stage"]) == ("I1", "2019-04-18", "x")
        assert row.values[PATH] == "files/P1/2019-04-18/I1~1-1-1.jpg"


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["t", "rid", "field", "st", "size", "rep", "v", "md5", "path"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(allow_nan=False),
            st.text(max_size=8),
            st.lists(st.integers(), max_size=2),
        ),
    )
)
def test_no_line_breaks_the_reader(data: dict[str, Any]) -> None:
    data = {"t": "item", "rid": "1", "field": "a", "st": "empty"} | data
    try:
        entry = parse_line(json.dumps(data).encode())
    except (ValueError, SourceError):
        return
    assert isinstance(entry, ManifestItem) and entry.record_id and entry.field


def test_memory_does_not_grow(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        parts = [
            [head(p, found=count), *(item(p * 1000 + n, "full") for n in range(1000)), part_end(p, 1000)]
            for p in range(1, count + 1)
        ]
        folder = write(tmp_path / uuid4().hex, *parts)
        gc.collect()
        tracemalloc.start()
        with ManifestIndex.build(folder, tmp_path / f"{uuid4().hex}.sqlite") as index:
            assert sum(1 for _ in index) == count * 1000
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    # Twice, since the interpreter's own table of names may happen to grow meanwhile, by megabytes at once.
    assert min(peak(8), peak(8)) < 1.3 * min(peak(4), peak(4))
