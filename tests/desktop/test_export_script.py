"""The generated script, run: what it writes, and what it leaves for the next run."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.desktop.formulas import Container
from tests.desktop.machine import Machine, Stopped, Table
from unlade.desktop.read import ManifestIndex, inside, read_name
from unlade.desktop.script import make_bundle, plan_export

PLAN: dict[str, Any] = {
    "layout": "API_Images",
    "identity": "id",
    "containers": ["full", "small", "small(2)", "Photos::other"],
    "owner": "id_Contact",
    "date": "date",
    "category": "Type",
    "original_name": "Name of file",
}
TYPES = {
    "id": "Standard Text Indexed 1",
    "id_Contact": "Standard Text Indexed 1",
    "date": "Standard Date Unindexed 1",
    "Type": "Standard Text Unindexed 1",
    "Name of file": "Standard Text Unindexed 1",
    "full": "External(Secure) Container Unindexed 1",
    "small": "Standard Container Unindexed 2",
    "Photos::other": "Standard Container Unindexed 1",
}


def record(number: int, **values: Any) -> tuple[str, str, dict[str, Any]]:
    base = {"id": f"I{number}", "id_Contact": f"P{number % 3}", "date": date(2019, 4, 1 + number % 28), "Type": "ortho"}
    return str(6000 + number), "3", base | values


def table(*records: tuple[str, str, dict[str, Any]], hidden: int = 0) -> Table:
    return Table("Images @ 1", "API_Images", TYPES, list(records), hidden)


def run(folder: Path, records: Table, parameter: str = "", fault: Any = None, **changes: Any) -> Any:
    plan = plan_export("images", **(PLAN | changes))
    machine = Machine(records, folder, parameter)
    if fault:
        machine.fault = fault
    result = machine.run(make_bundle(plan).script_xml)
    assert not machine.open_files, "a data file was left open"
    return json.loads(result)


def exported(folder: Path) -> Path:
    return folder / "unlade" / "run-1" / "images"


def test_writes_every_best_file_and_a_line_for_every_value(tmp_path: Path) -> None:
    records = table(
        record(1, full=Container(b"large", "A.JPG"), small=Container(b"s", "a.jpg")),
        record(2),
        record(3, **{"small(2)": Container(b"second", "b.png"), "Photos::other": Container(b"o", "noname")}),
    )
    result = run(tmp_path, records)
    assert (result["outcome"], result["written"], result["records"]) == ("done", 2, 3)
    with ManifestIndex.build(exported(tmp_path)) as index:
        assert index.problems() == []
        assert index.counts() == {
            **dict.fromkeys(("present", "too_big", "reference_missing", "error"), 0),
            "written": 2,
            "empty": 8,
            "skipped": 2,
        }
        best, empty, third = index.records(1, 10)
    assert [item.status for item in best.items] == ["written", "skipped", "empty", "empty"]
    assert [item.field for item in third.items] == ["full", "small", "small(2)", "Photos::other"]
    assert {item.status for item in empty.items} == {"empty"}
    item = best.items[0]
    assert (item.identity, item.owner, item.date, item.category) == ("I1", "P1", "2019-04-02", "ortho")
    assert (item.record_id, item.mod_id, item.name, item.size) == ("6001", "3", "A.JPG", 5)
    assert item.md5 == hashlib.md5(b"large").hexdigest()
    assert item.sha256 == hashlib.sha256(b"large").hexdigest()
    assert item.path == "files/P1/2019-04-02/I1~6001-1-1.jpg"
    assert inside(exported(tmp_path), item.path).read_bytes() == b"large"
    named = read_name(third.items[2].path.removeprefix("files/"))
    assert (named.record_id, named.field_number, named.identity, named.owner) == ("6003", 3, "I3", "P0")


def test_all_fields(tmp_path: Path) -> None:
    records = table(record(1, full=Container(b"large", "A.JPG"), small=Container(b"s", "a.jpg")))
    assert run(tmp_path, records, all_fields=True)["written"] == 2


def test_no_records_still_gives_a_manifest_that_says_so(tmp_path: Path) -> None:
    assert run(tmp_path, table())["outcome"] == "done"
    with ManifestIndex.build(exported(tmp_path)) as index:
        assert (index.count(), index.problems(), index.head.found) == (0, [], 0)


def test_parts_of_a_thousand_lines(tmp_path: Path) -> None:
    records = table(*(record(n) for n in range(620)))
    run(tmp_path, records, containers=["full", "small"])
    names = sorted(path.name for path in exported(tmp_path).iterdir())
    assert names == ["manifest-00001.jsonl", "manifest-00002.jsonl"]
    first = (exported(tmp_path) / names[0]).read_text(encoding="utf-8").splitlines()
    assert len(first) == 1002 and json.loads(first[-1])["t"] == "part_end"
    with ManifestIndex.build(exported(tmp_path)) as index:
        assert (index.count(), index.problems()) == (620, [])


def test_killed_at_every_write_and_finished_by_running_again(tmp_path: Path) -> None:
    contents = {n: Container(f"file {n}".encode(), f"{n}.jpg") for n in range(4)}
    for death in range(25):
        folder = tmp_path / str(death)
        writes = 0

        def fault(step: int, path: str, death: int = death) -> int:
            nonlocal writes
            if step in (190, 191, 192, 196):
                if writes == death:
                    raise Stopped
                writes += 1
            return 0

        records = table(*(record(n, full=contents[n]) for n in contents))
        with pytest.raises(Stopped):
            run(folder, records, fault=fault, containers=["full"])
        assert run(folder, table(*records.records), containers=["full"])["outcome"] == "done"
        with ManifestIndex.build(exported(folder)) as index:
            codes = {problem.code for problem in index.problems()}
            assert codes <= {"part_open"}, "only the killed part is told"
            for entry in index:
                item = entry.items[0]
                assert item.status in ("written", "present")
                assert inside(exported(folder), item.path).read_bytes() == contents[int(item.identity[1:])].data
        files = [path for path in (exported(folder) / "files").rglob("*") if path.is_file()]
        assert len(files) == len(contents), "nothing is left behind"


def test_second_run_keeps_what_is_whole(tmp_path: Path) -> None:
    records = table(record(1, full=Container(b"x" * 10, "a.jpg")), record(2, full=Container(b"y" * 10, "b.jpg")))
    run(tmp_path, records)
    half = exported(tmp_path) / "files/P1/2019-04-02/I1~6001-1-1.jpg"
    half.write_bytes(b"x")
    result = run(tmp_path, table(*records.records[:1]))
    assert (result["written"], result["present"]) == (1, 0)
    assert half.read_bytes() == b"x" * 10


def test_a_file_of_unknown_size_is_written_again(tmp_path: Path) -> None:
    records = table(record(1, full=Container(b"", "a.jpg", sized=False)))
    assert run(tmp_path, records)["written"] == 1
    result = run(tmp_path, table(record(1, full=Container(b"now more", "a.jpg", sized=False))))
    assert (result["written"], result["present"]) == (1, 0)
    with ManifestIndex.build(exported(tmp_path)) as index:
        item = index.records()[0].items[0]
    assert (item.size, item.disk) == (None, 8)


def test_stop_file(tmp_path: Path) -> None:
    records = table(*(record(n) for n in range(35)))
    exported(tmp_path).mkdir(parents=True)
    (exported(tmp_path) / "STOP.txt").touch()
    result = run(tmp_path, records)
    assert (result["outcome"], result["why"], result["records"]) == ("stopped", "stop file", 10)
    with ManifestIndex.build(exported(tmp_path)) as index:
        assert {problem.code for problem in index.problems()} == {"stopped", "records"}


def test_an_error_is_a_line_and_the_lesser_field_is_taken(tmp_path: Path) -> None:
    def fault(step: int, path: str) -> int:
        return 800 if step == 190 and "6001-1-1" in path else 0

    records = table(record(1, full=Container(b"large", "A.JPG"), small=Container(b"s", "a.jpg")))
    result = run(tmp_path, records, fault=fault)
    assert (result["errors"], result["written"]) == (1, 1)
    with ManifestIndex.build(exported(tmp_path)) as index:
        first, second, *_ = index.records()[0].items
    assert (first.status, first.error, first.step) == ("error", "800", "create")
    assert second.status == "written"


def test_a_full_disk_ends_it(tmp_path: Path) -> None:
    def fault(step: int, path: str) -> int:
        return 808 if step == 190 and "/files/" in path else 0

    records = table(*(record(n, full=Container(b"x", "a.jpg")) for n in range(60)))
    result = run(tmp_path, records, fault=fault)
    assert (result["outcome"], result["why"], result["errors"]) == ("stopped", "errors", 25)


def test_a_manifest_that_cannot_be_written_ends_it(tmp_path: Path) -> None:
    result = run(tmp_path, table(record(1)), fault=lambda step, path: 300 if step == 191 else 0)
    assert (result["outcome"], result["error"]) == ("failed: manifest open", "300")


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [({"layout": "Gone"}, "failed: layout"), ({"containers": ["full", "gone"]}, "failed: fields")],
)
def test_a_wrong_name_is_told_before_anything_is_written(tmp_path: Path, changes: Any, outcome: str) -> None:
    result = run(tmp_path, table(record(1)), **changes)
    assert result["outcome"] == outcome
    assert not list(tmp_path.iterdir())


def test_hidden_records_are_told(tmp_path: Path) -> None:
    run(tmp_path, table(record(1), hidden=2))
    with ManifestIndex.build(exported(tmp_path)) as index:
        assert [problem.code for problem in index.problems()] == ["not_all_found"]


def test_a_reference_without_its_file(tmp_path: Path) -> None:
    missing = Container(b"", "gone.jpg", "File Reference", missing=True)
    run(tmp_path, table(record(1, full=missing, small=Container(b"s", "a.jpg"))))
    with ManifestIndex.build(exported(tmp_path)) as index:
        assert [item.status for item in index.records()[0].items][:2] == ["reference_missing", "written"]
        assert index.problems() == []


def test_the_other_script_adds_what_was_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlade.desktop.script.record.LARGEST_WRITE", 10)
    records = table(record(1, full=Container(b"x" * 11, "film.mov"), small=Container(b"s", "a.jpg")), record(2))
    run(tmp_path, records)
    with ManifestIndex.build(exported(tmp_path)) as index:
        assert [item.status for item in index.records()[0].items][:2] == ["too_big", "skipped"]
    run(tmp_path, table(*records.records), variant="export-field", table="Images @ 1")
    with ManifestIndex.build(exported(tmp_path)) as index:
        item = index.records()[0].items[0]
        assert (item.status, item.size) == ("written", 11)
        assert inside(exported(tmp_path), item.path).read_bytes() == b"x" * 11
        assert index.problems() == []


def test_names_are_safe_on_every_system(tmp_path: Path) -> None:
    odd = [" a/b:c*d ", "CON", "..", "~1-1-1", "日本語" * 40, "tab\there", "", "é", "A1", "a1"]
    values = [{"id": text, "id_Contact": text, "full": Container(text.encode(), "x." + text)} for text in odd]
    records = table(*(record(n, **value) for n, value in enumerate(values)))
    assert run(tmp_path, records)["written"] == len(odd)
    with ManifestIndex.build(exported(tmp_path)) as index:
        items = [entry.items[0] for entry in index]
        assert index.twins() == []
    for item, text in zip(items, odd, strict=True):
        assert inside(exported(tmp_path), item.path).read_bytes() == text.encode()
        assert item.identity == text.strip()
        for part in item.path.split("/"):
            assert not set(part) & set('\\:*?"<>|\t') and part.strip(" .") == part and part != "CON"
            assert len(part.encode()) < 255
        assert read_name(item.path).record_id == item.record_id


def test_a_text_field_with_a_date_is_not_read_by_the_files_locale(tmp_path: Path) -> None:
    records = table(record(1, date="4/5/2019", full=Container(b"x", "a.jpg")))
    records.types = TYPES | {"date": "Standard Text Unindexed 1"}
    run(tmp_path, records)
    with ManifestIndex.build(exported(tmp_path)) as index:
        item = index.records()[0].items[0]
    assert (item.date, item.date_raw) == ("", "4/5/2019")
    assert "/4_5_2019/" in item.path


def test_parameters(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    records = table(*(record(n, full=Container(b"x", "a.jpg")) for n in range(9)))
    parameter = json.dumps({"run": "second: try", "root": f"{root}/", "from": 3, "to": 5, "mode": "manifest_only"})
    result = run(tmp_path, records, parameter)
    assert (result["records"], result["written"], result["why"]) == (3, 0, "to")
    with ManifestIndex.build(root / "unlade" / "second_ try" / "images") as index:
        assert [entry.record_id for entry in index] == ["6002", "6003", "6004"]
        assert index.head.start == 3 and {e.items[0].status for e in index} == {"skipped"}


def test_a_manifest_alone_tells_what_is_there_and_touches_nothing(tmp_path: Path) -> None:
    records = table(*(record(n, full=Container(b"xyz", "a.jpg")) for n in range(3)))
    run(tmp_path, records)
    files = sorted((exported(tmp_path) / "files").rglob("*.jpg"))
    files[0].write_bytes(b"x")
    files[1].unlink()
    records.records.append(record(3, full=Container(b"new", "a.jpg")))
    run(tmp_path, records, json.dumps({"mode": "manifest_only"}))
    with ManifestIndex.build(exported(tmp_path)) as index:
        status = {entry.items[0].path: entry.items[0].status for entry in index}
    there = [inside(exported(tmp_path), path).read_bytes() for path, word in status.items() if word == "present"]
    assert there == [b"xyz"] and len(status) == 4
    assert files[0].read_bytes() == b"x"


def test_the_server_writes_below_its_documents(tmp_path: Path) -> None:
    machine = Machine(table(record(1)), tmp_path, json.dumps({"root": "/elsewhere/"}), version="Server 21.1")
    machine.run(make_bundle(plan_export("images", **PLAN)).steps_xml)
    assert exported(tmp_path).is_dir()


def test_extra_fields_travel(tmp_path: Path) -> None:
    records = table(record(1, size="12"))
    records.types = TYPES | {"size": "Standard Number Unindexed 1"}
    run(tmp_path, records, extras=["size", "Type"])
    with ManifestIndex.build(exported(tmp_path)) as index:
        assert index.head.extras == ("size", "Type")
        assert index.records()[0].items[0].extras == ("12", "ortho")


def test_the_variant_for_old_versions(tmp_path: Path) -> None:
    plan = plan_export("images", **PLAN, variant="export-field", table="Images @ 1", for_version=16)
    records = table(record(1, full=Container(b"large", "A"), small=Container(b"s", "a")), record(2))
    machine = Machine(records, tmp_path)
    assert machine.run(make_bundle(plan).script_xml) == "done: 2 records, 1 files"
    (file,) = exported(tmp_path).iterdir()
    assert (file.name, file.read_bytes()) == ("I1~6001-1-1.bin", b"large")
    bundle = make_bundle(plan)
    assert "Data File" not in bundle.text and "JSON" not in bundle.text
