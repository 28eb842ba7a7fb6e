"""Rows of portals: written with their record, known by their id, shown and kept when they are gone."""

from __future__ import annotations

from typing import Any

import pytest

from clinic.patients.models import Patient, Phone
from fmsim.clinic.tables import PHONES
from tests.records.conftest import DeskMaker
from tests.records.desk import data, declaration, patient
from tests.records.files import phones, with_phones
from tests.voyage.harness import name_of
from unlade.checks import check_import
from unlade.filemaker import records
from unlade.ledger.models import Item
from unlade.records import Column, Rows, phone


def test_rows_come_with_their_record(any_desk: DeskMaker) -> None:
    first = with_phones(patient(0), phones(0, "555 0100", "555 0101"))
    with any_desk(data(first, with_phones(patient(1), phones(1, "555 0102")), patient(2))) as desk:
        desk.bring("clinics")
        assert desk.look().as_json()["related"] == {PHONES: {"new": 3}}
        told = desk.bring()
        assert (told["totals"]["imported"], Phone.objects.count()) == (3, 3)
        assert desk.ended.related == {PHONES: {"new": 3}}
        mine = Patient.objects.get(filemaker_id=name_of("patient", 0)).phones.values_list("filemaker_id", "number")
        assert set(mine) == {("PHONE-0-1", "555 0100"), ("PHONE-0-2", "555 0101")}
        again = desk.bring()
        assert (again["this_run"]["skipped"], desk.ended.related) == (3, {PHONES: {}})


def test_an_edited_row_moves_no_modification_id_of_its_record(desk: DeskMaker) -> None:
    with desk(data(with_phones(patient(0), phones(0, "555 0100", "555 0101")), patient(1))) as here:
        here.bring("clinics")
        here.bring()
        row = here.rows()[0]
        row.portals[PHONES] = [row.portals[PHONES][1] | {"Phones::Number": "555 0199"}]
        told = here.bring()
        assert (told["this_run"]["imported"], told["this_run"]["skipped"]) == (1, 1)
        assert here.ended.related == {PHONES: {"updated": 1, "gone": 1}}
        assert dict(Phone.objects.values_list("filemaker_id", "number")) == {
            "PHONE-0-1": "555 0100",
            "PHONE-0-2": "555 0199",
        }
        assert [each.filemaker_id for each in Phone.objects.exclude(gone_at=None)] == ["PHONE-0-1"], "kept and shown"
        item = Item.objects.get(source__name="patients", record_id="1")
        assert item.notes == [f"{PHONES}: 1 row is no longer in the source and kept here"]
        row.portals[PHONES] = phones(0, "555 0100", "555 0199")
        here.bring()
        assert not Phone.objects.exclude(gone_at=None).exists(), "it is back"
        assert Item.objects.get(pk=item.pk).notes == []


def test_more_rows_than_a_portal_gives_at_once(desk: DeskMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [f"555 {number:04d}" for number in range(75)]
    with desk(data(with_phones(patient(0), phones(0, *numbers)), patient(1))) as here:
        here.bring("clinics")
        here.bring()
        assert Phone.objects.count() == 75, "the host's own 50 are not all"
        Phone.objects.all().delete()
        monkeypatch.setattr(records, "PORTAL_ROWS", 30)
        here.bring(refetch_changed=True)
        assert sorted(Phone.objects.values_list("number", flat=True)) == numbers


def test_values_that_do_not_fit_and_rows_without_an_id(desk: DeskMaker) -> None:
    rows = phones(0, "call me", "555 0101", "555 0102")
    rows[1]["Phones::id"] = ""
    rows[2]["Phones::id"] = rows[0]["Phones::id"].upper()
    with desk(data(with_phones(patient(0), rows))) as here:
        here.bring("clinics")
        assert here.bring()["totals"]["imported"] == 1
        assert list(Phone.objects.values_list("number", flat=True)) == [""]
        assert here.ended.misfits == {f"{PHONES}::Number": 1, f"{PHONES}::id": 2}
        notes = Item.objects.get(source__name="patients").notes
        assert f"{PHONES}::Number (no phone number): call me" in notes
        assert "call me" not in "\n".join(here.notes.said)


def test_a_row_that_cannot_be_written_costs_its_page(desk: DeskMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    save = Phone.save

    def failing(self: Phone, *args: Any, **more: Any) -> None:
        if self.number == "555 0105":
            raise ValueError(self.number)
        save(self, *args, **more)

    with desk(data(*(with_phones(patient(n), phones(n, f"555 010{n}")) for n in range(8)))) as here:
        here.bring("clinics")
        monkeypatch.setattr(Phone, "save", failing)
        told = here.bring(batch_size=4)
        assert told["exit"] == 1 and PHONES in told["reason"] and "0105" not in told["reason"]
        assert (Patient.objects.count(), Phone.objects.count()) == (4, 4)
        monkeypatch.undo()
        assert here.bring(batch_size=4)["totals"]["imported"] == 8 == Phone.objects.count()


def test_rows_known_by_the_portals_own_record_id(desk: DeskMaker) -> None:
    base = type(declaration("patients"))

    class ByRecord(base):  # type: ignore[misc, valid-type]
        name = ""
        portals = {PHONES: Rows("patients.Phone", "patient", {"number": Column("Number", phone)})}

    importer = ByRecord()
    importer.__dict__["name"] = "by record"
    with desk(data(with_phones(patient(0), phones(0, "555 0100")))) as here:
        here.bring("clinics")
        here.bring(importer)
        assert list(Phone.objects.values_list("filemaker_id", "number")) == [("1", "555 0100")]


@pytest.mark.parametrize(("portals", "said"), [({}, "no portal"), ({PHONES: ["Phones::id"]}, "shows no")])
def test_a_portal_or_field_that_is_not_there_changes_nothing(
    desk: DeskMaker, portals: dict[str, list[str]], said: str
) -> None:
    rows = data(with_phones(patient(0), phones(0, "555 0100")))
    for layout in rows.layouts:
        if layout.name == "API_Patients":
            kept = layout.portals.get(PHONES, [])
            layout.portals = {name: [each for each in kept if each.name in fields] for name, fields in portals.items()}
    with desk(rows) as here:
        told = here.bring()
        assert told["exit"] == 1 and said in told["reason"]
        assert not Patient.objects.exists()


def test_checks_name_what_is_wrong_with_rows() -> None:
    base = type(declaration("patients"))

    def problems(**more: Any) -> list[str]:
        wrong = Rows(**({"model": "patients.Phone", "parent": "patient", "fields": {}} | more))
        importer = type("Wrong", (base,), {"name": "", "portals": {"P": wrong}})()
        return [str(each.msg) for each in check_import(importer)]

    assert problems() == []
    assert any("does not exist" in said for said in problems(model="patients.Nothing"))
    assert any("writes owner" in said for said in problems(parent="owner"))
    assert any("writes nothing" in said for said in problems(fields={"nothing": Column("x")}))
    assert any("matches portal P by kind2" in said for said in problems(match="kind2"))
    assert any("writes number" in said for said in problems(gone="number"))
