"""What became of each item, told with FileMaker switched off: every state, every attempt, every link."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clinic.patients.models import Patient
from fmsim import Record
from tests.afterwards import Command, as_json, without_filemaker
from tests.voyage.harness import (
    FULL,
    LESSER,
    MISSING,
    Port,
    PortMaker,
    cargo,
    jpeg,
    name_of,
    photo,
    raw,
    record,
)  # fmt: skip
from unlade.importer import get_import
from unlade.ledger.models import Event, Item
from unlade.linking import relink

LATE = 50  #: the number of a patient that arrives late


def special() -> dict[int, Record]:
    return {
        2: record(2, **{FULL: ""}),
        3: record(3, **{FULL: MISSING}),
        4: record(4, **{FULL: raw(jpeg("torn", 3000)[:900]), LESSER: photo("lesser")}),
        5: record(5, **{FULL: raw(jpeg("torn too", 3000)[:900])}),
        6: record(6, owner=LATE),
        8: record(8, **{FULL: MISSING}),
    }


FAULTS: list[dict[str, Any]] = [
    {"on": "container", "match": {"recordId": "7"}, "times": 1, "do": {"reset_after": 500}},
]


@pytest.fixture
def port(make_port: PortMaker) -> Iterator[Port]:
    with make_port(cargo(12, special=special()), faults=FAULTS) as port:
        port.run()
        Patient.objects.create(filemaker_id=name_of("patient", LATE), last_name="Late")
        relink(get_import("images"))
        table = port.sim.host.tables.named("Images")
        table.remove(table.get("10"))
        port.run()
        yield port


@pytest.fixture
def command(port: Port, monkeypatch: pytest.MonkeyPatch) -> Command:
    return without_filemaker(port, monkeypatch)


def story(command: Command, what: str) -> dict[str, Any]:
    data = as_json(command("filemaker_trace", what, "--json"))
    assert len(data["items"]) == 1
    item: dict[str, Any] = data["items"][0]
    return item


def told(item: dict[str, Any]) -> list[str]:
    return [each["what"] for each in item["history"]]


def test_every_state_has_its_story(port: Port, command: Command) -> None:
    command("filemaker_resolve", "images", "8", "--accept", "lost for good", "--by", "Ada")
    stories = {rid: story(command, rid) for rid in port.items()}
    assert {rid: each["state"] for rid, each in stories.items()} == {
        "1": "imported", "2": "empty", "3": "failed", "4": "imported", "5": "quarantined", "6": "imported",
        "7": "imported", "8": "accepted", "9": "imported", "10": "imported", "11": "imported", "12": "imported",
    }  # fmt: skip
    assert {rid: told(each) for rid, each in stories.items()} == {
        "1": ["imported"], "2": ["empty"], "3": ["failed"], "4": ["imported"], "5": ["quarantined"],
        "6": ["unlinked", "linked"], "7": ["failed", "imported"], "8": ["failed", "accepted"], "9": ["imported"],
        "10": ["imported", "gone"], "11": ["imported"], "12": ["imported"],
    }  # fmt: skip
    for rid, each in stories.items():
        item = port.items()[rid]
        assert (each["identity"], each["owner"], each["date"]) == (item.identity, item.owner_ref, item.day.isoformat())
        stored = each["state"] in ("imported", "quarantined")
        assert (each["object"]["now"], each["row"]["now"]) == (("there", "there") if stored else (None, None))


def test_the_story_of_a_link_and_of_a_lesser_copy(port: Port, command: Command) -> None:
    late = Patient.objects.get(last_name="Late")
    linked = story(command, "6")
    assert linked["history"][0]["reason"] == "owner_missing"
    assert (linked["history"][1]["owner"], linked["row"]["owner"]) == (str(late.pk), str(late.pk))
    lesser = story(command, "4")
    assert (lesser["field"], lesser["lesser_copy"]) == (LESSER, True)
    tried = {each["field"]: each["result"] for each in lesser["history"][0]["attempts"]}
    assert tried == {FULL: "damaged", LESSER: "taken"}
    assert lesser["object"]["damaged_copy"]
    broken = story(command, "7")["history"]
    assert (broken[0]["reason"], broken[0]["run"], broken[1]["run"]) == ("connection", 1, 1)


@pytest.mark.parametrize("how", ["record_id", "identity", "lower", "braces", "sha256", "key", "row"])
def test_found_by_whatever_a_person_has(port: Port, command: Command, how: str) -> None:
    item = port.items()["9"]
    text = {"lower": item.identity.lower(), "braces": f"{{{item.identity}}}"}.get(how) or getattr(item, how)
    if how == "row":
        Item.objects.filter(pk=item.pk).update(row="4711")
        text = "4711"
    assert story(command, text)["record"] == "9"


def test_found_by_file_name(port: Port, command: Command) -> None:
    assert story(command, "img 9.JPG")["record"] == "9"
    Item.objects.update(original_name="IMG.jpg")
    data = as_json(command("filemaker_trace", "IMG.jpg", "--json"))
    assert len(data["items"]) == 12
    _, text = command("filemaker_trace", "IMG.jpg")
    assert "is the file name of 12 items" in text


def test_a_patient_had_so_many_and_so_many_came_over(port: Port, command: Command) -> None:
    command("filemaker_resolve", "images", "8", "--accept", "lost for good", "--by", "Ada")
    owner = name_of("patient", 2)  # records 8 to 11; 10 is gone
    data = as_json(command("filemaker_trace", owner.lower(), "--json"))
    owned = data["owners"][0]
    assert (owned["found"], owned["totals"], owned["gone"]) == (3, {"imported": 2, "accepted": 1}, 1)
    assert [each["accepted_because"] for each in owned["items"] if each["record"] == "8"] == ["lost for good"]
    assert owned["rows"] == [f"patient {Patient.objects.get(filemaker_id=owner).pk}"]
    _, text = command("filemaker_trace", owner)
    assert "lost for good" in text and "1 more is gone from the source" in " ".join(text.split())


def test_an_object_or_row_that_is_lost_since_is_said(port: Port, command: Command) -> None:
    from clinic.images.models import Image

    item = port.items()["9"]
    port.store.delete(item.key)
    Image.objects.get(pk=item.row).delete()
    found = story(command, "9")
    assert (found["object"]["now"], found["row"]["now"]) == ("missing", "missing")


def test_a_ledger_without_history_tells_how_it_ended(port: Port, command: Command) -> None:
    Event.objects.all().delete()
    found = story(command, "3")
    assert [(each["what"], each["reason"], each["run"]) for each in found["history"]] == [("failed", "missing", 1)]


def test_nothing_goes_by_it(port: Port, command: Command) -> None:
    assert command("filemaker_trace", "no such thing")[0] == 1
    assert as_json(command("filemaker_trace", "0" * 64, "--json"))["items"] == []


def test_pages_show_ids_only_and_fit(port: Port, command: Command) -> None:
    for rid in port.items():
        code, text = command("filemaker_trace", rid)
        assert code == 0
        assert "Dorsal" not in text and "IMG" not in text and "Late" not in text
        assert max(map(len, text.splitlines())) <= 80
        assert text.count("What happened") == 1
