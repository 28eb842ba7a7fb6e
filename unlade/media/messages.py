"""What the parent and a decoder child say to each other: a job, a hello, a result, each one length-prefixed frame.

Plain JSON and bytes, never pickle: a decoder that was taken over by a hostile file could else run code in the parent.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, BinaryIO

from unlade.cargo import Thumb

_LENGTHS = struct.Struct(">II")
_MOST_JSON = 1 << 20
_MOST_BYTES = 1 << 25
_THUMB_TYPES = {"image/jpeg": ".jpg", "image/png": ".png"}


@dataclass(frozen=True, slots=True)
class Job:
    """One file to decode. `mime_type` was sniffed by the parent and decides the decoder; limits as of `DecoderPool`."""

    path: str
    mime_type: str
    box: tuple[int, int]
    want_thumbnail: bool
    check: bool
    pixel_limit: int
    memory_limit: int
    time_limit: float


@dataclass(slots=True)
class Decoded:
    """What a decoder found out; filled step by step, so that a failure keeps what was known before it.

    `width` and `height` are those of the original as displayed, after the EXIF orientation. `failed` is why there is
    no picture although the type has a decoder; `exhausted` tells that memory was the reason.
    """

    width: int | None = None
    height: int | None = None
    pages: int | None = None
    orientation: int | None = None
    taken: str | None = None  #: ISO, without a zone
    damage: str | None = None
    failed: str | None = None
    exhausted: bool = False
    thumbnail: Thumb | None = None

    @property
    def taken_naive(self) -> datetime | None:
        return datetime.fromisoformat(self.taken) if self.taken else None


class Garbled(Exception):
    """The other side ended, or said something that is no frame."""


def send(pipe: BinaryIO, message: dict[str, Any], blob: bytes = b"") -> None:
    """Write one frame. Raises `OSError` when the other side is gone."""
    text = json.dumps(message).encode("ascii")
    pipe.write(_LENGTHS.pack(len(text), len(blob)) + text + blob)
    pipe.flush()


def receive(pipe: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """Read one frame. Raises `Garbled` at the end of the pipe or on nonsense."""
    head = pipe.read(_LENGTHS.size)
    if len(head) < _LENGTHS.size:
        raise Garbled("the pipe ended")
    json_length, blob_length = _LENGTHS.unpack(head)
    if json_length > _MOST_JSON or blob_length > _MOST_BYTES:
        raise Garbled("a frame is too long")
    text, blob = pipe.read(json_length), pipe.read(blob_length)
    if len(text) < json_length or len(blob) < blob_length:
        raise Garbled("a frame was cut off")
    try:
        message = json.loads(text)
    except ValueError as error:
        raise Garbled("a frame is not JSON") from error
    if not isinstance(message, dict):
        raise Garbled("a frame is not an object")
    return message, blob


def job_message(job: Job) -> dict[str, Any]:
    return asdict(job)


def read_job(message: dict[str, Any]) -> Job:
    return Job(**{**message, "box": tuple(message["box"])})


def decoded_message(found: Decoded) -> tuple[dict[str, Any], bytes]:
    message = {name: getattr(found, name) for name in Decoded.__slots__ if name != "thumbnail"}
    thumb = found.thumbnail
    message["thumbnail"] = [thumb.mime_type, thumb.width, thumb.height] if thumb else None
    return message, thumb.data if thumb else b""


def read_decoded(message: dict[str, Any], blob: bytes) -> Decoded:
    """A child's result, each value checked. Raises `Garbled`."""
    try:
        found = Decoded(
            width=_whole(message["width"]),
            height=_whole(message["height"]),
            pages=_whole(message["pages"]),
            orientation=_whole(message["orientation"]),
            taken=_text(message["taken"]),
            damage=_text(message["damage"]),
            failed=_text(message["failed"]),
            exhausted=message["exhausted"] is True,
        )
        if message["thumbnail"] is not None:
            mime, width, height = message["thumbnail"]
            found.thumbnail = Thumb(blob, mime, _THUMB_TYPES[mime], _whole(width) or 0, _whole(height) or 0)
        _ = found.taken_naive
    except (KeyError, TypeError, ValueError) as error:
        raise Garbled("a result has other fields or types than agreed") from error
    return found


def _whole(value: object) -> int | None:
    """A count that a database column of 32 bits holds; a header may state any other, which is as good as unknown."""
    if value is not None and type(value) is not int:
        raise ValueError("not a whole number")
    return value if value is not None and 0 <= value < 1 << 31 else None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value[:500] if value else None
    raise ValueError("not a text")
