"""Text: SCSU, the Standard Compression Scheme for Unicode (Unicode technical standard 6), behind an XOR with 5A.

The XOR is no secrecy and no checksum; FileMaker applies it to all text in a file (FMP12.md 4).
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_XOR = bytes(byte ^ 0x5A for byte in range(256))
#: Bytes that stand for themselves while nothing else was selected: ASCII and, by the first window, Latin-1.
_PLAIN = bytes([0, 9, 10, 13, *range(0x20, 0x100)])

_SINGLE_RUN = re.compile(rb"[\x00\t\n\r\x20-\xff]+")
_UNICODE_RUN = re.compile(rb"(?:[^\xe0-\xf2][\x00-\xff])+", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")

_STATIC = (0x0000, 0x0080, 0x0100, 0x0300, 0x2000, 0x2080, 0x2100, 0x3000)
_DYNAMIC = (0x0080, 0x00C0, 0x0400, 0x0600, 0x0900, 0x3040, 0x30A0, 0xFF00)
_SPECIAL = {0xF9: 0x00C0, 0xFA: 0x0250, 0xFB: 0x0370, 0xFC: 0x0530, 0xFD: 0x3040, 0xFE: 0x30A0, 0xFF: 0xFF60}


class ScsuError(ValueError):
    """The bytes are no SCSU text."""


def unmask(data: bytes) -> bytes:
    """`data` with every byte XOR 5A; the same takes it back."""
    return data.translate(_XOR)


def text(data: bytes) -> str:
    """The text that a file stores as `data` (XOR, then SCSU). Raises `ScsuError`."""
    return decode(data.translate(_XOR))


def decode(data: bytes) -> str:
    """Decode SCSU. Raises `ScsuError` for an unfinished or reserved sequence or half a surrogate pair."""
    if not data.translate(None, _PLAIN):
        return data.decode("latin-1")
    try:
        text = _Decoder(data).run()
    except IndexError:
        raise ScsuError("the text ends in the middle of a character") from None
    if _SURROGATE.search(text) is None:
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise ScsuError("half of a character is missing") from None


def units_of(text: str) -> int:
    """How many UTF-16 units `text` has: what FileMaker counts as characters."""
    if text.isascii() or max(text) < "\U00010000":
        return len(text)
    return len(text) + sum(char > "\uffff" for char in text)


@lru_cache(maxsize=64)
def _table(offset: int) -> str:
    """The characters of all bytes in single-byte mode while the window at `offset` is active."""
    return "".join(map(chr, [*range(0x80), *range(offset, offset + 0x80)]))


class _Decoder:
    """Takes whole runs of plain bytes at once; tags one by one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self._windows = list(_DYNAMIC)
        self._active = 0
        self._out: list[str] = []

    def run(self) -> str:
        unicode_mode = False
        while self._pos < len(self._data):
            unicode_mode = self._unicode() if unicode_mode else self._single()
        return "".join(self._out)

    def _next(self) -> int:
        byte = self._data[self._pos]
        self._pos += 1
        return byte

    def _unit(self) -> None:
        self._out.append(chr(self._next() << 8 | self._next()))

    def _single(self) -> bool:
        """A run or a tag of single-byte mode; True when it switched to Unicode mode."""
        if run := _SINGLE_RUN.match(self._data, self._pos):
            self._pos = run.end()
            self._out.append(codecs.charmap_decode(run.group(), "strict", _table(self._windows[self._active]))[0])
            return False
        tag = self._next()
        if tag <= 0x08:
            quoted = self._next()
            offset = _STATIC[tag - 1] + quoted if quoted < 0x80 else self._windows[tag - 1] + quoted - 0x80
            self._out.append(chr(offset))
        elif tag == 0x0B:
            self._define_extended()
        elif tag == 0x0E:
            self._unit()
        elif tag == 0x0F:
            return True
        elif 0x10 <= tag <= 0x17:
            self._active = tag - 0x10
        elif tag >= 0x18:
            self._define(tag - 0x18)
        else:
            raise ScsuError(f"the code {tag:02X} is reserved")
        return False

    def _unicode(self) -> bool:
        """A run or a tag of Unicode mode; False when it switched back."""
        if run := _UNICODE_RUN.match(self._data, self._pos):
            self._pos = run.end()
            self._out.append(run.group().decode("utf-16-be", "surrogatepass"))
            return True
        tag = self._next()
        if tag < 0xE0 or tag > 0xF2:
            self._next()  # half a unit, at the end
        elif tag <= 0xE7:
            self._active = tag - 0xE0
            return False
        elif tag <= 0xEF:
            self._define(tag - 0xE8)
            return False
        elif tag == 0xF0:
            self._unit()
        elif tag == 0xF1:
            self._define_extended()
            return False
        else:
            raise ScsuError("the code F2 is reserved")
        return True

    def _define(self, window: int) -> None:
        byte = self._next()
        if 0x01 <= byte <= 0x67:
            offset = byte * 0x80
        elif 0x68 <= byte <= 0xA7:
            offset = byte * 0x80 + 0xAC00
        elif byte in _SPECIAL:
            offset = _SPECIAL[byte]
        else:
            raise ScsuError(f"the window {byte:02X} is reserved")
        self._windows[window] = offset
        self._active = window

    def _define_extended(self) -> None:
        high, low = self._next(), self._next()
        self._active = high >> 5
        self._windows[self._active] = 0x10000 + ((high & 0x1F) << 8 | low) * 0x80
