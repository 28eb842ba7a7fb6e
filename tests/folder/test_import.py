"""Whole imports from a folder, end to end: what lies there is stored, recorded and linked, and never touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.folder.exports import as_csv, as_tree, as_xml, by_script, flat
from tests.voyage.harness import FULL, LESSER, Port, PortMaker, cargo, jpeg, photo, raw
from tests.voyage.harness import record as make_record
from unlade import voyage
from unlade.desktop.source import FolderSource
from unlade.errors import UsageError
from unlade.store import Store
from unlade.store.local import LocalStore


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Everything about every file below a folder that a run could change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            found[path.relative_to(folder).as_posix()] = (path.read_bytes(), status.st_mtime_ns, status.st_mode)
    return found


def record(number: int, containers: dict[str, Any]) -> Any:
    return make_record(number, **containers)


def states(port: Port) -> dict[str, tuple[str, str]]:
    """State and reason by identity."""
    return {item.identity: (item.state, item.reason) for item in port.items().values()}


def check(port: Port) -> dict[str, int]:
    """What holds after every run, and that FileMaker was not asked."""
    totals = port.check(books="")
    assert port.sim.stats()["requests"]["session"] == 0
    return totals


@pytest.mark.parametrize("kind", ["script", "tree", "csv by id", "xml by record"])
def test_every_kind_of_export(make_port: PortMaker, tmp_path: Path, kind: str) -> None:
    data = cargo(12)
    folder = tmp_path / "export"
    if kind == "script":
        folder = by_script(data, folder)
    elif kind == "tree":
        as_tree(data, folder)
    elif kind == "csv by id":
        as_csv(data, flat(data, folder, by="id") / "records.csv")
    else:
        as_xml(data, flat(data, folder) / "records.xml")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    before = snapshot(folder)
    with make_port(data) as port:
        ended = port.run(from_path=str(folder))
        assert (ended["outcome"], ended["exit"], ended["count_is"], ended["found"]) == ("done", 0, "files", 12)
        assert check(port)["imported"] == 12
        item = next(item for item in port.items().values() if item.identity == data.tables["Images"][3].values["id"])
        assert (item.day.isoformat(), item.road, item.field) == ("2020-05-05", "folder", FULL)  # type: ignore[union-attr]
        if kind != "tree":
            assert (item.category, item.original_name) == ("Dorsal", "IMG 4.jpg")
        again = port.run(from_path=str(folder))
        assert (again["this_run"]["imported"], again["this_run"]["skipped"], again["bytes"]["kept"]) == (0, 12, 0)
    assert snapshot(folder) == before


def test_nothing_is_read_a_second_time(make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = cargo(6)
    folder = as_tree(data, tmp_path / "export")
    with make_port(data) as port:
        port.run(from_path=str(folder))
        monkeypatch.setattr(FolderSource, "borrow", None)
        again = port.run(from_path=str(folder))
        assert (again["exit"], again["this_run"]["skipped"]) == (0, 6)
        check(port)


def test_waterfall_damage_and_empty_records_of_a_manifest(make_port: PortMaker, tmp_path: Path) -> None:
    special = {
        2: record(2, {FULL: raw(jpeg("cut", 4000)[:-700]), LESSER: photo("good")}),
        3: record(3, {FULL: ""}),
        4: record(4, {LESSER: photo("only the lesser")}),
        5: record(5, {FULL: raw(b"")}),
    }
    data = cargo(6, special=special)
    folder = by_script(data, tmp_path / "export", all_fields=True)
    with make_port(data) as port:
        ended = port.run(from_path=str(folder))
        totals = check(port)
        items = port.items()
        assert (totals["imported"], totals["empty"], totals["quarantined"]) == (4, 1, 1), states(port)
        assert (items["2"].field, items["2"].lesser_copy) == (LESSER, True)
        assert (items["3"].state, items["4"].field, items["5"].reason) == ("empty", LESSER, "zero_bytes")
        assert ended["exit"] == 3


def test_what_was_changed_after_the_export_is_found(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(8)
    folder = by_script(data, tmp_path / "export")
    files = {path.name.partition("~")[2].partition("-")[0]: path for path in folder.rglob("*.jpg")}
    files["2"].unlink()
    flipped = bytearray(files["3"].read_bytes())
    flipped[len(flipped) // 2] ^= 1
    files["3"].write_bytes(flipped)
    files["4"].write_bytes(files["4"].read_bytes()[:-10])
    (folder / "stray.jpg").write_bytes(jpeg("stray"))
    report = tmp_path / "report.json"
    with make_port(data) as port:
        ended = port.run(from_path=str(folder), report=str(report))
        assert ended["exit"] == 3
        items = port.items()
        assert (items["2"].state, items["2"].reason, items["2"].final) == ("failed", "file_missing", False)
        assert (items["3"].state, items["3"].detail) == ("quarantined", "its digest is not the one that FileMaker told")
        assert (items["4"].state, items["4"].reason) == ("quarantined", "truncated")
        assert check(port)["imported"] == 5
        files["2"].write_bytes(jpeg("picture 2", 3000))
        assert port.run(from_path=str(folder))["this_run"]["imported"] == 1
    told = json.loads(report.read_text())
    assert told["counts"] == {"row_without_file": 1, "damaged": 2, "file_without_row": 1, "matched": 7}
    about = {entry["what"]: entry for entry in told["findings"]}
    assert about["file_without_row"]["path"] == "stray.jpg"
    assert about["row_without_file"]["record_id"] == "2"


def test_half_over_the_api_then_the_rest_from_a_folder(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(20)
    folder = as_tree(data, tmp_path / "export")
    with make_port(data) as port:
        port.run(limit=8)
        ended = port.run(from_path=str(folder))
        assert (ended["this_run"]["imported"], ended["this_run"]["skipped"]) == (12, 8)
        totals = port.check(books="")
        assert (totals["imported"], len(port.items())) == (20, 20)
        api = port.run()
        assert (api["this_run"]["imported"], api["totals"]["imported"], api["exit"]) == (0, 20, 0)
        assert sum(port.downloads().values()) == 8
        assert {item.record_id for item in port.items().values()} == {str(number) for number in range(1, 21)}


@pytest.mark.parametrize("kind", ["tree", "script"])
def test_half_from_a_folder_then_the_rest_over_the_api(make_port: PortMaker, tmp_path: Path, kind: str) -> None:
    data = cargo(20)
    folder = as_tree(data, tmp_path / "export") if kind == "tree" else by_script(data, tmp_path / "export")
    with make_port(data) as port:
        port.run(from_path=str(folder), limit=9)
        ended = port.run()
        assert (ended["this_run"]["imported"], ended["totals"]["imported"], ended["found"]) == (11, 20, 20)
        assert sum(port.downloads().values()) == 11
        assert port.run(from_path=str(folder))["this_run"]["imported"] == 0
        assert len(port.items()) == 20


def test_exports_with_and_without_record_ids_are_one(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(10)
    tree, manifest = as_tree(data, tmp_path / "tree"), by_script(data, tmp_path / "export")
    with make_port(data) as port:
        port.run(from_path=str(tree), limit=4)
        ended = port.run(from_path=str(manifest))
        assert (ended["totals"]["imported"], ended["totals"]["failed"]) == (10, 0), states(port)
        assert port.run(from_path=str(tree))["totals"]["imported"] == 10
        assert check(port)["imported"] == 10


def test_two_files_wrong_owner_and_twins_are_told_and_not_taken(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(6)
    folder = as_tree(data, tmp_path / "export")
    names = {str(number): str(data.tables["Images"][number - 1].values["id"]) for number in range(1, 7)}
    paths = {path.stem: path for path in folder.rglob("*.jpg")}
    paths[names["1"]].with_suffix(".png").write_bytes(jpeg("another"))
    moved = folder / "SOMEBODY-ELSE" / "2019-01-01"
    moved.mkdir(parents=True)
    paths[names["2"]].rename(moved / paths[names["2"]].name)
    metadata = as_csv(data, tmp_path / "records.csv")
    report = tmp_path / "report.csv"
    with make_port(data) as port:
        ended = port.run(from_path=str(folder), metadata=str(metadata), report=str(report))
        found = states(port)
        assert found[names["1"]] == ("failed", "two_files")
        assert found[names["2"]] == ("failed", "wrong_owner")
        assert check(port)["imported"] == 4
        assert ended["exit"] == 3
        port.run(from_path=str(folder))  # the tree alone has two records of that identity, and believes the folder
        found = states(port)
        assert found[names["1"]] == ("failed", "duplicate_identity")
        assert found[names["2"]] == ("unlinked", "owner_missing")
    lines = report.read_text().splitlines()
    assert sum(line.startswith("two_files,") for line in lines) == 2
    assert sum(line.startswith("wrong_owner,") for line in lines) == 1
    assert sum(line.startswith("matched,") for line in lines) == 4


def test_a_dry_run_says_what_is_left_and_writes_nothing(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(9)
    folder = as_tree(data, tmp_path / "export")
    with make_port(data) as port:
        port.run(limit=4)
        code, said, err = port.command("--from", str(folder), "--dry-run")
        assert code == 0, err
        assert said["dry_run"]["would"] == {"settled already": 4, "fetched": 5}
        assert port.check()["imported"] == 4


def test_what_is_no_export_is_refused_with_a_remedy(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(3)
    secure = tmp_path / "RC_Data_FMS" / "Clinic" / "Secure" / "a1"
    secure.mkdir(parents=True)
    (secure / "0f").write_bytes(b"x")
    bare = flat(data, tmp_path / "flat")
    with make_port(data) as port:
        for path, word in ((tmp_path / "RC_Data_FMS", "encrypted"), (bare, "--metadata")):
            with pytest.raises(UsageError) as caught:
                port.run(from_path=str(path))
            assert word in f"{caught.value} {caught.value.remedy}"
        assert port.items() == {}


def test_ambiguous_dates_ask(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(3)
    folder = flat(data, tmp_path / "export", by="id")
    ids = [str(row.values["id"]) for row in data.tables["Images"]]
    (tmp_path / "records.csv").write_text(
        '"id","id_Contact","date"\r' + "".join(f'"{name}","P","04/05/2019"\r' for name in ids), newline=""
    )
    options: dict[str, Any] = {"from_path": str(folder), "metadata": str(tmp_path / "records.csv")}
    with make_port(data) as port:
        with pytest.raises(UsageError, match="04/05/2019"):
            port.run(**options)
        port.run(**options, date_order="dmy")
        assert {item.day.isoformat() for item in port.items().values()} == {"2019-05-04"}  # type: ignore[union-attr]


def test_open_storage_is_joined_by_bytes(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(5)
    manifest = by_script(data, tmp_path / "export")
    storage = tmp_path / "Backups" / "RC_Data_FMS" / "Clinic" / "Images"
    storage.mkdir(parents=True)
    for number, path in enumerate(sorted(manifest.rglob("*.jpg"))):
        path.rename(storage / f"Photo_{number}.jpg")
    with make_port(data) as port:
        with pytest.raises(UsageError, match="container storage"):
            port.run(from_path=str(tmp_path / "Backups"))
        ended = port.run(from_path=str(tmp_path / "Backups"), metadata=str(manifest))
        assert ended["totals"]["imported"] == 5
        assert check(port)["imported"] == 5


def test_a_row_that_cannot_be_written_costs_no_other_row(
    make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clinic.images.imports import ImageImport
    from unlade.importer import ContainerImport

    data = cargo(9)
    folder = as_tree(data, tmp_path / "export")
    bad, write = str(data.tables["Images"][4].values["id"]), ImageImport.record

    def record(self: Any, item: Any, content: Any) -> Any:
        if item.identity == bad:
            raise ValueError("this project's own mistake")
        return write(self, item, content)

    monkeypatch.setattr(ImageImport, "record_many", ContainerImport.record_many)
    monkeypatch.setattr(ImageImport, "insert_many", ContainerImport.insert_many)
    with make_port(data) as port:
        with monkeypatch.context() as broken:
            broken.setattr(ImageImport, "record", record)
            ended = port.run(from_path=str(folder))
        assert (ended["this_run"]["imported"], ended["this_run"]["failed"], ended["exit"]) == (8, 1, 3)
        assert states(port)[bad] == ("failed", "record_failed")
        assert port.run(from_path=str(folder))["this_run"]["imported"] == 1
        assert check(port)["imported"] == 9


SPOTS = (
    "unlade.voyage:Voyage._page_came@after",
    "unlade.ledger.books:Books.in_hand@after",
    "unlade.desktop.source:FolderSource.borrow@after#2",
    "unlade.store.base:Store.put@before#2",
    "unlade.store.base:Store.put@after#2",
    "unlade.store.base:Store.put_thumbnail@after#2",
    "unlade.ledger.books:Books.settle_many@before",
    "unlade.ledger.books:Books.settle_many@after",
    "unlade.voyage:Voyage._after_commit@before#2",
    "unlade.ledger.books:Books.close@before",
)


@pytest.mark.slow
def test_killed_at_each_spot(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(40)
    folder = by_script(data, tmp_path / "export")
    before = snapshot(folder)
    with make_port(data) as port:
        for spot in SPOTS:
            code, said, err = port.command("--from", str(folder), "--limit", "3", crash=spot)
            assert code == -9, (spot, said, err[-500:])
        ended = port.run(from_path=str(folder))
        assert ended["exit"] == 0
        assert check(port)["imported"] == 40
    assert snapshot(folder) == before


def test_after_a_kill_only_what_is_missing_is_sent(
    make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cargo(30)
    folder = by_script(data, tmp_path / "export")
    with make_port(data) as port:
        code, said, err = port.command("--from", str(folder), crash="unlade.ledger.books:Books.settle_many@before")
        assert code == -9, (said, err)
        there = {info.key for info in port.store.list(cargo_only=True)}
        assert len(there) == 30
        lost = sorted(there)[:2]
        for key in lost:
            port.store.delete(key)
        sent: list[str] = []
        offer = Store._offer

        def counted(store: Store, key: str, *rest: Any) -> bool:
            sent.append(key)
            return offer(store, key, *rest)

        monkeypatch.setattr(Store, "_offer", counted)
        assert port.run(from_path=str(folder))["exit"] == 0
        assert (check(port)["imported"], sorted(sent)) == (30, lost)


def test_bytes_in_memory_are_sent_and_go_with_their_item(
    make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits to be written down holds no file's bytes: there may be hundreds (promise 6)."""
    folder = by_script(cargo(12), tmp_path / "export")
    sent: list[type] = []
    waiting: list[Any] = []
    put, carry = Store.put, voyage.carry

    def seen(store: Store, key: str, body: Any, **more: Any) -> Any:
        sent.append(type(body))
        return put(store, key, body, **more)

    def carried(*args: Any) -> Any:
        waiting.append(carry(*args))
        return waiting[-1]

    monkeypatch.setattr(LocalStore, "takes_bytes", 1 << 20)
    monkeypatch.setattr(Store, "put", seen)
    monkeypatch.setattr(voyage, "carry", carried)
    with make_port(cargo(12)) as port:
        port.run(from_path=str(folder))
        assert check(port)["imported"] == 12
    assert sent == [bytes] * 12
    assert [one.parcels for one in waiting] == [()] * 12


@pytest.mark.slow
@pytest.mark.real
def test_on_postgres_and_s3(make_big_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(30, special={7: make_record(7, size=9_000_000)})
    folder = by_script(data, tmp_path / "export")
    with make_big_port(data) as port:
        code, said, err = port.command(
            "--from", str(folder), "--limit", "8", crash="unlade.store.remote:RemoteStore._write@after#4"
        )
        assert code == -9, (said, err)
        code, said, err = port.command("--from", str(folder))
        assert (code, said["totals"]["imported"]) == (0, 30), err
        check(port)
        assert port.run(from_path=str(folder))["this_run"]["skipped"] == 30
        assert port.run()["this_run"]["imported"] == 0
        assert port.downloads() == {}
