"""What the scenes are drawn with: colours, soft shapes, wobbling outlines, grain, a ruler, and the caption."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

Colour = tuple[int, int, int]


def rgb(colour: str) -> Colour:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mix(one: str, other: str, share: float) -> Colour:
    a, b = rgb(one), rgb(other)
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(size, 8))


def gradient(width: int, height: int, light: str, deep: str, angle: float) -> Image.Image:
    """A soft slope from light to deep."""
    slope = Image.linear_gradient("L").rotate(angle, Image.Resampling.BILINEAR, expand=False, fillcolor=128)
    return ImageOps.colorize(
        slope.crop((40, 40, 216, 216)).resize((width, height), Image.Resampling.BILINEAR), light, deep
    )


def soft(picture: Image.Image, colour: Colour, shape: Callable[[ImageDraw.ImageDraw], None], blur: float) -> None:
    """Lay a blurred shape of one colour on the picture. Blurred at half size: it is soft anyway, and faster."""
    mask = Image.new("L", picture.size)
    shape(ImageDraw.Draw(mask))
    box = mask.getbbox()
    if box:
        edge = int(blur * 3) + 2
        box = (
            max(box[0] - edge, 0),
            max(box[1] - edge, 0),
            min(box[2] + edge, mask.width),
            min(box[3] + edge, mask.height),
        )
        part = mask.crop(box)
        small = part.reduce(2).filter(ImageFilter.GaussianBlur(max(blur / 2, 0.5)))
        picture.paste(colour, box, small.resize(part.size, Image.Resampling.BILINEAR))


def outline(x: float, y: float, radius: float, rough: float, rng: Random) -> list[tuple[float, float]]:
    """A closed, wobbling outline."""
    waves = [(n, rng.uniform(0, math.tau), rng.uniform(0.2, 1) / n) for n in (2, 3, 5, 7)]
    points = []
    for step in range(72):
        turn = step * math.tau / 72
        reach = radius * (1 + rough * sum(size * math.sin(n * turn + phase) for n, phase, size in waves))
        points.append((x + reach * math.cos(turn), y + reach * math.sin(turn)))
    return points


def ruler(picture: Image.Image) -> None:
    draw, unit = ImageDraw.Draw(picture), min(picture.size)
    high, gap = unit // 11, max(unit // 60, 4)
    left, top = picture.width // 3, picture.height - high - unit // 24
    draw.rounded_rectangle(
        (left, top, picture.width - unit // 24, top + high), unit // 80, fill="#fbfbf7", outline="#8a8a84"
    )
    for tick in range((picture.width - unit // 12 - left) // gap):
        x = left + unit // 60 + tick * gap
        draw.line(
            (x, top, x, top + high * (0.45 if tick % 10 == 0 else 0.32 if tick % 5 == 0 else 0.2)),
            "#33332f",
            max(unit // 400, 1),
        )
        if tick % 10 == 0:
            draw.text((x, top + high * 0.5), str(tick // 10), "#33332f", font(high // 3), anchor="ma")


def caption(picture: Image.Image, title: str, note: str) -> Image.Image:
    """The marks that tell how a picture must be held: TOP with an arrow, and a card with its number."""
    draw, unit = ImageDraw.Draw(picture), min(picture.size)
    edge, high = unit // 24, unit // 8
    wide = high + int(draw.textlength("TOP", font(high // 2)))
    draw.rounded_rectangle((edge, edge, edge + wide, edge + high), high // 4, fill="#ffffff")
    x, y = edge + high * 0.5, edge + high * 0.22
    draw.polygon([(x, y), (x + high * 0.28, y + high * 0.55), (x - high * 0.28, y + high * 0.55)], fill="#d8432b")
    draw.text((edge + high * 0.9, edge + high // 2), "TOP", "#1d1d1d", font(high // 2), anchor="lm")
    large, small = font(int(high * 0.62)), font(int(high * 0.34))
    wide = int(max(draw.textlength(title, large), draw.textlength(note, small)) + high * 0.5)
    top = picture.height - edge - int(high * 1.3)
    draw.rounded_rectangle((edge, top, edge + wide, picture.height - edge), high // 5, fill="#1d1d1d")
    draw.text((edge + high * 0.25, top + high * 0.42), title, "#ffffff", large, anchor="lm")
    draw.text((edge + high * 0.25, top + high * 0.97), note, "#f2c14e", small, anchor="lm")
    return picture


def grain(picture: Image.Image, amount: float, rng: Random) -> Image.Image:
    """The fine grain of a sensor, without which no photograph compresses like one."""
    width, height = picture.size
    noise = Image.frombytes("L", (width, height), rng.randbytes(width * height)).filter(ImageFilter.BoxBlur(0.6))
    rough = noise.point([round(128 + (value - 128) * amount) for value in range(256)])
    return ImageChops.add(picture, Image.merge("RGB", (rough, rough, rough)), 1, -128)
