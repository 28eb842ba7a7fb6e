"""Records from the database file and from exports: the same rows as over the API, nothing twice, nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from clinic.patients.models import Clinic, Patient, Phone
from fmsim import DataSet, clinic
from fmsim.clinic.tables import PHONES
from tests.records.conftest import DeskMaker
from tests.records.desk import data, declaration, patient
from tests.records.files import as_csv, as_database, as_xml, phones, rows_of, with_phones
from tests.records.test_runs import ZERO
from tests.voyage.harness import name_of
from unlade.errors import FieldMissing, LayoutMissing, UsageError
from unlade.ledger.models import Item
from unlade.records import Column, Link, RecordImport, day


def some(count: int = 6, **values: str) -> DataSet:
    return data(*(with_phones(patient(n, **values), phones(n, f"555 01{n:02d}")) for n in range(count)))


def everything() -> dict[str, Any]:
    """What stands in the database, without our own keys."""
    return {
        "clinics": sorted(Clinic.objects.values_list("filemaker_id", "name")),
        "patients": sorted(
            Patient.objects.values_list(
                "filemaker_id", "first_name", "last_name", "date_of_birth", "clinic__filemaker_id"
            )
        ),
        "phones": sorted(
            Phone.objects.values_list("filemaker_id", "kind", "number", "patient__filemaker_id", "gone_at")
        ),
    }


def test_a_database_file_brings_what_the_api_brings(any_desk: DeskMaker, tmp_path: Path) -> None:
    whole = clinic.build(images=0, documents=0, patients=40)
    path = str(as_database(whole, tmp_path / "Clinic.fmp12", order=1))
    with any_desk(whole) as desk:
        for name in ("clinics", "patients"):
            told = desk.bring(name, from_path=path, yes=True, batch_size=7)
            assert (told["outcome"], told["exit"], told["count_is"]) == ("done", 0, "records")
            assert told["found"] == told["totals"]["imported"] == told["this_run"]["imported"]
        assert desk.sim.stats()["requests"]["records"] == 0
        by_file = everything()
        assert len(by_file["patients"]) == 40 and len(by_file["phones"]) == len(rows_of(whole, "Phones")) > 20
        for name in ("clinics", "patients"):
            told = desk.bring(name)
            assert told["this_run"] == ZERO | {"skipped": told["found"]}, "over the API nothing is new"
            told = desk.bring(name, from_path=path, yes=True)
            assert told["this_run"] == ZERO | {"skipped": told["found"]}
            assert desk.bring(name)["this_run"] == ZERO | {"skipped": told["found"]}
        assert everything() == by_file
        assert Item.objects.count() == 43 and set(Item.objects.values_list("road", flat=True)) == {"api"}


WAYS: dict[str, Callable[[DataSet, Path], Path]] = {
    "csv": lambda rows, folder: as_csv(rows, folder / "patients.csv"),
    "xml": lambda rows, folder: as_xml(rows, folder / "patients.xml"),
    "file": lambda rows, folder: as_database(rows, folder / "Clinic.fmp12"),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_edited_deleted_and_back(desk: DeskMaker, tmp_path: Path, way: str) -> None:
    rows = some(6, **{"Date of birth": "12/31/1970"})
    with desk(rows) as here:
        here.bring("clinics")

        def bring(folder: str) -> dict[str, Any]:
            return here.bring(from_path=str(WAYS[way](rows, tmp_path / folder)), yes=True, batch_size=4)

        assert bring("1")["this_run"]["imported"] == 6
        Patient.objects.filter(filemaker_id=name_of("patient", 5)).update(last_name="Changed here")
        assert bring("2")["this_run"] == ZERO | {"skipped": 6}
        patients = rows.tables["Patients"]
        gone = patients.pop(1)
        patients[1].values["Last name"], patients[1].mod_id = "Other", "2"
        told = bring("3")
        assert told["this_run"] == ZERO | {"imported": 1, "skipped": 4}
        assert (told["found"], told["gone"], sum(told["totals"].values())) == (5, 1, 5)
        assert Patient.objects.count() == 6, "nothing is deleted here"
        assert Patient.objects.get(filemaker_id=name_of("patient", 2)).last_name == "Other"
        assert Patient.objects.get(filemaker_id=name_of("patient", 5)).last_name == "Changed here"
        patients.append(gone)
        told = bring("4")
        assert (told["gone"], told["this_run"]["skipped"], Patient.objects.count()) == (0, 6, 6)


def test_a_copy_that_is_older_than_the_api_is_set_right_by_the_api(desk: DeskMaker, tmp_path: Path) -> None:
    rows = some(4)
    old = str(as_database(rows, tmp_path / "old.fmp12"))
    with desk(rows) as here:
        here.bring("clinics")
        here.edit(2, {"Last name": "Newer"})
        here.sim.host.tables.named("Patients").add(dict(patient(9).values))
        assert here.bring()["totals"]["imported"] == 5
        told = here.bring(from_path=old, yes=True)
        assert told["this_run"] == ZERO | {"imported": 1, "skipped": 3}
        assert Item.objects.filter(source__name="patients").exclude(gone_at=None).count() == 0, "a copy is no witness"
        told = here.bring()
        assert told["this_run"] == ZERO | {"imported": 1, "skipped": 4}
        assert Patient.objects.get(filemaker_id=name_of("patient", 2)).last_name == "Newer"
        assert told["totals"]["imported"] == 5 == Patient.objects.count()


def test_days_are_read_by_the_files_own_order(desk: DeskMaker, tmp_path: Path) -> None:
    with desk(some(2, **{"Date of birth": "02/03/1970"})) as here:
        rows = some(2, **{"Date of birth": "02/03/1970"})
        path = as_csv(rows, tmp_path / "patients.csv")
        with pytest.raises(UsageError, match=r"3 February 1970.*|2 March 1970"):
            here.bring(from_path=str(path))
        assert not Patient.objects.exists() and not Item.objects.exists()
        here.bring(from_path=str(path), date_order="dmy")
        assert {row.date_of_birth for row in Patient.objects.all()} == {date(1970, 3, 2)}
        rows.tables["Patients"][1].values["Date of birth"] = "02/13/1970"
        here.bring(from_path=str(as_csv(rows, path)))
        assert {row.date_of_birth for row in Patient.objects.all()} == {date(1970, 2, 3), date(1970, 2, 13)}
        here.bring(from_path=str(as_database(rows, tmp_path / "c.fmp12", order=1)), yes=True)
        assert {row.date_of_birth for row in Patient.objects.all()} == {date(1970, 2, 3), date(1970, 2, 13)}


def test_an_export_without_a_header_and_in_another_encoding(desk: DeskMaker, tmp_path: Path) -> None:
    text = "".join(f"{name_of('patient', n)}\tJosé\tMüller\t3/14/1970\t\r" for n in range(3))
    path = tmp_path / "export.tab"
    path.write_bytes(text.encode("mac-roman"))
    with desk(some(1)) as here:
        names = ("id", "First name", "Last name", "Date of birth", "id_Clinic")
        told = here.bring(from_path=str(path), columns=names, encoding="mac-roman")
        assert told["totals"]["imported"] == 3
        assert set(Patient.objects.values_list("first_name", "last_name")) == {("José", "Müller")}
        told = here.bring(from_path=str(tmp_path), columns=names, encoding="mac-roman", metadata=str(path))
        assert told["this_run"]["skipped"] == 3


def test_rows_of_a_portal_from_a_file_of_their_own(desk: DeskMaker, tmp_path: Path) -> None:
    rows = some(4, **{"Date of birth": "3/14/1970"})
    as_csv(rows, tmp_path / "patients.csv")
    with desk(rows) as here:
        here.bring("clinics")
        here.bring(from_path=str(tmp_path / "patients.csv"))
        assert not Phone.objects.exists()
        assert any(PHONES in note and "stay as they are" in note for note in here.notes.said)
        as_csv(rows, tmp_path / "Phones.csv", "Phones")
        told = here.bring(from_path=str(tmp_path))
        assert (told["this_run"]["imported"], Phone.objects.count()) == (4, 4)
        assert here.bring(from_path=str(tmp_path))["this_run"]["skipped"] == 4
        here.bring(from_path=str(tmp_path / "patients.csv"))
        assert Phone.objects.filter(gone_at=None).count() == 4, "an export without them says nothing of them"
        assert here.bring()["this_run"]["skipped"] == 4


def test_what_a_record_lacks_is_said_before_anything_starts(desk: DeskMaker, tmp_path: Path) -> None:
    rows = some(3)
    lacking = as_database(rows, tmp_path / "a.fmp12", left_out=["Date of birth"])
    hollow = as_database(rows, tmp_path / "b.fmp12", kinds={"Last name": 2})
    alone = as_database(rows, tmp_path / "c.fmp12", ["Patients"])
    short = tmp_path / "patients.csv"
    short.write_text('"id","First name"\r"1","a"\r', newline="")
    with desk(rows) as here:
        for path, error, said in (
            (lacking, LayoutMissing, "Date of birth"),
            (hollow, FieldMissing, "Last name"),
            (alone, LayoutMissing, PHONES),
            (short, FieldMissing, "Date of birth"),
        ):
            with pytest.raises(error, match=said):
                here.bring(from_path=str(path), yes=True)
        assert not Item.objects.exists() and not Patient.objects.exists()


def test_related_and_calculated_fields(desk: DeskMaker, tmp_path: Path) -> None:
    class Related(RecordImport):
        layout, model = "API_Patients", "patients.Patient"
        fields = {"last_name": Column("Clinics::Name")}
        table = "Patients"

    importer = Related()
    importer.__dict__["name"] = "related"
    rows = some(2)
    with desk(rows) as here, pytest.raises(FieldMissing, match="Clinics::Name"):
        here.bring(importer, from_path=str(as_database(rows, tmp_path / "c.fmp12")), yes=True)


def test_several_files_of_one_solution(desk: DeskMaker, tmp_path: Path) -> None:
    rows = some(5)
    people = as_database(rows, tmp_path / "solution" / "People.fmp12", ["Patients"])
    others = as_database(rows, tmp_path / "solution" / "Others.fmp12", ["Clinics", "Phones"])
    both = {"from_path": str(people), "beside": (str(others),), "yes": True}
    with desk(rows) as here:
        assert here.bring("clinics", **both)["totals"]["imported"] == 2, "its table is in the second file"
        told = here.bring(**both)
        assert (told["totals"]["imported"], Phone.objects.count()) == (5, 5), "and the portal's rows are there too"
        told = here.bring(from_path=str(tmp_path / "solution"), yes=True)
        assert told["this_run"]["skipped"] == 5
        as_database(rows, tmp_path / "solution" / "Twin.fmp12", ["Patients"], called={"Patients": "Old patients"})
        with pytest.raises(UsageError, match=r"Patients in People.fmp12, Old patients in Twin.fmp12"):
            here.bring(from_path=str(tmp_path / "solution"), yes=True)
        with pytest.raises(UsageError, match="not mixed"):
            here.bring(from_path=str(people), beside=(str(as_csv(rows, tmp_path / "patients.csv")),), yes=True)


def test_double_identities_in_a_file_and_over_two_roads(desk: DeskMaker, tmp_path: Path) -> None:
    rows = data(patient(0), patient(1), patient(2, id=name_of("patient", 0).lower()), patient(3, id=""))
    path = str(as_database(rows, tmp_path / "c.fmp12"))
    with desk(rows) as here:
        here.bring("clinics")
        expected = {"imported": 2, "failed": 2}
        for options in ({}, {"from_path": path, "yes": True}, {}, {"from_path": path, "yes": True}):
            told = here.bring(batch_size=2, **options)
            assert {name: count for name, count in told["totals"].items() if count} == expected, options
            assert Patient.objects.count() == 2
            assert Patient.objects.get(filemaker_id=name_of("patient", 0)).last_name == "Last0"


def test_limit_only_expect_and_the_final_pass(desk: DeskMaker, tmp_path: Path) -> None:
    rows = some(7)
    path = str(as_database(rows, tmp_path / "c.fmp12"))
    with desk(rows) as here:
        here.bring("clinics")
        with_file: dict[str, Any] = {"from_path": path, "yes": True, "batch_size": 3}
        assert here.bring(expect=8, **with_file)["exit"] == 1
        assert here.bring(only=(name_of("patient", 4),), **with_file)["this_run"]["imported"] == 1
        told = here.bring(limit=4, **with_file)
        assert (told["outcome"], told["this_run"]["imported"]) == ("limit", 4)
        assert here.bring(final=True, **with_file)["exit"] == 1
        told = here.bring(final=True, **with_file)
        assert (told["exit"], told["totals"]["imported"]) == (0, 7)


def test_dry_run_shows_what_would_change(desk: DeskMaker, tmp_path: Path) -> None:
    rows = some(4, **{"Date of birth": "3/14/1970"})
    with desk(rows) as here:
        here.bring("clinics")
        here.bring()
        rows.tables["Patients"][2].values["Last name"] = "Other"
        rows.tables["Patients"][3].portals[PHONES] = []
        for options in (
            {"from_path": str(as_database(rows, tmp_path / "c.fmp12")), "yes": True},
            {"from_path": str(as_csv(rows, tmp_path / "exports" / "patients.csv"))},
        ):
            seen = here.look(**options).as_json()
            by_file = "c.fmp12" in str(options["from_path"])
            assert seen["would"] == {"as it is": 2, "updated": 2} if by_file else {"as it is": 3, "updated": 1}
            assert seen["columns"] == {"last_name": 1}
            assert seen["related"][PHONES] == ({"as they are": 1, "gone": 1} if by_file else {})
        assert not Item.objects.exclude(road="api").exists()


def test_links_that_came_late_and_a_link_that_must_be(desk: DeskMaker, tmp_path: Path) -> None:
    rows = some(3)
    path = str(as_database(rows, tmp_path / "c.fmp12"))
    with desk(rows) as here:
        assert here.bring(from_path=path, yes=True)["totals"]["unlinked"] == 3
        here.bring("clinics", from_path=path, yes=True)
        told = here.bring(from_path=path, yes=True)
        assert (told["this_run"]["imported"], told["totals"]["unlinked"]) == (3, 0)


def test_a_json_column_is_compared_by_its_own_road(desk: DeskMaker, tmp_path: Path) -> None:
    from clinic.documents.models import Document

    class Keeping(RecordImport):
        layout, model = "API_Patients", Document
        fields = {"name": Column("First name"), "document_date": Column("Date of birth", day)}
        metadata = "filemaker_metadata"

    importer = Keeping()
    importer.__dict__["name"] = "keeping"
    rows = some(3, **{"Date of birth": "3/14/1970"})
    with desk(rows) as here:
        assert here.bring(importer)["totals"]["imported"] == 3
        first = str(as_csv(rows, tmp_path / "1" / "keeping.csv"))
        assert here.bring(importer, from_path=first)["this_run"]["skipped"] == 3
        assert here.bring(importer)["this_run"]["skipped"] == 3
        again = str(as_csv(rows, tmp_path / "2" / "keeping.csv", **{"E-mail": "new@example.org"}))
        here.bring(importer, from_path=again)
        assert here.bring(importer, from_path=again)["this_run"]["skipped"] == 3


def test_links_are_declared() -> None:
    assert isinstance(declaration("patients").fields["clinic"], Link)
