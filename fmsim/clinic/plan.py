"""What every table of the clinic is planned with: ids, days, decks of cards, container values, and a record's fate."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from random import Random

from fmsim.clinic.plates import Plate, Print
from fmsim.dataset import Blob, BytesBlob, ContainerValue

_SPACE = uuid.UUID("5f0c1f3e-7d0a-5b55-9c53-0a51b7f1f0aa")
FIRST_DAY, LAST_DAY = date(2016, 1, 4), date(2025, 11, 28)
#: What may lie in a container and counts as damaged (CONTRACT B2).
DAMAGED = frozenset({"cut", "zero", "html"})
NO_DATES = ("02/30/2019", "?", "13/45/2021", "unknown")
WRONG_TYPES = ("application/x-unknown", "application/octet-stream", "image/jpg", "text/plain", "application/binary")
HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><p>Your session has ended.</p></body></html>\n"


@dataclass(slots=True)
class Fate:
    """What must become of a record, and the bytes it must end with."""

    table: str
    identity: str
    record_id: str
    case: str
    traits: frozenset[str] = frozenset()
    state: str = "imported"
    reason: str | None = None
    taken: str | None = None
    blob: Blob | None = None
    owner: str | None = None
    owner_exists: bool = True
    date: str | None = None
    mime_type: str | None = None
    extension: str | None = None
    spares: tuple[str, ...] = ()
    original_name: str = ""


def make_id(seed: int, kind: str, number: int | str) -> str:
    """An upper-case UUID, as FileMaker's Get ( UUID ) gives."""
    return str(uuid.uuid5(_SPACE, f"{seed}:{kind}:{number}")).upper()


def us(day: date) -> str:
    return day.strftime("%m/%d/%Y")


def deck(seed: int, name: str, cards: dict[str, int], size: int) -> list[str]:
    """A shuffled deck of `size` cards, filled up with blank ones."""
    dealt = [card for card, count in cards.items() for _ in range(count)]
    dealt += [""] * (size - len(dealt))
    Random(f"{seed}:{name}").shuffle(dealt)
    return dealt


def take(fate: Fate, place: str, value: ContainerValue | None, mime_type: str | None, extension: str | None) -> None:
    """Note that a perfect importer ends with this field's bytes."""
    fate.taken, fate.blob = place, value.blob if value else None
    fate.mime_type, fate.extension = mime_type, extension


def container(what: str, plate: Plate, note: str, name: str) -> ContainerValue | None:
    """One container value; None is an empty one. `what` is `own` or `shared` (good files), `cut` (its end is lost),
    `zero`, `html`, `gone` (the host answers 404), `path` (by reference only) or nothing."""
    if not what:
        return None
    if what == "gone":
        return ContainerValue(name=name, content_type=plate.mime_type, missing=True)
    if what == "path":
        shown = name or "picture.jpg"
        return ContainerValue(name=name, reference=f"file:{shown}\rfilewin:/C:/Pictures/{shown}")
    if what == "zero":
        return ContainerValue(BytesBlob(b""), name, plate.mime_type)
    if what == "html":
        return ContainerValue(BytesBlob(HTML), name, "text/html")
    if what == "cut":
        return ContainerValue(Print(plate, note, plate.size * 6 // 10), name, plate.mime_type)
    return ContainerValue(Print(plate, note if what == "own" else "0" * len(note)), name, plate.mime_type)
