"""Which batch an image belongs to: found, made, merged and cleared away, always inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Q

from clinic.images.models import Image, ImageBatch
from clinic.patients.models import Patient
from unlade import bulk
from unlade.owners import normalise_ref

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

#: How often a batch is looked for that others make and clear away at the same time.
_TRIES = 20

#: What is asked of a batch here.
_LEAN = ImageBatch.objects.only("patient", "owner_ref", "captured_on", "source")

#: Patient's primary key, day, source: what a patient has one batch for.
Place = tuple[int, date | None, str]


def batch_name(day: date | None) -> str:
    """`18 Oct 2016 (FileMaker import)`; never in the language of the machine."""
    when = f"{day.day} {_MONTHS[day.month - 1]} {day.year}" if day else "Unknown date"
    return f"{when} (FileMaker import)"


def batch_for(
    owner: Patient | None, owner_ref: str, day: date | None, source: str, *, leaving: int | None = None
) -> ImageBatch:
    """The batch of that owner, day and source, made if need be; without an owner, of that reference.

    `leaving` is the batch (primary key) that the image is in now. Both stay locked until the transaction ends, so that
    nobody clears one away as empty meanwhile.
    """
    lookup: dict[str, Any] = {"patient": owner, "captured_on": day, "source": source}
    defaults = {"name": batch_name(day)}
    if owner is not None:  # a person may have chosen another one than the source's
        owner_ref = normalise_ref(owner.filemaker_id) or owner_ref
    (lookup if owner is None else defaults)["owner_ref"] = owner_ref
    batches = ImageBatch.objects.all() if leaving else ImageBatch.objects.select_for_update(no_key=True)
    for _ in range(_TRIES):
        try:
            batch = batches.get_or_create(**lookup, defaults=defaults)[0]
        except IntegrityError:
            continue  # somebody made it, and cleared it away before we could see it
        if leaving in (None, batch.pk) or _lock_both(batch.pk, leaving, lookup):
            return batch
    raise OperationalError(f"the batch of {day or 'an unknown day'} comes and goes: too many writers at once")


def batches_for(wanted: Iterable[tuple[Patient | None, str, date | None, str]]) -> dict[tuple[Any, ...], ImageBatch]:
    """The batches of many (owner, owner reference, day, source) at once, made where need be; by those four.

    Those with an owner cost a few queries for all.
    """
    wanted = set(wanted)
    owners = {owner.pk: owner for owner, *_ in wanted if owner is not None}
    places = {(owner.pk, day, source) for owner, _, day, source in wanted if owner is not None}
    existing = _existing(places) if places else {}
    existing |= _create(places - existing.keys(), owners)
    found: dict[tuple[Any, ...], ImageBatch] = {}
    for owner, ref, day, source in wanted:
        batch = existing[owner.pk, day, source] if owner is not None else batch_for(None, ref, day, source)
        found[owner, ref, day, source] = batch
    return found


def keys_for(wanted: Sequence[tuple[Patient | None, str, date | None, str]]) -> list[int]:
    """The primary keys of the batches of many (owner, owner reference, day, source), in that order, made where need be.

    As `batches_for`, for those who write by the thousand: no batch becomes an object.
    """
    owners = {owner.pk: owner for owner, *_ in wanted if owner is not None}
    places = {(owner.pk, day, source) for owner, _, day, source in wanted if owner is not None}
    found = _keys(places) if places else {}
    missing = sorted(places - found.keys(), key=str)
    if missing:
        refs = {pk: normalise_ref(owner.filemaker_id) for pk, owner in owners.items()}
        columns = {
            "patient_id": [pk for pk, _, _ in missing],
            "owner_ref": [refs[pk] for pk, _, _ in missing],
            "captured_on": [day for _, day, _ in missing],
            "source": [source for _, _, source in missing],
            "name": [batch_name(day) for _, day, _ in missing],
        }
        try:
            with transaction.atomic():
                found |= dict(zip(missing, bulk.insert(ImageBatch, columns), strict=True))
        except IntegrityError:  # somebody made one of them at the same time
            found |= {place: batch.pk for place, batch in _create(set(missing), owners).items()}
    alone = batches_for(place for place in wanted if place[0] is None)
    return [found[place[0].pk, place[2], place[3]] if place[0] is not None else alone[place].pk for place in wanted]


def _keys(places: set[Place]) -> dict[Place, int]:
    """The primary keys of those of the places that have a batch; locks them in the order of their keys."""
    there = Q(patient__in={place[0] for place in places}, source__in={place[2] for place in places})
    days = {place[1] for place in places}
    if None not in days:
        there &= Q(captured_on__in=days)
    batches = ImageBatch.objects.select_for_update(no_key=True).filter(there).order_by("pk")
    return {
        (owner, day, source): pk
        for owner, day, source, pk in batches.values_list("patient", "captured_on", "source", "pk")
    }


def _lock_both(target: int, leaving: int | None, lookup: dict[str, Any]) -> bool:
    """Lock two batches in the order of their keys, so that two images that change places do not wait for each other.

    False, and nothing is locked, when the target was cleared away or found its patient in the meantime.
    """
    locked = ImageBatch.objects.select_for_update(no_key=True)
    with transaction.atomic():
        pks = {batch.pk for batch in locked.filter(pk__in=[target, leaving]).order_by("pk")}
        if target in pks and locked.filter(pk=target, **lookup).exists():
            return True
        transaction.set_rollback(True)
    return False


def clear_away(batches: Iterable[int]) -> None:
    """Delete those of the batches (by primary key) that an import made and that have no image left."""
    ImageBatch.objects.filter(pk__in=list(batches), image_count=0).exclude(source="").delete()


def link(pairs: Sequence[tuple[Any, Patient]], *, whole: bool = True) -> Collection[Any]:
    """Repoint images, by primary key, to patients. Returns the keys for which there is no image.

    A batch whose reference names the patient becomes that patient's as a whole, unless `whole` is False; if the patient
    has one for this day already, its images move over and it goes. The number of queries depends on how many thousands
    there are.
    """
    wanted = {Image._meta.pk.to_python(key): (key, patient) for key, patient in pairs}
    homes = dict(Image.objects.filter(pk__in=wanted).order_by("pk").select_for_update().values_list("pk", "batch"))
    batches = {batch.pk: batch for batch in _LEAN.filter(pk__in=set(homes.values()))}
    targets = {pk: _place(wanted[pk][1], batches[home]) for pk, home in homes.items()}
    owners = {patient.pk: patient for _, patient in wanted.values()}
    existing = _existing(set(targets.values()), batches)
    if whole:
        existing |= _adopt([(targets[pk], batches[home]) for pk, home in homes.items()], owners, existing)
    existing |= _create(set(targets.values()) - existing.keys(), owners)
    moved = {pk: existing[targets[pk]].pk for pk, home in homes.items() if existing[targets[pk]].pk != home}
    if moved:
        bulk.update(Image, list(moved), {"batch_id": list(moved.values())})
        clear_away({homes[pk] for pk in moved})
    return [wanted[pk][0] for pk in wanted.keys() - targets.keys()]


def _place(patient: Patient, batch: ImageBatch) -> Place:
    return patient.pk, batch.captured_on, batch.source


def _existing(places: set[Place], left: Iterable[int] = ()) -> dict[Place, ImageBatch]:
    """Those of the places that have a batch. Locks them, and `left`, in the order of their keys."""
    there = Q(patient__in={place[0] for place in places}, source__in={place[2] for place in places})
    days = {place[1] for place in places}
    if None not in days:
        there &= Q(captured_on__in=days)
    batches = _LEAN.select_for_update(no_key=True).filter(there | Q(pk__in=list(left)))
    found = {(batch.patient_id, batch.captured_on, batch.source): batch for batch in batches.order_by("pk")}
    return {place: found[place] for place in places if place in found}


def _adopt(
    homes: Iterable[tuple[Place, ImageBatch]], owners: dict[int, Patient], existing: dict[Place, ImageBatch]
) -> dict[Place, ImageBatch]:
    """Give batches that waited for just this patient to it; `homes` are where each image is to go, and where it is."""
    adopted: dict[Place, ImageBatch] = {}
    taken: set[int] = set()
    for place, batch in homes:
        if place in existing or place in adopted or batch.pk in taken or batch.patient_id is not None:
            continue
        if batch.owner_ref and batch.owner_ref == normalise_ref(owners[place[0]].filemaker_id):
            batch.patient = owners[place[0]]
            adopted[place] = batch
            taken.add(batch.pk)
    keys = [batch.pk for batch in adopted.values()]
    bulk.update(ImageBatch, keys, {"patient_id": [place[0] for place in adopted]})
    return adopted


def _create(places: set[Place], owners: dict[int, Patient]) -> dict[Place, ImageBatch]:
    """Make the batches that are missing; another process may make the same at the same time."""
    if not places:
        return {}
    ImageBatch.objects.bulk_create(
        [
            ImageBatch(
                patient=owners[patient],
                owner_ref=normalise_ref(owners[patient].filemaker_id),
                captured_on=day,
                source=source,
                name=batch_name(day),
            )
            for patient, day, source in sorted(places, key=str)
        ],
        ignore_conflicts=True,
    )
    return _existing(places)
