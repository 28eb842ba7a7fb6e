"""Weeks of use: edited records, replaced files, just a few records, an expected count, the last pass (CONTRACT B1)."""

from __future__ import annotations

import hashlib

from clinic.images.models import Image
from tests.voyage.harness import FULL, PortMaker, cargo, interrupt_at, jpeg, photo, record
from unlade.ledger.models import Source, edited_since


def _edit(port: object, record_id: str, **values: object) -> None:
    """Edit a record on the host, as somebody in FileMaker would."""
    row = next(row for row in port.sim.host.tables.named("Images").rows if row.record_id == record_id)  # type: ignore[attr-defined]
    row.values.update(values)
    row.mod_id = str(int(row.mod_id) + 1)


def test_an_edit_refreshes_the_row_and_fetches_nothing(make_port: PortMaker) -> None:
    with make_port(cargo(6)) as port:
        port.until_done()
        rid, item = next(iter(port.items().items()))
        _edit(port, rid, Type="Ventral, after")
        before = port.downloads()
        assert port.run()["requests"] == 3, "a plain run does not look for edits"
        result = port.run(changed=True)
        assert result["this_run"]["imported"] == 0
        assert port.downloads() == before
        assert Image.objects.get(pk=item.row).category == "Ventral, after"
        assert port.items()[rid].mod_id != item.mod_id
        port.check()
        assert port.run(changed=True)["exit"] == 0 and port.downloads() == before


def test_a_replaced_photo_comes_as_a_new_object_and_the_old_one_stays(make_port: PortMaker) -> None:
    with make_port(cargo(5)) as port:
        port.until_done()
        rid, item = next(iter(port.items().items()))
        new = jpeg("another photo", 4000)
        _edit(port, rid, **{FULL: photo("another photo", 4000)})
        port.run(changed=True)
        assert port.items()[rid].key == item.key, "without being asked the file is not fetched again"
        source = Source.objects.get(name="images")
        assert [each.record_id for each in edited_since(source)] == [rid], "but it is known that it may be another one"
        port.run(changed=True)
        port.run(changed=True, refetch_changed=True)
        assert not edited_since(source).exists()
        after = port.items()[rid]
        assert after.state == "imported" and after.key != item.key
        assert after.sha256 == hashlib.sha256(new).hexdigest() == port.store.sha256(after.key)
        assert port.store.sha256(item.key) == item.sha256, "the earlier version is kept"
        assert any(item.key in note for note in after.notes)
        row = Image.objects.get(pk=after.row)
        assert (row.key, row.sha256) == (after.key, after.sha256)
        assert port.downloads()[rid, FULL] == 2


def test_a_replacement_that_is_damaged_does_not_take_the_good_ones_place(make_port: PortMaker) -> None:
    with make_port(cargo(4)) as port:
        port.until_done()
        rid, item = next(iter(port.items().items()))
        _edit(port, rid, **{FULL: photo("x", 4000)})
        row = next(row for row in port.sim.host.tables.named("Images").rows if row.record_id == rid)
        row.values = {name: None if name.startswith("image_") else value for name, value in row.values.items()}
        row.values[FULL] = type(photo("x"))(missing=True)
        port.run(changed=True, refetch_changed=True)
        after = port.items()[rid]
        assert (after.state, after.key, after.sha256) == (item.state, item.key, item.sha256)
        assert "stays" in after.detail
        assert Image.objects.get(pk=after.row).key == item.key


def test_what_was_empty_or_failed_is_carried_once_it_was_filled(make_port: PortMaker) -> None:
    special = {1: record(1, **{FULL: None}), 2: record(2, **{FULL: type(photo("x"))(missing=True)})}
    with make_port(cargo(4, special=special)) as port:
        port.until_done()
        states = {rid: item.state for rid, item in port.items().items()}
        assert sorted(states.values()) == ["empty", "failed", "imported", "imported"]
        for rid, state in states.items():
            if state != "imported":
                _edit(port, rid, **{FULL: photo(f"late {rid}")})
        port.run(changed=True)
        assert {item.state for item in port.items().values()} == {"imported"}
        port.check()


def test_only_what_is_named_is_carried(make_port: PortMaker) -> None:
    with make_port(cargo(8)) as port:
        port.run(concurrency=1, on_start=interrupt_at(1, port))
        done = {item.record_id for item in port.items().values() if item.state == "imported"}
        first, second = [item for item in port.items().values() if item.state == "pending"][1:3]
        result = port.run(only=(first.record_id, f"{{{second.identity.lower()}}}"))
        assert result["this_run"]["imported"] == 2
        now_done = {item.record_id for item in port.items().values() if item.state == "imported"}
        assert now_done == done | {first.record_id, second.record_id}
        wrong = port.run(only=("no-such-id",))
        assert wrong["exit"] == 2 and "no-such-id" in wrong["reason"]
        port.check()


def test_any_other_count_than_the_expected_is_a_failure(make_port: PortMaker) -> None:
    with make_port(cargo(5)) as port:
        result = port.run(expect=6)
        assert (result["exit"], result["outcome"]) == (1, "failed") and "6" in result["reason"]
        assert not port.downloads()
        assert port.run(expect=5)["exit"] == 0


def test_the_last_pass_ends_well_only_when_nothing_is_new_edited_or_open(make_port: PortMaker) -> None:
    with make_port(cargo(5)) as port:
        first = port.run(changed=True, final=True)
        assert first["exit"] == 1 and "5 new" in first["reason"]
        assert port.run(changed=True, final=True)["exit"] == 0
        rid = next(iter(port.items()))
        _edit(port, rid, Type="edited on the last day")
        edited = port.run(changed=True, final=True)
        assert edited["exit"] == 1 and "1 edited" in edited["reason"]
        assert port.run(changed=True, final=True)["exit"] == 0
        port.check()


def test_a_record_that_was_given_an_identity_of_its_own_is_carried(make_port: PortMaker) -> None:
    twin, nobody = record(2), record(3)
    twin.values["id"] = record(1).values["id"]
    nobody.values["id"] = ""
    with make_port(cargo(4, special={2: twin, 3: nobody})) as port:
        port.until_done()
        failed = {rid: item.reason for rid, item in port.items().items() if item.state == "failed"}
        assert failed == {"2": "duplicate_identity", "3": "no_identity"}
        _edit(port, "2", id=record(2).values["id"])
        _edit(port, "3", id=record(3).values["id"])
        port.run(changed=True)
        assert {item.state for item in port.items().values()} == {"imported"}
        port.check()
