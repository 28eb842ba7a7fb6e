"""What the engine hands over ends in one row, in the right batch, however often it is handed over."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from clinic.images.batches import batch_name
from clinic.images.imports import ImageImport
from clinic.images.models import Image, ImageBatch
from clinic.patients.models import Patient
from clinic.texts import cut_name, storable
from tests.clinic.cargo import DAY, consignment, content, record
from tests.databases import side_by_side
from unlade.importer import get_import
from unlade.keys import check_pattern


@pytest.fixture
def patient(database: str) -> Patient:
    return Patient.objects.create(filemaker_id="p-1", last_name="Example")


def batches() -> list[tuple[object, str, object, int]]:
    return list(ImageBatch.objects.order_by("pk").values_list("patient", "owner_ref", "captured_on", "image_count"))


def test_the_declaration_is_found_and_its_key_is_sound() -> None:
    importer = get_import("images")
    assert isinstance(importer, ImageImport)
    assert check_pattern(importer.key) == []
    assert importer.fields_needed()[:5] == ["id", "id_Contact", "date", "Type", "Name of file"]


def test_a_row_says_all_there_is(patient: Patient) -> None:
    row = record(1, owner=patient)
    image = Image.objects.select_related("batch").get(pk=row.pk)
    item = consignment(1)
    assert (image.key, image.thumbnail_key, image.thumbnail_size) == (item.key, item.thumbnail_key, 1234)
    assert (image.original_name, image.category, image.uploaded_by) == ("IMG 1.jpg", "Dorsal", "images")
    assert (image.file_size, image.sha256) == (1, content("1").sha256)
    assert (image.mime_type, image.width, image.height) == ("image/jpeg", 640, 480)
    assert (image.filemaker_id, image.date_taken, image.order, image.quarantined) == ("ID-1", DAY, 101, False)
    assert image.filemaker_metadata == item.metadata
    assert image.batch.name == "18 Oct 2016 (FileMaker import)"
    assert batches() == [(patient.pk, "P-1", DAY, 1)]


def test_batch_names() -> None:
    assert batch_name(date(2020, 3, 8)) == "8 Mar 2020 (FileMaker import)"
    assert batch_name(None) == "Unknown date (FileMaker import)"


def test_the_same_again_changes_nothing(patient: Patient) -> None:
    first = record(1, owner=patient)
    Image.objects.update(caption="by hand", order=3, uploaded_by="somebody")
    second = record(1, owner=patient, uploaded_by="images")
    image = Image.objects.get()
    assert first.pk == second.pk == image.pk
    assert (image.caption, image.order, image.uploaded_by) == ("by hand", 3, "somebody")
    assert batches() == [(patient.pk, "P-1", DAY, 1)]


def test_images_of_a_day_share_a_batch_in_the_order_of_their_records(patient: Patient) -> None:
    for number in (3, 1, 2):
        record(number, owner=patient)
    assert batches() == [(patient.pk, "P-1", DAY, 3)]
    assert [image.filemaker_id for image in ImageBatch.objects.get().images.all()] == ["ID-1", "ID-2", "ID-3"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"day": date(2020, 1, 2)}, ("P-1", date(2020, 1, 2))),
        ({"day": None}, ("P-1", None)),
        ({"owner": None}, ("P-1", DAY)),
        ({"owner": None, "owner_ref": ""}, ("", DAY)),
    ],
)
def test_an_image_moves_when_day_or_owner_change(patient: Patient, changes: dict, expected: tuple) -> None:
    record(1, owner=patient)
    record(2, owner=patient)
    record(1, **({"owner": patient} | changes))
    assert [count for *_, count in batches()] == [1, 1]
    assert Image.objects.values_list("batch__owner_ref", "batch__captured_on").get(filemaker_id="ID-1") == expected
    record(2, **({"owner": patient} | changes))
    assert [count for *_, count in batches()] == [2], "the batch that was left has gone"


def test_an_emptied_batch_of_somebody_else_stays(patient: Patient) -> None:
    own = ImageBatch.objects.create(patient=patient, name="best of", source="")
    record(1, owner=patient)
    Image.objects.update(batch=own)
    record(1, owner=patient)
    assert sorted(ImageBatch.objects.values_list("source", "image_count")) == [("", 0), ("images", 1)]


def test_a_long_category_is_cut_and_kept_whole_beside(patient: Patient) -> None:
    long = "Left arm, " * 20
    image = record(1, owner=patient, category=long)
    assert (image.category, len(image.category)) == (long[:100], 100)
    assert image.filemaker_metadata["Type"] == "Dorsal", "what was read is not replaced"
    image = record(2, owner=patient, category=long, metadata={})
    image.refresh_from_db()
    assert image.filemaker_metadata["Type"] == long


def test_odd_texts_and_numbers_can_be_kept(patient: Patient) -> None:
    metadata = {"note": "a\x00b\ud800c", "price": Decimal("1.10"), "many": ["x\x00"]}
    image = record(1, owner=patient, metadata=metadata, original_name="a\x00" + "n" * 300 + ".jpg", category="\udfff")
    image.refresh_from_db()
    assert image.filemaker_metadata == {"note": "a\ufffdb\ufffdc", "price": "1.10", "many": ["x\ufffd"]}
    assert (len(image.original_name), image.original_name[-6:]) == (255, "nn.jpg")
    assert image.category == "\ufffd"
    assert cut_name("x" * 300, 255) == "x" * 255
    assert storable({"a": ("b\x00",)}) == {"a": ["b\ufffd"]}


def test_damaged_images_are_marked_and_unmarked(patient: Patient) -> None:
    assert record(1, owner=patient, state="quarantined").quarantined
    assert not record(1, owner=patient).quarantined


def test_without_a_day_the_camera_says_when_but_not_in_which_batch(patient: Patient) -> None:
    taken = datetime(2015, 5, 6, 7, 8)  # noqa: DTZ001 - cameras know no zone
    with transaction.atomic():
        image = ImageImport().record(consignment(1, owner=patient, day=None), content(taken_naive=taken))
    assert image.date_taken == date(2015, 5, 6)
    assert (image.batch.captured_on, image.batch.name) == (None, "Unknown date (FileMaker import)")


def test_a_record_costs_a_fixed_number_of_queries(patient: Patient) -> None:
    def cost(number: int) -> int:
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            ImageImport().record(consignment(number, owner=patient), content())
        return len(queries)

    assert [cost(number) for number in range(1, 60)][1:] == [3] * 58
    assert cost(7) == 3
    assert batches() == [(patient.pk, "P-1", DAY, 59)]


def test_two_writers_of_one_day(patient: Patient) -> None:
    def writer(first: int) -> None:
        for number in range(first, first + 8):
            record(number, owner=patient)
            record(number, owner=None)
            record(number, owner=patient)

    side_by_side([lambda: writer(1), lambda: writer(101), lambda: writer(201)])
    assert batches() == [(patient.pk, "P-1", DAY, 24)]
