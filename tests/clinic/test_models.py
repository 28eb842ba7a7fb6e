"""Patients and batches hold what the source can say, and the databases hold them to it."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from clinic.images.models import ImageBatch
from clinic.patients.models import Clinic, Patient
from tests.clinic.cargo import DAY, NOW, record
from unlade.owners import Owner, OwnerFinder


def test_ids_that_differ_only_by_case_stand_side_by_side(database: str) -> None:
    for ref in ("abc", "ABC", None, None):
        Patient.objects.create(filemaker_id=ref)
    with pytest.raises(IntegrityError), transaction.atomic():
        Patient.objects.create(filemaker_id="abc")
    match = OwnerFinder(Owner("id_Contact", Patient)).one("{Abc} ")
    assert (match.owner, match.reason, len(match.candidates)) == (None, "ambiguous", 2)


def test_owners_are_looked_up_by_the_index(database: str) -> None:
    Patient.objects.bulk_create(Patient(filemaker_id=f"Ref-{n}") for n in range(3000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE patients_patient")
    finder = OwnerFinder(Owner("id_Contact", Patient))
    with CaptureQueriesContext(connection) as queries:
        assert finder.one("ref-77").owner.filemaker_id == "Ref-77"
    assert len(queries) == 1
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        cursor.execute(explain + queries[0]["sql"])
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "patient_filemaker_ref" in plan


@pytest.mark.parametrize("with_patient", [True, False])
@pytest.mark.parametrize("day", [DAY, None])
def test_one_batch_for_each_patient_day_and_source(database: str, with_patient: bool, day: object) -> None:
    patient = Patient.objects.create(filemaker_id="P-1") if with_patient else None
    same = {"patient": patient, "owner_ref": "P-1", "captured_on": day, "source": "images"}
    ImageBatch.objects.create(name="first", **same)
    with pytest.raises(IntegrityError), transaction.atomic():
        ImageBatch.objects.create(name="second", **same)
    other = "OTHER" if patient is None else "P-1"
    ImageBatch.objects.create(name="another source", **(same | {"source": "upload"}))
    if patient is None:
        ImageBatch.objects.create(name="another owner", **(same | {"owner_ref": other}))


def test_archiving_hides_from_active(db: None) -> None:
    kept, put_away = Patient.objects.create(last_name="A"), Patient.objects.create(last_name="B", archived_at=NOW)
    assert (list(Patient.objects.active()), list(Patient.objects.archived())) == ([kept], [put_away])
    assert (kept.archived, put_away.archived) == (False, True)
    assert list(Clinic.objects.active()) == []


def test_a_deleted_patient_leaves_its_reference_behind(database: str) -> None:
    first, second = (Patient.objects.create(filemaker_id=ref) for ref in ("P-1", "P-2"))
    images = [record(1, owner=first), record(2, owner=second, owner_ref="P-2")]
    Patient.objects.all().delete()
    for image, ref in zip(images, ("P-1", "P-2"), strict=True):
        image.batch.refresh_from_db()
        assert (image.batch.patient, image.batch.owner_ref, image.batch.image_count) == (None, ref, 1)


def test_a_patient_that_only_its_row_identifies_is_not_deleted(db: None) -> None:
    patient = Patient.objects.create()
    ImageBatch.objects.create(patient=patient, name="uploads", source="upload")
    with pytest.raises(ProtectedError):
        patient.delete()
