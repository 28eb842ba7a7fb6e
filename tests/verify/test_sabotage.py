"""Sabotage after a complete run: the check names exactly what was done, no more and no less, and what to type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clinic.images.imports import ImageImport
from clinic.images.models import Image
from tests.afterwards import Command, as_json, without_filemaker
from tests.voyage.harness import FULL, LESSER, Port, PortMaker, cargo, jpeg, photo, raw, record
from unlade.cargo import Facts
from unlade.importer import ContainerImport
from unlade.ledger.models import Item, Source
from unlade.media.digest import Digest

Found = set[tuple[str, str]]


@pytest.fixture
def port(any_port: PortMaker) -> Iterator[Port]:
    data = cargo(24, special={24: record(24, image_Full="")})
    with any_port(data) as port:
        port.until_done()
        yield port


@pytest.fixture
def command(port: Port, monkeypatch: pytest.MonkeyPatch) -> Command:
    return without_filemaker(port, monkeypatch)


def named(data: dict[str, Any], weight: str = "differences") -> Found:
    return {(each["kind"], each["record"] or each["key"]) for each in data[weight]}


def put(port: Port, key: str, body: bytes, facts: Facts | None = None) -> None:
    """Write an object as somebody else would: over what is there, with whatever facts."""
    store = port.store
    if port.store_url.startswith("file:"):
        path = port.folder / "store" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)  # the same file, so its sidecar stays
    else:
        old = store.head(key)
        store._write(key, body, "image/jpeg", facts or (old.facts if old else None), overwrite=True)


def flip(port: Port, key: str) -> None:
    """Turn one bit over; the size stays, and so does what the object says of itself."""
    with port.store.open(key) as chunks:
        body = bytearray(b"".join(chunks))
    body[len(body) // 2] ^= 1
    put(port, key, bytes(body))


STRANGER = "patients/filemaker-import/images/stranger.jpg"


def sabotage(port: Port) -> tuple[Found, Found]:
    """All of the list at once; what a listing can know of it, and what only reading can."""
    items = port.items()
    flip(port, items["3"].key)
    port.store.delete(items["5"].key)
    Image.objects.get(pk=items["7"].row).delete()
    one, other = (Image.objects.select_related("batch").get(pk=items[rid].row) for rid in ("1", "9"))
    assert one.batch.patient_id != other.batch.patient_id
    one.batch, other.batch = other.batch, one.batch
    one.save()
    other.save()
    put(port, STRANGER, b"not ours")
    listed = {
        ("object_missing", "5"), ("row_missing", "7"), ("row_owner", "1"), ("row_owner", "9"), ("stranger", STRANGER),
    }  # fmt: skip
    return listed, {("object_damaged", "3")}


def test_nothing_differs_after_a_run(port: Port, command: Command) -> None:
    for words in ((), ("--read",)):
        data = as_json(command("filemaker_verify", "images", *words, "--json"))
        assert (data["exit"], data["differences"], data["warnings"], data["notes"]) == (0, [], [], [])
        assert data["found"] == sum(data["totals"].values()) == 24
        assert (data["stored"], data["rows"], data["objects"], data["thumbnails"]) == (23, 23, 23, 23)
    assert data["read"]["proven"] == data["read"]["read"] == 23
    assert Item.objects.exclude(proven_at=None).count() == 23


def test_all_of_the_sabotage_is_named_and_nothing_else(port: Port, command: Command) -> None:
    command("filemaker_verify", "images", "--read", "--json")
    listed, read = sabotage(port)
    data = as_json(command("filemaker_verify", "images", "--json"))
    assert (data["exit"], named(data), data["warnings"], data["notes"]) == (1, listed, [], [])
    data = as_json(command("filemaker_verify", "images", "--read", "--json"))
    assert (data["exit"], named(data), data["warnings"], data["notes"]) == (1, listed | read, [], [])
    assert all(each["type"] for each in data["differences"])
    assert not Item.objects.get(record_id="3").proven_at


def _swap_keys(port: Port) -> Found:
    items = port.items()
    one, other = (Image.objects.get(pk=items[rid].row) for rid in ("2", "11"))
    one.key, other.key = other.key, one.key
    one.save()
    other.save()
    return {("row_key", "2"), ("row_key", "11")}


def _swap_rows(port: Port) -> Found:
    items = port.items()
    one, other = items["2"], items["11"]
    one.row, other.row = other.row, one.row
    one.save()
    other.save()
    return {("row_key", "2"), ("row_key", "11")}


def _shorter(port: Port) -> Found:
    put(port, port.items()["4"].key, b"short")
    return {("object_size", "4")}


def _stranger_with_facts(port: Port) -> Found:
    body = b"another import's"
    digest = Digest()
    digest.update(body)
    facts = Facts("documents", "17", "1", "X", 0, digest.sha256, "imported")
    port.folder.joinpath("body").write_bytes(body)
    port.store.put(STRANGER, port.folder / "body", content_type="text/plain", facts=facts)
    return {("stranger", STRANGER)}


def _copy_elsewhere(port: Port) -> Found:
    item = port.items()["6"]
    info = port.store.head(item.key)
    assert info is not None and info.facts is not None
    port.store.read(item.key, port.folder / "body")
    port.store.put(STRANGER, port.folder / "body", content_type="image/jpeg", facts=info.facts)
    return {("stranger", STRANGER)}


def _unknown_record(port: Port) -> Found:
    item = port.items()["6"]
    item.delete()
    port.store.delete(item.thumbnail_key)
    return {("orphan", "6")}


def _lost_owner(port: Port) -> Found:
    item = port.items()["6"]
    image = Image.objects.select_related("batch__patient").get(pk=item.row)
    patient = image.batch.patient
    assert patient is not None
    rows = set(Image.objects.filter(batch__patient=patient).values_list("pk", flat=True))
    patient.delete()
    return {("owner_lost", rid) for rid, each in port.items().items() if each.row and int(each.row) in rows}


@pytest.mark.parametrize(
    "deed",
    [_swap_keys, _swap_rows, _shorter, _stranger_with_facts, _copy_elsewhere, _unknown_record, _lost_owner],
)
def test_one_deed_at_a_time(
    make_port: PortMaker, monkeypatch: pytest.MonkeyPatch, deed: Callable[[Port], Found]
) -> None:
    with make_port(cargo(12)) as port:
        port.until_done()
        expected = deed(port)
        data = as_json(without_filemaker(port, monkeypatch)("filemaker_verify", "images", "--json"))
        assert (named(data), data["warnings"], data["notes"]) == (expected, [], [])


def test_what_is_no_difference(make_port: PortMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thumbnail that is gone, a day that a person moved, a file of a record that is not settled yet."""
    with make_port(cargo(12)) as port:
        port.until_done()
        items = port.items()
        port.store.delete(items["2"].thumbnail_key)
        batch = Image.objects.get(pk=items["4"].row).batch
        batch.captured_on = "2001-01-01"
        batch.save()
        Item.objects.filter(pk=items["5"].pk).update(state="pending", key="", thumbnail_key="", row="")
        Image.objects.get(pk=items["5"].row).delete()
        data = as_json(without_filemaker(port, monkeypatch)("filemaker_verify", "images", "--json"))
        days = {("row_day", rid) for rid, each in items.items() if each.day == items["4"].day and rid != "5"}
        assert (data["exit"], data["differences"]) == (0, [])
        assert named(data, "warnings") == {("thumbnail_missing", "2"), *days}
        assert named(data, "notes") == {("unrecorded", "5")}
        assert {each["key"] for each in data["notes"]} == {items["5"].key, items["5"].thumbnail_key}


def test_what_is_typed_heals(port: Port, command: Command) -> None:
    """Every difference is put right by one of the commands that are named for it, FileMaker off."""
    sabotage(port)
    bodies = {"3": jpeg("picture 3", 3000), "5": jpeg("picture 5", 3000)}
    data = as_json(command("filemaker_verify", "images", "--read", "--json"))
    port.store.delete(STRANGER)
    for each in data["differences"]:
        if each["kind"].startswith("object_"):
            path = port.folder / "found.jpg"
            path.write_bytes(bodies[each["record"]])
            code, _ = command("filemaker_resolve", "images", each["record"], "--file", str(path))
            assert code == 0
    rows = [each["record"] for each in data["differences"] if each["kind"].startswith("row_")]
    assert command("filemaker_resolve", "images", *rows, "--row")[0] == 0
    data = as_json(command("filemaker_verify", "images", "--read", "--json"))
    assert (data["differences"], data["warnings"]) == ([], [])
    # The damaged object was set aside, not thrown away; its thumbnail was replaced.
    assert [(each["kind"], each["record"]) for each in data["notes"]] == [("older_version", "3")]
    assert Image.objects.get(pk=port.items()["7"].row).filemaker_id == port.items()["7"].identity_key
    port_items = port.items()
    assert {port_items[rid].state for rid in ("1", "3", "5", "7", "9")} == {"imported"}


def test_the_next_run_heals_what_is_handed_back(make_port: PortMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_port(cargo(24)) as port:
        port.until_done()
        before = port.downloads()
        sabotage(port)
        port.store.delete(STRANGER)
        command = without_filemaker(port, monkeypatch)
        assert command("filemaker_resolve", "images", "1,3,5,7,9", "--again")[0] == 0
        ended = port.run()
        assert (ended["exit"], ended["totals"]["imported"]) == (0, 24)
        data = as_json(command("filemaker_verify", "images", "--read", "--json"))
        assert (data["differences"], data["warnings"]) == ([], [])
        again = port.downloads() - before
        assert {rid for rid, _ in again} == {"3", "5"}  # rows are written anew without a download


def test_reading_goes_on_where_it_was(port: Port, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from unlade.verify import reading

    real, reads = reading._read, []

    def broken_off(store: Any, key: str, sha256: str) -> Any:
        if len(reads) == 10:
            raise reading.StoreBusy("The store is busy.")
        reads.append(key)
        return real(store, key, sha256)

    monkeypatch.setattr(reading, "_read", broken_off)
    monkeypatch.setattr(reading, "READERS", 1)
    assert command("filemaker_verify", "images", "--read")[0] == 1
    proven = Item.objects.exclude(proven_at=None).count()
    assert 0 < proven <= 10
    assert Source.objects.get(name="images").reading_since is not None
    monkeypatch.setattr(reading, "_read", real)
    data = as_json(command("filemaker_verify", "images", "--read", "--json"))
    assert (data["read"]["before"], data["read"]["read"], data["read"]["proven"]) == (proven, 23 - proven, 23)
    # A reading that came to its end is not gone on with: the next one reads all again.
    assert as_json(command("filemaker_verify", "images", "--read", "--json"))["read"]["read"] == 23


def test_the_page_says_what_to_type_and_fits_80_columns(port: Port, command: Command) -> None:
    sabotage(port)
    _, text = command("filemaker_verify", "images", "--read", "--report", str(port.folder / "report.txt"))
    assert "images: 6 differences" in text
    assert "filemaker_resolve images 3 --again" in text and "filemaker_resolve images 5 --file PATH" in text
    typed = [line for line in text.splitlines() if len(line) > 80]
    assert all(line.lstrip().startswith(("python manage.py", "rm ", "aws ")) or "/" in line for line in typed), typed
    report = port.folder / "report.txt"
    assert STRANGER in report.read_text(encoding="utf-8").replace("\n", "").replace(" ", "")
    assert report.stat().st_mode & 0o077 == 0


def test_an_import_that_never_ran_differs_in_nothing(port: Port, command: Command) -> None:
    Source.objects.all().delete()
    port_keys = [info.key for info in port.store.list("patients")]
    for key in port_keys:
        port.store.delete(key)
    Image.objects.all().delete()
    data = as_json(command("filemaker_verify", "images", "--json"))
    assert (data["exit"], data["found"], data["objects"]) == (0, None, 0)


def test_a_damaged_copy_beside_a_lesser_one_is_read_too(make_port: PortMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    torn = {FULL: raw(jpeg("torn", 3000)[:900]), LESSER: photo("lesser")}
    with make_port(cargo(6, special={3: record(3, **torn)})) as port:
        port.until_done()
        command = without_filemaker(port, monkeypatch)
        assert as_json(command("filemaker_verify", "images", "--read", "--json"))["warnings"] == []
        flip(port, port.items()["3"].spare_key)
        data = as_json(command("filemaker_verify", "images", "--read", "--json"))
        assert (data["exit"], named(data), named(data, "warnings")) == (0, set(), {("spare_damaged", "3")})
        port.store.delete(port.items()["3"].spare_key)
        data = as_json(command("filemaker_verify", "images", "--read", "--json"))
        assert (data["exit"], named(data, "warnings")) == (0, {("spare_missing", "3")})


def test_a_project_that_does_not_show_its_rows(port: Port, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageImport, "rows", ContainerImport.rows)
    sabotage(port)
    data = as_json(command("filemaker_verify", "images", "--json"))
    assert (data["rows"], named(data)) == (None, {("object_missing", "5"), ("stranger", STRANGER)})


def test_two_imports_under_one_folder_are_no_strangers_to_each_other(port: Port, command: Command) -> None:
    other = Source.objects.create(name="others")
    Item.objects.create(source=other, record_id="1", state="imported", key=STRANGER, size=5, seen_at=port.clock())
    put(port, STRANGER, b"12345")
    assert as_json(command("filemaker_verify", "images", "--json"))["differences"] == []
