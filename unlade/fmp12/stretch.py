"""The usual leaf of a picture, without a parser: nothing but the next whole segments of one long value (FMP12.md 4, 5).

Such a leaf has one spelling: the directories that lead to the value, then for each segment a code, its number, its
length and a thousand bytes. Compared with that spelling byte by byte, it says what the parser would say of it; a leaf
that differs anywhere is left to the parser. Nearly all leaves of a file of pictures are such leaves.
"""

from __future__ import annotations

from unlade.fmp12.pages import HEADER
from unlade.fmp12.tokens import PUSH, Path, encode_integer

SEGMENT = 1000  #: bytes of every segment of a long value but the last
_KEPT = 0x1000

_LONG = 0x07  #: the code of a value with two bytes of length
_LENGTH = SEGMENT.to_bytes(2, "big")


class Stretch:
    """Where in a long value a reader is. `parts` are the segments taken since somebody took them out.

    Not for several threads. `number` is the next segment's, 0 while there is no long value that could go on.
    """

    __slots__ = ("_opening", "number", "parts", "path")

    def __init__(self) -> None:
        self.path: Path = ()
        self.number = 0
        self.parts: list[bytes] = []
        self._opening = b""

    def follow(self, path: Path, number: int) -> None:
        """The next leaf may hold segments from `number` on of the value at `path`; 0: it may not."""
        self.number = number
        if number and path != self.path:
            self.path = path
            self._opening = b"".join(_key(part, PUSH) for part in path)

    def place(self, number: int) -> Path:
        """Path and key of segment `number`: what entries are sorted by."""
        return (*self.path, encode_integer(number))

    def take(self, page: bytes, end: int) -> bool:
        """Take the segments of a leaf whose payload ends at `end`; False, and nothing taken, when it is another kind."""
        opening = self._opening
        pos = HEADER + len(opening)
        if pos >= end or not page.startswith(opening, HEADER):
            return False
        number, taken = self.number, []
        while pos < end:
            token = _TOKENS[number] if number < _KEPT else _token(number)
            if not token or not page.startswith(token, pos):
                return False
            pos += len(token)
            taken.append(page[pos : pos + SEGMENT])
            pos += SEGMENT
            number += 1
        if pos != end:
            return False
        self.parts += taken
        self.number = number
        return True


def _key(key: bytes, code: int) -> bytes:
    if len(key) <= 3:
        return bytes([code | len(key) - 1 << 3]) + key
    return bytes([code | 0x18, len(key)]) + key


def _token(number: int) -> bytes:
    """What stands before the bytes of a whole segment; nothing for a number that no key is known for."""
    try:
        return _key(encode_integer(number), _LONG) + _LENGTH
    except ValueError:
        return b""


_TOKENS = [b"", *(_token(number) for number in range(1, _KEPT))]
