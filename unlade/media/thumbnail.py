"""From a decoded picture to a thumbnail: eight bits, sRGB, upright, small, and without any metadata."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

from PIL import Image
from PIL.Image import Resampling, Transpose

from unlade.cargo import Thumb

#: EXIF orientation -> what makes the picture upright (EXIF 2.32, 4.6.4 A, Orientation).
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_JPEG_QUALITY = 82
#: How much larger than the thumbnail a picture may be decoded or averaged before the last, exact step. Below Pillow's
#: own 2.0, so that a 12-megapixel JPEG comes at an eighth of its size instead of a quarter.
REDUCING_GAP = 1.5


def make_thumbnail(image: Image.Image, box: tuple[int, int], orientation: int) -> Thumb:
    """A thumbnail of a loaded picture that fits `box` when upright; never larger than the picture itself."""
    icc = image.info.get("icc_profile")
    image = _scalable(image)
    width, height = (box[1], box[0]) if orientation >= 5 else box
    image.thumbnail((width, height), Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    return encode_thumbnail(_to_srgb(image, icc if isinstance(icc, bytes) else None))


def encode_thumbnail(image: Image.Image) -> Thumb:
    """PNG when something is transparent, else progressive JPEG. `image` is L, LA, RGB or RGBA in sRGB."""
    if "A" in image.getbands():
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] == 255:
            image = image.convert("RGB")
    image = image.copy()
    image.info = {}  # savers copy comments and profiles from here
    buffer = io.BytesIO()
    if image.mode == "RGBA":
        image.save(buffer, "PNG", optimize=True)
        return Thumb(buffer.getvalue(), "image/png", ".png", *image.size)
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True, progressive=True)
    return Thumb(buffer.getvalue(), "image/jpeg", ".jpg", *image.size)


def _scalable(image: Image.Image) -> Image.Image:
    """The picture in a mode that can be averaged: palettes and bits would be resized by picking pixels."""
    if image.has_transparency_data and image.mode not in {"RGBA", "LA", "La", "RGBa"}:
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in {"P", "PA", "HSV", "YCbCr"}:
        return image.convert("RGB")
    if image.mode in {"La", "RGBa"}:
        return image.convert("LA" if image.mode == "La" else "RGBA")
    if image.mode.startswith("I;16"):
        return _to_eight_bits(image.convert("I"))
    if image.mode in {"I", "F"}:  # before scaling, which overshoots at edges and would move the white point
        return _to_eight_bits(image)
    return image


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    converted = _by_profile(image, icc) if icc else None
    if converted is not None:
        return converted
    if image.mode == "LAB":
        from PIL import ImageCms

        lab = ImageCms.profileToProfile(
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        return lab if lab is not None else image.convert("RGB")
    return image if image.mode in {"L", "LA", "RGB", "RGBA"} else image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Greys of more than eight bits: the smallest of 8, 10, 12, 14, 16 bits that holds the brightest one is white."""
    low, high = image.getextrema()
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        raise TypeError("a picture of one band has one pair of extrema")
    if image.mode == "F" or low < 0 or high > 0xFFFF:
        offset, white = float(low), max(float(high) - float(low), 1e-9)
    else:
        offset, white = 0.0, float(next(top for top in (0xFF, 0x3FF, 0xFFF, 0x3FFF, 0xFFFF) if high <= top))
    factor = 255.0 / white
    return image.point(lambda value: value * factor - offset * factor).convert("L")


def _by_profile(image: Image.Image, icc: bytes) -> Image.Image | None:
    """The picture in sRGB by its own profile; None when there is nothing to convert or the profile is unusable."""
    from PIL import ImageCms

    try:
        transform = _transform(icc, image.mode)
        return ImageCms.applyTransform(image, transform) if transform else None
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None  # a broken profile is no reason to have no thumbnail


_COLOUR_SPACES = {"RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK", "L": "GRAY"}


@lru_cache(maxsize=8)
def _transform(icc: bytes, mode: str) -> Any:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    if _COLOUR_SPACES.get(mode) != profile.profile.xcolor_space.strip():
        return None
    described = profile.profile.profile_description or ""
    if "sRGB" in described and "linear" not in described.lower():
        return None
    target = "RGBA" if mode == "RGBA" else "RGB"
    return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, target)
