"""Writes database files for tests, from a description, at any size (by the rules of FMP12.md; not FileMaker's own code).

`write(path, spec)` streams: records and objects may be generators. `Layout` spreads pages over the file, adds free
pages and more levels of index than needed. Damage is done to the finished bytes (`damage.py`).
"""

from __future__ import annotations

import hashlib
import io
import random
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

PAGE, ROOM = 4096, 4076
Full = tuple[bytes, ...]
Item = tuple[Full, bytes | None, bytes]  #: without a key, only the directory

TYPES = {"text": 1, "number": 2, "date": 3, "time": 4, "timestamp": 5, "container": 6}


_MASKED = bytes(byte ^ 0x5A for byte in range(256))


def mask(data: bytes) -> bytes:
    return data.translate(_MASKED)


def integer(number: int) -> bytes:
    if number < 0x80:
        return bytes([number])
    if number < 0x4080:
        return struct.pack(">H", number - 0x80 | 0x8000)
    return struct.pack(">I", number - 0x4080 | 0xC00000)[1:]


def scsu(text: str, manner: int = 0) -> bytes:
    """SCSU in one of three manners: Unicode mode, quotes, windows."""
    if all(char in "\t\r\n" or " " <= char <= "~" or "\x80" <= char <= "\xff" for char in text):
        return text.encode("latin-1")
    if manner == 0:
        out = bytearray(b"\x0f")
        raw = text.encode("utf-16-be")
        for place in range(0, len(raw), 2):
            out += (b"\xf0" if 0xE0 <= raw[place] <= 0xF2 else b"") + raw[place : place + 2]
        return bytes(out)
    out = bytearray()
    for char in text:
        code = ord(char)
        if char in "\t\r\n" or " " <= char <= "~":
            out.append(code)
        elif code > 0xFFFF:
            place = (code - 0x10000) // 0x80
            out += bytes([0x0B, 0x60 | place >> 8, place & 0xFF, 0x80 | code & 0x7F])
        elif manner == 2 and 0x80 <= code < 0x3400:
            out += bytes([0x1A, code // 0x80, 0x80 | code & 0x7F])
        elif manner == 2 and 0xE000 <= code < 0xF000 + 0xC00:
            out += bytes([0x1B, (code - 0xAC00) // 0x80, 0x80 | code & 0x7F])
        else:
            out += b"\x0e" + struct.pack(">H", code)
    return bytes(out)


# -- the description --


@dataclass
class FieldSpec:
    id: int
    name: str
    type: str = "text"
    kind: int = 1
    is_global: bool = False
    repetitions: int = 1
    flags: int = 0  #: storage bits: 10h outside, 20h open


@dataclass
class Ref:
    """A container value: the key of an object."""

    key: int


@dataclass
class Styled:
    """A text with styles, which makes it a node whatever its length."""

    text: str


Cell = str | Ref | Styled


@dataclass
class RecordSpec:
    id: int
    values: dict[tuple[int, int], Cell]
    modification: int = 1  #: 0: none is kept


@dataclass
class ObjectSpec:
    """Streams by type as they are stored. `digest` None is the right one; `outside` is the file of open storage."""

    key: int
    streams: dict[bytes, bytes]
    references: int = 1
    digest: bytes | None = None
    outside: bytes | None = None


@dataclass
class TableSpec:
    id: int
    name: str
    fields: list[FieldSpec]
    records: Iterable[RecordSpec] = ()
    globals: dict[tuple[int, int], Cell] = field(default_factory=dict)
    objects: Iterable[ObjectSpec] = ()
    listed: bool = True  #: the table keeps its list of record ids


@dataclass
class Layout:
    """How pages lie in the file. `fan` is the number of children of an index page."""

    shuffle: int | None = None  #: seed; None keeps pages in order
    free_pages: int = 0
    fan: int = 40
    fill: int = ROOM  #: bytes used of a leaf


@dataclass
class FileSpec:
    tables: list[TableSpec]
    kind: str = "fmp12"
    closed: bool = True
    order: int = 0  #: of dates: 0 M/D/Y, 1 D/M/Y, 2 Y/M/D
    thousands: str = ","
    decimal: str = "."
    bases: tuple[str, ...] = ()
    programs: tuple[str, ...] = ("Pro 21.1.1",)
    manner: int = 0
    layout: Layout = field(default_factory=Layout)
    extra: list[Item] = field(default_factory=list)  #: sorted, behind the tables


def fnam(*names: tuple[str, str, str], manner: int = 0) -> bytes:
    """An FNAM stream: (kind, directory, name)."""
    out = struct.pack(">I", len(names))
    for name in names:
        for part in name:
            data = mask(scsu(part, manner))
            out += bytes([len(data)]) + data
    return out


def picture(
    data: bytes, name: str = "", size: tuple[int, int] | None = None, type_: bytes = b"JPEG"
) -> dict[bytes, bytes]:
    streams = {type_: data}
    if name:
        streams[b"FNAM"] = fnam(("image", "", name))
    if size:
        streams[b"SIZE"] = struct.pack(">HH", *size)
    return streams


def outside_streams(
    data: bytes, name: str, directory: str, type_: bytes = b"file", base: int = 0
) -> dict[bytes, bytes]:
    block = struct.pack("<Q", len(data)) + hashlib.md5(data).digest() + name.encode() + b"\0"
    return {
        type_: block,
        b"FNAM": fnam(("file", "", name)),
        b"REMO": struct.pack("<Q", base) + directory.encode() + b"\0",
    }


def object_digest(thing: ObjectSpec) -> bytes:
    logical = dict(thing.streams)
    if thing.outside is not None:
        lower = next(name for name in logical if name.islower())
        del logical[lower]
        logical[lower.upper()] = thing.outside
    return hashlib.md5(b"".join(name + logical[name] for name in sorted(logical))).digest()


# -- entries, in order --


def entries(spec: FileSpec) -> Iterator[Item]:
    yield from _about(spec)
    for table in spec.tables:
        yield ((b"\3", b"\x10", b"\5", integer(table.id)), b"\x10", mask(scsu(table.name, spec.manner)))
    for table in spec.tables:
        yield from _table(spec, table)
    yield from spec.extra


def _about(spec: FileSpec) -> Iterator[Item]:
    yield (b"\2",), b"\x03", mask(b"16.0")
    programs = bytes(36)
    for program in spec.programs:
        programs += bytes([0, 0, 0, 2, len(program)]) + mask(program.encode())
    yield (b"\2",), b"\x08", programs + bytes(20)
    locale = bytearray(60)
    locale[0:4] = struct.pack(">I", 21)
    for place, char in ((15, spec.thousands), (17, spec.decimal), (19, "/"), (21, ":")):
        locale[place : place + 2] = char.encode("utf-16-be")
    locale[24] = spec.order
    yield (b"\2",), b"\x0d", bytes(locale)


def _table(spec: FileSpec, table: TableSpec) -> Iterator[Item]:
    key = integer(table.id)
    for one in sorted(table.fields, key=lambda one: integer(one.id)):
        path = (key, b"\3", b"\5", integer(one.id))
        definition = bytearray(26)
        definition[0], definition[1] = one.kind, TYPES[one.type]
        definition[9], definition[10] = int(one.is_global), one.flags
        definition[24:26] = struct.pack(">H", one.repetitions)
        yield path, b"\2", bytes(definition)
        yield path, b"\x10", mask(scsu(one.name, spec.manner))
        if one.flags:
            yield path, b"\x26", bytes(4)
            yield (*path, b"\x27"), b"\5", b"\x13\x05" + mask(b"pics/") + b"\0"
        yield path, b"\xfc", b"\1\1"
    ids: list[int] = []
    for record in table.records:
        path = (key, b"\5", integer(record.id))
        ids.append(record.id)
        if not record.values and not record.modification:
            yield path, None, b""
            continue
        yield from _values(spec, path, record.values)
        if not record.modification:
            continue
        count = record.modification.to_bytes(max((record.modification.bit_length() + 7) // 8, 1), "big")
        yield path, b"\xfc", bytes([len(count)]) + count
    yield from _values(spec, (key, b"\x08"), table.globals)
    yield from _list((key, b"\x0d"), ids, table.listed)
    for thing in table.objects:
        yield from _object((key, b"\x1f", b"\5", integer(thing.key)), thing)


def _list(path: Full, ids: list[int], listed: bool) -> Iterator[Item]:
    """The table's own list of its records; of more than 8,000 ids nobody knows the form."""
    if len(ids) == 1 and listed:
        yield path, integer(ids[0]), b""
    elif ids and listed and max(ids) < 8000:
        words = [0] * (max(ids) // 32 + 1)
        for number in ids:
            words[number // 32] |= 1 << number % 32
        yield path, b"\0", b"".join(struct.pack(">I", word) for word in words)


def _values(spec: FileSpec, path: Full, values: dict[tuple[int, int], Cell]) -> Iterator[Item]:
    keyed = {integer(number) + (integer(rep) if rep > 1 else b""): cell for (number, rep), cell in values.items()}
    for key in sorted(keyed):
        cell = keyed[key]
        if isinstance(cell, Ref):
            text, manner = integer(cell.key).hex().upper() + "\ue000", 2
        else:
            text, manner = (cell.text if isinstance(cell, Styled) else cell), spec.manner
        data = mask(scsu(text, manner))
        if isinstance(cell, str) and len(data) <= 1000 and data == mask(text.encode("latin-1", "replace")):
            yield path, key, data
            continue
        node = (*path, key)
        units = len(text.encode("utf-16-be", "surrogatepass")) // 2
        yield node, b"\0", struct.pack(">II", len(data), units) + (bytes(4) if isinstance(cell, Styled) else b"")
        yield from _segments(node, data)
        if isinstance(cell, Styled):
            yield (*node, b"\xff"), b"\1", b"\0\0\0\1" + bytes(16)


def _segments(node: Full, data: bytes) -> Iterator[Item]:
    for number, place in enumerate(range(0, len(data), 1000), 1):
        yield node, integer(number), data[place : place + 1000]


def _object(path: Full, thing: ObjectSpec) -> Iterator[Item]:
    names = sorted(thing.streams)
    yield (
        path,
        b"\2",
        struct.pack(">H", len(names)) + b"".join(name + struct.pack(">I", len(thing.streams[name])) for name in names),
    )
    yield path, b"\4", thing.digest or object_digest(thing)
    yield path, b"\x12", struct.pack(">I", thing.references)
    for name in names:
        data = thing.streams[name]
        if len(data) <= 1000:
            yield path, name, data
        else:
            yield (*path, name), b"\0", struct.pack(">I", len(data))
            yield from _segments((*path, name), data)
    yield path, b"\xfc", b"\1\1"


# -- pages --


def key_bytes(key: bytes, bits: int) -> bytes:
    if len(key) <= 3:
        return bytes([bits | len(key) - 1 << 3]) + key
    return bytes([bits | 0x18, len(key)]) + key


def value_bytes(key: bytes, value: bytes) -> bytes:
    sizes = {0: 0, 1: 1, 2: 2, 4: 3, 6: 4, 8: 5}
    if len(value) in sizes:
        return key_bytes(key, sizes[len(value)]) + value
    if len(value) < 256:
        return key_bytes(key, 6) + bytes([len(value)]) + value
    return key_bytes(key, 7) + struct.pack(">H", len(value)) + value


def leaf_payloads(items: Iterable[Item], fill: int = ROOM) -> Iterator[tuple[Full, bytes]]:
    """(first entry's full path, payload) of every leaf."""
    out, inside, first = bytearray(), (), None
    for path, key, value in items:
        if path == inside and first is not None:
            move = b""
        else:
            same = 0
            while same < min(len(path), len(inside)) and path[same] == inside[same]:
                same += 1
            move = b"\x40" * (len(inside) - same) + b"".join(key_bytes(part, 0x20) for part in path[same:])
        token = value_bytes(key, value) if key is not None else b""
        if out and len(out) + len(move) + len(token) > fill:
            assert first is not None
            yield first, bytes(out)
            out, first = bytearray(), None
            move = b"".join(key_bytes(part, 0x20) for part in path)
        out += move + token
        inside = path
        first = first or (path if key is None else (*path, key))
    if first is not None:
        end = b"\x40" * (len(inside) + 1)
        yield first, bytes(out + end) if len(out) + len(end) <= ROOM else bytes(out)


def index_payload(children: list[tuple[Full, int]], *, root: bool) -> bytes:
    """The payload of an index page, with the marks on the last child of each directory."""
    top: dict = {}
    for number, (full, page) in enumerate(children):
        node = top
        path = () if root and number == 0 else full[:-1]
        for part in path:
            node = node.setdefault(part, [None, {}])[1]
        node.setdefault(b"" if root and number == 0 else full[-1], [None, {}])[0] = page
    return b"".join(_index_tokens(top, False))


def _index_tokens(node: dict, inside: bool) -> Iterator[bytes]:
    keys = list(node)
    for key in keys:
        page, below = node[key]
        mark = 0xC0 if inside and key == keys[-1] else 0
        if page is not None:
            bits = 0x03 | (mark if not below else 0)
            yield (key_bytes(key, bits) if key else bytes([bits | 0x18, 0, 1])) + struct.pack(">I", page)
        if below:
            yield key_bytes(key, 0x20 | mark)
            yield from _index_tokens(below, True)


def page_bytes(payload: bytes, previous: int = 0, following: int = 0, level: int = 0) -> bytes:
    head = struct.pack(">4xIIHHI", previous, following, level, ROOM - len(payload), 7)
    return head + payload + bytes(ROOM - len(payload))


def header_page(spec: FileSpec) -> bytes:
    page = bytearray(PAGE)
    page[:20] = bytes.fromhex("0001000000020001000500020002C0") + b"HBAM7"
    page[0x14:0x18] = struct.pack(">I", PAGE)
    page[0x209] = 0x1E if spec.kind == "fmp12" else 0x1D
    version = b"Pro 12.0" if spec.kind == "fmp12" else b"Pro 7.0"
    page[0x21D : 0x21E + len(version)] = bytes([len(version)]) + version
    page[0x800] = 0xAC if spec.closed else 0
    page[0x802:0x80A] = struct.pack(">Q", 7)
    if spec.bases:
        block = b"EAFI:RC\r" + b"".join(b"R," + base.encode() + b"\r" for base in spec.bases) + b"CR:IFAE"
        page[0xC00 : 0xC00 + len(block)] = block
    return bytes(page)


class _Pages:
    """Puts pages into a file; `moved` says where a page goes instead."""

    def __init__(self, file: BinaryIO, moved: dict[int, int]) -> None:
        self._file = file
        self._moved = moved
        self._at = 0

    def number(self, number: int) -> int:
        return self._moved.get(number, number)

    def put(self, number: int, page: bytes) -> None:
        place = self.number(number)
        if place != self._at:
            self._file.seek(place * PAGE)
        self._file.write(page)
        self._at = place + 1


def write(path: Path, spec: FileSpec) -> int:
    """Write the file; returns its number of pages."""
    with path.open("wb") as file:
        if spec.layout.shuffle is not None:
            file.write(data := build(spec))
            return len(data) // PAGE
        return _write(file, spec, {})


def build(spec: FileSpec) -> bytes:
    """The file as bytes; with `layout.shuffle`, its pages from 3 on in another order."""
    file = io.BytesIO()
    count = _write(file, spec, {})
    if spec.layout.shuffle is None:
        return file.getvalue()
    places = list(range(3, count))
    random.Random(spec.layout.shuffle).shuffle(places)
    file = io.BytesIO()
    _write(file, spec, dict(zip(range(3, count), places, strict=True)))
    return file.getvalue()


def _write(file: BinaryIO, spec: FileSpec, moved: dict[int, int]) -> int:
    layout, pages = spec.layout, _Pages(file, moved)
    pages.put(0, header_page(spec))
    pages.put(1, bytes(PAGE))
    children: list[tuple[Full, int]] = []
    waiting = b""

    def leaf(number: int, last: bool) -> None:
        before = pages.number(number - 1) if number > 2 else 0
        pages.put(number, page_bytes(waiting, before, 0 if last else pages.number(number + 1)))

    for full, payload in leaf_payloads(entries(spec), layout.fill):
        if children:
            leaf(len(children) + 1, last=False)
        waiting = payload
        children.append((full, pages.number(len(children) + 2)))
    leaf(len(children) + 1, last=True)
    number, level = len(children) + 2, 1
    while len(children) > layout.fan:
        above: list[tuple[Full, int]] = []
        for place in range(0, len(children), layout.fan):
            group = children[place : place + layout.fan]
            pages.put(number, page_bytes(index_payload(group, root=False), level=level))
            above.append((group[0][0], pages.number(number)))
            number += 1
        children, level = above, level + 1
    for _ in range(layout.free_pages):
        pages.put(number, page_bytes(b"", level=0xFFFF))
        number += 1
    pages.put(1, page_bytes(index_payload(children, root=True), 0, number - 1, level))
    return number
