"""The documents of the clinic and their fates; the same rules as for the images, with one container."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

from fmsim.clinic import stock, words
from fmsim.clinic.plan import (
    DAMAGED,
    FIRST_DAY,
    LAST_DAY,
    NO_DATES,
    WRONG_TYPES,
    Fate,
    container,
    deck,
    make_id,
    take,
    us,
)
from fmsim.clinic.plates import Plate
from fmsim.dataset import ContainerValue, Record

#: Of a hundred documents, how many are of each kind.
SHARES = {"letter": 52, "scan": 14, "word": 12, "email": 8, "photo": 6, "rtf": 4, "text": 4}
#: Cards in a deck of 1,000 documents.
DECK = {
    "owner_missing": 30, "all_empty": 8, "missing_only": 5, "all_damaged": 4, "zero_only": 1, "reference_only": 2, "duplicate": 6,
    "owner_empty": 4, "date_missing": 10, "date_invalid": 3, "wrong_extension": 8, "wrong_content_type": 6, "name_none": 4,
}  # fmt: skip
#: One of each kind first, then the special cases, so that a small set shows them.
KINDS = ("letter", "word", "email", "scan", "rtf", "text", "photo", "letter")
FIRST_CARDS = (
    *[""] * 8, "all_damaged", "missing_only", "all_empty", "owner_missing", "wrong_extension", "duplicate", "date_missing",
    "wrong_content_type",
)  # fmt: skip
#: What lies in the container in each case.
CASES = {"all_empty": "", "missing_only": "gone", "all_damaged": "cut", "zero_only": "zero", "reference_only": "path"}
FAILURES = {"gone": "missing", "path": "reference_only"}


def document_records(documents: int, patients: int, seed: int) -> Iterator[tuple[Record, Fate]]:
    """Every document record with its fate, in the host's order."""
    rng, cards = Random(f"{seed}:documents"), deck(seed, "documents", DECK, 1_000)
    record_id = 400
    before: tuple[Plate, str] | None = None
    for number in range(1, documents + 1):
        card = FIRST_CARDS[number - 1] if number <= len(FIRST_CARDS) else cards[number % 1_000]
        kind = KINDS[number - 1] if number <= len(KINDS) else rng.choices(list(SHARES), list(SHARES.values()))[0]
        kind = {"all_damaged": "scan", "wrong_extension": "rtf"}.get(card, kind)
        record_id += rng.choice((1, 1, 2, 5))
        fate = Fate("Documents", make_id(seed, "document", number), str(record_id), card if card in CASES else "plain")
        values = _values(fate, card, number, patients, seed, rng)
        copy = (rng.choice(stock.paper_stock(seed)[kind]), make_id(seed, "paper", number))
        if card == "duplicate" and before:
            copy = before
        _fill(values, fate, card, *copy, number, rng)
        before = copy
        if fate.state == "imported" and not fate.owner_exists:
            fate.state = "unlinked"
        yield Record(str(record_id), str(rng.randint(1, 9)), values), fate


def _values(fate: Fate, card: str, number: int, patients: int, seed: int, rng: Random) -> dict[str, Any]:
    patient, day = rng.randrange(max(patients, 1)), FIRST_DAY + timedelta(rng.randrange((LAST_DAY - FIRST_DAY).days))
    fate.owner_exists = card not in ("owner_missing", "owner_empty") and patients > 0
    owner = make_id(seed, "patient", patient) if fate.owner_exists else make_id(seed, "nobody", f"document {number}")
    fate.owner = None if card == "owner_empty" else owner
    shown = {"date_missing": "", "date_invalid": NO_DATES[number % len(NO_DATES)]}.get(card, us(day))
    fate.date = None if card in ("date_missing", "date_invalid") else day.isoformat()
    absent = "owner_missing" if fate.owner and not fate.owner_exists else ""
    fate.traits = frozenset({card if card not in CASES else "", absent} - {""})
    return {
        "id": fate.identity,
        "id_Contact": fate.owner or "",
        "Category": rng.choice(words.CATEGORIES),
        "Name of file": "",
        "date": shown,
        "Description": f"{rng.choice(words.TITLES)}, {rng.choice(words.LINES)}" if rng.random() < 0.6 else "",
        "NexusExportDate": "",
        "modified": f"{us(day)} {rng.randint(8, 17):02d}:{rng.randrange(60):02d}:00",
    }


def _fill(values: dict[str, Any], fate: Fate, card: str, plate: Plate, note: str, number: int, rng: Random) -> None:
    extension = ".doc" if card == "wrong_extension" else plate.extension
    name = "" if card == "name_none" else f"{rng.choice(words.TITLES)} {number}{extension}"
    values["Name of file"] = fate.original_name = name
    what = CASES.get(card, "own")
    value = container(what, plate, note, name)
    if value and card in ("wrong_extension", "wrong_content_type"):
        wrong = WRONG_TYPES[number % len(WRONG_TYPES)] if card == "wrong_content_type" else "application/msword"
        value = ContainerValue(value.blob, value.name, wrong)
    values["file"] = value or ""
    if what in DAMAGED:
        take(fate, "file", value, *((plate.mime_type, plate.extension) if what == "cut" else (None, None)))
        fate.state, fate.reason = "quarantined", "damaged"
    elif what == "own":
        take(fate, "file", value, plate.mime_type, plate.extension)
    else:
        fate.state, fate.reason = ("failed", FAILURES[what]) if what else ("empty", None)
