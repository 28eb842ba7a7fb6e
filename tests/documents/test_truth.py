"""The built-in clinic's documents end exactly as the truth about them says, once and however often."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date
from pathlib import PurePosixPath

import pytest

from clinic.documents.models import Document
from clinic.patients.models import Patient
from fmsim import clinic
from fmsim.dataset import Record
from tests.documents.pier import Pier, PierMaker
from tests.voyage.harness import add_patients
from unlade.importer import get_import
from unlade.keys import read_back
from unlade.linking import relink
from unlade.verify.check import check as check_all

COUNT = 40
Truth = dict[str, clinic.Expected]


def check(pier: Pier, truth: Truth) -> None:
    """Every item, row and object against the truth."""
    items, documents = pier.items(), {row.filemaker_id: row for row in Document.objects.select_related("owner")}
    assert items.keys() == truth.keys()
    assert documents.keys() == {identity for identity, fate in truth.items() if fate.sha256}
    for identity, fate in truth.items():
        item = items[identity]
        assert (item.state, item.reason or None) == (fate.state, fate.reason or item.reason or None), fate
        if fate.sha256:
            check_row(pier, documents[identity], fate)


def check_row(pier: Pier, document: Document, fate: clinic.Expected) -> None:
    assert (document.sha256, document.size, document.original_name) == (fate.sha256, fate.size, fate.original_name)
    assert document.mime_type == (fate.mime_type or document.mime_type)
    assert PurePosixPath(document.key).suffix == (fate.extension or PurePosixPath(document.key).suffix)
    assert document.document_date == (date.fromisoformat(fate.date) if fate.date else None)
    assert document.quarantined == (fate.state == "quarantined")
    assert document.owner_ref == (fate.owner or "")
    if fate.state != "quarantined":
        owner = document.owner.filemaker_id if document.owner else None
        assert owner == (fate.owner if fate.state == "imported" else None)
    with pier.store.open(document.key) as chunks:
        assert hashlib.sha256(b"".join(chunks)).hexdigest() == fate.sha256


@pytest.mark.slow
def test_the_clinics_documents(pier: PierMaker) -> None:
    data, truth = clinic.build(images=0, documents=COUNT), clinic.truth(images=0, documents=COUNT)
    with pier(data) as here:
        add_patients(data)
        ended = here.run()
        assert (ended["outcome"], ended["found"], ended["exit"]) == ("done", COUNT, 3)
        assert ended["totals"] | Counter(fate.state for fate in truth.values()) == ended["totals"]
        check(here, truth)
        check_columns(here, {str(row.values["id"]): row.values for row in data.tables["Documents"]})
        rows = list(Document.objects.order_by("pk").values())
        again = here.run(retry_failed=True, changed=True, refetch_changed=True)
        assert again["totals"] == ended["totals"]
        assert list(Document.objects.order_by("pk").values()) == rows


def check_columns(pier: Pier, sent: dict[str, dict[str, object]]) -> None:
    """What FileMaker said of each, what the file is, and where it lies."""
    kinds = set()
    for document in Document.objects.all():
        values = sent[str(document.filemaker_id)]
        assert (document.category, document.description) == (values["Category"], values["Description"])
        assert document.filemaker_metadata["Category"] == values["Category"]
        assert document.name == (document.original_name or "Document without a name")
        assert (document.uploaded_by, document.tags) == ("documents", [])
        told = read_back(get_import("documents").key, document.key)
        assert told and (told["owner"], told["category"], told["identity"]) == (
            document.owner_ref or None, document.category or None, document.filemaker_id,
        )  # fmt: skip
        if document.quarantined:
            continue
        drawn = document.mime_type == "application/pdf" or document.mime_type.startswith("image/")
        assert bool(document.thumbnail_key) == bool(document.thumbnail_size) == drawn, document.mime_type
        if document.mime_type == "application/pdf":
            assert document.pages and document.pages >= 1
        if drawn:
            head = pier.store.head(document.thumbnail_key)
            assert head is not None and head.size == document.thumbnail_size
        kinds.add(document.mime_type)
    assert {"application/pdf", "message/rfc822", "application/rtf", "text/plain"} < kinds
    assert any(kind.startswith("application/vnd") for kind in kinds)


@pytest.mark.slow
def test_documents_before_their_patients(pier: PierMaker) -> None:
    data = clinic.build(images=0, documents=16)
    truth, alone = clinic.truth(images=0, documents=16), clinic.truth(images=0, documents=16, patients=0)
    with pier(data) as here:
        ended = here.run()
        assert ended["totals"]["imported"] == 0
        assert ended["totals"] | Counter(fate.state for fate in alone.values()) == ended["totals"]
        add_patients(data)
        report = relink(get_import("documents"))
        damaged = sum(fate.state == "quarantined" for fate in truth.values())
        linked = sum(fate.state == "imported" for fate in truth.values())
        assert (report.linked, report.quarantined) == (linked + damaged, damaged)
        check(here, truth)
        assert relink(get_import("documents")).linked == 0


@pytest.mark.slow
def test_a_document_that_changes_its_category(pier: PierMaker) -> None:
    """Its row follows, its file stays where it is; another file of it lies beside, and nobody else's is touched."""
    data = clinic.build(images=0, documents=2)
    with pier(data) as here:
        add_patients(data)
        here.run()
        first, second = data.tables["Documents"]
        before = Document.objects.get(filemaker_id=first.values["id"])
        edit(here, first, Category="Somewhere / else")
        ended = here.run(changed=True)
        after = Document.objects.get(pk=before.pk)
        assert (after.category, after.key, ended["bytes"]["container"]) == ("Somewhere / else", before.key, 0)
        edit(here, first, Category="", file=second.values["file"])
        here.run(changed=True, refetch_changed=True)
        after = Document.objects.get(pk=before.pk)
        other = Document.objects.get(filemaker_id=second.values["id"])
        assert (after.category, after.sha256) == ("", other.sha256)
        told = read_back(get_import("documents").key, after.key)
        assert told and told["category"] is None and after.key not in (before.key, other.key)
        assert found(here) == {"older_version"}


@pytest.mark.slow
def test_a_check_looks_at_the_rows(pier: PierMaker) -> None:
    data = clinic.build(images=0, documents=5)
    with pier(data) as here:
        add_patients(data)
        here.run()
        assert found(here) == set()
        one, other, third, fourth, _ = Document.objects.order_by("pk")
        Document.objects.filter(pk=one.pk).update(owner=Patient.objects.exclude(documents=one).first())
        Document.objects.filter(pk=other.pk).update(key=third.key)
        Document.objects.filter(pk=third.pk).update(document_date=None)
        fourth.delete()
        assert found(here) == {"row_owner", "row_key", "row_day", "row_missing"}


def found(pier: Pier) -> set[str]:
    """What a check finds."""
    return {finding.kind for finding in check_all(get_import("documents"), pier.store).findings}


def edit(pier: Pier, row: Record, **values: object) -> None:
    """Edit a record on the host, as somebody in FileMaker would."""
    row = next(each for each in pier.sim.host.tables.named("Documents").rows if each.record_id == row.record_id)
    row.values.update(values)
    row.mod_id = str(int(row.mod_id) + 1)
