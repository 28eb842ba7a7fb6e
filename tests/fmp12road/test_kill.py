"""Imports from a database file and from a folder, killed at every seam and run again: nothing lost, nothing twice."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from fmsim import DataSet
from tests.fmp12.clinic import as_clinic
from tests.fmp12road.files import as_database
from tests.folder.exports import as_tree
from tests.voyage.harness import FULL, LESSER, Port, PortMaker, cargo, jpeg, photo, raw, record

#: What both roads pass; one process after another dies at the next of these and finds what the one before left.
SEAMS = (
    "unlade.store.base:Store.put_run_mark@after",
    "unlade.voyage:Voyage._page_came@after",
    "unlade.ledger.books:Books.in_hand@after",
    "unlade.store.base:Store.put@before#3",
    "unlade.store.local:LocalStore._finish@before#2",
    "unlade.store.base:Store.put@after#2",
    "unlade.store.base:Store.put_thumbnail@after#3",
    "unlade.ledger.books:Books.settle_many@after",
    "unlade.voyage:Voyage._after_commit@before#2",
    "unlade.ledger.books:Books.close@before",
)
#: And each of them alone.
ALONE = {
    "file": (
        "unlade.spool:Spool.begin@after#3",
        "unlade.spool:SpoolWriter.finish@before#2",
        "unlade.spool:SpoolWriter.finish@after#3",
        "unlade.spool:Spool.discard@after#2",
        "unlade.fmp12.source:FileSource.close@before",
    ),
    "folder": ("unlade.desktop.source:FolderSource.borrow@after#3",),
}


def _cargo(count: int) -> DataSet:
    """Plain ones, damaged best fields above good lesser ones, an empty record."""
    special = {
        number: record(number, **{FULL: raw(jpeg(f"cut {number}", 4000)[:-700]), LESSER: photo(f"good {number}")})
        for number in range(5, count, 9)
    }
    return cargo(count, special={**special, count: record(count, **{FULL: ""})})


class Objects:
    """What is in the store once stays as it was put there: the same file, never written again."""

    def __init__(self, port: Port) -> None:
        self._root = port.folder / "store"
        self._known: dict[str, tuple[int, int]] = {}

    def look(self) -> None:
        there = {}
        for path in self._root.rglob("*"):
            if path.is_file() and ".unlade" not in path.parts:
                status = path.stat()
                there[path.relative_to(self._root).as_posix()] = (status.st_ino, status.st_mtime_ns)
        changed = {key for key, known in self._known.items() if there.get(key) != known}
        assert not changed
        self._known = there


@pytest.mark.parametrize("road", ["file", "folder"])
def test_killed_at_each_seam(make_port: PortMaker, tmp_path: Path, road: str) -> None:
    count = 60
    data = _cargo(count)
    if road == "file":
        words = ["--from", str(as_database(data, tmp_path / "Clinic.fmp12")), "--yes"]
        empty, found = 1, count
    else:
        words = ["--from", str(as_tree(data, tmp_path / "export"))]
        empty, found = 0, count - 1
    with make_port(data) as port:
        objects, survived = Objects(port), []
        for spot in (*SEAMS, *ALONE[road]):
            code, said, err = port.command(*words, "--limit", "3", crash=spot)
            if code != -9:
                survived.append((spot, code, said, err[-500:]))
            objects.look()
        assert survived == []
        code, said, err = port.command(*words)
        objects.look()
        damaged = len(range(5, count, 9)) if road == "folder" else 0  # a tree holds only the best field
        assert (code, said["outcome"], said["found"]) == (3 if damaged else 0, "done", found), err
        totals = port.check(books="")
        assert (totals["imported"], totals["quarantined"]) == (count - 1 - damaged, damaged)
        assert totals["empty"] == empty
        code, said, err = port.command(*words)
        assert (said["this_run"]["imported"], said["bytes"]["kept"]) == (0, 0), err
        objects.look()
        assert port.sim.stats()["requests"]["session"] == 0


def test_what_a_dead_run_over_the_api_left_is_no_other_record_of_a_file(make_port: PortMaker, tmp_path: Path) -> None:
    """In the file every record id is another one's; only the identity joins them (CONTRACT B5)."""
    data = cargo(40)
    path = as_clinic(data, tmp_path / "Clone.fmp12", tables=["Images"], renumber=7)
    with make_port(data) as port:
        for spot in ("unlade.spool:SpoolWriter.finish@after#4", "unlade.store.base:Store.put@after#3"):
            code, _, err = port.command("--limit", "8", crash=spot)
            assert code == -9, err
        objects = Objects(port)
        objects.look()
        code, _, err = port.command(
            "--from", str(path), "--yes", "--limit", "9", crash="unlade.store.base:Store.put@after#4"
        )
        assert code == -9, err
        objects.look()
        fetched = port.downloads()
        ended = port.run(from_path=str(path), yes=True)
        assert (ended["totals"]["imported"], len(port.items())) == (40, 40)
        objects.look()
        assert port.run()["this_run"]["imported"] == 0
        assert port.check(books="enough")["imported"] == 40
        assert port.downloads() == fetched
        for item in port.items().values():
            number = int(item.original_name.partition(" ")[2].partition(".")[0])
            assert jpeg(f"picture {number}") == (port.folder / "store" / item.key).read_bytes()


@pytest.mark.parametrize("road", ["file", "folder"])
def test_limits_and_ctrl_c(make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, road: str) -> None:
    from datetime import timedelta

    from unlade import voyage as voyages

    data = cargo(150)
    options: dict[str, Any] = {"from_path": str(as_tree(data, tmp_path / "export"))}
    if road == "file":
        options = {"from_path": str(as_database(data, tmp_path / "Clinic.fmp12")), "yes": True}
    with make_port(data) as port:
        ended = port.run(**options, limit=5)
        assert (ended["outcome"], ended["exit"], ended["this_run"]["imported"]) == ("limit", 0, 5)
        ended = port.run(**options, max_time=timedelta(microseconds=1))
        assert (ended["outcome"], ended["this_run"]["imported"]) == ("limit", 0)
        wanted = [data.tables["Images"][number].values["id"] for number in (100, 120)]
        ended = port.run(**options, only=tuple(wanted))
        assert (ended["outcome"], ended["this_run"]["imported"]) == ("done", 2)

        def stop_soon(voyage: Any) -> None:
            settle = voyage.books.settle_many

            def settle_and_stop(*args: Any, **more: Any) -> Any:
                voyage.interrupt()
                return settle(*args, **more)

            voyage.books.settle_many = settle_and_stop

        # All are in hand; those that nobody began with when the person pressed Ctrl-C are left.
        monkeypatch.setattr(voyages, "_PORTION", 10)
        carry = voyages.carry
        monkeypatch.setattr(voyages, "carry", lambda *args: time.sleep(0.2) or carry(*args))
        ended = port.run(**options, on_start=stop_soon)
        assert (ended["outcome"], ended["exit"]) == ("interrupted", 130)
        assert 7 < ended["totals"]["imported"] < 50
        left = 150 - ended["totals"]["imported"]
        port.check(books="")
        ended = port.run(**options)
        assert (ended["outcome"], ended["this_run"]["imported"]) == ("done", left)
        assert port.check(books="")["imported"] == 150


@pytest.mark.parametrize("renumber", [5, 1000])
def test_a_clone_with_other_record_ids_is_the_same_clinic(make_port: PortMaker, tmp_path: Path, renumber: int) -> None:
    """Half from one file, the rest from its clone, in which the same record ids are other records."""
    data = cargo(70)
    one = as_clinic(data, tmp_path / "Clinic.fmp12", tables=["Images"])
    clone = as_clinic(data, tmp_path / "Clone.fmp12", tables=["Images"], renumber=renumber)
    with make_port(data) as port:
        port.run(from_path=str(one), yes=True, limit=12)
        ended = port.run(from_path=str(clone), yes=True)
        assert (ended["totals"]["imported"], ended["totals"]["failed"], len(port.items())) == (70, 0, 70)
        again = port.run(from_path=str(one), yes=True)
        assert (again["this_run"]["imported"], again["totals"]["imported"]) == (0, 70)
        port.check(books="")
        for item in port.items().values():
            number = int(item.original_name.partition(" ")[2].partition(".")[0])
            assert jpeg(f"picture {number}") == (port.folder / "store" / item.key).read_bytes()


@pytest.mark.parametrize("road", ["file", "folder"])
def test_pages_of_records_that_the_ledger_knows_by_other_ids(make_port: PortMaker, tmp_path: Path, road: str) -> None:
    """Half over the API, the rest by many pages of another road whose ids the ledger never hears of."""
    data = cargo(70)
    options: dict[str, Any] = {"from_path": str(as_tree(data, tmp_path / "export"))}
    if road == "file":
        path = as_clinic(data, tmp_path / "Clone.fmp12", tables=["Images"], renumber=1000)
        options = {"from_path": str(path), "yes": True}
    with make_port(data) as port:
        port.run(limit=50)
        ended = port.run(**options)
        assert (ended["this_run"]["imported"], ended["totals"]["imported"]) == (20, 70)
        assert (port.run()["this_run"]["imported"], len(port.items())) == (0, 70)
        port.check(books="")
