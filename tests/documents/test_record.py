"""What the engine hands over ends in one row, however often, and finds its patient in bulk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.documents.imports import DocumentImport
from clinic.documents.models import Document
from clinic.patients.models import Patient
from tests.clinic import cargo
from tests.clinic.cargo import DAY, content
from unlade.importer import Consignment, RowFacts, declared, get_import
from unlade.keys import check_pattern, read_back, render

FIELDS = {"id": "D-1", "id_Contact": "P-1", "Category": "Lab report", "Description": "Blood, both arms"}


def consignment(number: int = 1, **changes: Any) -> Consignment:
    plain = cargo.consignment(
        number,
        identity=f"D-{number}",
        source="documents",
        category="Lab report",
        original_name=f"Report {number}.pdf",
        metadata=FIELDS,
        uploaded_by="documents",
    )
    return replace(plain, **changes)


def record(number: int = 1, *, pages: int | None = 3, **changes: Any) -> Document:
    with transaction.atomic():
        found = content(str(number), mime_type="application/pdf", extension=".pdf", pages=pages)
        return DocumentImport().record(consignment(number, **changes), found)


@pytest.fixture
def patient(database: str) -> Patient:
    return Patient.objects.create(filemaker_id="p-1", last_name="Example")


def test_the_declaration_is_found_and_comes_after_the_images() -> None:
    assert isinstance(get_import("documents"), DocumentImport)
    assert check_pattern(DocumentImport.key) == []
    names = list(declared())
    assert names.index("images") < names.index("documents")


def test_a_row_says_all_there_is(patient: Patient) -> None:
    pk = record(1, owner=patient).pk
    row = Document.objects.get(pk=pk)
    item = consignment(1)
    assert (row.owner, row.owner_ref) == (patient, "P-1")
    assert (row.key, row.thumbnail_key, row.thumbnail_size) == (item.key, item.thumbnail_key, 1234)
    assert (row.name, row.original_name, row.uploaded_by) == ("Report 1.pdf", "Report 1.pdf", "documents")
    assert (row.size, row.sha256, row.mime_type, row.pages) == (1, content("1").sha256, "application/pdf", 3)
    assert (row.category, row.description, row.document_date) == ("Lab report", "Blood, both arms", DAY)
    assert (row.filemaker_id, row.filemaker_metadata, row.quarantined) == ("D-1", FIELDS, False)
    facts = RowFacts(item.key, patient.pk, item.thumbnail_key, row.sha256, DAY)
    assert DocumentImport().rows([str(pk), "999"]) == {str(pk): facts}
    assert DocumentImport().row_metadata(str(pk)) == FIELDS and DocumentImport().row_metadata("999") == {}


def test_the_same_again_updates_its_row_and_keeps_what_was_written_here(patient: Patient) -> None:
    first = record(1, owner=patient)
    assert record(1, owner=patient, original_name="New.pdf").name == "New.pdf", "nobody has named it here"
    Document.objects.update(name="Blood 2019", tags=["urgent"], uploaded_by="somebody")
    record(1, original_name="Newer.pdf", category="Histology", metadata={}, state="quarantined")
    row = Document.objects.get()
    assert (row.pk, row.name, row.tags, row.uploaded_by) == (first.pk, "Blood 2019", ["urgent"], "somebody")
    assert (row.original_name, row.category, row.description) == ("Newer.pdf", "Histology", "")
    assert (row.owner, row.quarantined) == (None, True)


def test_odd_texts_can_be_kept(patient: Patient) -> None:
    row = record(1, original_name="a\x00" + "n" * 300 + ".pdf", category="x" * 300 + "\x00", metadata={"a": "\ud800"})
    row.refresh_from_db()
    assert (len(row.original_name), row.name[-6:], row.category) == (255, "nn.pdf", "x" * 255)
    assert row.filemaker_metadata == {"a": "\ufffd", "Category": "x" * 300 + "\ufffd"}
    assert record(2, original_name="").name == "Document without a name"


def test_documents_of_any_category_and_of_none_have_keys_of_their_own() -> None:
    categories = [None, "no-category", "", "Letter/in", "Letter", "..", "L\u00f6we", "x" * 300, "x" * 301]
    values = [{"owner": "P", "identity": "D", "category": each} for each in categories]
    made = [render(DocumentImport.key, each, ".pdf") for each in values]
    assert made[0] == made[2] == "patients/filemaker-import/documents/P/no-category/D.pdf"
    assert len(set(made)) == len(categories) - 1
    assert {key.count("/") for key in made} == {5}
    told = [read_back(DocumentImport.key, key) for key in made[:7]]
    assert [each and each["category"] for each in told] == [each or None for each in categories[:7]]


def test_many_at_once_are_what_they_are_one_by_one(patient: Patient) -> None:
    record(2, owner=patient)
    Document.objects.update(name="Mine")
    importer = DocumentImport()

    def cost(numbers: range) -> int:
        items = [(consignment(number, owner=patient), content(str(number))) for number in numbers]
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            rows = importer.record_many(items)
        assert [row.filemaker_id for row in rows] == [f"D-{number}" for number in numbers]
        assert all(row.pk for row in rows)
        return len(queries)

    assert cost(range(1, 4)) == 4
    assert cost(range(10, 30)) == 2
    one, many = (Document.objects.filter(filemaker_id=each).values().get() for each in ("D-2", "D-3"))
    assert (one["name"], many["name"]) == ("Mine", "Report 3.pdf")
    record(4, pages=None, owner=patient)
    alike = ("owner", "owner_ref", "category", "description", "document_date", "filemaker_metadata", "uploaded_by")
    assert len(set(map(str, Document.objects.filter(filemaker_id__in=["D-3", "D-4"]).values_list(*alike)))) == 1


def test_a_record_costs_a_fixed_number_of_queries(patient: Patient) -> None:
    def cost(number: int) -> int:
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            DocumentImport().record(consignment(number, owner=patient), content())
        return len(queries)

    assert {cost(number) for number in range(1, 40)} == {2}
    assert cost(7) == 2


def test_linking_many_costs_as_much_as_linking_few(patient: Patient) -> None:
    rows = [record(number, owner_ref=f"P-{number % 50}") for number in range(1, 201)]
    patients = [Patient.objects.create(filemaker_id=f"x-{number}") for number in range(50)]
    importer = DocumentImport()

    def cost(some: list[Document]) -> int:
        pairs = [(str(row.pk), patients[number % 50]) for number, row in enumerate(some)]
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            assert importer.link([*pairs, ("99999", patient)]) == ["99999"]
        return len(queries)

    assert importer.orphans(None, 150) == [row.pk for row in rows[:150]]
    assert importer.orphans(rows[149].pk, 150) == [row.pk for row in rows[150:]]
    assert cost(rows[:2]) == cost(rows)
    assert importer.orphans(None, 10) == []
    assert Document.objects.get(pk=rows[3].pk).owner_ref == "X-3"


def test_a_deleted_patient_leaves_its_reference_behind(patient: Patient) -> None:
    pk = record(1, owner=patient).pk
    patient.delete()
    row = Document.objects.get(pk=pk)
    assert (row.owner, row.owner_ref) == (None, "P-1")
    other = Patient.objects.create()
    Document.objects.create(owner=other, name="uploaded here")
    with pytest.raises(ProtectedError):
        other.delete()
    assert DocumentImport().orphans(None, 10) == [pk], "an upload is not ours to link"


def test_tags_are_texts() -> None:
    row = Document(name="x", key="k", sha256="0", tags=["a", "b"])
    row.clean_fields()
    for wrong in ("a", {"a": 1}, ["a", 1], [" "]):
        row.tags = wrong
        with pytest.raises(ValidationError):
            row.clean_fields()


@pytest.mark.parametrize("page", ["", "?linked=no", "?linked=yes&quarantined__exact=0", "?q=d-1", "1/change/"])
def test_the_admin_shows_and_deletes_nothing(db: None, client: Client, admin_user: Any, page: str) -> None:
    row = record(1, owner=Patient.objects.create(filemaker_id="P-1"))
    address = f"/admin/documents/document/{page.replace('1/', f'{row.pk}/')}"
    assert client.get(address).headers["Location"].startswith("/admin/login/")
    client.force_login(admin_user)
    assert client.get(address).status_code == 200
    assert client.post(f"/admin/documents/document/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/documents/document/add/").status_code == 403


def test_only_name_and_tags_are_typed_over(db: None, client: Client, admin_user: Any) -> None:
    row = record(1)
    client.force_login(admin_user)
    sent = {"name": "Mine", "tags": '["a"]', "category": "Mine", "key": "elsewhere", "_save": "Save"}
    assert client.post(f"/admin/documents/document/{row.pk}/change/", sent).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.tags, row.category, row.key) == ("Mine", ["a"], "Lab report", consignment().key)
