"""Files made by the thousand from a handful of encodings, each copy with its own bytes and still a valid file.

A `Plate` is a finished file with one place for a note of 36 characters (a comment, a tag, a chunk, a header). A
`Print` is one copy of it: two references and a note, so that a data set of any size costs little memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

#: What stands in an encoding where each copy has its note; as long as a UUID.
NOTE = b"NOTE-NOTE-NOTE-NOTE-NOTE-NOTE-NOTE-N"


@dataclass(frozen=True, slots=True)
class Plate:
    """An encoding, split where the note stands. `crc_over` is what precedes the note in a PNG chunk's checksum."""

    head: bytes = field(repr=False)
    tail: bytes = field(repr=False)
    mime_type: str
    extension: str
    crc_over: bytes = b""

    def middle(self, note: str) -> bytes:
        text = note.encode("ascii")
        if len(text) != len(NOTE):
            raise ValueError(f"a note has {len(NOTE)} characters, this one {len(text)}")
        return text + zlib.crc32(self.crc_over + text).to_bytes(4, "big") if self.crc_over else text

    @property
    def size(self) -> int:
        return len(self.head) + len(NOTE) + (4 if self.crc_over else 0) + len(self.tail)


def plate(data: bytes, mime_type: str, extension: str) -> Plate:
    """Split an encoding at its note. Raises `ValueError` when the note does not stand in it exactly once."""
    head, *tails = data.split(NOTE)
    if len(tails) != 1:
        raise ValueError(f"the note stands {len(tails)} times in this {mime_type}")
    if mime_type == "image/png":  # tEXt: keyword, zero byte, text, checksum over type and data
        start = head.rindex(b"tEXt")
        return Plate(head, tails[0][4:], mime_type, extension, head[start:])
    return Plate(head, tails[0], mime_type, extension)


@dataclass(frozen=True, slots=True)
class Print:
    """One copy of a plate (a `Blob`). With `cut`, only so many of its bytes: a file that was damaged long ago."""

    plate: Plate
    note: str
    cut: int | None = None

    @property
    def size(self) -> int:
        return self.plate.size if self.cut is None else self.cut

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from `start` on. The long parts are the plate's own, without a copy."""
        left = self.size
        for part in (self.plate.head, self.plate.middle(self.note), self.plate.tail):
            piece = part if len(part) <= left else part[:left]
            left -= len(piece)
            if start < len(piece):
                yield piece[start:] if start else piece
            start = max(start - len(piece), 0)
