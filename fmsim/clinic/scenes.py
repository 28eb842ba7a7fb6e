"""Pictures to look at: abstract studies in clinic colours, drawn with Pillow alone, the same for the same random stream.

Every scene is drawn upright and carries a caption and a TOP mark, so that a wrong rotation or a mirrored picture
shows at a glance, even at thumbnail size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from fmsim.clinic.brush import caption, gradient, grain, mix, outline, rgb, ruler, soft

Scene = Callable[[int, int, Random, int], Image.Image]  #: width, height, random stream, number of the palette

#: Paper, deep, accent, second accent, ink.
PALETTES: tuple[tuple[str, str, str, str, str], ...] = (
    ("#f4e4d6", "#d9a58a", "#b5533c", "#6b8f8a", "#3b2a26"),
    ("#e7f0ee", "#7fb3ac", "#2d6a6f", "#e0a458", "#17333a"),
    ("#f7ecdf", "#e3b98f", "#c8553d", "#588b8b", "#2c2a3a"),
    ("#eceaf6", "#a59ccf", "#5b4b9a", "#f2a65a", "#241f47"),
    ("#f1f4e8", "#a9bf7e", "#5a7d3a", "#d9743f", "#26331a"),
    ("#e6eef7", "#86abd6", "#2f5f9e", "#f2c14e", "#14253f"),
    ("#fbeaea", "#e39aa5", "#b23a55", "#4f7cac", "#3a1622"),
)
SKIN: tuple[tuple[str, str], ...] = (
    ("#f6dcc9", "#e2b295"), ("#eec6a6", "#cf9670"), ("#d8a27c", "#b0754e"), ("#b57c56", "#8a5636"), ("#8d5a3c", "#623a25"),
)  # fmt: skip


def skin(width: int, height: int, rng: Random, hue: int) -> Image.Image:
    """A field of skin with a few marks, and the ruler that such photographs have."""
    light, deep = SKIN[hue % len(SKIN)]
    picture = gradient(width, height, light, deep, rng.uniform(0, 360))
    unit = min(width, height)
    for _ in range(rng.randint(60, 110)):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), unit * rng.uniform(0.002, 0.006)
        ImageDraw.Draw(picture).ellipse((x - r, y - r, x + r, y + r), fill=mix(deep, "#5a2d20", rng.uniform(0.1, 0.4)))
    picture = picture.filter(ImageFilter.GaussianBlur(unit / 420))
    for index in range(rng.randint(2, 4)):
        x, y = width * rng.uniform(0.2, 0.8), height * rng.uniform(0.25, 0.65)
        radius = unit * (rng.uniform(0.13, 0.2) if index == 0 else rng.uniform(0.03, 0.08))
        edge, core = outline(x, y, radius, 0.22, rng), outline(x, y, radius * 0.55, 0.3, rng)
        soft(picture, mix(deep, "#b5533c", 0.55), lambda d, p=edge: d.polygon(p, fill=170), unit / 45)  # type: ignore[misc]
        soft(picture, mix(deep, "#5c1f1a", 0.7), lambda d, p=core: d.polygon(p, fill=200), unit / 90)  # type: ignore[misc]
    ruler(picture)
    return picture


def contours(width: int, height: int, rng: Random, hue: int) -> Image.Image:
    """Height lines around two hills, as on a map of a surface."""
    paper, deep, accent, second, _ = PALETTES[hue % len(PALETTES)]
    picture = Image.new("RGB", (width, height), paper)
    draw, unit = ImageDraw.Draw(picture), min(width, height)
    for x, y, tone in ((0.36, 0.44, accent), (0.76, 0.66, second)):
        wobble, steps = rng.random(), 11
        for ring in range(steps):
            radius = unit * 0.62 * (1 - ring / steps)
            points = outline(width * x, height * y, radius, 0.16, Random(wobble))
            draw.polygon(points, fill=mix(paper, tone if ring > 4 else deep, 0.12 + 0.8 * ring / steps))
            draw.line([*points, points[0]], mix(deep, tone, 0.6), max(unit // 300, 1))
    return picture


def cells(width: int, height: int, rng: Random, hue: int) -> Image.Image:
    """The round field of a microscope, with stained cells."""
    paper, deep, accent, second, ink = PALETTES[hue % len(PALETTES)]
    field = gradient(width, height, paper, "#ffffff", 30)
    draw, unit = ImageDraw.Draw(field), min(width, height)
    for _ in range(150):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), unit * rng.uniform(0.022, 0.05)
        tone = accent if rng.random() < 0.75 else second
        draw.polygon(outline(x, y, r, 0.12, rng), fill=mix(paper, tone, 0.42), outline=mix(deep, tone, 0.5))
        x, y, r = x + r * rng.uniform(-0.25, 0.25), y + r * rng.uniform(-0.25, 0.25), r * rng.uniform(0.3, 0.5)
        draw.polygon(outline(x, y, r, 0.1, rng), fill=mix(tone, ink, 0.3))
    lens = Image.new("L", (width, height))
    ImageDraw.Draw(lens).ellipse(
        ((width - unit * 0.94) / 2, unit * 0.03, (width + unit * 0.94) / 2, unit * 0.97), fill=255
    )
    dark = Image.new("RGB", (width, height), mix(ink, "#000000", 0.35))
    return Image.composite(field, dark, lens.filter(ImageFilter.GaussianBlur(unit / 160)))


def layers(width: int, height: int, rng: Random, hue: int) -> Image.Image:
    """A section through tissue: wavy bands with grains in them."""
    paper, deep, accent, second, ink = PALETTES[hue % len(PALETTES)]
    picture = Image.new("RGB", (width, height), paper)
    draw, unit = ImageDraw.Draw(picture), min(width, height)
    tones = [
        mix(paper, deep, 0.5),
        rgb(deep),
        mix(deep, accent, 0.55),
        rgb(accent),
        mix(accent, second, 0.6),
        mix(accent, ink, 0.6),
    ]
    for band, tone in enumerate(tones):
        base, phase, swing = height * (0.2 + band * 0.14), rng.uniform(0, 6), unit * rng.uniform(0.02, 0.05)
        edge = [(x, base + swing * math.sin(x / unit * rng.choice((5.0,)) + phase) + swing / 2 * math.sin(x / unit * 13 + 2 * phase))
                for x in range(0, width + 8, 8)]  # fmt: skip
        draw.polygon([*edge, (width, height), (0, height)], fill=tone)
        draw.line(edge, mix(ink, paper, 0.45), max(unit // 260, 1))
        for _ in range(46):
            x, y, r = rng.uniform(0, width), base + unit * rng.uniform(0.06, 0.12), unit * rng.uniform(0.004, 0.011)
            draw.ellipse((x - r * 1.4, y - r, x + r * 1.4, y + r), fill=mix(paper, second if band % 2 else ink, 0.75))
    return picture


def chart(width: int, height: int, rng: Random, hue: int) -> Image.Image:
    """The colour card that a photographer lays into the first picture of a series."""
    paper, _, _, _, ink = PALETTES[hue % len(PALETTES)]
    picture = gradient(width, height, "#4a4744", "#2a2826", rng.uniform(0, 360))
    draw, unit = ImageDraw.Draw(picture), min(width, height)
    tones = [colour for palette in PALETTES[:6] for colour in palette[1:4]]
    rng.shuffle(tones)
    tones += ["#ffffff", "#cfcfcf", "#9f9f9f", "#6f6f6f", "#3f3f3f", "#111111"]
    side = min((width - unit * 0.2) / 6.9, (height - unit * 0.42) / 4.6)
    left, top = (width - side * 6.75) / 2, unit * 0.19
    draw.rounded_rectangle(
        (left - side * 0.3, top - side * 0.3, left + side * 7.05, top + side * 4.85), side / 5, fill=ink, outline=paper
    )
    for index, tone in enumerate(tones):
        x, y = left + (index % 6) * side * 1.15, top + (index // 6) * side * 1.15
        draw.rounded_rectangle((x, y, x + side, y + side), side / 12, fill=tone)
    return picture


def radiograph(width: int, height: int, rng: Random, hue: int) -> Image.Image:  # noqa: ARG001
    """Something like a radiograph: bright arcs on a dark ground."""
    picture = gradient(width, height, "#151a20", "#39434d", rng.uniform(0, 40))
    unit, middle = min(width, height), width / 2
    ribs = [(index, side) for index in range(8) for side in (-1, 1)]

    def bones(draw: ImageDraw.ImageDraw) -> None:
        for index, side in ribs:
            y, reach = height * (0.08 + index * 0.1), side * unit * (0.39 + 0.0325 * index)
            box = (min(middle, middle + reach), y, max(middle, middle + reach), y + unit * 0.2)
            draw.arc(box, *((200, 350) if side > 0 else (190, 340)), fill=140, width=unit // 30)

    def spine(draw: ImageDraw.ImageDraw) -> None:
        for index in range(8):
            y = height * (0.08 + index * 0.1)
            draw.rounded_rectangle(
                (middle - unit * 0.045, y, middle + unit * 0.045, y + height * 0.075), unit // 40, fill=205
            )

    soft(picture, (190, 202, 212), bones, unit / 130)
    soft(picture, (225, 232, 238), spine, unit / 110)
    return picture


def hills(width: int, height: int, rng: Random, hue: int) -> Image.Image:
    """The view from the waiting room."""
    paper, deep, accent, second, ink = PALETTES[hue % len(PALETTES)]
    picture = gradient(width, height, second, paper, 0)
    draw, unit = ImageDraw.Draw(picture), min(width, height)
    x, y, r = width * rng.uniform(0.3, 0.75), height * rng.uniform(0.24, 0.36), unit * rng.uniform(0.09, 0.14)
    soft(picture, rgb(paper), lambda d: d.ellipse((x - 2 * r, y - 2 * r, x + 2 * r, y + 2 * r), fill=150), unit / 14)
    draw.ellipse((x - r, y - r, x + r, y + r), fill=mix(paper, "#ffffff", 0.6))
    for ridge in range(6):
        base, phase = height * (0.46 + ridge * 0.09), rng.uniform(0, 9)
        edge = []
        for x in range(0, width + 6, 6):
            wave = 0.07 * math.sin(x / unit * (2 + ridge * 0.7) + phase) + 0.02 * math.sin(x / unit * 9 + phase * 2)
            edge.append((x, base - unit * wave))
        colour = mix(deep, accent, ridge / 3) if ridge < 3 else mix(accent, ink, (ridge - 2) / 3)
        draw.polygon([*edge, (width, height), (0, height)], fill=colour)
    return picture


def petals(width: int, height: int, rng: Random, hue: int) -> Image.Image:
    """A rosette of clear discs."""
    paper, deep, accent, second, ink = PALETTES[hue % len(PALETTES)]
    picture = gradient(width, height, paper, "#ffffff", 60)
    unit, count, turn = min(width, height), rng.choice((7, 9, 11)), rng.uniform(0, 6)
    for index in range(count):
        angle, r = turn + index * math.tau / count, unit * 0.2
        x, y = width / 2 + unit * 0.22 * math.cos(angle), height * 0.47 + unit * 0.22 * math.sin(angle)
        disc = Image.new("RGB", (width, height), "#ffffff")
        ImageDraw.Draw(disc).ellipse(
            (x - r, y - r, x + r, y + r), fill=mix(paper, (accent, second, deep)[index % 3], 0.62)
        )
        picture = ImageChops.multiply(picture, disc)
    r, x, y = unit * 0.05, width / 2, height * 0.47
    ImageDraw.Draw(picture).ellipse((x - r, y - r, x + r, y + r), fill=ink)
    return picture


def portrait(width: int, height: int, rng: Random, hue: int) -> Image.Image:
    """Nobody's portrait: a head and shoulders without a face."""
    paper, deep, accent, second, ink = PALETTES[hue % len(PALETTES)]
    picture = gradient(width, height, paper, deep, rng.uniform(0, 360))
    draw, unit = ImageDraw.Draw(picture), min(width, height)
    x, y, r = width / 2, height * 0.4, unit * 0.19
    draw.ellipse((x - r * 2.1, y + r * 1.25, x + r * 2.1, y + r * 6), fill=rng.choice((accent, second)))
    draw.ellipse((x - r * 1.15, y - r * 1.35, x + r * 1.15, y + r * 0.9), fill=ink)
    draw.ellipse((x - r, y - r, x + r, y + r * 1.2), fill=rng.choice(SKIN)[0])
    return picture


SCENES: tuple[Scene, ...] = (skin, hills, cells, contours, skin, layers, petals, chart, radiograph)


def draw_scene(number: int, size: tuple[int, int], title: str, note: str, rng: Random, *, rough: float = 0.05, over: float = 1.25,
               scene: Scene | None = None) -> Image.Image:  # fmt: skip
    """Scene `number` (they take turns), upright, RGB, with its caption.

    `rough` is the amount of grain (0: none), `over` how much larger it is drawn first, for smooth edges.
    """
    width, height = size
    picture = (scene or SCENES[number % len(SCENES)])(
        int(width * over), int(height * over), rng, number * 3 + number // 9 * 2
    )
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return caption(grain(picture, rough, rng) if rough else picture, title, note)
