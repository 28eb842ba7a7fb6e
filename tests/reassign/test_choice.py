"""A person's word on whose a file is: told, kept, taken back, and undone by nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clinic.images.imports import ImageImport
from clinic.images.models import Image
from clinic.patients.models import Patient
from fmsim import Record
from tests.afterwards import Command, as_json, without_filemaker
from tests.voyage.harness import FULL, MISSING, Port, PortMaker, cargo, jpeg, name_of, raw, record
from unlade.ledger.models import Event, Item
from unlade.linking import relink
from unlade.signals import item_linked


def special() -> dict[int, Record]:
    """Record 4 names a patient that is not here, 5 is empty and names nobody, 6 is damaged, 7 has no file."""
    return {
        4: record(4, owner=77),
        5: record(5, id_Contact="", **{FULL: ""}),
        6: record(6, **{FULL: raw(jpeg("cut 6", 4000)[:-700])}),
        7: record(7, **{FULL: MISSING}),
    }


@pytest.fixture
def port(any_port: PortMaker) -> Iterator[Port]:
    with any_port(cargo(16, special=special())) as port:
        port.run()
        yield port


@pytest.fixture
def command(port: Port, monkeypatch: pytest.MonkeyPatch) -> Command:
    return without_filemaker(port, monkeypatch)


def patient(number: int) -> Patient:
    found: Patient = Patient.objects.get(filemaker_id=name_of("patient", number))
    return found


def owner_of(item: Item) -> str:
    """FileMaker's id of the patient that the item's row belongs to; "" without one."""
    found = Image.objects.select_related("batch__patient").get(pk=item.row).batch.patient
    return found.filemaker_id or "" if found else ""


def give(command: Command, ids: str, to: str, *words: str) -> dict[str, Any]:
    return as_json(
        command("reassign_filemaker_images", "--items", ids, "--to", to, "--reason", "mixed up", *words, "--json")
    )


def verified(command: Command) -> dict[str, Any]:
    return as_json(command("filemaker_verify", "images", "--read", "--json"))


def edit(port: Port, record_id: str, **values: object) -> None:
    row = next(row for row in port.sim.host.tables.named("Images").rows if row.record_id == record_id)
    row.values.update(values)
    row.mod_id = str(int(row.mod_id) + 1)


def test_a_choice_is_kept_against_everything(port: Port, command: Command) -> None:
    """Imports, edits, files fetched again, relinking, rows written anew, the owner deleted and made again."""
    target = patient(5)
    target_id = str(target.filemaker_id)
    said = give(command, "1,2,4,6", target_id.lower(), "--by", "Ann")
    assert said["counts"] == {"moved": 3, "linked": 1}
    chosen = ("1", "2", "4", "6")

    def holds() -> None:
        items = port.items()
        assert {owner_of(items[rid]) for rid in chosen} == {target_id}
        assert [items[rid].state for rid in chosen] == ["imported", "imported", "imported", "quarantined"]
        assert {owner_of(item) for rid, item in items.items() if item.row and rid not in chosen} & {target_id} == (
            {target_id} if any(item.owner_key == target_id and item.row for item in items.values()) else set()
        )
        found = verified(command)
        assert (found["differences"], found["warnings"], found["notes"]) == ([], [], [])

    holds()
    relink(ImageImport())
    port.run(changed=True)
    holds()
    for rid in chosen:
        edit(port, rid, id_Contact=name_of("patient", 2), Type="Later")
    port.run(changed=True)
    assert Image.objects.get(pk=port.items()["1"].row).category == "Later"
    holds()
    edit(port, "1", **{FULL: raw(jpeg("another one", 4000))})
    before = port.items()["1"]
    port.run(refetch_changed=True, changed=True)
    assert port.items()["1"].sha256 != before.sha256
    found = verified(command)
    assert found["differences"] == []
    assert owner_of(port.items()["1"]) == target_id
    assert command("filemaker_resolve", "images", "2", "--row")[0] == 0
    assert owner_of(port.items()["2"]) == target_id
    Image.objects.get(pk=port.items()["2"].row).delete()
    assert command("filemaker_resolve", "images", "2", "--row")[0] == 0
    assert owner_of(port.items()["2"]) == target_id


def test_an_owner_that_is_made_anew_is_chosen_still(port: Port, command: Command) -> None:
    """LESSONS 10: patients are deleted and come back with other primary keys."""
    target = patient(5)
    give(command, "1,4", str(target.filemaker_id))
    old = target.pk
    target.delete()
    report = relink(ImageImport())
    assert report.alone["chosen_missing"] == 2
    assert {port.items()[rid].reason for rid in ("1", "4")} == {"chosen_missing"}
    new = Patient.objects.create(filemaker_id=f"{{{str(target.filemaker_id).lower()}}}")
    assert new.pk != old
    relink(ImageImport())
    items = port.items()
    assert [(items[rid].state, items[rid].owner_row) for rid in ("1", "4")] == [("imported", str(new.pk))] * 2
    assert verified(command)["differences"] == []


def test_a_moved_row_is_named_against_the_choice(port: Port, command: Command) -> None:
    give(command, "1", str(patient(5).filemaker_id))
    image, other = (Image.objects.get(pk=port.items()[rid].row) for rid in ("1", "12"))
    image.batch = other.batch
    image.save()
    found = verified(command)
    assert [(each["kind"], each["record"]) for each in found["differences"]] == [("row_owner", "1")]
    assert f"a person chose owner {patient(5).pk}" in found["differences"][0]["detail"]
    assert command("filemaker_resolve", "images", "1", "--row")[0] == 0
    assert verified(command)["differences"] == []


def test_what_has_no_row_yet_goes_there_when_it_comes(port: Port, command: Command) -> None:
    target = patient(5)
    said = give(command, "5,7", f"pk:{target.pk}")
    assert said["counts"] == {"waits": 2}
    edit(port, "5", **{FULL: raw(jpeg("now there", 3000))})
    port.run(changed=True)
    item = port.items()["5"]
    assert (item.state, owner_of(item)) == ("imported", target.filemaker_id)
    assert "/no-owner/" in item.key
    assert verified(command)["differences"] == []


def test_back_to_the_source(port: Port, command: Command) -> None:
    before = {rid: owner_of(item) for rid, item in port.items().items() if item.row}
    give(command, "1,2,4", str(patient(5).filemaker_id))
    said = give(command, "1,2,3,4", "source")
    assert (said["counts"], said["exit"]) == ({"nobody": 1, "returned": 2, "same": 1}, 1)
    items = port.items()
    assert [items[rid].owner_row for rid in "123"] == ["", "", ""]
    assert {rid: owner_of(items[rid]) for rid in "123"} == {rid: before[rid] for rid in "123"}
    assert owner_of(items["4"]) == patient(5).filemaker_id  # the source's owner is not here: it is left where it is
    assert verified(command)["differences"] == []


def test_all_of_one_owner_to_another(port: Port, command: Command) -> None:
    """Rows that are the owner's now count, by whomever they came there; and the files that nobody's row names."""
    one, two = patient(2), patient(3)
    give(command, "1", f"pk:{one.pk}")
    mine = {rid for rid, item in port.items().items() if item.row and owner_of(item) == one.filemaker_id}
    assert "1" in mine
    words = ("--from", str(one.filemaker_id), "--to", str(two.filemaker_id), "--reason", "the same person")
    foretold = as_json(command("reassign_filemaker_images", *words, "--dry-run", "--json"))
    assert {each["record"] for each in foretold["items"] if each["what"] == "moved"} == mine
    assert Event.objects.filter(what="reassigned").count() == 1
    said = as_json(command("reassign_filemaker_images", *words, "--json"))
    assert said["counts"] == foretold["counts"]
    assert {owner_of(port.items()[rid]) for rid in mine} == {two.filemaker_id}
    assert command("reassign_filemaker_images", *words)[0] == 2  # nothing is left
    lost = name_of("patient", 77)
    said = as_json(
        command("reassign_filemaker_images", "--from", lost, "--to", f"pk:{two.pk}", "--reason", "x", "--json")
    )
    assert (said["counts"], [each["record"] for each in said["items"]]) == ({"linked": 1}, ["4"])
    assert verified(command)["differences"] == []


def test_each_item_tells_who_chose_when_and_why(port: Port, command: Command) -> None:
    was, target = port.items()["1"], patient(5)
    origin = Image.objects.get(pk=was.row).batch.patient_id
    heard: list[Any] = []

    def listener(item: Item, owner: Any, **_: Any) -> None:
        heard.append((item.pk, owner.pk))

    item_linked.connect(listener, sender=ImageImport)
    try:
        give(command, "1", f"pk:{target.pk}", "--by", "Ann")
    finally:
        item_linked.disconnect(listener, sender=ImageImport)
    assert heard == [(was.pk, target.pk)]
    event = Event.objects.get(what="reassigned")
    assert event.item_id == was.pk
    assert event.detail == {
        "by": "Ann", "why": "mixed up", "origin": str(origin), "to": str(target.pk), "to_id": target.filemaker_id,
    }  # fmt: skip
    _, out = command("filemaker_trace", was.identity)
    text = " ".join(out.split())
    assert f"given by Ann to owner {target.pk} ({target.filemaker_id}), from owner {origin}: mixed up" in text
    assert f"a person chose owner {target.pk}" in text
    assert as_json_trace(command, was)["owner_chosen"] == str(target.pk)
    again = give(command, "1", f"pk:{target.pk}")
    assert (again["counts"], Event.objects.filter(what="reassigned").count()) == ({"same": 1}, 1)


def as_json_trace(command: Command, item: Item) -> dict[str, Any]:
    data = as_json(command("filemaker_trace", item.identity, "--json"))
    found: dict[str, Any] = next(each for each in data["items"] if each["record"] == item.record_id)
    return found


def test_only_the_named_image_leaves_its_batch(port: Port, command: Command) -> None:
    """Two that wait for one owner who is not certain: choosing for one says nothing of the other."""
    for text in ("x-1", "X-1"):
        Patient.objects.create(filemaker_id=text)
    for rid in ("8", "9"):
        edit(port, rid, id_Contact="X-1", date="01/02/2020")
    port.run(changed=True)
    items = port.items()
    assert {items[rid].reason for rid in ("8", "9")} == {"ambiguous"}
    low = Patient.objects.get(filemaker_id="x-1")
    code, _ = command("reassign_filemaker_images", "--items", "8", "--to", "x-1", "--reason", "x")
    assert code == 2  # two fit: which of them is not guessed
    give(command, "8", f"pk:{low.pk}")
    items = port.items()
    assert [(items[rid].state, owner_of(items[rid])) for rid in ("8", "9")] == [("imported", "x-1"), ("unlinked", "")]


def test_one_transaction(port: Port, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that does not follow takes everything back."""
    real = ImageImport.reassign

    def forgetful(self: ImageImport, pairs: Any) -> Any:
        return real(self, pairs[:1])

    monkeypatch.setattr(ImageImport, "reassign", forgetful)
    before = {rid: owner_of(item) for rid, item in port.items().items() if item.row}
    said = give(command, "1,2,3", f"pk:{patient(5).pk}")
    assert said["exit"] == 1 and "did not go to" in said["reason"]
    assert {rid: owner_of(item) for rid, item in port.items().items() if item.row} == before
    assert not Item.objects.exclude(owner_row="").exists() and not Event.objects.filter(what="reassigned").exists()


def test_a_row_that_is_gone(port: Port, command: Command) -> None:
    Image.objects.get(pk=port.items()["1"].row).delete()
    said = give(command, "1,2", f"pk:{patient(5).pk}")
    assert (said["counts"], said["exit"]) == ({"moved": 1, "row_missing": 1}, 1)
    assert command("filemaker_resolve", "images", "1", "--row")[0] == 0
    assert owner_of(port.items()["1"]) == patient(5).filemaker_id


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--items", "1", "--to", "nobody", "--reason", "x"), "no patient has the id nobody"),
        (("--items", "1", "--to", "pk:999", "--reason", "x"), "no patient has the primary key 999"),
        (("--items", "1", "--to", "pk:x", "--reason", "x"), "no patient has the primary key x"),
        (("--items", "999,1", "--to", "pk:1", "--reason", "x"), "no item has the record id or identity 999"),
        (("--items", "1", "--to", "pk:1"), "for a reason"),
        (("--items", "@/nowhere", "--to", "pk:1", "--reason", "x"), "cannot be read"),
        (("--from", "nobody", "--to", "pk:1", "--reason", "x"), "no patient has the id nobody"),
        (("--from", "pk:1", "--to", "pk:1", "--reason", "x"), "are both"),
    ],
)
def test_what_cannot_be_meant(
    make_port: PortMaker, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    with make_port(cargo(3)) as port:
        port.run()
        command = without_filemaker(port, monkeypatch)
        said = as_json(command("reassign_filemaker", "images", *words, "--json"))
        assert said["exit"] == 2 and says in said["reason"]


def test_ids_from_a_file_in_a_few_queries(
    make_port: PortMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with make_port(cargo(60)) as port:
        port.run()
        command = without_filemaker(port, monkeypatch)
        items, counts = port.items(), []
        for part in (sorted(items)[:10], sorted(items)[10:]):
            (tmp_path / "ids").write_text("\n".join(items[rid].identity.lower() for rid in part))
            with CaptureQueriesContext(connection) as queries:
                said = give(command, f"@{tmp_path / 'ids'}", f"pk:{patient(5).pk}")
            assert len(said["items"]) == len(part)
            counts.append(len(queries))
        assert abs(counts[1] - counts[0]) <= 4, counts
