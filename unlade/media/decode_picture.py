"""Pictures, by Pillow and libheif: header, EXIF, a decode at the smallest scale that will do, thumbnail.

The decode is also the check: reading every byte of the picture is the only way to know that none is missing. JPEG is
decoded at a half, quarter or eighth of its size (`draft`), which still reads the whole scan.
"""

from __future__ import annotations

import importlib
import re
import struct
from pathlib import Path

from PIL import Image, ImageFile

from unlade.cargo import Thumb
from unlade.media.decode import CannotDecode, Damaged
from unlade.media.exif import orientation_of, taken_of
from unlade.media.jpeg import check_scan, rare_kind
from unlade.media.messages import Decoded, Job
from unlade.media.png import check_chunks
from unlade.media.thumbnail import REDUCING_GAP, make_thumbnail

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before anything is decoded

#: Media type -> the class that reads it. One decoder a type: nothing is tried out on hostile bytes.
_READERS = {
    "image/jpeg": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "image/png": ("PIL.PngImagePlugin", "PngImageFile"),
    "image/gif": ("PIL.GifImagePlugin", "GifImageFile"),
    "image/bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "image/tiff": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "image/webp": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "image/avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "image/heic": ("pillow_heif", "HeifImageFile"),
    "image/heif": ("pillow_heif", "HeifImageFile"),
    "image/jp2": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "image/vnd.adobe.photoshop": ("PIL.PsdImagePlugin", "PsdImageFile"),
    "image/vnd.microsoft.icon": ("PIL.IcoImagePlugin", "IcoImageFile"),
}
#: Types whose reader turns the picture upright by itself, so that the orientation is only reported.
_TURNED_BY_READER = frozenset({"image/tiff", "image/heic", "image/heif"})
#: Types with variants that our readers do not know: failing to open one is damage only if the reader ran out of bytes.
_MANY_VARIANTS = frozenset({"image/tiff", "image/bmp", "image/vnd.adobe.photoshop", "image/vnd.microsoft.icon"})

_UNKNOWN_VARIANT = re.compile(
    r"unsupported|not supported|unknown|cannot handle|can't handle|not implemented|no codec|unimplemented",
    re.IGNORECASE,
)
_OUT_OF_BYTES = re.compile(r"truncat|end of file|only got|not enough|outside of file|broken", re.IGNORECASE)
_BAD_FILE = (OSError, SyntaxError, ValueError, struct.error, EOFError, IndexError, KeyError, TypeError, RuntimeError)


def decode_picture(job: Job, found: Decoded) -> None:
    """Fill `found` from the picture of `job`. Raises `Damaged`, `CannotDecode`, `MemoryError`, `ImportError`."""
    with _open(job) as image:
        raw = _raw_orientation(image, job.mime_type)
        found.orientation = raw
        turn = 1 if raw is None or job.mime_type in _TURNED_BY_READER else raw
        found.width, found.height = image.size if turn < 5 else image.size[::-1]
        found.taken = taken_of(image)
        if job.mime_type == "image/tiff":
            found.pages = _tiff_pages(image, Path(job.path).stat().st_size)
        if not (job.want_thumbnail or job.check):
            return
        _check_limits(image, job)
        loaded = _load(image, job, turn)
        if job.want_thumbnail:
            found.thumbnail = _thumbnail(loaded, job, turn)


def _raw_orientation(image: Image.Image, mime_type: str) -> int | None:
    original = image.info.get("original_orientation") if mime_type in {"image/heic", "image/heif"} else None
    return original if isinstance(original, int) else orientation_of(image)


def _open(job: Job) -> ImageFile.ImageFile:
    module, name = _READERS.get(job.mime_type, ("", ""))
    if not module:
        raise CannotDecode("there is no decoder for this type")
    loaded = importlib.import_module(module)
    if module == "pillow_heif":
        loaded.options.DECODE_THREADS = 1  # the pool is as wide as the machine already
    try:
        image: ImageFile.ImageFile = getattr(loaded, name)(job.path)
    except _BAD_FILE as error:
        raise _verdict(error, job, opening=True) from error
    return image


def _load(image: ImageFile.ImageFile, job: Job, turn: int) -> ImageFile.ImageFile:
    """The picture, decoded at the smallest scale that is still larger than the box."""
    box = job.box if turn < 5 else job.box[::-1]
    # Of the size that the thumbnail will have, not of the box: one side of it may stay half empty.
    share = min(box[0] / image.width, box[1] / image.height) * REDUCING_GAP
    scaled = (max(1, int(image.width * share)), max(1, int(image.height * share)))
    image.draft(None, scaled)
    cut_off = False
    if job.mime_type == "image/png":
        check_chunks(Path(job.path))
    try:
        image.load()
    except _BAD_FILE as error:
        cut_off = job.mime_type == "image/jpeg" and "truncated" in str(error)
        if not cut_off:
            raise _verdict(error, job) from error
    if job.mime_type == "image/jpeg":
        return check_scan(Path(job.path), image, scaled, cut_off=cut_off)
    return image


def _thumbnail(image: ImageFile.ImageFile, job: Job, turn: int) -> Thumb:
    try:
        return make_thumbnail(image, job.box, turn)
    except (OSError, ValueError, KeyError) as error:
        raise CannotDecode(f"no thumbnail could be made of a picture in mode {image.mode}") from error


def _verdict(error: Exception, job: Job, *, opening: bool = False) -> Exception:
    """Whether the file is damaged, or our reader cannot read it."""
    said = str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return CannotDecode(f"the file cannot be read ({error.strerror})")
    if "memory" in said.lower():
        return MemoryError(said)
    if _UNKNOWN_VARIANT.search(said):
        return CannotDecode(f"a variant of {job.mime_type} that cannot be decoded here")
    if job.mime_type == "image/jpeg" and (kind := rare_kind(Path(job.path))):
        return CannotDecode(f"a JPEG of a kind that cannot be decoded here ({kind})")
    ran_out = _OUT_OF_BYTES.search(said) or isinstance(error.__cause__, (struct.error, EOFError, IndexError))
    if opening and job.mime_type in _MANY_VARIANTS and not ran_out and not _first_directory_missing(job):
        return CannotDecode(f"a variant of {job.mime_type} that cannot be decoded here")
    return Damaged("the picture is cut off" if ran_out else "the picture's data is broken")


def _first_directory_missing(job: Job) -> bool:
    """A TIFF whose first directory, often the last thing in the file, lies past the end."""
    path = Path(job.path)
    if job.mime_type != "image/tiff":
        return False
    with path.open("rb") as file:
        head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in {b"+\0", b"\0+"}
    if len(head) < (16 if big else 8):
        return True
    offset: int = struct.unpack(order + "Q", head[8:16])[0] if big else struct.unpack(order + "I", head[4:8])[0]
    size = path.stat().st_size
    if offset + 2 > size:
        return True
    with path.open("rb") as file:
        file.seek(offset)
        entries = int.from_bytes(file.read(8 if big else 2), "little" if order == "<" else "big")
    return offset + (8 + entries * 20 + 8 if big else 2 + entries * 12 + 4) > size


def _check_limits(image: ImageFile.ImageFile, job: Job) -> None:
    """Refuse what could not be decoded within the limits, before a decoder runs into them half-way."""
    pixels = image.width * image.height
    if pixels > job.pixel_limit:
        raise CannotDecode(f"{pixels} pixels are more than the limit of {job.pixel_limit}")
    if job.mime_type == "image/jpeg":
        each = 6.0 * len(image.getbands()) / 3 if image.info.get("progressive") else 1.0
    elif job.mime_type in {"image/heic", "image/heif", "image/avif"}:
        each = 12.0
    else:
        each = 10.0 if image.mode in {"P", "PA", "RGBA", "LA", "I;16", "I;16B"} else 5.0
    if pixels * each > job.memory_limit * 0.8:
        raise CannotDecode(f"decoding it takes about {int(pixels * each) >> 20} MiB, more than a decoder may use")


_OFFSETS_AND_COUNTS = ((273, 279), (324, 325))
_MOST_PAGES = 500


def _tiff_pages(image: ImageFile.ImageFile, size: int) -> int | None:
    """Number of pages. Raises `Damaged` when one of them (the first 500 are looked at) lies past the file's end."""
    try:
        pages: int = getattr(image, "n_frames", 1)
        for page in range(min(pages, _MOST_PAGES)):
            image.seek(page)
            tags = getattr(image, "tag_v2", {})
            for offsets, counts in _OFFSETS_AND_COUNTS:
                ends = (int(o) + int(c) for o, c in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False))
                if max(ends, default=0) > size:
                    raise Damaged(f"the picture is cut off: page {page + 1} reaches past the end of the file")
        image.seek(0)
    except _BAD_FILE:
        image.seek(0)  # a later page of an unknown kind says nothing about the first
        return None
    return pages
