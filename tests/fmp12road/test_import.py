"""Whole imports from a database file, end to end."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fmsim.folder import read
from tests.fmp12.samples import sample
from tests.fmp12.writer import FieldSpec, TableSpec
from tests.fmp12road.files import as_database, fields
from tests.voyage.harness import FULL, LESSER, MISSING, PATH_ONLY, Port, PortMaker, cargo, jpeg, photo, raw
from tests.voyage.harness import record as make_record
from unlade.consent import agree
from unlade.errors import FieldMissing, Interrupted, LayoutMissing, UsageError
from unlade.fmp12 import CutShort, EncryptedFile, NotFileMaker, open_file
from unlade.standalone.dataset import write_dataset


def check(port: Port) -> dict[str, int]:
    """What holds after every run, and that FileMaker was not asked."""
    totals = port.check(books="")
    assert port.sim.stats()["requests"]["session"] == 0
    return totals


@pytest.mark.parametrize("order", [0, 1])
def test_a_whole_table(make_port: PortMaker, tmp_path: Path, order: int) -> None:
    data = cargo(12)
    path = as_database(data, tmp_path / "Clinic.fmp12", order=order)
    before = path.read_bytes()
    with make_port(data) as port:
        ended = port.run(from_path=str(path), yes=True)
        assert (ended["outcome"], ended["exit"], ended["found"], ended["count_is"]) == ("done", 0, 12, "records")
        assert check(port)["imported"] == 12
        item = port.items()["4"]
        assert (item.road, item.field, item.category, item.original_name) == ("file", FULL, "Dorsal", "IMG 4.jpg")
        assert item.day is not None and item.day.isoformat() == "2020-05-05"
        again = port.run(from_path=str(path), yes=True)
        assert (again["this_run"]["imported"], again["this_run"]["skipped"], again["bytes"]["kept"]) == (0, 12, 0)
    assert path.read_bytes() == before


def test_half_over_the_api_the_rest_from_the_file(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(20)
    path = as_database(data, tmp_path / "Clinic.fmp12")
    with make_port(data) as port:
        port.run(limit=8)
        ended = port.run(from_path=str(path), yes=True)
        assert (ended["this_run"]["imported"], ended["this_run"]["skipped"]) == (12, 8)
        assert (port.check(books="")["imported"], len(port.items())) == (20, 20)
        api = port.run()
        assert (api["this_run"]["imported"], api["totals"]["imported"], api["exit"]) == (0, 20, 0)
        assert sum(port.downloads().values()) == 8


def test_half_from_the_file_the_rest_over_the_api(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(20)
    path = as_database(data, tmp_path / "Clinic.fmp12")
    with make_port(data) as port:
        port.run(from_path=str(path), yes=True, limit=9)
        ended = port.run()
        assert (ended["this_run"]["imported"], ended["totals"]["imported"], ended["found"]) == (11, 20, 20)
        assert sum(port.downloads().values()) == 11
        assert port.run(from_path=str(path), yes=True)["this_run"]["imported"] == 0
        port.check(books="")


def test_damage_references_and_lesser_copies(make_port: PortMaker, tmp_path: Path) -> None:
    special = {
        2: make_record(2, **{FULL: photo("full"), LESSER: photo("lesser")}),
        3: make_record(3, **{FULL: ""}),
        4: make_record(4, **{FULL: PATH_ONLY, LESSER: photo("only the lesser")}),
        5: make_record(5, **{FULL: PATH_ONLY}),
        6: make_record(6, **{FULL: raw(jpeg("whole by MD5, cut all the same", 4000)[:-700])}),
    }
    data = cargo(7, special=special)
    path = as_database(data, tmp_path / "Clinic.fmp12", damaged=[("1", FULL), ("2", FULL)])
    with make_port(data) as port:
        ended = port.run(from_path=str(path), yes=True)
        items = port.items()
        assert (items["1"].state, items["1"].reason) == ("quarantined", "damaged")
        assert "MD5" in items["1"].detail
        assert (items["2"].state, items["2"].field, items["2"].lesser_copy) == ("imported", LESSER, True)
        assert items["2"].spare_key
        assert items["3"].state == "empty"
        assert (items["4"].state, items["4"].field) == ("imported", LESSER)
        assert (items["5"].state, items["5"].reason, items["5"].final) == ("failed", "reference_only", True)
        assert items["6"].state == "quarantined"
        assert ended["exit"] == 3
        assert check(port)["imported"] == 3


def test_much_damage_is_not_taken_for_trouble_of_a_host(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(30)
    every = [(str(number), FULL) for number in range(1, 31)]
    path = as_database(data, tmp_path / "Clinic.fmp12", damaged=every)
    with make_port(data) as port:
        ended = port.run(from_path=str(path), yes=True)
        assert (ended["outcome"], ended["exit"], check(port)["quarantined"]) == ("done", 3, 30)


def test_the_table_is_found_by_its_fields_or_its_candidates_are_named(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(3)
    twin = TableSpec(130, "Old images", fields())
    with make_port(data) as port:
        path = as_database(data, tmp_path / "One.fmp12", more=[TableSpec(130, "Notes", [FieldSpec(1, "id")])])
        assert port.run(from_path=str(path), yes=True)["totals"]["imported"] == 3
        path = as_database(data, tmp_path / "Two.fmp12", more=[twin])
        with pytest.raises(UsageError, match="Images, Old images"):
            port.run(from_path=str(path), yes=True)


def test_missing_fields_are_named_before_anything_starts(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(3)
    path = as_database(data, tmp_path / "Clinic.fmp12", left_out=["Type", LESSER])
    with make_port(data) as port:
        with pytest.raises((LayoutMissing, FieldMissing)) as caught:
            port.run(from_path=str(path), yes=True)
        assert "Type" in str(caught.value) and LESSER in str(caught.value)
        assert port.items() == {}


def test_what_cannot_be_read_says_why_and_what_to_do(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(3)
    good = as_database(data, tmp_path / "Clinic.fmp12").read_bytes()
    wrong = {
        "encrypted.fmp12": (good[:15] + b"HBAMe" + good[20:], EncryptedFile, "removeEncryption"),
        "cut.fmp12": (good[:-4096], CutShort, "again"),
        "other.fmp12": (b"PK\3\4" * 3000, NotFileMaker, ".fmp12"),
    }
    with make_port(data) as port:
        for name, (content, kind, remedy) in wrong.items():
            path = tmp_path / name
            path.write_bytes(content)
            with pytest.raises(kind) as caught:
                port.run(from_path=str(path), yes=True)
            assert caught.value.exit_code == 1
            assert remedy in caught.value.remedy
        assert port.items() == {}


def test_a_renamed_database_is_known_by_its_header(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(2)
    path = as_database(data, tmp_path / "Clinic.bak")
    with make_port(data) as port:
        assert port.run(from_path=str(path), yes=True)["totals"]["imported"] == 2


def test_a_real_file_without_the_fields_is_refused(make_port: PortMaker) -> None:
    with make_port(cargo(1)) as port, pytest.raises(LayoutMissing):
        port.run(from_path=str(sample("contacts.fmp12")), yes=True)


def test_the_command_asks_for_yes_and_takes_it(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(3)
    path = as_database(data, tmp_path / "Clinic.fmp12")
    with make_port(data) as port:
        code, _, said = port.command("--from", str(path))
        assert code == 2 and "privileges are not enforced" in said and "--yes" in said
        code, told, said = port.command("--from", str(path), "--yes")
        assert (code, told["totals"]["imported"]) == (0, 3), said


def test_a_person_is_asked_once(tmp_path: Path) -> None:
    path = tmp_path / "Clinic.fmp12"
    asked: list[str] = []

    def answer(word: str):
        def ask(question: str) -> str:
            asked.append(question)
            return word

        return ask

    with pytest.raises(Interrupted):
        agree(path, yes=False, ask=answer(""), terminal=True)
    agree(path, yes=False, ask=answer("y"), terminal=True)
    agree(path, yes=False, ask=answer("n"), terminal=True)
    assert len(asked) == 2


def test_options_of_folders_are_refused(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(1)
    path = as_database(data, tmp_path / "Clinic.fmp12")
    with make_port(data) as port, pytest.raises(UsageError, match="--metadata"):
        port.run(from_path=str(path), yes=True, metadata="x.csv")


def test_both_roads_bring_the_same_bytes(make_port: PortMaker, tmp_path: Path) -> None:
    """The file, served as a Data API and imported, against the file read directly."""
    path = as_database(cargo(15), tmp_path / "Clinic.fmp12")
    with open_file(path) as database:
        write_dataset(database, tmp_path / "host")
        data = read(tmp_path / "host")
        data.layouts[0].name = "API_Images"
        with make_port(data, patients=False) as port:
            assert port.run()["totals"]["unlinked"] == 15
            for number, item in port.items().items():
                record = database.record(database.table("Images"), int(number))
                assert record is not None
                with database.open(record.containers[item.field]) as stream:
                    assert hashlib.sha256(stream.read()).hexdigest() == item.sha256
                assert item.identity == record.values["id"].text and item.day == record.values["date"].value
            assert port.run(from_path=str(path), yes=True)["this_run"]["imported"] == 0


def test_what_the_api_could_not_give_the_file_does(make_port: PortMaker, tmp_path: Path) -> None:
    """Failed, damaged, lesser and whole ones of one migration: each ends once, and nothing is silently replaced."""
    cut = raw(jpeg("cut over the api", 4000)[:-700])
    over_api = {
        2: make_record(2, **{FULL: MISSING}),
        3: make_record(3, **{FULL: PATH_ONLY}),
        4: make_record(4, **{FULL: cut}),
        5: make_record(5, **{FULL: cut, LESSER: photo("lesser")}),
        6: make_record(6, **{FULL: MISSING, LESSER: photo("instead")}),
    }
    in_file = {number: make_record(number, **{FULL: photo(f"whole {number}")}) for number in over_api}
    path = as_database(cargo(8, special=in_file), tmp_path / "Clinic.fmp12")
    with make_port(cargo(8, special=over_api)) as port:
        port.run()
        before = {number: (item.state, item.sha256) for number, item in port.items().items()}
        assert {number for number, (state, _) in before.items() if state == "failed"} == {"2", "3"}
        rows = {item.row for item in port.items().values() if item.row}
        code, ended, said = port.command("--from", str(path), "--yes", "--json")
        assert (code, ended["this_run"]["imported"], ended["this_run"]["skipped"]) == (0, 2, 6), said
        after = port.items()
        assert {number: (item.state, item.sha256) for number, item in after.items() if number not in ("2", "3")} == {
            number: fate for number, fate in before.items() if number not in ("2", "3")
        }
        assert (after["2"].state, after["3"].state) == ("imported", "imported")
        assert rows < {item.row for item in after.values() if item.row}
        again = port.run()
        assert (again["this_run"]["imported"], again["totals"]["imported"], len(port.items())) == (0, 7, 8)
        port.check(books="enough")


def test_a_dry_run_and_failures_once_more(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(6, special={3: make_record(3, **{FULL: PATH_ONLY})})
    path = as_database(data, tmp_path / "Clinic.fmp12")
    with make_port(data) as port:
        before = path.stat()
        code, told, said = port.command("--from", str(path), "--yes", "--dry-run")
        assert (code, told["dry_run"] is not None, port.items()) == (0, True, {}), said
        assert not list((port.folder / "store").rglob("*.jpg"))
        assert port.run(from_path=str(path), yes=True)["totals"]["failed"] == 1
        whole = as_database(cargo(6), tmp_path / "Newer.fmp12")
        ended = port.run(from_path=str(whole), yes=True, retry_failed=True)
        assert (ended["this_run"]["imported"], ended["totals"]["imported"], ended["exit"]) == (1, 6, 0)
        assert path.stat().st_mtime_ns == before.st_mtime_ns
        check(port)
