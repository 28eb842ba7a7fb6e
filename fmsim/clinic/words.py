"""The small vocabulary of a clinic that does not exist: names, free-text types, file names, categories, remarks."""

from __future__ import annotations

from random import Random

#: Nobody's names: short first names, and trees and birds as last names.
FIRST = (
    "Ada",
    "Ben",
    "Cleo",
    "Dan",
    "Eva",
    "Finn",
    "Gia",
    "Hugo",
    "Ida",
    "Jon",
    "Kim",
    "Leo",
    "Mia",
    "Ned",
    "Olga",
    "Pia",
    "Quinn",
    "Rosa",
    "Sam",
    "Tess",
)
LAST = (
    "Alder", "Birch", "Cedar", "Dove", "Elm", "Finch", "Grebe", "Hazel", "Ibis", "Juniper", "Kestrel", "Larch",
    "Maple", "Nutmeg", "Oak", "Plover", "Rowan", "Swift", "Teal", "Willow",
)  # fmt: skip
CLINICS = ("Harbour Clinic", "Lighthouse Practice", "Old Mill Surgery")

_PLACES = (
    "Dorsal", "Face", "Left forearm", "Right forearm", "Left hand", "Right hand", "Scalp", "Neck", "Chest", "Abdomen",
    "Back", "Left thigh", "Right thigh", "Left knee", "Foot", "Nail",
)  # fmt: skip
_VIEWS = ("", "", "", "front", "oblique", "close-up", "before", "after", "w/ scale", "6 weeks", "3 months", "overview")
_LONGEST = "Right forearm, oblique, with a scale"  # 36 characters, the longest that was ever met


def image_type(rng: Random) -> str:
    """What people typed over ten years: one thing in many spellings, sometimes nothing at all."""
    draw = rng.random()
    if draw < 0.008:
        return ""
    if draw < 0.012:
        return _LONGEST
    place = rng.choices(_PLACES, [1 / (rank + 1) for rank in range(len(_PLACES))])[0]
    view = rng.choice(_VIEWS)
    if not view:
        words = place
    else:
        words = f"{place}, {view}" if (len(place) + len(view)) % 3 else f"{place} {view}"
    if draw > 0.99:
        return words.lower()
    return words + " " if draw > 0.97 else words


#: Names that have broken importers: spaces, umlauts (composed and not), Japanese, slashes, colons, quotes, length.
ODD_NAMES = (
    "Rücken über Kopf äöü{ext}",
    "左前腕 {number}{ext}",
    "Arm links, 2. Aufnahme {number}{ext}",
    "Ru\u0308cken NFD {number}{ext}",
    "arm 12/3: 'left' {number}{ext}",
    "Überweisung \u201eKopie\u201c {number}{ext}",
    "scan.final.v2 (1){ext}",
    "{number:04d} " + "long name " * 14 + "end{ext}",
)


def file_name(number: int, extension: str, rng: Random) -> str:
    draw = rng.random()
    if draw < 0.04:
        return rng.choice(ODD_NAMES).format(number=number, ext=extension)
    if draw < 0.12:
        return f"IMG {number} {rng.choice(_PLACES).lower()}{extension}"
    return f"IMG_{number:04d}{extension.upper() if draw < 0.4 else extension}"


#: Document categories, free text, with the spellings of ten years.
CATEGORIES = (
    "Referral", "referral", "Lab report", "Lab Report", "Consent", "Letter out", "Letter in", "Invoice", "Insurance",
    "Histology", "E-mail", "Note", "",
)  # fmt: skip
TITLES = (
    "Referral letter",
    "Laboratory report",
    "Consent form",
    "Letter to the practice",
    "Histology report",
    "Reminder",
    "Summary of the visit",
)
LINES = (
    "This paper belongs to a clinic that does not exist.",
    "Nobody described here was ever born.",
    "Findings: the tide was high (2.4 m) and the wind came from the north-west.",
    "Plan: look again in six weeks.",
    "The ruler in the picture shows centimetres.",
    "Measured at the edge: 12 mm; in the middle: 7 mm.",
    "No change since the last time.",
    "With kind regards, the reception.",
)
REMARKS = (
    "",
    "",
    "",
    "",
    "second picture of the series",
    "light from the left",
    "see letter\rasked for by phone",
    "retake, first one blurred",
    "scale in cm",
)
