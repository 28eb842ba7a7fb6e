"""Patients are put away once all of theirs is moved and proven; who is hidden is not lost."""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from clinic.documents.models import Document
from clinic.images.models import Image, ImageBatch
from clinic.patients.models import ArchiveEntry, Clinic, Patient
from tests.clinic.cargo import NOW, settled
from unlade.ledger.lock import source_lock
from unlade.ledger.models import Item, Source

SINCE = "2020-01-01"
OLD, NEW = date(2016, 10, 18), date(2020, 1, 1)


def run(name: str, *words: str) -> dict[str, Any]:
    out, code = StringIO(), 0
    try:
        call_command(name, *words, "--json", stdout=out, stderr=StringIO())
    except SystemExit as end:
        code = int(end.code or 0)
    told: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    assert told["exit"] == code
    return told


def archive(*words: str) -> dict[str, Any]:
    return run("archive_patients", "--inactive-since", SINCE, "--yes", *words)


@pytest.fixture
def listed(database: str) -> None:
    for name in ("images", "documents"):
        Source.objects.create(name=name, listing_complete=True)


def patient(number: int, **values: Any) -> Patient:
    values = {"filemaker_id": f"P-{number}", "modified_on": OLD} | values
    return Patient.objects.create(last_name="X", **values)


def done(number: int, owner: Patient | None, **changes: Any) -> Item:
    """An image that is imported and proven."""
    proven = changes.pop("proven_at", NOW)
    item = settled(number, owner=owner, **changes)
    Item.objects.filter(pk=item.pk).update(proven_at=proven)
    item.refresh_from_db()
    return item


def archived() -> set[str]:
    return set(Patient.objects.archived().values_list("filemaker_id", flat=True))


@pytest.mark.usefixtures("listed")
def test_who_is_inactive() -> None:
    for number in range(1, 5):
        done(number, patient(number), owner_ref=f"P-{number}")
    ImageBatch.objects.filter(patient__filemaker_id="P-2").update(captured_on=NEW)
    Document.objects.create(owner=Patient.objects.get(filemaker_id="P-3"), document_date=NEW, key="k", owner_ref="P-3")
    Patient.objects.filter(filemaker_id="P-4").update(modified_on=NEW)
    patient(5)  # without a file
    patient(6, modified_on=None)  # without any day
    patient(7, filemaker_id=None)  # not FileMaker's
    told = archive("--dry-run")
    assert (told["archived"], told["active"], told["undated"], archived()) == (2, 3, 1, set())
    told = archive("--by", "Ann", "--reason", "gone")
    assert (told["archived"], told["exit"], archived()) == (2, 0, {"P-1", "P-5"})
    assert set(ArchiveEntry.objects.values_list("by", "why", "archived", "forced")) == {("Ann", "gone", True, False)}
    assert Image.objects.count() == 4 and archive()["archived"] == 0


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "pending", "key": "", "row": ""}, "pending"),
        ({"state": "failed", "reason": "missing", "key": "", "row": ""}, "failed"),
        ({"proven_at": None}, "unproven"),
        ({"proven_at": NOW - timedelta(seconds=1)}, "unproven"),
        ({"state": "quarantined", "proven_at": None}, "unproven"),
        ({"state": "accepted", "proven_at": None}, "unproven"),
        ({"state": "failed", "reason": "missing", "key": "", "row": "", "owner_key": "", "owner_row": "1"}, "failed"),
    ],
)
def test_who_is_not_done_stays_unless_forced(change: dict[str, Any], why: str) -> None:
    first, other = patient(1), patient(2)
    if "owner_row" in change:
        change = change | {"owner_row": str(first.pk)}
    item = done(1, first)
    done(2, other, owner_ref="P-2")
    Image.objects.filter(pk=item.row).delete() if change.get("row") == "" else None
    Item.objects.filter(pk=item.pk).update(**change)
    told = archive()
    assert (told["exit"], told["archived"], archived()) == (1, 1, {"P-2"})
    assert told["held_back"] == [{"pk": first.pk, "id": "P-1", "open": {why: 1}}]
    told = archive("--force")
    assert (told["exit"], told["archived"], told["forced"], archived()) == (0, 1, 1, {"P-1", "P-2"})
    assert list(ArchiveEntry.objects.filter(forced=True).values_list("patient", flat=True)) == [first.pk]


@pytest.mark.usefixtures("listed")
def test_files_that_only_name_him_count(database: str) -> None:
    """Unlinked ones whose owner came since, and ones that two may own."""
    item = done(1, None)
    patient(1)
    told = archive()
    assert [each["open"] for each in told["held_back"]] == [{"unlinked": 1}]
    Item.objects.filter(pk=item.pk).update(owner_ref="a", owner_key="A")
    for ref in ("a", "A"):
        patient(2, filemaker_id=ref)
    told = archive()
    assert (told["archived"], {each["id"] for each in told["held_back"]}) == (1, {"a", "A"})


@pytest.mark.usefixtures("listed")
def test_an_accepted_loss_and_a_record_that_is_gone_hold_nobody() -> None:
    item = done(1, patient(1))
    Image.objects.all().delete()
    Item.objects.filter(pk=item.pk).update(state="accepted", key="", row="", proven_at=None)
    assert archive()["archived"] == 1
    run("unarchive", "p-1")
    Item.objects.filter(pk=item.pk).update(state="failed", gone_at=NOW)
    assert archive()["archived"] == 1


def test_an_import_that_was_not_listed_to_its_end(database: str) -> None:
    patient(1)
    Source.objects.create(name="images", listing_complete=True)
    told = archive()
    assert (told["exit"], told["archived"], told["unlisted"]) == (1, 0, ["documents"])
    Source.objects.create(name="documents", listing_complete=True)
    assert archive()["archived"] == 1


@pytest.mark.usefixtures("listed")
def test_a_run_at_work_is_not_disturbed() -> None:
    patient(1)
    from unlade.clearance import held, imports_of

    assert set(imports_of(Patient)) == {"images", "documents"}
    with held(imports_of(Patient)), source_lock("other"):
        told = run("archive_patients", "--inactive-since", SINCE, "--dry-run")
        assert (told["exit"], told["archived"]) == (0, 1)


@pytest.mark.usefixtures("listed")
def test_it_is_asked_about_first(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    patient(1)
    monkeypatch.setattr(sys, "stdin", StringIO())
    assert run("archive_patients", "--inactive-since", SINCE)["exit"] == 2
    monkeypatch.setattr(sys, "stdin", Terminal("\n"))
    assert (run("archive_patients", "--inactive-since", SINCE)["exit"], archived()) == (1, set())
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert (run("archive_patients", "--inactive-since", SINCE)["archived"], archived()) == (1, {"P-1"})


@pytest.mark.usefixtures("listed")
def test_clinics_follow_their_last_patient_and_come_back_with_the_first() -> None:
    full, mixed, empty = (Clinic.objects.create(name=name, filemaker_id=f"C-{name}") for name in ("a", "b", "c"))
    patient(1, clinic=full)
    patient(2, clinic=mixed)
    patient(3, clinic=mixed, modified_on=NEW)
    assert run("archive_clinics")["archived"] == 0
    archive()
    assert run("archive_clinics", "--dry-run")["clinics"] == ["C-a"]
    assert run("archive_clinics")["clinics"] == ["C-a"]
    assert list(Clinic.objects.archived()) == [full]
    assert run("archive_clinics")["archived"] == 0
    assert run("unarchive", "{P-1},pk:3", "--by", "Ann")["taken_out"] == 1
    assert not Clinic.objects.archived().exists() and archived() == {"P-2"}
    entries = ArchiveEntry.objects.filter(archived=False, by="Ann")
    assert {(entry.patient_id, entry.clinic_id) for entry in entries} == {
        (Patient.objects.get(filemaker_id="P-1").pk, None),
        (None, full.pk),
    }
    assert run("unarchive", "c-a", "--clinics")["taken_out"] == 0
    for wrong in ("P-9", "pk:99", "pk:x"):
        assert run("unarchive", "P-2", wrong)["exit"] == 2
    assert archived() == {"P-2"} and empty.archived is False


@pytest.mark.usefixtures("listed")
def test_what_is_said() -> None:
    patient(1)
    item = done(2, patient(2), owner_ref="P-2")
    Item.objects.filter(pk=item.pk).update(proven_at=None)
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("archive_patients", "--inactive-since", SINCE, "--dry-run", stdout=out)
    text = out.getvalue()
    assert "1 patient would be archived; their files stay where they are." in text
    assert "1 with something not read again yet" in text
    assert "filemaker_verify --read" in text


@pytest.mark.usefixtures("listed")
def test_thousands_cost_a_fixed_number_of_queries_each() -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def cost(count: int) -> int:
        start = Patient.objects.count()
        Patient.objects.bulk_create(Patient(filemaker_id=f"Q-{start + n}", modified_on=OLD) for n in range(count))
        source = Source.objects.get(name="images")
        Item.objects.bulk_create(
            Item(source=source, record_id=f"{start + n}", owner_key=f"Q-{start + n}", state="pending", seen_at=NOW)
            for n in range(count)
        )
        with CaptureQueriesContext(connection) as queries:
            archive("--force")
        return len(queries)

    one, four = cost(400), cost(1600)
    assert four <= 5 * one + 5, (one, four)
