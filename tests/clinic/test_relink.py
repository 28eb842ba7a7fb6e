"""Files find owners that come after them: in bulk, once, and never by guessing."""

from __future__ import annotations

import json
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.images.imports import ImageImport
from clinic.images.models import Image, ImageBatch
from clinic.patients.models import Patient
from tests.clinic.cargo import DAY, NOW, settled
from unlade.ledger.lock import source_lock
from unlade.ledger.models import Item, Source
from unlade.linking import RelinkReport, relink


def run(**options: Any) -> RelinkReport:
    return relink(ImageImport(), now=lambda: NOW + timedelta(days=1), **options)


def states() -> dict[str, tuple[str, str]]:
    return {item.identity: (item.state, item.reason) for item in Item.objects.all()}


def batches() -> list[tuple[object, str, object, int]]:
    return list(ImageBatch.objects.order_by("pk").values_list("patient", "owner_ref", "captured_on", "image_count"))


def test_a_late_owner_gets_its_batches_as_they_are(database: str) -> None:
    for number in (1, 2):
        settled(number)
    settled(3, day=None)
    before = set(ImageBatch.objects.values_list("pk", flat=True))
    patient = Patient.objects.create(filemaker_id="{p-1}")
    report = run()
    assert (report.looked, report.linked, dict(report.alone)) == (3, 3, {})
    assert batches() == [(patient.pk, "P-1", DAY, 2), (patient.pk, "P-1", None, 1)]
    assert set(ImageBatch.objects.values_list("pk", flat=True)) == before
    assert set(states().values()) == {("imported", "")}
    assert Item.objects.first().settled_at == NOW + timedelta(days=1)  # type: ignore[union-attr]
    again = run()
    assert (again.looked, again.linked) == (0, 0)


def test_images_join_the_batch_that_the_owner_has(database: str) -> None:
    settled(1)
    settled(2)
    patient = Patient.objects.create(filemaker_id="P-1")
    settled(3, owner=patient)
    assert len(batches()) == 2
    assert run().linked == 2
    assert batches() == [(patient.pk, "P-1", DAY, 3)]


def test_two_owners_that_fit_are_not_guessed_between(database: str) -> None:
    settled(1)
    low, high = (Patient.objects.create(filemaker_id=ref) for ref in ("p-1", "P-1"))
    report = run()
    assert (report.linked, dict(report.alone)) == (0, {"ambiguous": 1})
    item = Item.objects.get()
    assert (item.state, item.reason) == ("unlinked", "ambiguous")
    assert item.detail == f"two or more owners fit: {low.pk}, {high.pk}"
    low.delete()
    assert run().linked == 1
    assert batches() == [(high.pk, "P-1", DAY, 1)]


def test_the_rest_says_why_it_is_alone(database: str) -> None:
    settled(1)
    settled(2, owner_ref="", reason="no_owner_reference")
    settled(3, owner_ref="P-3", reason="ambiguous")
    settled(4, owner_ref="P-4")
    Patient.objects.create(filemaker_id="P-4")
    report = run()
    assert (report.looked, report.linked) == (4, 1)
    assert dict(report.alone) == {"owner_missing": 2, "no_owner_reference": 1}
    assert states()["ID-3"] == ("unlinked", "owner_missing")
    assert report.as_json()["alone"] == {"no_owner_reference": 1, "owner_missing": 2}


def test_a_dry_run_counts_and_changes_nothing(database: str) -> None:
    settled(1)
    settled(2, owner_ref="P-2", reason="ambiguous")
    Patient.objects.create(filemaker_id="P-1")
    before = (states(), batches())
    report = run(dry_run=True)
    assert (report.looked, report.linked, dict(report.alone)) == (2, 1, {"owner_missing": 1})
    assert (states(), batches()) == before


def test_a_damaged_image_is_linked_and_stays_quarantined(database: str) -> None:
    settled(1, state="quarantined", reason="damaged")
    patient = Patient.objects.create(filemaker_id="P-1")
    report = run()
    assert (report.linked, report.quarantined) == (1, 1)
    assert states() == {"ID-1": ("quarantined", "damaged")}
    assert batches() == [(patient.pk, "P-1", DAY, 1)]
    assert run().looked == 0


def test_a_dry_run_foretells_the_run(database: str) -> None:
    """Also where one image takes its whole batch along, a damaged one with it."""
    settled(1, state="quarantined", reason="damaged")
    settled(2)
    settled(3, owner_ref="P-3")
    settled(4, owner_ref="P-4", state="quarantined", reason="damaged")
    settled(5, owner_ref="P-5", owner=Patient.objects.create(filemaker_id="P-5"))
    settled(6, owner_ref="P-6", owner=Patient.objects.create(filemaker_id="P-6"))
    Patient.objects.all().delete()
    for ref in ("P-1", "P-5"):
        Patient.objects.create(filemaker_id=ref)
    foretold = run(dry_run=True)
    assert foretold.as_json() == {
        "source": "images",
        "dry_run": True,
        "looked": 6,
        "linked": 3,
        "quarantined": 1,
        "unlinked": 2,
        "alone": {"owner_missing": 3},
    }
    assert run().as_json() == foretold.as_json() | {"dry_run": False}
    assert run().as_json() == foretold.as_json() | {
        "dry_run": False,
        "looked": 3,
        "linked": 0,
        "quarantined": 0,
        "unlinked": 0,
    }
    assert states()["ID-6"] == ("unlinked", "owner_missing")


def test_patients_deleted_and_made_anew(database: str) -> None:
    """Nine generations: as many batches as days, each image linked, nothing dangling (LESSONS 10)."""
    refs = [f"P-{n}" for n in range(4)]
    Patient.objects.bulk_create(Patient(filemaker_id=ref) for ref in refs)
    for number in range(24):
        ref = refs[number % 4]
        owner = Patient.objects.get(filemaker_id=ref)
        settled(number, owner=owner, owner_ref=ref, day=DAY + timedelta(days=number % 3))
    assert len(batches()) == 12
    for _generation in range(9):
        Patient.objects.all().delete()
        lost = run()
        assert (lost.linked, lost.unlinked, dict(lost.alone)) == (0, 24, {"owner_missing": 24})
        assert set(states().values()) == {("unlinked", "owner_missing")}
        Patient.objects.bulk_create(Patient(filemaker_id=ref.lower()) for ref in refs)
        assert run().linked == 24
        assert len(batches()) == 12
    assert set(states().values()) == {("imported", "")}
    for image in Image.objects.select_related("batch__patient"):
        assert image.batch.patient.filemaker_id.upper() == image.filemaker_metadata["id_Contact"]


def test_owners_made_anew_before_anybody_looked(database: str) -> None:
    old = Patient.objects.create(filemaker_id="P-1")
    settled(1, owner=old)
    old.delete()
    new = Patient.objects.create(filemaker_id="P-1")
    assert (run(dry_run=True), states()) == (RelinkReport("images", True, 1, 1, 0, 1), {"ID-1": ("imported", "")})
    assert run() == RelinkReport("images", False, 1, 1, 0, 1)
    assert states() == {"ID-1": ("imported", "")}
    assert batches() == [(new.pk, "P-1", DAY, 1)]


def test_an_item_whose_row_was_deleted_is_not_called_linked(database: str) -> None:
    settled(1)
    settled(2)
    Image.objects.get(filemaker_id="ID-1").delete()
    Patient.objects.create(filemaker_id="P-1")
    for _ in range(2):
        report = run()
        assert dict(report.alone) == {"row_missing": 1}
    assert states() == {"ID-1": ("unlinked", "row_missing"), "ID-2": ("imported", "")}


def test_other_imports_and_states_are_left_alone(database: str) -> None:
    other = settled(1)
    Item.objects.filter(pk=other.pk).update(source=Source.objects.create(name="documents"))
    settled(2, state="accepted")
    settled(3, state="failed")
    Patient.objects.create(filemaker_id="P-1")
    assert run().linked == 0
    assert states()["ID-1"][0] == "unlinked"


def many(count: int) -> None:
    """`count` unlinked images of `count // 4` owners, four a day, written in bulk."""
    source, _ = Source.objects.get_or_create(name="images")
    groups = [
        ImageBatch(owner_ref=f"P-{n}", captured_on=date(2016, 1, 1), source="images", name="n")
        for n in range(count // 4)
    ]
    ImageBatch.objects.bulk_create(groups)
    Image.objects.bulk_create(
        Image(batch=groups[n // 4], key=f"k/{n}", sha256="0" * 64, filemaker_id=f"ID-{n}") for n in range(count)
    )
    rows = dict(Image.objects.values_list("filemaker_id", "pk"))
    Item.objects.bulk_create(
        Item(
            source=source,
            record_id=str(n),
            identity=f"ID-{n}",
            owner_ref=f"P-{n // 4}",
            owner_key=f"P-{n // 4}",
            state="unlinked",
            reason="owner_missing",
            row=str(rows[f"ID-{n}"]),
            seen_at=NOW,
        )
        for n in range(count)
    )
    Patient.objects.bulk_create(Patient(filemaker_id=f"p-{n}") for n in range(count // 4))


@pytest.mark.parametrize("merge", [False, True])
def test_thousands_cost_a_fixed_number_of_queries_each(database: str, merge: bool) -> None:
    many(2000)
    if merge:
        ImageBatch.objects.bulk_create(
            ImageBatch(patient=patient, owner_ref="", captured_on=date(2016, 1, 1), source="images", name="n")
            for patient in Patient.objects.all()
        )
    with CaptureQueriesContext(connection) as queries:
        report = run()
    assert report.linked == 2000
    assert ImageBatch.objects.filter(image_count=4).exclude(patient=None).count() == 500 == ImageBatch.objects.count()
    assert len(queries) <= 2 * 36, [query["sql"][:90] for query in queries]


def test_queries_grow_with_thousands_and_by_the_same_number(database: str) -> None:
    def cost(count: int) -> int:
        for model in (Item, Image, ImageBatch, Patient):
            model.objects.all().delete()
        many(count)
        with CaptureQueriesContext(connection) as queries:
            assert run(chunk=250).linked == count
        return len(queries)

    one, two, three = cost(500), cost(1000), cost(1500)
    assert 0 < three - two == two - one <= 2 * 30


def test_the_command(database: str) -> None:
    settled(1)
    settled(2, owner_ref="P-2")
    Patient.objects.create(filemaker_id="P-1")
    out = StringIO()
    call_command("relink_filemaker_images", "--dry-run", stdout=out)
    assert "1 of 2 images without a patient would be linked." in out.getvalue()
    assert "1: the patient is not here yet" in out.getvalue()
    out = StringIO()
    call_command("relink_filemaker_images", "--json", stdout=out)
    answer = json.loads(out.getvalue().splitlines()[-1])
    assert (answer["source"], answer["linked"], answer["exit"]) == ("images", 1, 0)
    with source_lock("images"):
        call_command("relink_filemaker_images", "--dry-run", stdout=StringIO())


def test_the_command_does_not_work_beside_a_run(sqlite_url: str, django_db_blocker: Any) -> None:
    from tests.databases import use_database

    with django_db_blocker.unblock(), use_database(sqlite_url), source_lock("images"):
        with pytest.raises(SystemExit) as caught:
            call_command("relink_filemaker_images", stdout=StringIO(), stderr=StringIO())
        assert caught.value.code == 75


def test_the_command_fails_over_a_missing_row(database: str) -> None:
    settled(1)
    Image.objects.all().delete()
    Patient.objects.create(filemaker_id="P-1")
    with pytest.raises(SystemExit) as caught:
        call_command("relink_filemaker_images", stdout=StringIO())
    assert caught.value.code == 1
