"""Runs of record imports against a simulated host: what is new, edited, deleted, late, wrong, and broken off."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.documents.models import Document
from clinic.patients.models import Clinic, Patient
from tests.records.conftest import DeskMaker
from tests.records.desk import data, declaration, patient
from tests.voyage.harness import name_of
from unlade.errors import LockedElsewhere, UsageError
from unlade.ledger.lock import source_lock
from unlade.ledger.models import Event, Item
from unlade.records import Column, RecordImport, day

ZERO = {"imported": 0, "empty": 0, "unlinked": 0, "quarantined": 0, "failed": 0}


def states(name: str = "patients") -> dict[str, str]:
    return {item.record_id: item.state for item in Item.objects.filter(source__name=name)}


@pytest.mark.parametrize("batch", [2, 100])
def test_first_import_and_nothing_new(any_desk: DeskMaker, batch: int) -> None:
    with any_desk(data(*(patient(number) for number in range(7)))) as desk:
        told = desk.bring("clinics")
        assert (told["outcome"], told["found"], told["totals"]["imported"]) == ("done", 2, 2)
        told = desk.bring(batch_size=batch)
        assert (told["outcome"], told["exit"], told["found"], told["count_is"]) == ("done", 0, 7, "records")
        assert told["this_run"] == ZERO | {"imported": 7, "skipped": 0}
        assert sum(told["totals"].values()) == 7 == told["totals"]["imported"]
        third = Patient.objects.get(filemaker_id=name_of("patient", 3))
        assert (third.first_name, third.last_name, third.date_of_birth) == ("First3", "Last3", date(1970, 2, 3))
        assert third.clinic is not None and third.clinic.filemaker_id == name_of("clinic", 1)
        Patient.objects.filter(pk=third.pk).update(last_name="Changed here")
        again = desk.bring()
        assert again["this_run"] == ZERO | {"skipped": 7}
        third.refresh_from_db()
        assert third.last_name == "Changed here", "a record that was not edited is not written again"
        # Sign in, what the host can, the layout, one page, sign out.
        assert again["requests"] <= 5 and again["logins"] == 1
        assert desk.sim.stats()["requests"]["container"] == 0


def test_edited_and_deleted(desk: DeskMaker) -> None:
    with desk(data(*(patient(number) for number in range(6)))) as here:
        here.bring("clinics")
        here.bring()
        here.edit(2, {"Last name": "  New   Name ", "Date of birth": ""})
        here.delete(4)
        told = here.bring(batch_size=2)
        assert told["this_run"] == ZERO | {"imported": 1, "skipped": 4}
        assert (told["found"], told["gone"], told["totals"]["imported"], told["totals"]["pending"]) == (5, 1, 5, 0)
        edited = Patient.objects.get(filemaker_id=name_of("patient", 2))
        assert (edited.last_name, edited.date_of_birth) == ("New Name", None)
        assert Patient.objects.filter(filemaker_id=name_of("patient", 4)).exists(), "nothing is deleted here"
        assert list(Event.objects.filter(what="gone").values_list("item__record_id", flat=True)) == ["5"]
        assert here.bring()["gone"] == 1


def test_a_row_that_was_deleted_here_comes_back(desk: DeskMaker) -> None:
    with desk(data(patient(0), patient(1))) as here:
        here.bring("clinics")
        here.bring()
        Patient.objects.get(filemaker_id=name_of("patient", 1)).delete()
        assert here.bring()["this_run"]["imported"] == 1
        assert Patient.objects.count() == 2


def test_rows_of_an_earlier_script_are_updated_not_doubled(desk: DeskMaker) -> None:
    with desk(data(patient(0), patient(1))) as here:
        Patient.objects.create(filemaker_id="{" + name_of("patient", 0).lower() + "}", last_name="Old")
        archived = Patient.objects.create(filemaker_id=name_of("patient", 1), archived_at="2020-01-01T00:00:00Z")
        here.bring("clinics")
        here.bring()
        assert Patient.objects.count() == 2
        assert set(Patient.objects.values_list("last_name", flat=True)) == {"Last0", "Last1"}
        archived.refresh_from_db()
        assert archived.archived, "a column that is not declared is not touched"


def test_values_that_do_not_fit_are_kept_and_told_without_the_value(desk: DeskMaker) -> None:
    rows = [
        patient(0, **{"Date of birth": "31.02.1970"}),
        patient(1, **{"Date of birth": "13.4.1955", "Last name": "x" * 200}),
        patient(2, **{"Date of birth": "soon", "First name": "nul \x00 in it"}),
    ]
    with desk(data(*rows)) as here:
        here.bring("clinics")
        told = here.bring()
        assert (told["exit"], told["totals"]["imported"]) == (0, 3)
        assert here.ended.misfits == {"Date of birth": 2, "Last name": 1}
        born = dict(Patient.objects.values_list("filemaker_id", "date_of_birth"))
        assert list(born.values()).count(None) == 2 and born[name_of("patient", 1)] == date(1955, 4, 13)
        assert Patient.objects.get(filemaker_id=name_of("patient", 1)).last_name == "x" * 150
        items = {item.record_id: item for item in Item.objects.filter(source__name="patients")}
        assert items["1"].notes == ["Date of birth (no date): 31.02.1970"]
        assert items["2"].notes == ["Last name (longer than its column): " + "x" * 200]
        said = "\n".join([*here.notes.said, *(item.detail for item in items.values())])
        assert "record 3: Date of birth: no date" in said
        assert "31.02.1970" not in said and "soon" not in said and "xxx" not in said
        here.edit(0, {"Date of birth": "2/28/1970"})
        here.bring()
        assert Item.objects.get(source__name="patients", record_id="1").notes == []


def test_late_clinics(desk: DeskMaker) -> None:
    with desk(data(patient(0), patient(1), patient(2, id_Clinic=""), patient(3, id_Clinic="nowhere"))) as here:
        told = here.bring()
        assert told["this_run"] == ZERO | {"imported": 1, "unlinked": 3, "skipped": 0}
        assert told["exit"] == 0 and Patient.objects.exclude(clinic=None).count() == 0
        assert here.bring()["this_run"]["skipped"] == 4, "what is still alone is not written again"
        here.bring("clinics")
        told = here.bring()
        assert told["this_run"] == ZERO | {"imported": 2, "skipped": 2}
        assert told["totals"]["unlinked"] == 1
        assert Patient.objects.exclude(clinic=None).count() == 2


def test_two_clinics_that_fit_are_not_guessed_between(desk: DeskMaker) -> None:
    with desk(data(patient(0))) as here:
        Clinic.objects.create(filemaker_id=name_of("clinic", 0).lower(), name="a")
        Clinic.objects.create(filemaker_id=name_of("clinic", 0), name="b")
        assert here.bring()["this_run"]["unlinked"] == 1
        assert Item.objects.get().reason == "ambiguous"


def test_identities_that_are_double_or_missing(desk: DeskMaker) -> None:
    double = patient(2, id=name_of("patient", 0).lower())
    with desk(data(patient(0), patient(1, id=""), double)) as here:
        here.bring("clinics")
        told = here.bring()
        assert told["this_run"] == ZERO | {"imported": 1, "failed": 2, "skipped": 0}
        assert told["exit"] == 3 and sum(told["totals"].values()) == 3
        reasons = dict(Item.objects.filter(source__name="patients").values_list("record_id", "reason"))
        assert reasons == {"1": "", "2": "no_identity", "3": "duplicate_identity"}
        told = here.bring()
        assert (told["exit"], told["this_run"]["skipped"]) == (0, 3)
        here.delete(0)
        told = here.bring()
        assert told["gone"] == 1
        # The pass that found the first one gone had judged the second already; the next one gives it its place.
        told = here.bring()
        assert (told["totals"]["imported"], told["totals"]["failed"]) == (1, 1)
        assert Patient.objects.count() == 1


def test_a_page_that_fails_in_the_middle_is_not_written_at_all(desk: DeskMaker) -> None:
    base = type(declaration("patients"))

    class Failing(base):  # type: ignore[misc, valid-type]
        name = ""
        failing = True

        def record(self, row: Any, record: Any) -> None:
            if self.failing and record.record_id == "6":
                raise ValueError(row.last_name)

    importer = Failing()
    type.__setattr__(Failing, "name", "failing patients")
    try:
        with desk(data(*(patient(number) for number in range(9)))) as here:
            here.bring("clinics")
            told = here.bring(importer, batch_size=4)
            assert (told["outcome"], told["exit"]) == ("failed", 1)
            assert "Record 6" in told["reason"] and "Last5" not in told["reason"]
            assert Patient.objects.count() == 4 == Item.objects.filter(source__name="failing patients").count()
            assert told["totals"]["imported"] == 4 and told["totals"]["pending"] == 5
            assert told["this_run"]["imported"] == 4
            importer.failing = False
            told = here.bring(importer, batch_size=4)
            assert (told["outcome"], told["totals"]["imported"], Patient.objects.count()) == ("done", 9, 9)
            assert told["this_run"] == ZERO | {"imported": 5, "skipped": 1}, "it went on where it was"
    finally:
        type.__setattr__(Failing, "name", "")


def test_limit_and_on_from_there(desk: DeskMaker) -> None:
    with desk(data(*(patient(number) for number in range(9)))) as here:
        here.bring("clinics")
        told = here.bring(limit=4, batch_size=3)
        assert (told["outcome"], told["exit"], told["this_run"]["imported"]) == ("limit", 0, 4)
        assert (told["found"], told["totals"]["pending"]) == (9, 5)
        assert here.bring(limit=4, batch_size=3)["this_run"]["imported"] == 4
        told = here.bring(limit=4, batch_size=3)
        assert (told["outcome"], told["this_run"]["imported"], told["totals"]["imported"]) == ("done", 1, 9)


def test_only_and_expect_and_from(desk: DeskMaker) -> None:
    with desk(data(*(patient(number) for number in range(5)))) as here:
        here.bring("clinics")
        told = here.bring(expect=6)
        assert (told["outcome"], told["exit"], Patient.objects.count()) == ("failed", 1, 0)
        told = here.bring(only=("2", name_of("patient", 3).lower()))
        assert told["this_run"]["imported"] == 2
        assert told["totals"]["pending"] == 3
        assert here.bring(expect=5)["totals"]["imported"] == 5
        with pytest.raises(UsageError):
            here.bring(from_path="x.fmp12")


def test_changes_while_pages_are_read(desk: DeskMaker) -> None:
    faults = [{"on": "records", "nth": {"every": 2}, "times": 3, "do": {"delete": 1, "add": 2}}]
    with desk(data(*(patient(number) for number in range(20))), faults=faults) as here:
        here.bring("clinics")
        here.bring(batch_size=3)
        here.sim.set_faults([])
        here.bring(batch_size=3)
        alive = set(Item.objects.filter(source__name="patients", gone_at=None).values_list("record_id", flat=True))
        assert alive == {row.record_id for row in here.rows()}


def test_a_field_that_is_not_on_the_layout_changes_nothing(desk: DeskMaker) -> None:
    rows = data(patient(0))
    for layout in rows.layouts:
        layout.fields[:] = [field for field in layout.fields if field.name != "Date of birth"]
    with desk(rows) as here:
        Patient.objects.create(filemaker_id=name_of("patient", 0), date_of_birth=date(1970, 1, 1))
        told = here.bring()
        assert told["exit"] == 1 and "Date of birth" in told["reason"]
        assert Patient.objects.get().date_of_birth == date(1970, 1, 1)


def test_dry_run_tells_counts_and_names(desk: DeskMaker) -> None:
    with desk(data(*(patient(number) for number in range(4)), patient(4, **{"Date of birth": "x"}))) as here:
        here.bring("clinics")
        Patient.objects.create(filemaker_id=name_of("patient", 0), first_name="First0", last_name="Other")
        seen = here.look().as_json()
        assert seen["would"] == {"new": 4, "updated": 1} and seen["misfits"] == {"Date of birth": 1}
        assert seen["columns"] == {"last_name": 1, "date_of_birth": 1, "clinic": 1}
        assert Patient.objects.count() == 1 and not Item.objects.filter(source__name="patients").exists()
        here.bring()
        assert here.look().as_json()["would"] == {"as it is": 5}
        assert "Other" not in here.look().text("patients")


def test_an_interrupted_run_goes_on(desk: DeskMaker) -> None:
    with desk(data(*(patient(number) for number in range(8)))) as here:
        here.bring("clinics")

        def stop_soon(voyage: Any) -> None:
            took = voyage._took

            def once(*args: Any) -> None:
                took(*args)
                voyage.interrupt()

            voyage._took = once

        told = here.bring(batch_size=3, on_start=stop_soon)
        assert (told["outcome"], told["exit"], told["totals"]["imported"]) == ("interrupted", 130, 3)
        assert here.bring(batch_size=3)["totals"]["imported"] == 8


def test_the_source_is_locked(desk: DeskMaker) -> None:
    with desk(data(patient(0))) as here, source_lock("patients"), pytest.raises(LockedElsewhere):
        here.bring()


def test_queries_do_not_grow_with_what_stays(desk: DeskMaker) -> None:
    with desk(data(*(patient(number) for number in range(40)))) as here:
        here.bring("clinics")
        here.bring()
        with CaptureQueriesContext(
            connection,
        ) as all_at_once:
            here.bring()
        with CaptureQueriesContext(connection) as four_pages:
            here.bring(batch_size=14)
        a_page = (len(four_pages) - len(all_at_once)) / 3
        assert a_page < 25, "forty records cost no more queries than fourteen"


def test_ids_with_what_no_database_takes(any_desk: DeskMaker) -> None:
    with any_desk(data(patient(0, id="a\x00b"), patient(1, id_Clinic="c\x00"))) as desk:
        told = desk.bring()
        assert told["this_run"] == ZERO | {"imported": 0, "unlinked": 2, "skipped": 0}


@pytest.mark.slow
def test_a_host_in_trouble_loses_nothing(desk: DeskMaker) -> None:
    faults = [{"on": "records", "nth": {"from": 3, "to": 60}, "do": {"status": 502, "body": "html"}}]
    with desk(data(*(patient(number) for number in range(9))), faults=faults) as here:
        told = here.bring(batch_size=4)
        assert told["exit"] in (1, 75) and told["outcome"] in ("failed", "paused")
        assert told["totals"]["unlinked"] == Patient.objects.count() == 7, "two pages were whole"
        assert (told["gone"], told["totals"]["pending"]) == (0, 2)


def test_a_limit_of_bytes_ends_the_run_in_order(desk: DeskMaker) -> None:
    with desk(data(*(patient(number) for number in range(60)))) as here:
        here.bring("clinics")
        told = here.bring(batch_size=5, max_bytes=30_000)
        assert (told["outcome"], told["exit"]) == ("limit", 0)
        assert sum(told["bytes"][kind] for kind in ("api", "headers")) <= 30_000
        assert here.bring()["totals"]["imported"] == 60


def test_the_final_pass(desk: DeskMaker) -> None:
    with desk(data(patient(0))) as here:
        here.bring("clinics")
        assert here.bring(final=True)["exit"] == 1, "a record was new"
        assert here.bring(final=True)["exit"] == 0


def test_hooks_of_a_project(desk: DeskMaker) -> None:
    base = type(declaration("patients"))
    seen: list[Any] = []

    class Hooked(base):  # type: ignore[misc, valid-type]
        name = ""
        fields = {**base.fields, "date_of_birth": Column("Date of birth", lambda text: int(text))}

        def wants(self, record: Any) -> bool:
            return bool(record.record_id != "2")

        def record(self, row: Any, record: Any) -> None:
            row.first_name = "by hook"

        def after_commit(self, row: Any, record: Any) -> None:
            seen.append(row.pk)
            raise RuntimeError("its own affair")

    importer = Hooked()
    type.__setattr__(Hooked, "name", "hooked patients")
    try:
        with desk(data(patient(0), patient(1), patient(2))) as here:
            here.bring("clinics")
            told = here.bring(importer)
            assert (told["outcome"], told["totals"]["imported"], told["totals"]["accepted"]) == ("done", 2, 1)
            assert sorted(seen) == sorted(Patient.objects.values_list("pk", flat=True))
            assert set(Patient.objects.values_list("first_name", "date_of_birth")) == {("by hook", None)}
            assert here.ended.misfits == {"Date of birth": 2}
    finally:
        type.__setattr__(Hooked, "name", "")


def test_a_json_column_keeps_all_fields_as_they_were_read(any_desk: DeskMaker) -> None:
    class Keeping(RecordImport):
        layout = "API_Patients"
        model = Document
        fields = {"name": Column("First name"), "document_date": Column("Date of birth", day)}
        metadata = "filemaker_metadata"

    importer = Keeping()
    importer.__dict__["name"] = "keeping"  # not found by itself
    with any_desk(data(patient(0, **{"Date of birth": "soon", "Phone": "1\x002"}))) as desk:
        Document.objects.create(
            filemaker_id=name_of("patient", 0), filemaker_metadata={"ours": 1}, key="k", sha256="0" * 64
        )
        assert desk.bring(importer)["totals"]["imported"] == 1
        row = Document.objects.get()
        assert (row.name, row.key, row.document_date) == ("First0", "k", None)
        kept = row.filemaker_metadata
        assert (kept["ours"], kept["Date of birth"], kept["Phone"]) == (1, "soon", "1\ufffd2")
        assert Item.objects.get().notes == [], "a value is kept in one place"
