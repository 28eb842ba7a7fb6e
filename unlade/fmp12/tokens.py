"""The grammar of a page's payload: codes, keys, values, directories (FMP12.md 4: certain, complete).

A leaf says everything about itself: it starts with an empty path, and pushes whatever path its entries have. Entries
are plain tuples, since millions of them pass by.
"""

from __future__ import annotations

from itertools import pairwise

from unlade.fmp12.errors import DamagedFile
from unlade.fmp12.pages import HEADER

Path = tuple[bytes, ...]
Entry = tuple[Path, bytes, bytes]  #: directory, key, value

#: Directories deeper than any that was seen (10) are refused, so that a hostile page costs little.
MAX_DEPTH = 40
#: Sorts behind every real key, which has at most 255 bytes.
LAST_KEY = b"\xff" * 256

#: The value of a directory of the third level with nothing in it: how a record without any value looks ([B] proofkit).
#: Compare with `is`. A directory that goes on in the next leaf comes so too, at the end of the first.
EMPTY = b"(directory)"

_NO_OP, _POP = 0x80, 0x40
PUSH = 0x20  #: the bit of a key that opens a directory
_LENGTHS = (0, 1, 2, 4, 6, 8)


def full(entry: Entry) -> Path:
    """Directory and key in one: what entries are sorted by."""
    return (*entry[0], entry[1])


def leaf_entries(page: bytes, end: int, number: int) -> list[Entry]:
    """All entries of leaf page `number`, whose payload ends at `end`; in strictly rising order of (path, key).

    Raises `DamagedFile` for a code, a length or an order that the format does not know. One loop without calls, since
    every byte of the file goes through it.
    """
    entries: list[Entry] = []
    add = entries.append
    path: Path = ()
    stack: list[Path] = []
    last: bytes | None = None  # the key before this one in the same directory
    opened = False  # a directory was opened, and nothing came since
    pos = HEADER
    try:
        while pos < end:
            code = page[pos]
            pos += 1
            if code >= _POP:
                if code == _POP:
                    if opened and len(path) == 3:
                        _add_empty(entries, path, number)
                    opened = False
                    path = _leave(stack, pos == end, number)
                    last = None
                elif code != _NO_OP:
                    raise DamagedFile(number, f"there is no code {code:02X} in a leaf")
                continue
            size = (code >> 3 & 3) + 1
            if size == 4:
                size = page[pos]
                pos += 1
                if not size:
                    raise DamagedFile(number, "a key is empty")
            key = page[pos : pos + size]
            pos += size
            kind = code & 7
            if code & PUSH:
                if kind or len(stack) >= MAX_DEPTH:
                    raise DamagedFile(number, "a directory is opened wrongly")
                stack.append(path)
                path = (*path, key)
                last = None
                opened = True
                continue
            if kind < 6:
                size = _LENGTHS[kind]
            elif kind == 6:
                size = page[pos]
                pos += 1
            else:
                size = page[pos] << 8 | page[pos + 1]
                pos += 2
            value = page[pos : pos + size]
            pos += size
            if last is None:
                if entries and (*path, key) <= (*entries[-1][0], entries[-1][1]):
                    raise DamagedFile(number, "its keys are out of order")
            elif key <= last:
                raise DamagedFile(number, "its keys are out of order")
            last = key
            opened = False
            add((path, key, value))
    except IndexError:
        raise DamagedFile(number, "it ends in the middle of an entry") from None
    if pos != end:
        raise DamagedFile(number, "its last entry does not end with the page")
    if opened and len(path) == 3:
        _add_empty(entries, path, number)
    return entries


def _add_empty(entries: list[Entry], path: Path, number: int) -> None:
    if entries and path <= (*entries[-1][0], entries[-1][1]):
        raise DamagedFile(number, "its keys are out of order")
    entries.append((path[:-1], path[-1], EMPTY))


def _leave(stack: list[Path], at_end: bool, number: int) -> Path:
    if stack:
        return stack.pop()
    if not at_end:  # the very last page may close once more than it opened
        raise DamagedFile(number, "a directory is closed that was never opened")
    return ()


def index_entries(page: bytes, end: int, number: int) -> tuple[list[Path], list[int]]:
    """Separators and child pages of index page `number`, in order.

    Every entry of child `i` is at or behind separator `i` and before separator `i + 1`. Raises `DamagedFile`.
    """
    separators: list[Path] = []
    children: list[int] = []
    path: Path = ()
    stack: list[tuple[Path, bool]] = []  # the directory outside, and whether this one is its last child
    pos = HEADER
    try:
        while pos < end:
            code = page[pos]
            pos += 1
            if code == _NO_OP:
                continue
            if code == _POP:
                path = stack.pop()[0] if stack else _leave([], pos == end, number)
                continue
            marked, code = code >> 6, code & 0x3F
            key, pos = _index_key(page, pos, code, number)
            if marked not in (0, 3) or code & 7 != (0 if code & PUSH else 3):
                raise DamagedFile(number, "there is no such code in an index page")
            if code & PUSH:
                if len(stack) >= MAX_DEPTH:
                    raise DamagedFile(number, "a directory is opened wrongly")
                stack.append((path, marked == 3))
                path = (*path, key)
                continue
            separators.append((*path, key))
            children.append(int.from_bytes(page[pos : pos + 4], "big"))
            pos += 4
            last_child = marked == 3
            while last_child and stack:
                path, last_child = stack.pop()
    except IndexError:
        raise DamagedFile(number, "it ends in the middle of an entry") from None
    if pos != end or not children:
        raise DamagedFile(number, "its last entry does not end with the page")
    if any(a >= b for a, b in pairwise(separators)):
        raise DamagedFile(number, "its keys are out of order")
    return separators, children


def _index_key(page: bytes, pos: int, code: int, number: int) -> tuple[bytes, int]:
    size = (code >> 3 & 3) + 1
    if size < 4:
        return page[pos : pos + size], pos + size
    size = page[pos]
    if size:
        return page[pos + 1 : pos + 1 + size], pos + 1 + size
    # An empty key means the start (01) or the end (FF) of its directory.
    edge = page[pos + 1]
    if edge not in (0x01, 0xFF):
        raise DamagedFile(number, "an empty key has no side")
    return (LAST_KEY if edge == 0xFF else b""), pos + 2


def decode_integers(key: bytes) -> tuple[int, ...] | None:
    """The self-delimiting integers that make up `key`, or None when it is a system key (FMP12.md 4)."""
    numbers: list[int] = []
    pos, end = 0, len(key)
    while pos < end:
        first = key[pos]
        if first < 0x80:
            numbers.append(first)
            pos += 1
        elif first < 0xC0 and pos + 1 < end:
            numbers.append(0x80 + ((first & 0x3F) << 8 | key[pos + 1]))
            pos += 2
        elif 0xC0 <= first < 0xE0 and pos + 2 < end:
            numbers.append(0x4080 + ((first & 0x1F) << 16 | key[pos + 1] << 8 | key[pos + 2]))
            pos += 3
        else:
            return None
    return tuple(numbers) or None


def decode_integer(key: bytes) -> int | None:
    """The one integer that is `key`, else None."""
    numbers = decode_integers(key)
    return numbers[0] if numbers and len(numbers) == 1 else None


def encode_integer(number: int) -> bytes:
    """`number` as a key. Raises `ValueError` above 2,113,663, beyond which no form was seen."""
    if 0 <= number < 0x80:
        return bytes([number])
    if 0x80 <= number < 0x4080:
        return (0x8000 | number - 0x80).to_bytes(2, "big")
    if 0x4080 <= number < 0x4080 + (1 << 21):
        return (0xC00000 | number - 0x4080).to_bytes(3, "big")
    raise ValueError(f"no key is known for the number {number}")
