"""How the bytes of a text export are to be read, without guessing.

The order: a byte order mark, zero bytes of UTF-16, strict UTF-8 over the whole file, and only then the two encodings
of one byte a character that FileMaker used to write: Mac Roman and Windows-1252. Between those two only words decide:
a reading that puts a symbol or a capital into the middle of a word is wrong. When both or neither make sense, the
file is undecidable and the user must say. Source: DESKTOP.md 3.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from unlade.errors import SourceError, UsageError

CHUNK = 256 * 1024
_SAMPLE = 64 * 1024
_MAX_WORDS = 20_000
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HIGH_WORD = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
#: Letters of western languages that both encodings have; any other letter in a word speaks against a reading.
_LETTERS = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüÿœßÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŸŒªº")
#: Signs that stand at the edge of a word or alone.
_SIGNS = frozenset("’‘“”–—…•€£¥©®™°§«»¿¡·\xa0")
_ALIASES = {
    "utf8": "utf-8-sig",
    "utf-8": "utf-8-sig",
    "mac": "mac_roman",
    "macroman": "mac_roman",
    "macintosh": "mac_roman",
    "mac-roman": "mac_roman",
    "windows": "cp1252",
    "ansi": "cp1252",
    "windows-1252": "cp1252",
    "utf16": "utf-16",
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """`name` is Python's; `why` tells how it was found out, for the report."""

    name: str
    why: str


def find_encoding(path: Path, given: str | None = None) -> Encoding:
    """The encoding of a text file. Reads it once from end to end, in pieces.

    `given` is the user's word and is only checked for existing. Raises `UsageError` for an unknown name and
    `SourceError` when nothing decides; its remedy says how to tell.
    """
    if given:
        return Encoding(_known(given), "as given")
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
        for bom, name in _BOMS:
            if sample.startswith(bom):
                return Encoding(name, "it begins with a byte order mark")
        if name := _zero_pattern(sample):
            return Encoding(name, "every other byte is zero")
        file.seek(0)
        if _is_utf8(file):
            return Encoding("utf-8", "all of it is valid UTF-8")
        file.seek(0)
        return _one_byte(path, _high_words(file))


def _known(name: str) -> str:
    spelt = _ALIASES.get(name.strip().lower(), name)
    try:
        return codecs.lookup(spelt).name if spelt not in ("utf-8-sig", "utf-16") else spelt
    except LookupError:
        raise UsageError(
            f"there is no encoding {name!r}", remedy="Known are utf-8, utf-16, mac-roman, windows-1252, shift_jis, ..."
        ) from None


def _zero_pattern(sample: bytes) -> str:
    """UTF-16 without a mark: most characters of an export are ASCII, so one byte of each pair is zero."""
    pairs = len(sample) // 2
    if pairs < 2:
        return ""
    even, odd = sample[0 : pairs * 2 : 2].count(0), sample[1 : pairs * 2 : 2].count(0)
    if odd > pairs * 0.4 and even < pairs * 0.05:
        return "utf-16-le"
    if even > pairs * 0.4 and odd < pairs * 0.05:
        return "utf-16-be"
    return ""


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        for chunk in _chunks(file):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _high_words(file: BinaryIO) -> set[bytes]:
    """The distinct words that hold a byte above ASCII, up to a bound: they decide, and repeat themselves."""
    words: set[bytes] = set()
    rest = b""
    for chunk in _chunks(file):
        data = rest + chunk
        # A word may go on in the next chunk.
        match = re.search(rb"[A-Za-z\x80-\xff]{1,200}\Z", data)
        cut = match.start() if match and len(chunk) == CHUNK else len(data)
        words.update(_HIGH_WORD.findall(data[:cut]))
        rest = data[cut:]
        if len(words) > _MAX_WORDS:
            break
    words.update(_HIGH_WORD.findall(rest))
    return words


def _one_byte(path: Path, words: set[bytes]) -> Encoding:
    verdicts = {name: all(_sensible(word, name) for word in words) for name in ("mac_roman", "cp1252")}
    right = [name for name, sensible in verdicts.items() if sensible]
    if len(right) == 1:
        other = "Windows-1252" if right[0] == "mac_roman" else "Mac Roman"
        return Encoding(right[0], f"it is no UTF-8, and read as {other} it has symbols or capitals within words")
    sample = min(word for word in words)
    byte = next(byte for byte in sample if byte > 0x7F)
    readings = ", ".join(f"{_letter(byte, name)} in {label}" for name, label in _LABELS)
    why = "both make sense of every word" if right else "neither makes sense of every word"
    raise SourceError(
        f"{path.name}: the encoding cannot be told. It is no UTF-8; of Mac Roman and Windows-1252 {why}. "
        f"Byte {byte:02X}, for one, is {readings}.",
        remedy="Look at a name with an accent in the file and give the encoding that shows it right with --encoding "
        "(mac-roman, windows-1252, shift_jis, ...), or export again as UTF-8.",
    )


_LABELS = (("mac_roman", "Mac Roman"), ("cp1252", "Windows-1252"))


def _letter(byte: int, encoding: str) -> str:
    try:
        text = bytes([byte]).decode(encoding)
    except UnicodeDecodeError:
        return "nothing"
    return text if text.isprintable() else f"U+{ord(text):04X}"


def _sensible(word: bytes, encoding: str) -> bool:
    """Whether a word reads like one: letters within, signs at its edges, no capital behind a small letter."""
    try:
        text = word.decode(encoding)
    except UnicodeDecodeError:
        return False
    core = text.strip("".join(_SIGNS))
    if any(not (char in _LETTERS or char.isascii() or char == "’") for char in core):
        return False
    return not any(_odd_pair(first, second, index) for index, (first, second) in enumerate(pairwise(core)))


def _odd_pair(first: str, second: str, index: int) -> bool:
    """An accented capital within a word, next to a small letter."""
    if first.islower() and second.isupper() and not second.isascii():
        return True
    return index > 0 and first.isupper() and not first.isascii() and second.islower()
