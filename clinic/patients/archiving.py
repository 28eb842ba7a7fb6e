"""Putting patients and clinics away, the last step of a migration: hidden from lists and pickers, files untouched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, OuterRef, Q, Subquery

from clinic.documents.models import Document
from clinic.images.models import ImageBatch
from clinic.patients.models import ArchiveEntry, Clinic, Patient
from unlade.clearance import Clearance, Standing
from unlade.errors import UsageError
from unlade.owners import CHUNK, Owner, OwnerFinder, normalise_refs

#: What stands before a primary key where FileMaker's id is expected.
OURS = "pk:"


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A patient who is inactive but not done."""

    patient: Patient
    standing: Standing


@dataclass
class Sorted:
    """Patients from FileMaker that are not archived yet. `undated` tell no day at all, so nobody knows."""

    ready: list[Patient] = field(default_factory=list)
    held_back: list[HeldBack] = field(default_factory=list)
    active: int = 0
    undated: int = 0


def sort_out(since: date, clearance: Clearance) -> Sorted:
    """Who is inactive: no image or document, and no change of the record in FileMaker, on `since` or later."""
    found = Sorted()
    for patient in _with_days():
        standing = clearance.of(patient.pk)
        days = (patient.modified_on, patient.newest_image, patient.newest_document, standing.newest)  # type: ignore[attr-defined]
        known = [day for day in days if day is not None]
        if not known:
            found.undated += 1
        elif max(known) >= since:
            found.active += 1
        elif clearance.unlisted or not standing.clear:
            found.held_back.append(HeldBack(patient, standing))
        else:
            found.ready.append(patient)
    return found


def _with_days() -> Iterable[Patient]:
    """Patients that came from FileMaker and are not archived, with the newest days of their files."""
    batches = ImageBatch.objects.filter(patient=OuterRef("pk")).order_by().values("patient")
    documents = Document.objects.filter(owner=OuterRef("pk")).order_by().values("owner")
    patients: Any = Patient.objects.active().exclude(filemaker_id=None).exclude(filemaker_id="")
    return patients.annotate(
        newest_image=Subquery(batches.annotate(newest=Max("captured_on")).values("newest")),
        newest_document=Subquery(documents.annotate(newest=Max("document_date")).values("newest")),
    ).order_by("pk").iterator(chunk_size=2000)  # fmt: skip


def empty_clinics() -> list[Clinic]:
    """Clinics that are not archived, all of whose patients are; one without patients is none of them."""
    counted = Clinic.objects.active().annotate(
        whole=Count("patients"), left=Count("patients", filter=Q(patients__archived_at=None))
    )
    return list(counted.filter(whole__gt=0, left=0))


def put_away(
    rows: Sequence[Patient] | Sequence[Clinic], now: datetime, by: str, why: str = "", forced: Iterable[int] = ()
) -> int:
    """Archive rows that are not, and write down who did; those whose primary keys are in `forced` were not done."""
    return _change(rows, now, by, why, archived=True, forced=frozenset(forced))


def take_out(rows: Sequence[Patient] | Sequence[Clinic], now: datetime, by: str, why: str = "") -> int:
    """The other way round. A patient's clinic comes out with him."""
    with transaction.atomic():
        clinics = [row.clinic for row in rows if isinstance(row, Patient) and row.clinic and row.clinic.archived]
        _change(list({clinic.pk: clinic for clinic in clinics}.values()), now, by, why, archived=False)
        return _change(rows, now, by, why, archived=False)


@transaction.atomic
def _change(
    rows: Sequence[Any], now: datetime, by: str, why: str, *, archived: bool, forced: frozenset[int] = frozenset()
) -> int:
    changed = [row for row in rows if row.archived != archived]
    for row in changed:
        row.archived_at = now if archived else None
    if changed:
        type(changed[0]).objects.bulk_update(changed, ["archived_at"], batch_size=CHUNK)
    kind = "patient" if changed and isinstance(changed[0], Patient) else "clinic"
    ArchiveEntry.objects.bulk_create(
        [
            ArchiveEntry(**{kind: row}, archived=archived, at=now, by=by[:150], why=why, forced=row.pk in forced)
            for row in changed
        ],
        batch_size=CHUNK,
    )
    return len(changed)


def named(model: type[Patient] | type[Clinic], ids: Sequence[str]) -> list[Any]:
    """Rows by FileMaker's id, or by our primary key as `pk:17`, in bulk. Raises `UsageError` unless all are found."""
    finder = OwnerFinder(Owner("id", model))
    keys = {text: text[len(OURS) :].strip() for text in ids if text.lower().startswith(OURS)}
    rows, matches = finder.by_key(keys.values()), finder.find(text for text in ids if text not in keys)
    found, noun = {}, str(model._meta.verbose_name)
    for text in ids:
        row = rows.get(keys[text]) if text in keys else matches[normalise_refs(text)].owner
        if row is None:
            fits = () if text in keys else matches[normalise_refs(text)].candidates
            if fits:
                which = " or ".join(f"{OURS}{pk}" for pk in fits)
                raise UsageError(f"more than one {noun} has the id {text}", remedy=f"Say which: {which}.")
            raise UsageError(f"no {noun} has the id {text}; nothing was changed")
        found[row.pk] = row
    return list(found.values())


__all__ = ["HeldBack", "Sorted", "empty_clinics", "named", "put_away", "sort_out", "take_out"]
