"""Text: SCSU, the Standard Compression Scheme for Unicode (Unicode technical standard 6), behind an XOR with 5A.

The XOR is no secrecy and no checksum; FileMaker applies it to all text in a file (FMP12.md 4).
"""

from __future__ import annotations

_XOR = bytes(byte ^ 0x5A for byte in range(256))
#: Bytes that stand for themselves while nothing else was selected: ASCII and, by the first window, Latin-1.
_PLAIN = bytes([0, 9, 10, 13, *range(0x20, 0x100)])

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
        units = _Decoder(data).run()
    except IndexError:
        raise ScsuError("the text ends in the middle of a character") from None
    if not any(0xD800 <= unit < 0xE000 for unit in units):
        return "".join(map(chr, units))
    try:
        joined = "".join(map(chr, units)).encode("utf-16-le", "surrogatepass")
        return joined.decode("utf-16-le")
    except UnicodeDecodeError:
        raise ScsuError("half of a character is missing") from None


def units_of(text: str) -> int:
    """How many UTF-16 units `text` has: what FileMaker counts as characters."""
    if text.isascii() or max(text) < "\U00010000":
        return len(text)
    return len(text) + sum(char > "\uffff" for char in text)


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self._windows = list(_DYNAMIC)
        self._active = 0
        self._out: list[int] = []

    def run(self) -> list[int]:
        unicode_mode = False
        while self._pos < len(self._data):
            unicode_mode = self._unicode() if unicode_mode else self._single()
        return self._out

    def _next(self) -> int:
        byte = self._data[self._pos]
        self._pos += 1
        return byte

    def _single(self) -> bool:
        """One step of single-byte mode; True when it switched to Unicode mode."""
        byte = self._next()
        if byte >= 0x80:
            self._out.append(self._windows[self._active] + byte - 0x80)
        elif byte >= 0x20 or byte in (0x00, 0x09, 0x0A, 0x0D):
            self._out.append(byte)
        elif byte <= 0x08:
            quoted = self._next()
            if quoted < 0x80:
                self._out.append(_STATIC[byte - 1] + quoted)
            else:
                self._out.append(self._windows[byte - 1] + quoted - 0x80)
        elif byte == 0x0B:
            self._define_extended()
        elif byte == 0x0E:
            self._out.append(self._next() << 8 | self._next())
        elif byte == 0x0F:
            return True
        elif 0x10 <= byte <= 0x17:
            self._active = byte - 0x10
        elif byte >= 0x18:
            self._define(byte - 0x18)
        else:
            raise ScsuError(f"the code {byte:02X} is reserved")
        return False

    def _unicode(self) -> bool:
        """One step of Unicode mode; False when it switched back."""
        byte = self._next()
        if byte < 0xE0 or byte > 0xF2:
            self._out.append(byte << 8 | self._next())
        elif byte <= 0xE7:
            self._active = byte - 0xE0
            return False
        elif byte <= 0xEF:
            self._define(byte - 0xE8)
            return False
        elif byte == 0xF0:
            self._out.append(self._next() << 8 | self._next())
        elif byte == 0xF1:
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
