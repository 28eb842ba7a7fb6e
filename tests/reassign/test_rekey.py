"""Files that follow their owner to another key: all of them or none, whatever dies on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from clinic.images.imports import ImageImport
from clinic.images.models import Image
from clinic.patients.models import Patient
from tests.afterwards import Command, without_filemaker
from tests.reassign.test_choice import edit, give, owner_of, patient, verified
from tests.voyage.harness import FULL, LESSER, ROOT, Port, PortMaker, cargo, jpeg, photo, raw, record
from unlade.ledger.models import Event, Source
from unlade.reassign.moving import under_way


def a_cargo() -> Any:
    """Record 6 is damaged; 8 is a lesser copy with the damaged better one beside it."""
    special = {
        6: record(6, **{FULL: raw(jpeg("cut 6", 4000)[:-700])}),
        8: record(8, **{FULL: raw(jpeg("cut 8", 4000)[:-700]), LESSER: photo("good 8")}),
    }
    return cargo(12, special=special)


@pytest.fixture
def port(any_port: PortMaker) -> Iterator[Port]:
    with any_port(a_cargo()) as port:
        port.run()
        yield port


@pytest.fixture
def command(port: Port, monkeypatch: pytest.MonkeyPatch) -> Command:
    return without_filemaker(port, monkeypatch)


def clean(port: Port, command: Command) -> None:
    """Every object is somebody's, every row points to its own, nothing is under way."""
    port.check(books="")
    assert not under_way(Source.objects.get(name="images")).exists()
    found = verified(command)
    assert (found["differences"], found["warnings"], found["notes"]) == ([], [], [])


def test_objects_follow(port: Port, command: Command) -> None:
    target, before = patient(5), port.items()
    give(command, "1,6,8", f"pk:{target.pk}")
    assert all(port.items()[rid].key == before[rid].key for rid in "168")  # without --rekey nothing moves
    foretold = give(command, "1,6,8,12", f"pk:{target.pk}", "--rekey", "--dry-run")
    assert {rid: item.key for rid, item in port.items().items()} == {rid: item.key for rid, item in before.items()}
    said = give(command, "1,6,8,12", f"pk:{target.pk}", "--rekey")
    assert said["counts"] == foretold["counts"] == {"moved": 1, "same": 3}
    assert said["moved_files"] == foretold["moved_files"] == 4
    assert [each["key"] for each in said["items"]] == [each["key"] for each in foretold["items"]]
    items = port.items()
    for rid in ("1", "6", "8", "12"):
        item, was = items[rid], before[rid]
        assert item.key == was.key.replace(was.owner_ref, str(target.filemaker_id))
        assert item.thumbnail_key == was.thumbnail_key.replace(was.owner_ref, str(target.filemaker_id))
        assert item.spare_key == was.spare_key.replace(was.owner_ref, str(target.filemaker_id))
        assert item.proven_at is not None
        assert port.store.head(was.key) is None and port.store.sha256(item.key) == item.sha256
        info = port.store.head(item.key)
        assert info is not None and info.facts is not None and info.facts.identity == item.identity
    assert items["8"].spare_key
    clean(port, command)
    _, out = command("filemaker_trace", items["1"].identity)
    assert "its file was moved by" in " ".join(out.split())


def test_what_comes_later_goes_there_too(port: Port, command: Command) -> None:
    """A replaced file, a row that is written anew, a restored thumbnail: nothing comes back to the old folder."""
    target = patient(5)
    give(command, "1,2", f"pk:{target.pk}", "--rekey")
    folder = f"/{target.filemaker_id}/"
    edit(port, "1", **{FULL: photo("another", 4000)})
    port.run(changed=True, refetch_changed=True)
    assert folder in port.items()["1"].key and "~" in port.items()["1"].key
    assert command("filemaker_resolve", "images", "2", "--row")[0] == 0
    assert command("filemaker_resolve", "images", "2", "--again")[0] == 0
    port.run()
    assert folder in port.items()["2"].key and port.items()["2"].state == "imported"
    port.check(books="")
    assert verified(command)["differences"] == []


def test_back_again(port: Port, command: Command) -> None:
    before = port.items()
    give(command, "1,6,8", f"pk:{patient(5).pk}", "--rekey")
    give(command, "1,6,8", "source", "--rekey")
    for rid in "168":
        item, was = port.items()[rid], before[rid]
        assert (item.key, item.thumbnail_key, item.spare_key) == (was.key, was.thumbnail_key, was.spare_key)
        assert (item.owner_row, item.owner_in_key, owner_of(item)) == ("", "", was.owner_ref)
    clean(port, command)


def test_a_file_that_is_not_as_it_was_stored_stays(port: Port, command: Command) -> None:
    """Its row goes over, its object does not, and the answer says so."""
    from tests.verify.test_sabotage import flip

    target, items = patient(5), port.items()
    flip(port, items["1"].key)
    port.store.delete(items["2"].key)
    said = give(command, "1,2,3", f"pk:{target.pk}", "--rekey")
    assert said["exit"] == 1
    problems = {each["record"]: each["problem"] for each in said["items"]}
    assert "other bytes" in problems["1"] and "not in the store" in problems["2"] and problems["3"] is None
    after = port.items()
    assert [after[rid].key == items[rid].key for rid in "123"] == [True, True, False]
    assert {owner_of(after[rid]) for rid in "123"} == {target.filemaker_id}
    assert not under_way(Source.objects.get(name="images")).exists()


def test_a_key_that_another_one_holds(port: Port, command: Command) -> None:
    target, item = patient(5), port.items()["1"]
    taken = item.key.replace(item.owner_ref, str(target.filemaker_id))
    other = port.items()["3"]
    info = port.store.head(other.key)
    assert info is not None and info.facts is not None
    port.store.copy(other.key, taken, content_type="image/jpeg", facts=info.facts)
    said = give(command, "1,2", f"pk:{target.pk}", "--rekey")
    assert [bool(each["problem"]) for each in said["items"]] == [True, False]
    assert port.store.sha256(taken) == other.sha256  # what is another's is not touched
    assert port.items()["1"].key == item.key and port.store.sha256(item.key) == item.sha256


def test_where_keys_cannot_follow(make_port: PortMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_port(cargo(2)) as port:
        port.run()
        command = without_filemaker(port, monkeypatch)
        nameless = Patient.objects.create(last_name="X")
        assert "has no id" in give(command, "1", f"pk:{nameless.pk}", "--rekey")["reason"]
        monkeypatch.setattr(ImageImport, "key", "images/{date}/{identity}{ext}")
        assert "do not hold the owner" in give(command, "1", f"pk:{patient(1).pk}", "--rekey")["reason"]


SPOTS = (
    "unlade.reassign.deciding:copy_all@before",
    "unlade.store.base:Store.copy@before",
    "unlade.store.base:Store.copy@after",
    "unlade.store.base:Store.copy@after#4",
    "unlade.reassign.deciding:copy_all@after",
    "unlade.reassign.deciding:_give@after",
    "unlade.reassign.deciding:record_all@before",
    "unlade.reassign.deciding:record_all@after",
    "unlade.reassign.moving:_held@before",
    "unlade.reassign.moving:_delete@after",
    "unlade.store.local:LocalStore.delete@before#2",
    "unlade.store.local:LocalStore.delete@after#3",
)


def crashed(port: Port, spot: str, *words: str) -> int:
    """The command in a process of its own, dying at `spot`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FILEMAKER_", "UNLADE_"))}
    environ = {**kept, **port.settings(), "DJANGO_DEBUG": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, "-m", "tests.voyage.crash", spot, "reassign_filemaker_images", *words],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return process.returncode


@pytest.mark.parametrize("spots", [SPOTS[:4], SPOTS[4:8], SPOTS[8:]], ids=["copies", "rows", "deletes"])
def test_killed_at_each_seam(make_port: PortMaker, monkeypatch: pytest.MonkeyPatch, spots: tuple[str, ...]) -> None:
    """After each death rows point to files that are there; the same call again, or another one, leaves nothing over."""
    with make_port(a_cargo()) as port:
        port.run()
        command = without_filemaker(port, monkeypatch)
        for turn, spot in enumerate(spots):
            target = patient(3 + turn % 3)
            words = ("--items", "1,6,8", "--to", f"pk:{target.pk}", "--reason", "mixed up", "--rekey")
            assert crashed(port, spot, *words) == -9, spot
            found = verified(command)
            assert found["differences"] == [], (spot, found["differences"])
            owners = {owner_of(port.items()[rid]) for rid in "168"}
            if turn % 2:
                assert give(command, "1,6,8", f"pk:{target.pk}", "--rekey")["exit"] == 0
                assert {owner_of(port.items()[rid]) for rid in "168"} == {target.filemaker_id}
            else:  # somebody changes his mind: another call, without moves, clears up as well
                give(command, "2", f"pk:{target.pk}")
                assert {owner_of(port.items()[rid]) for rid in "168"} == owners
            clean(port, command)


@pytest.mark.real
def test_killed_on_postgres_and_s3(make_big_port: PortMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_big_port(a_cargo()) as port:
        port.run()
        command = without_filemaker(port, monkeypatch)
        for spot in ("unlade.store.remote:RemoteStore._copy@after#2", "unlade.store.remote:RemoteStore.delete@after"):
            words = ("--items", "1,6,8", "--to", f"pk:{patient(5).pk}", "--reason", "mixed up", "--rekey")
            assert crashed(port, spot, *words) == -9, spot
            assert verified(command)["differences"] == []
            give(command, "1,6,8", f"pk:{patient(5).pk}", "--rekey")
            clean(port, command)
            give(command, "1,6,8", "source", "--rekey")
            clean(port, command)
        assert Event.objects.filter(what="rekeyed").count() == 12
        assert json.dumps([event.detail for event in Event.objects.filter(what="rekeyed")]).count("step") == 0
        assert Image.objects.filter(key__contains=str(patient(5).filemaker_id)).exists() is any(
            item.owner_key == patient(5).filemaker_id for item in port.items().values()
        )
