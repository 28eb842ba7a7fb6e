"""What a file says of itself before its tables: page 0, who wrote it, and the locale it was made in (FMP12.md 3, 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from unlade.fmp12 import scsu
from unlade.fmp12.errors import CLOSE, DECRYPT, FETCH_AGAIN, CutShort, EncryptedFile, NotFileMaker
from unlade.fmp12.pages import FIRST_LEAF, PAGE, PageFile

DateOrder = Literal["mdy", "dmy", "ymd"]

_MAGIC = bytes.fromhex("0001000000020001000500020002C0")
_PLAIN, _ENCRYPTED = b"HBAM7", b"HBAMe"
_KINDS = {0x1E: "fmp12", 0x1D: "fp7"}
_CLOSED, _OPEN = 0xAC, 0x00
_ORDERS: dict[int, DateOrder] = {0: "mdy", 1: "dmy", 2: "ymd"}
_LANGUAGES = {21: "English", 24: "French", 25: "German", 31: "Japanese"}
_PROGRAM = re.compile(rb"[A-Za-z][A-Za-z ]{1,30} \d{1,3}\.[0-9.va-f]{1,10}")


@dataclass(frozen=True, slots=True)
class Locale:
    """How dates and numbers were written when the file was made. Values entered elsewhere can differ.

    `date_order` falls back to `mdy` with `known` False where the file has no locale block.
    """

    language: int = 0
    thousands: str = ","
    decimal: str = "."
    date_separator: str = "/"
    time_separator: str = ":"
    date_order: DateOrder = "mdy"
    morning: str = "AM"
    afternoon: str = "PM"
    known: bool = False

    @property
    def language_name(self) -> str:
        """`Japanese`, or `language 12` where the number's name is not known."""
        return _LANGUAGES.get(self.language, f"language {self.language}")


@dataclass(frozen=True, slots=True)
class Header:
    """The state of a file.

    `closed` is None where the format does not tell (fp7). `bases` are the base directories of external containers, by
    number, relative to the file unless they say otherwise. `programs` wrote the file, oldest first.
    """

    kind: Literal["fmp12", "fp7"]
    pages: int
    closed: bool | None
    counter: int
    bases: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    locale: Locale = Locale()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before they trust this copy; sentences with the remedy."""
        notes = []
        if self.closed is False:
            notes.append(f"The file was open, or not closed cleanly, when this copy was made. {CLOSE}")
        if not self.locale.known:
            notes.append("The file does not say in which order its dates are written; month/day/year is assumed.")
        return tuple(notes)


def read_header(file: PageFile, *, salvage: bool = False) -> Header:
    """Look at page 0 and the size of the file.

    Raises `NotFileMaker`, `EncryptedFile`, and `CutShort` (not with `salvage`). Programs and locale come later: they
    lie in the tree.
    """
    name = file.path.name
    if file.size < PAGE or file.page(0)[: len(_MAGIC)] != _MAGIC:
        raise NotFileMaker(
            f"{name} is not a FileMaker database.", remedy="Name a file that ends in .fmp12 (or .fp7) and was closed."
        )
    first = file.page(0)
    magic = first[15:20]
    if magic == _ENCRYPTED:
        raise EncryptedFile(f"{name} is encrypted; nothing in it can be read without its key.", remedy=DECRYPT)
    if magic != _PLAIN or first[0x209] not in _KINDS:
        raise NotFileMaker(
            f"{name} is a FileMaker file of a version that this program does not know.",
            remedy="Files of before FileMaker 7 must be converted by FileMaker Pro first.",
        )
    kind: Literal["fmp12", "fp7"] = "fmp12" if first[0x209] == 0x1E else "fp7"
    if not salvage:
        _check_size(file)
    mark = first[0x800]
    closed = {_CLOSED: True, _OPEN: False}.get(mark) if kind == "fmp12" else None
    return Header(kind, file.count, closed, int.from_bytes(first[0x802:0x80A], "big"), _bases(first[0xC00:]))


def _check_size(file: PageFile) -> None:
    """The root says how many pages there are; a download that broke off has fewer."""
    name = file.path.name
    if file.size % PAGE or file.count <= FIRST_LEAF:
        raise CutShort(f"{name} is cut short: {file.size} bytes are no whole number of pages.", remedy=FETCH_AGAIN)
    stated = int.from_bytes(file.page(1)[8:12], "big") + 1
    if stated != file.count:
        raise CutShort(
            f"{name} has {file.size} bytes, but should have {stated * PAGE} by its own word.", remedy=FETCH_AGAIN
        )


def _bases(block: bytes) -> tuple[str, ...]:
    """Base directories of the `EAFI:RC` block; only the letter R (relative) was ever seen."""
    if not block.startswith(b"EAFI:RC\r"):
        return ()
    lines = block[8 : block.find(b"CR:IFAE") if b"CR:IFAE" in block else None].split(b"\r")
    return tuple(
        line[2:].decode("utf-8", "replace").rstrip("\0")
        for line in (line.strip(b" \0") for line in lines)
        if line[1:2] == b","
    )


def read_programs(block: bytes) -> tuple[str, ...]:
    """Names and versions of the programs that wrote the file ([2] key 08), oldest first.

    Each is a length byte and a text between numbers whose meaning is not known, so texts of the right form are taken.
    """
    clear = scsu.unmask(block)
    found: dict[str, None] = {}
    place = 0
    while place < len(block):
        text = clear[place + 1 : place + 1 + block[place]]
        behind = block[place + 1 + len(text) : place + 2 + len(text)]
        if len(text) == block[place] and behind in (b"", b"\0") and _PROGRAM.fullmatch(text):
            found[text.decode("ascii")] = None
            place += len(text)
        place += 1
    return tuple(found)


def read_locale(block: bytes) -> Locale:
    """The locale block ([2] key 0D). A block that is too short or odd gives what is known of it."""
    if len(block) < 25 or block[24] not in _ORDERS:
        return Locale()

    def unit(place: int) -> str:
        return chr(int.from_bytes(block[place : place + 2], "big"))

    morning, behind = _counted(block, 29)
    afternoon, _ = _counted(block, behind)
    return Locale(
        language=int.from_bytes(block[:4], "big"),
        thousands=unit(15),
        decimal=unit(17),
        date_separator=unit(19),
        time_separator=unit(21),
        date_order=_ORDERS[block[24]],
        morning=morning or "AM",
        afternoon=afternoon or "PM",
        known=True,
    )


def _counted(block: bytes, place: int) -> tuple[str, int]:
    """A text behind its length in characters, and the place behind it; "" where there is none."""
    count = block[place] if place < len(block) else 0
    for end in range(place + 1 + count, min(place + 2 + 4 * count, len(block) + 1)):
        try:
            text = scsu.text(block[place + 1 : end])
        except scsu.ScsuError:
            continue
        if len(text) == count:
            return text.strip(), end
    return "", len(block)
