"""`ModelImport` on a model with a ForeignKey and numbered keys: what is written, found again, linked, and told of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext

from clinic.documents.models import Document
from clinic.patients.models import Patient
from tests.clinic.cargo import DAY, consignment, content
from unlade import ModelImport, Owner, RowFacts
from unlade.rows import TwoRows

pytestmark = pytest.mark.django_db


class Papers(ModelImport):
    """No name: found by nobody."""

    owner = Owner("id_Contact", "patients.Patient")
    key = "x/{owner}/{identity}{ext}"
    model = "documents.Document"
    match = "filemaker_id"
    owner_column = "owner"
    fixed = {"description": "by declaration"}
    columns = {
        "key": "key",
        "thumbnail_key": "thumbnail_key",
        "sha256": "sha256",
        "size": "size",
        "pages": "pages",
        "category": "category",
        "document_date": "day",
        "original_name": "original_name",
        "quarantined": "quarantined",
        "filemaker_metadata": "metadata",
        "name": lambda item, content: f"Paper {item.identity}",
    }


PAPERS = Papers()


def _patient(number: int = 1) -> Patient:
    return Patient.objects.create(filemaker_id=f"P-{number}", last_name="X")


def test_a_row_is_written_once_and_updated_in_place() -> None:
    owner = _patient()
    first = PAPERS.record(consignment(1, owner=owner), content("a"))
    first.tags = ["ours"]
    first.filemaker_metadata = {**first.filemaker_metadata, "ours": 1}
    first.save()
    again = PAPERS.record(consignment(1, owner=owner, category="Other"), content("b", pages=3))
    assert Document.objects.count() == 1 and again.pk == first.pk
    assert (again.category, again.pages, again.name) == ("Other", 3, "Paper ID-1")
    assert (again.tags, again.description, again.filemaker_metadata["ours"]) == (["ours"], "by declaration", 1)


def test_texts_that_do_not_fit_are_cut_and_cleaned_but_never_a_key() -> None:
    long = consignment(1, original_name="a\0" + "b" * 400 + ".jpg", metadata={"Note": "x\0y"})
    row = PAPERS.record(long, content("a"))
    row.refresh_from_db()
    assert len(row.original_name) == 255 and row.original_name.endswith(".jpg") and "\0" not in row.original_name
    assert row.filemaker_metadata == {"Note": "x\ufffdy"}
    assert (
        PAPERS.record(consignment(2, key="k" * 1025), content("a")).key == "k" * 1025
    )  # too long is an error of the database


def test_two_rows_with_one_identity_are_not_guessed_between() -> None:
    class ByCategory(Papers):
        match = "category"
        columns = {"key": "key"}

    Document.objects.create(category="ID-1", description="by declaration")
    Document.objects.create(category="ID-1", description="by declaration")
    with pytest.raises(TwoRows, match="both have its identity"):
        ByCategory().record(consignment(1), content("a"))


def test_an_identity_may_lie_inside_json() -> None:
    class InJson(Papers):
        match = "filemaker_metadata__own"
        columns = {"key": "key"}

    importer = InJson()
    row = importer.record(consignment(1), content("a"))
    assert row.filemaker_metadata == {"own": "ID-1"}
    assert importer.record(consignment(1, key="other"), content("a")).pk == row.pk
    assert [importer.record_many([(consignment(1), content("a"))])[0].pk] == [row.pk]
    assert [left.identity for left in importer.left_rows(None, 10)] == ["ID-1"]
    assert list(importer.orphans(None, 10)) == [row.pk]


def test_many_rows_cost_no_more_queries_than_few() -> None:
    def queries(start: int, count: int) -> int:
        pairs = [(consignment(number), content(str(number))) for number in range(start, start + count)]
        with CaptureQueriesContext(
            connection,
        ) as told:
            rows = PAPERS.record_many(pairs)
        assert [row.filemaker_id for row in rows] == [item.identity for item, _ in pairs]
        return len(told)

    # SQLite takes so many values in a statement: a few statements more, not one for each row.
    assert queries(1, 5) <= 2 and queries(100, 200) <= 10
    assert Document.objects.filter(filemaker_id="ID-101").get().key.endswith("ID-101.jpg")


def test_many_rows_are_saved_one_by_one_where_the_project_listens() -> None:
    heard: list[Any] = []

    def listen(instance: Any, **_: Any) -> None:
        heard.append(instance.filemaker_id)

    post_save.connect(listen, sender=Document)
    try:
        PAPERS.record_many([(consignment(number), content("a")) for number in (1, 2, 3)])
    finally:
        post_save.disconnect(listen, sender=Document)
    assert heard == ["ID-1", "ID-2", "ID-3"]


def test_rows_that_came_before_are_updated_among_many() -> None:
    before = PAPERS.record(consignment(2), content("a"))
    rows = PAPERS.record_many([(consignment(number), content(f"{number}")) for number in (1, 2, 3)])
    assert rows[1].pk == before.pk and Document.objects.count() == 3


def test_owners_are_linked_told_of_and_looked_for() -> None:
    rows = [PAPERS.record(consignment(number), content("a")) for number in (1, 2, 3)]
    Document.objects.create(filemaker_id="", description="by declaration")  # not from FileMaker
    assert list(PAPERS.orphans(None, 2)) == [rows[0].pk, rows[1].pk]
    assert list(PAPERS.orphans(rows[1].pk, 2)) == [rows[2].pk]
    owner = _patient()
    assert PAPERS.link([(str(rows[0].pk), owner), ("987654", owner)]) == ["987654"]
    facts = PAPERS.rows([str(rows[0].pk), str(rows[1].pk), "987654"]) or {}
    item = consignment(1)
    assert facts[str(rows[0].pk)] == RowFacts(item.key, owner.pk, item.thumbnail_key, content("a").sha256, DAY)
    assert facts[str(rows[1].pk)].owner is None and len(facts) == 2
    assert PAPERS.row_metadata(str(rows[0].pk)) == dict(item.metadata)


def test_rows_take_other_keys() -> None:
    row = PAPERS.record(consignment(1), content("a"))
    assert PAPERS.rekey([(str(row.pk), "new.jpg", "new.thumb.jpg"), ("987654", "x", "")]) == ["987654"]
    row.refresh_from_db()
    assert (row.key, row.thumbnail_key) == ("new.jpg", "new.thumb.jpg")


def test_a_row_that_an_earlier_script_left_gets_its_identity() -> None:
    row = Document.objects.create(key="a/b.jpg", sha256="0" * 64, description="by declaration")
    (left,) = PAPERS.left_rows(None, 10)
    assert (left.pk, left.key, left.identity) == (row.pk, "a/b.jpg", "")
    PAPERS.adopt_row(row.pk, "{id-7}")
    row.refresh_from_db()
    assert row.filemaker_id == "ID-7"


def test_what_is_not_known_of_a_file_becomes_the_columns_default() -> None:
    class Sized(Papers):
        columns = {"key": "key", "thumbnail_size": "pages"}  # not null, default 0

    assert Sized().record(consignment(1), content("a", pages=None)).thumbnail_size == 0


def test_the_project_has_the_last_word() -> None:
    class Prepared(Papers):
        def prepare(self, row: Any, item: Any, content: Any) -> None:
            row.name = f"{item.owner_ref}: {row.name}"

    row = Prepared().record(replace(consignment(1), owner_ref="P-9"), content("a"))
    assert row.name == "P-9: Paper ID-1"
