"""Whether a JPEG's scan is complete when its end marker is missing.

Pillow calls every JPEG without an end marker truncated, although browsers show those whose last two bytes alone are
gone; and it calls a file good whose second half was overwritten with zeros, because zeros decode. Both are settled in
the same way: what is there is decoded twice, followed once by the end marker and once by other bytes. If the
pictures are equal, nothing was missing.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import ImageChops, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from unlade.media.decode import Damaged

_TAIL = 1 << 16
_END = b"\xff\xd9"
_FILLER = b"\x55\xaa" * (1 << 15)
_PADDING = 64  #: so many zeros are no picture
_LARGEST = 1 << 26  #: bytes; what is larger is not held in memory for a second look
_FRAMES = {0xC3: "lossless", 0xC5: "differential", 0xC6: "differential", 0xC7: "lossless", 0xC9: "arithmetic",
           0xCA: "arithmetic", 0xCB: "lossless", 0xCD: "arithmetic", 0xCE: "arithmetic", 0xCF: "lossless"}  # fmt: skip


def check_scan(
    path: Path, image: ImageFile.ImageFile, scaled: tuple[int, int], *, cut_off: bool
) -> ImageFile.ImageFile:
    """The loaded picture to go on with. Raises `Damaged` when data is missing.

    `cut_off` tells that Pillow refused it, `scaled` to which size it was asked to decode.
    """
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
        if not cut_off and _END in tail:
            return image
        if size > _LARGEST or (cut_off and image.info.get("progressive")):
            raise Damaged("the picture is cut off")  # a progressive one may lack whole scans
        file.seek(0)
        data = _without_padding(file.read())
    whole = _decoded(data + _END + _END, scaled)
    other = _decoded(data + _FILLER + _END, scaled)
    if whole is None or other is None or ImageChops.difference(whole, other).getbbox() is not None:
        raise Damaged("the picture is cut off" if cut_off else "the picture is cut off and padded")
    return whole


def _without_padding(data: bytes) -> bytes:
    """The scan without what was filled in behind it, and without the first half of a lost end marker."""
    stripped = data.rstrip(b"\0")
    if len(data) - len(stripped) >= _PADDING:
        data = stripped + b"\0" if stripped.endswith(b"\xff") else stripped  # FF 00 is data
    return data.rstrip(b"\xff")


def _decoded(data: bytes, scaled: tuple[int, int]) -> ImageFile.ImageFile | None:
    image = JpegImageFile(io.BytesIO(data))
    image.draft(None, scaled)
    try:
        image.load()
    except OSError:
        return None
    return image


def rare_kind(path: Path) -> str | None:
    """What makes a JPEG one that common decoders refuse (its frame header, ITU-T T.81 table B.1), or None."""
    with path.open("rb") as file:
        data = file.read(_TAIL * 4)
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            return _FRAMES[marker]
        if marker in {0xC0, 0xC1, 0xC2, 0xDA}:
            return None
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4])
    return None
