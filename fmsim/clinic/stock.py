"""The plates that a clinic's files are printed from: one drawing a record in a demo, a small stock for a load test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random

from PIL import Image

from fmsim.clinic import papers, words
from fmsim.clinic.encodings import CLEAN, ENCODERS, jpeg
from fmsim.clinic.plates import Plate
from fmsim.clinic.scenes import draw_scene, portrait

#: The waterfall of the images, best first; the smaller ones with their longest side in pixels.
FULL = "image_Full"
SMALLER = {"image_Ex_large": 800, "image_large": 480, "image_medium": 300, "image_small": 150}
CONTAINERS = (FULL, *SMALLER)

DEMO_SIZE, DEMO_LIMIT = (1200, 900), 200_000
LOAD_SIZE = (1000, 750)
LOAD_LIMITS = (62_000, 130_000)  #: the largest size allowed to the smallest and to the largest JPEG of the stock
#: How many plates of each format the stock has, and how many of a thousand plain images are of it.
STOCK = {
    "jpeg": 24,
    "progressive": 2,
    "cmyk": 1,
    "gray": 2,
    "png": 2,
    "heic": 1,
    "webp": 1,
    "gif": 1,
    "tiff": 1,
    "bmp": 1,
    "pdf": 2,
    "text": 1,
}
SHARES = {
    "jpeg": 930,
    "progressive": 18,
    "png": 14,
    "heic": 8,
    "pdf": 7,
    "gray": 5,
    "webp": 4,
    "tiff": 4,
    "gif": 3,
    "cmyk": 3,
    "bmp": 2,
    "text": 2,
}


@dataclass(frozen=True, slots=True)
class Family:
    """A picture's best file and the smaller copies that FileMaker keeps beside it."""

    full: Plate
    smaller: dict[str, Plate]


def family(picture: Image.Image, full: Plate, orientation: int = 1) -> Family:
    smaller = {}
    for field, side in SMALLER.items():
        picture = picture.resize((side, side * picture.height // picture.width), Image.Resampling.BICUBIC)
        smaller[field] = jpeg(picture, 60_000, orientation=orientation)
    return Family(full, smaller)


def _label(form: str, orientation: int) -> str:
    name = {"gray": "JPEG · grey", "cmyk": "JPEG · CMYK", "progressive": "JPEG · progressive"}.get(form, form.upper())
    return f"{name} · EXIF {orientation}" if form == "jpeg" else name


def note_plate(number: int, lines: int) -> Plate:
    """A plain text that somebody put where a picture belongs."""
    shown = [f"{line + 1:04d}  {words.LINES[(line + number) % len(words.LINES)]}" for line in range(lines)]
    return papers.text(f"Notes to picture {number}", shown)


@lru_cache(maxsize=128)
def demo_family(seed: int, number: int, form: str, orientation: int, taken: str) -> Family:
    """A drawing of its own for record `number` of a demo, labelled with that number."""
    rough = 0.0 if form in CLEAN else 0.05
    picture = draw_scene(
        number - 1, DEMO_SIZE, f"No. {number}", _label(form, orientation), Random(f"{seed}:demo:{number}"), rough=rough
    )
    if form == "text":
        return family(picture, note_plate(number, 60))
    if form == "jpeg":
        return family(picture, jpeg(picture, DEMO_LIMIT, orientation=orientation, gps=True, taken=taken), orientation)
    return family(picture, ENCODERS[form](picture, DEMO_LIMIT))


@lru_cache(maxsize=128)
def load_family(seed: int, form: str, index: int) -> Family:
    """A plate of the stock that load tests print from: files of 50 to 130 KB, JPEGs in all orientations."""
    if form == "text":
        return Family(note_plate(1, 1_100), load_family(seed, "jpeg", 0).smaller)
    orientation = index % 8 + 1 if form == "jpeg" else 1
    rough, scene = (0.0 if form in CLEAN else 0.09), index if form == "jpeg" else index * 5 + len(form) + 1
    picture = draw_scene(
        scene,
        LOAD_SIZE,
        f"Plate {index + 1}",
        _label(form, orientation),
        Random(f"{seed}:{form}:{index}"),
        rough=rough,
        over=1,
    )
    if form == "jpeg":
        low, high = LOAD_LIMITS
        limit = low + (high - low) * (index * 7 % STOCK[form]) // (STOCK[form] - 1)
        return family(picture, jpeg(picture, limit, orientation=orientation, gps=index % 3 == 0), orientation)
    return family(picture, ENCODERS[form](picture, 125_000))


@lru_cache(maxsize=2)
def portraits(seed: int) -> tuple[Plate, ...]:
    drawn = (
        draw_scene(index, (300, 360), "Portrait", "JPEG", Random(f"{seed}:portrait:{index}"), scene=portrait)
        for index in range(7)
    )
    return tuple(jpeg(picture, 40_000) for picture in drawn)


@lru_cache(maxsize=2)
def paper_stock(seed: int) -> dict[str, tuple[Plate, ...]]:
    """Papers by kind: letters of one to six pages, scans, Word, e-mail, RTF, text."""
    rng = Random(f"{seed}:papers")

    def lines(least: int, most: int) -> list[str]:
        return [rng.choice(words.LINES) for _ in range(rng.randint(least, most))]

    pictures = [
        draw_scene(index, (900, 675), f"Scan {index + 1}", "PDF", Random(f"{seed}:scan:{index}")) for index in range(4)
    ]
    return {
        "letter": tuple(
            papers.letter_pdf(rng.choice(words.TITLES), lines(8, 30), pages) for pages in (1, 1, 2, 2, 3, 6)
        ),
        "scan": tuple(ENCODERS["pdf"](picture, 80_000) for picture in pictures),
        "photo": tuple(jpeg(picture, 90_000) for picture in pictures),
        "word": tuple(papers.word(rng.choice(words.TITLES), lines(10, 40)) for _ in range(4)),
        "email": tuple(papers.email(rng.choice(words.TITLES), lines(4, 20)) for _ in range(3)),
        "rtf": tuple(papers.rtf(rng.choice(words.TITLES), lines(6, 30)) for _ in range(2)),
        "text": tuple(papers.text(rng.choice(words.TITLES), lines(3, 25)) for _ in range(2)),
    }
