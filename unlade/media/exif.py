"""The two facts of EXIF that matter here: which way is up, and when it was taken. Never trusts a value."""

from __future__ import annotations

import re
import struct
from datetime import datetime

from PIL import Image

_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_DATE_TIME_ORIGINAL = 0x9003
_DATE = re.compile(r"\s*(\d{4})[:/.-](\d{1,2})[:/.-](\d{1,2})(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?")
_BAD_EXIF = (OSError, SyntaxError, ValueError, struct.error, EOFError, IndexError, KeyError, TypeError, AttributeError)


def orientation_of(image: Image.Image) -> int | None:
    """1 to 8, or None when there is none or it makes no sense."""
    try:
        value = image.getexif().get(_ORIENTATION)
    except _BAD_EXIF:
        return None
    return value if isinstance(value, int) and 1 <= value <= 8 else None


def taken_of(image: Image.Image) -> str | None:
    """DateTimeOriginal as ISO text without a zone, or None. Cameras without a clock write zeros or blanks."""
    try:
        value = image.getexif().get_ifd(_EXIF_IFD).get(_DATE_TIME_ORIGINAL)
    except _BAD_EXIF:
        return None
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    match = _DATE.match(text) if isinstance(text, str) else None
    if not match:
        return None
    try:
        return datetime(*(int(part or 0) for part in match.groups())).isoformat()  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
