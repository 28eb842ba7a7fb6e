"""A drawn picture in each of the encodings that a clinic's containers hold, with a place for the note of a copy."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import pillow_heif
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from fmsim.clinic.papers import picture_pdf
from fmsim.clinic.plates import NOTE, Plate, plate

T = Image.Transpose
#: How the stored pixels must be turned so that this EXIF orientation shows the picture upright again.
STORED_AS: dict[int, Image.Transpose] = {
    2: T.FLIP_LEFT_RIGHT, 3: T.ROTATE_180, 4: T.FLIP_TOP_BOTTOM, 5: T.TRANSPOSE, 6: T.ROTATE_90, 7: T.TRANSVERSE, 8: T.ROTATE_270,
}  # fmt: skip
QUALITIES = (30, 40, 50, 60, 68, 75, 81, 86, 90, 93)


def exif(orientation: int = 1, taken: str = "", note: bytes = b"", gps: bool = False) -> bytes:
    """An EXIF block as a camera writes it. `taken` is `YYYY:MM:DD HH:MM:SS`; the position lies in the open sea."""
    block = Image.Exif()
    block[0x010F], block[0x0110], block[0x0112] = "Invented", "Demo Camera 3", orientation
    if note:
        block[0x010E] = note.decode("ascii")
    if taken:
        block.get_ifd(0x8769)[0x9003] = taken
    if gps:
        block.get_ifd(0x8825).update({1: "N", 2: (30.0, 15.0, 0.0), 3: "W", 4: (40.0, 30.0, 0.0)})
    return block.tobytes()


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def largest_fitting(limit: int, encode: Callable[[int], bytes], choices: Sequence[int]) -> bytes:
    """The encoding with the best of the rising `choices` that stays within `limit` bytes, by bisection."""
    low, high, best = 0, len(choices) - 1, b""
    while low <= high:
        middle = (low + high) // 2
        data = encode(choices[middle])
        if len(data) <= limit:
            best, low = data, middle + 1
        else:
            high = middle - 1
    return best or encode(choices[0])


def jpeg(picture: Image.Image, limit: int, *, orientation: int = 1, gps: bool = False, taken: str = "",
         progressive: bool = False, mode: str = "RGB") -> Plate:  # fmt: skip
    """Baseline or progressive JPEG in `RGB`, `L` or `CMYK`, of at most `limit` bytes where the quality allows it."""
    stored = picture.transpose(STORED_AS[orientation]) if orientation in STORED_AS else picture
    stored = stored.convert(mode) if stored.mode != mode else stored
    block = exif(orientation, taken, gps=gps) if mode == "RGB" else b""

    def encode(quality: int) -> bytes:
        return saved(
            stored, "JPEG", quality=quality, progressive=progressive, comment=NOTE, **({"exif": block} if block else {})
        )

    return plate(largest_fitting(limit, encode, QUALITIES), "image/jpeg", ".jpg")


def png(picture: Image.Image, limit: int) -> Plate:
    """A PNG whose surroundings are transparent."""
    mask = Image.new("L", picture.size)
    mask.paste(255, (0, 0), rounded(picture.size))

    def encode(width: int) -> bytes:
        small = picture.resize((width, width * picture.height // picture.width), Image.Resampling.LANCZOS)
        small.putalpha(mask.resize(small.size, Image.Resampling.LANCZOS))
        info = PngInfo()
        info.add_text("Comment", NOTE.decode("ascii"))
        return saved(small, "PNG", pnginfo=info, compress_level=6)

    return plate(largest_fitting(limit, encode, range(200, 1001, 50)), "image/png", ".png")


def few_colours(picture: Image.Image, colours: int) -> Image.Image:
    return picture.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def rounded(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), min(size) // 6, fill=255)
    return mask


def heic(picture: Image.Image, limit: int) -> Plate:
    picture = picture.resize((800, 800 * picture.height // picture.width), Image.Resampling.LANCZOS)

    def encode(quality: int) -> bytes:
        out = io.BytesIO()
        pillow_heif.from_pillow(picture).save(out, quality=quality, exif=exif(note=NOTE))
        return out.getvalue()

    return plate(largest_fitting(limit, encode, (45, 58, 70)), "image/heic", ".heic")


def webp(picture: Image.Image, limit: int) -> Plate:
    def encode(quality: int) -> bytes:
        return saved(picture, "WEBP", quality=quality, method=2, exif=exif(note=NOTE))

    return plate(largest_fitting(limit, encode, QUALITIES), "image/webp", ".webp")


def gif(picture: Image.Image, limit: int) -> Plate:
    def encode(width: int) -> bytes:
        small = picture.resize((width, width * picture.height // picture.width), Image.Resampling.LANCZOS)
        return saved(few_colours(small, 200), "GIF", comment=NOTE)

    return plate(largest_fitting(limit, encode, range(200, 1001, 80)), "image/gif", ".gif")


def tiff(picture: Image.Image, limit: int) -> Plate:
    def encode(width: int) -> bytes:
        small = picture.resize((width, width * picture.height // picture.width), Image.Resampling.LANCZOS)
        tags = ImageFileDirectory_v2()
        tags[270] = NOTE.decode("ascii")
        return saved(few_colours(small, 128).convert("RGB"), "TIFF", compression="tiff_lzw", tiffinfo=tags)

    return plate(largest_fitting(limit, encode, range(160, 1001, 80)), "image/tiff", ".tif")


def bmp(picture: Image.Image, limit: int) -> Plate:
    """A BMP of 256 colours. Its note stands in the gap that the header may leave before the pixels."""
    width = int((min(limit, 250_000) - 1_200) ** 0.5 * 1.15) // 4 * 4
    small = picture.resize((width, width * picture.height // picture.width), Image.Resampling.LANCZOS).quantize(256)
    data = saved(small, "BMP")
    start = int.from_bytes(data[10:14], "little")
    head = (
        data[:2]
        + (len(data) + len(NOTE)).to_bytes(4, "little")
        + data[6:10]
        + (start + len(NOTE)).to_bytes(4, "little")
    )
    return plate(head + data[14:start] + NOTE + data[start:], "image/bmp", ".bmp")


def pdf(picture: Image.Image, limit: int) -> Plate:
    def encode(quality: int) -> bytes:
        return picture_pdf(saved(picture, "JPEG", quality=quality), picture.size)

    return plate(largest_fitting(limit, encode, QUALITIES), "application/pdf", ".pdf")


#: Formats without loss: a photograph's grain would blow them up.
CLEAN = frozenset({"png", "gif", "tiff", "bmp"})

#: Each picture format by its short name: (picture, at most so many bytes) -> plate.
ENCODERS: dict[str, Callable[[Image.Image, int], Plate]] = {
    "jpeg": jpeg,
    "progressive": lambda picture, limit: jpeg(picture, limit, progressive=True),
    "cmyk": lambda picture, limit: jpeg(picture, limit, mode="CMYK"),
    "gray": lambda picture, limit: jpeg(picture, limit, mode="L"),
    "png": png,
    "heic": heic,
    "webp": webp,
    "gif": gif,
    "tiff": tiff,
    "bmp": bmp,
    "pdf": pdf,
}
