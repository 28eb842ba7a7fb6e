"""The images of the clinic, and what a perfect importer must end with for each: decided together, by construction.

The first 24 follow a script in which every special case stands once; later ones are drawn from a seeded deck, so that
shares are exact and more than 85 of 100 stay plain. What each case comes to follows CONTRACT B1 and B2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
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
from fmsim.dataset import ContainerValue, Record

LOAD = 1_000  #: from so many images on, every file comes from the stock

#: What lies in image_Full, Ex_large, large, medium, small. `own`: a good file that is this record's alone; `shared`: a good
#: smaller copy; `cut`: a JPEG that lost its end; `gone`: the host answers 404; `path`: by reference only.
CASES: dict[str, tuple[str, str, str, str, str]] = {
    "plain": ("own", "shared", "shared", "shared", "shared"),
    "full_and_small": ("own", "", "", "", "shared"),
    "full_only": ("own", "", "", "", ""),
    "small_only": ("", "", "", "", "own"),
    "full_empty": ("", "own", "shared", "shared", "shared"),
    "full_damaged": ("cut", "own", "shared", "shared", "shared"),
    "full_missing": ("gone", "", "own", "shared", "shared"),
    "full_reference": ("path", "own", "shared", "", "shared"),
    "full_zero": ("zero", "own", "", "shared", "shared"),
    "full_html": ("html", "", "own", "shared", ""),
    "all_empty": ("", "", "", "", ""),
    "all_damaged": ("cut", "cut", "", "", ""),
    "zero_only": ("zero", "", "", "", ""),
    "missing_only": ("gone", "", "", "", ""),
    "reference_only": ("path", "", "", "", ""),
}
PLAIN = frozenset({"plain", "full_and_small", "full_only"})

#: Cards in a deck of 1,000 images: what is special about how many. The rest is plain.
DECK = {
    "full_empty": 15, "small_only": 10, "all_empty": 8, "full_missing": 8, "full_damaged": 6, "full_reference": 5, "all_damaged": 3,
    "full_zero": 3, "full_html": 2, "zero_only": 1, "missing_only": 2, "reference_only": 2, "wrong_extension": 7,
    "wrong_content_type": 7, "duplicate": 5, "owner_empty": 5, "date_missing": 3, "date_invalid": 3, "braces": 2, "name_none": 3,
}  # fmt: skip
LOST_OWNERS = 3  #: of 100 groups, those whose patient does not exist


@dataclass(frozen=True, slots=True)
class Role:
    """What one image of the script, or a card of the deck, is to be."""

    form: str = "jpeg"
    orientation: int = 1
    case: str = "plain"
    trait: str = ""
    name: str | None = None


SCRIPT: tuple[Role, ...] = (
    Role(name="IMG_0001.jpg"),
    Role(orientation=6, name="IMG 0002 left arm.jpg"),
    Role("png", name="左前腕 3.png"),
    Role("heic", name="IMG_0004.HEIC"),
    Role(orientation=3, name="Rücken über Kopf äöü.jpg"),
    Role("progressive", trait="name_none"),
    Role(orientation=8, case="full_empty"),
    Role("webp", trait="braces"),
    Role(orientation=5, case="full_damaged"),
    Role("gif", trait="owner_empty"),
    Role("cmyk"),
    Role("pdf", trait="date_missing", name="Befund Haut (Kopie).pdf"),
    Role("tiff", trait="date_invalid"),
    Role(orientation=4, case="full_missing"),
    Role(trait="duplicate", name="IMG_0001 Kopie.jpg"),
    Role("png", trait="wrong_extension", name="IMG_0016.jpg"),
    Role("gray", trait="owner_missing"),
    Role(orientation=2, case="small_only"),
    Role("bmp", trait="wrong_content_type"),
    Role(case="all_damaged"),
    Role(orientation=7, case="full_reference"),
    Role("text", name="Notiz zum Bild.txt"),
    Role(orientation=6, case="full_zero"),
    Role(case="all_empty"),
)
SCRIPT_GROUPS = (4, 4, 5, 4, 4, 3)
#: Group sizes with median 4 and at most 15.
GROUP_WEIGHTS = {1: 8, 2: 12, 3: 17, 4: 24, 5: 15, 6: 10, 7: 6, 8: 4, 10: 2, 12: 1, 15: 1}


@dataclass(slots=True)
class Group:
    """One patient's images of one day."""

    owner: str
    exists: bool
    day: date


def groups(seed: int, patients: int, sizes: Iterator[int]) -> Iterator[Group]:
    """The group of each image in turn."""
    rng = Random(f"{seed}:groups")
    lost = deck(seed, "lost owners", {"lost": LOST_OWNERS}, 100)
    for number, size in enumerate(sizes):
        exists = patients > 0 and (number < len(SCRIPT_GROUPS) or not lost[number % 100])
        owner = make_id(seed, "patient", rng.randrange(patients)) if exists else make_id(seed, "nobody", number)
        group = Group(owner, exists, FIRST_DAY + timedelta(rng.randrange((LAST_DAY - FIRST_DAY).days)))
        for _ in range(size):
            yield group


def group_sizes(seed: int) -> Iterator[int]:
    yield from SCRIPT_GROUPS
    rng = Random(f"{seed}:group sizes")
    while True:
        yield rng.choices(list(GROUP_WEIGHTS), list(GROUP_WEIGHTS.values()))[0]


def roles(seed: int, images: int) -> Iterator[Role]:
    """What each image is to be: the script, then the deck. Special cases of the waterfall are JPEGs."""
    yield from SCRIPT[:images]
    rng, cards = Random(f"{seed}:roles"), deck(seed, "images", DECK, 1_000)
    forms, shares = list(stock.SHARES), list(stock.SHARES.values())
    for number in range(images - len(SCRIPT)):
        card = cards[number % 1_000]
        if card in CASES:
            yield Role(case=card)
        elif card == "wrong_extension":
            yield Role(rng.choice(("png", "heic", "webp", "gif")), trait=card)
        else:
            form = (
                rng.choices(forms, shares)[0]
                if card != "wrong_content_type"
                else rng.choice(("jpeg", "png", "tiff", "pdf"))
            )
            yield Role(form, case=rng.choices(("plain", "full_and_small", "full_only"), (6, 2, 2))[0], trait=card)


def image_records(images: int, patients: int, seed: int) -> Iterator[tuple[Record, Fate]]:
    """Every image record with its fate, in the host's order."""
    rng = Random(f"{seed}:images")
    shared_out = groups(seed, patients, group_sizes(seed))
    record_id, last_plain = 16, None
    for number, (role, group) in enumerate(zip(roles(seed, images), shared_out, strict=False), 1):
        record_id += rng.choice((1, 1, 1, 2, 3))
        fate = Fate("Images", make_id(seed, "image", number), str(record_id), role.case)
        values = _values(fate, role, group, number, seed, rng)
        family = _family(role, group, number, images, seed, rng)
        if role.trait == "duplicate" and last_plain is not None:
            _fill(values, fate, role, *last_plain, number, rng)
        else:
            note = make_id(seed, "note", number)
            _fill(values, fate, role, family, note, number, rng)
            if role.case in PLAIN and role.form == "jpeg" and (last_plain is None or number > len(SCRIPT)):
                last_plain = family, note
        if fate.state == "imported" and not fate.owner_exists:
            fate.state = "unlinked"
        yield Record(str(record_id), str(rng.randint(1, 9)), values), fate


def _family(role: Role, group: Group, number: int, images: int, seed: int, rng: Random) -> stock.Family:
    if number <= len(SCRIPT) and images < LOAD:
        taken = f"{group.day:%Y:%m:%d} 09:{number:02d}:00"
        return stock.demo_family(seed, number, role.form, role.orientation, taken)
    return stock.load_family(seed, role.form, rng.randrange(stock.STOCK[role.form]))


def _values(fate: Fate, role: Role, group: Group, number: int, seed: int, rng: Random) -> dict[str, Any]:
    """The fields that are not containers; notes owner, date and traits in the fate."""
    owner, exists, day = group.owner, group.exists, us(group.day)
    kind = words.image_type(rng)
    if role.trait == "owner_missing":
        owner, exists = make_id(seed, "nobody", f"image {number}"), False
    elif role.trait == "owner_empty":
        owner, exists = "", False
    elif role.trait == "date_missing":
        day = ""
    elif role.trait == "date_invalid":
        day = NO_DATES[number % len(NO_DATES)]
    fate.owner, fate.owner_exists = owner or None, exists
    fate.date = None if role.trait in ("date_missing", "date_invalid") else group.day.isoformat()
    traits = {role.trait, "" if exists or not owner else "owner_missing", "" if kind else "no_type"}
    fate.traits = frozenset(traits - {""})
    braced = role.trait == "braces"
    edited = group.day + timedelta(rng.randrange(40))
    return {
        "id": f"{{{fate.identity.lower()}}}" if braced else fate.identity,
        "id_Contact": owner.lower() if braced else owner,
        "Type": kind,
        "Name of file": "",
        "date": day,
        "NexusExportDate": "",
        "Notes": rng.choice(words.REMARKS),
        "Serial": number,
        "modified": f"{us(edited)} {rng.randint(8, 17):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}",
    }


def _fill(
    values: dict[str, Any], fate: Fate, role: Role, family: stock.Family, note: str, number: int, rng: Random
) -> None:
    """Fill the five containers as the case wants it, and settle what a perfect importer takes from them."""
    plates = {stock.FULL: family.full, **family.smaller}
    extension = ".jpg" if role.trait == "wrong_extension" else family.full.extension
    name = role.name or words.file_name(number, extension, rng)
    if role.trait == "name_none":
        name = ""
    values["Name of file"] = fate.original_name = name
    failure, damaged = None, []
    for place, what in zip(stock.CONTAINERS, CASES[role.case], strict=True):
        shown = (
            name
            if place == stock.FULL
            else f"{name.rsplit('.', 1)[0]}_{place.removeprefix('image_')}.jpg"
            if name
            else ""
        )
        own = note if place == stock.FULL else make_id(0, note, place)
        value = container(what, plates[place], own, shown)
        if place == stock.FULL and role.trait in ("wrong_content_type", "wrong_extension") and value:
            wrong = WRONG_TYPES[number % len(WRONG_TYPES)] if role.trait == "wrong_content_type" else "image/jpeg"
            value = ContainerValue(value.blob, value.name, wrong)
        values[place] = value if value is not None else ""
        if what in DAMAGED:
            damaged.append((place, what, value))
        elif what in ("gone", "path"):
            failure = failure or ("missing" if what == "gone" else "reference_only")
        elif what and fate.taken is None:
            take(fate, place, value, plates[place].mime_type, plates[place].extension)
            fate.spares = tuple(place for place, _, _ in damaged)
    if fate.taken is None and damaged:
        place, what, value = damaged[0]
        take(fate, place, value, *(("image/jpeg", ".jpg") if what == "cut" else (None, None)))
        fate.state, fate.reason, fate.spares = "quarantined", "damaged", ()
    elif fate.taken is None:
        fate.state, fate.reason = ("failed", failure) if failure else ("empty", None)
