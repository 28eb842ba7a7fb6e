"""What is open is listed with what to do, and can be worked off to zero; what was decided can be taken back."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from clinic.images.models import Image
from clinic.patients.models import Patient
from fmsim import Record
from tests.afterwards import Command, as_json, without_filemaker
from tests.voyage.harness import FULL, MISSING, PATH_ONLY, Port, PortMaker, cargo, jpeg, name_of, photo, raw, record
from unlade.errors import LockedElsewhere
from unlade.ledger.lock import source_lock
from unlade.ledger.models import Event, Item
from unlade.worklist.tasks import find_text

LATE = 50


def special() -> dict[int, Record]:
    rows = {
        2: record(2, **{FULL: ""}),
        3: record(3, **{FULL: MISSING}),
        4: record(4, **{FULL: PATH_ONLY}),
        5: record(5, **{FULL: raw(jpeg("torn", 3000)[:900])}),
        6: record(6, owner=LATE),
        7: record(7, **{FULL: photo("twin")}),
        8: record(8),
        9: record(9),
    }
    rows[7].values["id"] = rows[8].values["id"]
    rows[9].values["id_Contact"] = ""
    return rows


#: What stays open: 8 is the second of two records with one identity.
OPEN = {"3": "missing", "4": "reference_only", "5": "damaged", "8": "duplicate_identity", "9": "no_owner_reference"}


@pytest.fixture
def port(make_port: PortMaker) -> Iterator[Port]:
    with make_port(cargo(12, special=special())) as port:
        port.run()
        yield port


@pytest.fixture
def command(port: Port, monkeypatch: pytest.MonkeyPatch) -> Command:
    return without_filemaker(port, monkeypatch)


def worklist(command: Command, *words: str) -> dict[str, dict[str, Any]]:
    data = as_json(command("filemaker_worklist", "images", "--json", *words))
    return {each["record"]: each for each in data["items"]}


def found_file(port: Port, note: str = "found in the archive") -> Path:
    path = port.folder / "found.jpg"
    path.write_bytes(jpeg(note, 5000))
    return path


def test_every_open_item_has_a_line(port: Port, command: Command) -> None:
    listed = worklist(command)
    assert {rid: each["reason"] for rid, each in listed.items()} == OPEN
    for rid, each in listed.items():
        item = port.items()[rid]
        assert (each["find"], each["owner"], each["attempts"]) == (
            f"=={item.identity}",
            item.owner_ref or None,
            item.tries,
        )
        assert each["needs_person"] and each["sentence"] and each["remedy"] and each["type"]
    assert {rid: each["reason"] for rid, each in worklist(command, "--all").items()} == OPEN | {"6": "owner_missing"}


def test_as_a_table_that_a_spreadsheet_takes_for_no_formula(port: Port, command: Command) -> None:
    path = port.folder / "open.csv"
    assert command("filemaker_worklist", "images", "--csv", str(path))[0] == 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["record_id"]: row for row in csv.DictReader(file)}
    assert {rid: row["reason"] for rid, row in rows.items()} == OPEN
    assert rows["3"]["find"] == f'="=={port.items()["3"].identity}"'
    assert not any(value[:1] in "+-@" for row in rows.values() for value in row.values() if value)
    assert path.stat().st_mode & 0o077 == 0


def test_worked_off_to_zero_without_filemaker(port: Port, command: Command) -> None:
    path = str(found_file(port))
    for rid in ("3", "4", "5"):
        assert command("filemaker_resolve", "images", rid, "--file", path, "--by", "Ada")[0] == 0
        Path(path).write_bytes(jpeg(f"another, after {rid}", 5000))
    assert command("filemaker_resolve", "images", "8,9", "--accept", "twin or nobody's", "--by", "Ada")[0] == 0
    assert worklist(command) == {}
    assert "nothing is open" in command("filemaker_worklist", "images")[1]
    items = port.items()
    assert {rid: items[rid].state for rid in OPEN} == dict.fromkeys("345", "imported") | dict.fromkeys("89", "accepted")
    assert (items["8"].accepted_by, items["8"].accepted_why) == ("Ada", "twin or nobody's")
    verdict = as_json(command("filemaker_verify", "images", "--read", "--json"))
    assert (verdict["differences"], verdict["warnings"], sum(verdict["totals"].values())) == ([], [], 12)
    assert not list(port.spool.rglob("*.body"))


def test_a_file_by_hand_lands_where_all_others_do(port: Port, command: Command) -> None:
    before = port.items()["3"]
    path = found_file(port)
    done = as_json(command("filemaker_resolve", "images", before.identity.lower(), "--file", str(path), "--json"))
    item = port.items()["3"]
    assert done["items"][0]["state"] == item.state == "imported"
    day = item.day.isoformat()
    assert item.key == f"patients/filemaker-import/images/{item.owner_ref}/{day}/{item.identity}.jpg"
    info = port.store.head(item.key)
    assert info is not None and info.facts is not None
    assert (info.facts.record_id, info.facts.identity, info.facts.sha256) == ("3", item.identity, item.sha256)
    image = Image.objects.get(pk=item.row)
    assert (image.key, image.sha256, image.file_size) == (item.key, item.sha256, path.stat().st_size)
    assert (image.batch.patient.filemaker_id, image.batch.captured_on) == (item.owner_ref, item.day)
    assert item.field == "by hand"
    assert port.store.head(item.thumbnail_key) is not None
    # The next run, FileMaker on, leaves it alone.
    ended = port.run(retry_failed=True)
    assert port.items()["3"].sha256 == item.sha256
    assert ended["totals"]["imported"] == 5 + 1


def test_a_good_file_takes_the_place_of_a_damaged_one(port: Port, command: Command) -> None:
    damaged = port.items()["5"]
    assert damaged.state == "quarantined"
    assert command("filemaker_resolve", "images", "5", "--file", str(found_file(port)))[0] == 0
    item = port.items()["5"]
    assert (item.state, item.row) == ("imported", damaged.row)
    assert item.key != damaged.key and port.store.head(damaged.key) is not None
    image = Image.objects.get(pk=item.row)
    assert (image.key, image.quarantined) == (item.key, False)
    notes = as_json(command("filemaker_verify", "images", "--json"))["notes"]
    assert [(each["kind"], each["key"]) for each in notes] == [("older_version", damaged.key)]


def test_what_cannot_be_sent_changes_nothing(port: Port, command: Command) -> None:
    before = list(Item.objects.order_by("pk").values())
    torn, empty = port.folder / "torn.jpg", port.folder / "empty.jpg"
    torn.write_bytes(jpeg("torn again", 3000)[:900])
    empty.write_bytes(b"")
    path = str(found_file(port))
    for words in (
        ("3", "--file", str(torn)), ("3", "--file", str(empty)), ("3", "--file", str(port.folder / "none.jpg")),
        ("8", "--file", path), ("8", "--again"), ("99", "--file", path), ("3", "4", "--file", path),
        ("3", "--row"), ("3", "--reopen"), ("3", "--accept", " "),
    ):  # fmt: skip
        assert command("filemaker_resolve", "images", *words)[0] == 2, words
    assert list(Item.objects.order_by("pk").values()) == before
    assert not list(port.spool.rglob("*.body"))


def test_accepting_can_be_taken_back(port: Port, command: Command) -> None:
    kept = ("state", "reason", "detail", "final", "key", "row", "accepted_by", "accepted_why")
    before = {rid: [getattr(item, name) for name in kept] for rid, item in port.items().items()}
    ids = "\n".join(before)
    (port.folder / "ids.txt").write_text(ids, encoding="utf-8")
    assert command("filemaker_resolve", "images", f"@{port.folder / 'ids.txt'}", "--accept", "all")[0] == 0
    assert {item.state for item in port.items().values()} == {"accepted"}
    assert as_json(command("filemaker_verify", "images", "--json"))["differences"] == []
    assert command("filemaker_resolve", "images", f"@{port.folder / 'ids.txt'}", "--reopen")[0] == 0
    assert {rid: [getattr(item, name) for name in kept] for rid, item in port.items().items()} == before
    whats = list(Event.objects.filter(item__record_id="3").values_list("what", flat=True))
    assert whats == ["failed", "accepted", "reopened"]


def test_one_is_handed_to_the_next_run_and_no_other(port: Port, command: Command) -> None:
    for rid in ("3", "4"):
        port.sim.host.tables.named("Images").get(rid).values[FULL] = photo(f"put in anew {rid}")
    assert command("filemaker_resolve", "images", "3", "--again")[0] == 0
    port.run()
    assert {rid: port.items()[rid].state for rid in "34"} == {"3": "imported", "4": "failed"}
    port.check(books="")


def test_a_damaged_one_is_fetched_anew_when_it_was_put_right(port: Port, command: Command) -> None:
    port.sim.host.tables.named("Images").get("5").values[FULL] = photo("whole again")
    port.run(retry_failed=True)
    assert port.items()["5"].state == "quarantined"
    assert command("filemaker_resolve", "images", "5", "--again")[0] == 0
    port.run()
    item = port.items()["5"]
    assert item.state == "imported"
    assert as_json(command("filemaker_verify", "images", "--read", "--json"))["differences"] == []
    assert Image.objects.get(pk=item.row).quarantined is False


def test_owners_that_come_late_leave_the_list_by_themselves(port: Port, command: Command) -> None:
    Patient.objects.create(filemaker_id=name_of("patient", LATE), last_name="Late")
    call_command("relink_filemaker_images", verbosity=0)
    assert "6" not in worklist(command, "--all")


def test_not_while_a_run_is_at_work(port: Port, command: Command) -> None:
    with source_lock("images"):
        assert command("filemaker_resolve", "images", "3", "--accept", "why")[0] == LockedElsewhere.exit_code
    assert port.items()["3"].state == "failed"


def test_the_page_fits_and_shows_ids_only(port: Port, command: Command) -> None:
    _, text = command("filemaker_worklist", "images", "--all")
    assert "images: 6 open items, 5 need a person" in text
    assert "Dorsal" not in text and "IMG" not in text
    long = [line for line in text.splitlines() if len(line) > 80]
    assert all(line.lstrip().startswith("python manage.py") for line in long)


@pytest.mark.parametrize(
    ("identity", "typed"), [("A-1", "==A-1"), ("a@b*c", "==a\\@b\\*c"), ('=x"', '==\\=x\\"'), ("", "")]
)
def test_find_text_takes_operators_for_plain_characters(identity: str, typed: str) -> None:
    assert find_text(identity) == typed
