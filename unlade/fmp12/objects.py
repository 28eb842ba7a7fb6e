"""Container objects: their streams, which of them is the file, names, sizes, where the bytes are (FMP12.md 7.2, 7.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from unlade.fmp12 import scsu
from unlade.fmp12.catalogue import OBJECTS
from unlade.fmp12.tokens import LAST_KEY, Path
from unlade.fmp12.tree import GAP, HEADER_KEY, LongValue, Tree

DIRECTORY, DIGEST, REFERENCES = b"\x02", b"\x04", b"\x12"

#: Which stream is the file when MAIN does not say (order of the rest is a guess, FMP12.md 7.2).
_FILES = ("FILE", "ZLIB", "PDF ", "TIFF", "EPS ", "PNGf", "GIFf", "BMPf", "PICT", "META", "JPEG", "SVG ", "snd ")
#: Streams that tell about the file.
_FACTS = frozenset({"FNAM", "SIZE", "DPI_", "MAIN", "ROT8", "FRM#", "REMO", "FORK", "GLPH"})
_FACTS_LIMIT = 100
_FACT_LIMIT = 65_536  #: a fact longer than this is not read


class Stream(NamedTuple):
    """One stream of an object: its four-letter type and its size in bytes as the object's directory states it."""

    type: str
    size: int


class FileName(NamedTuple):
    """One entry of FNAM: `kind` is image, file, filemac, filewin; `directory` the parts of a path, often none."""

    kind: str
    directory: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Outside:
    """A file in open storage: what the object says of it. `parts` is its path below base directory `base`."""

    type: str  #: the logical stream it stands for, in upper case as in other objects
    size: int
    md5: str
    base: int
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Object:
    """A container object without its bytes.

    `main` is the type of the stream that is the file, None if there is none. `md5` is over all streams (FMP12.md 7.2).
    `damage` says in words what is wrong with the object itself, None if nothing is.
    """

    table: int
    key: bytes
    streams: tuple[Stream, ...]
    md5: str
    references: int | None
    main: str | None
    names: tuple[FileName, ...] = ()
    size: tuple[int, int] | None = None  #: pixels, width and height
    dpi: tuple[int, int] | None = None
    orientation: int | None = None  #: EXIF, 1 to 8
    outside: Outside | None = None
    secure: bool = False  #: kept outside in a form that only FileMaker can read
    damage: str | None = None

    @property
    def file_name(self) -> str | None:
        """The name the file had, None if the object keeps none. May hold anything: make it safe before using it."""
        return next((name.name for name in self.names if name.name), None)

    @property
    def stored_size(self) -> int | None:
        """Bytes of the file as stored (of a compressed one: compressed), None when that is unknown."""
        if self.outside is not None:
            return self.outside.size
        return next((stream.size for stream in self.streams if stream.type == self.main), None)


def object_path(table: bytes, key: bytes) -> Path:
    """Where an object lies in the tree."""
    return (table, OBJECTS, b"\x05", key)


def read_object(tree: Tree, table: bytes, table_id: int, key: bytes) -> Object | None:
    """What an object says of itself, without reading the file's bytes. None when there is no such object."""
    values, broken = _facts(tree, object_path(table, key))
    if not values and not broken:
        return None
    damage = "part of it is lost" if broken else None
    streams = parse_directory(values.get(DIRECTORY, b""))
    if streams is None:
        streams, damage = (), damage or "its list of streams is damaged"
    digest = values.get(DIGEST, b"")
    if len(digest) != 16:
        damage = damage or "it keeps no MD5"
    count = values.get(REFERENCES)
    types = [stream.type for stream in streams]
    remote = values.get(b"REMO")
    outside = parse_outside(types, values)
    return Object(
        table=table_id,
        key=key,
        streams=streams,
        md5=digest.hex(),
        references=int.from_bytes(count, "big") if count else None,
        main=outside.type if outside else choose_main(types, values.get(b"MAIN", b"")),
        names=parse_names(values.get(b"FNAM", b"")),
        size=_pair(values.get(b"SIZE")),
        dpi=_pair(values.get(b"DPI_")),
        orientation=_orientation(values.get(b"ROT8")),
        outside=outside,
        secure=remote is not None and outside is None,
        damage=damage,
    )


def _facts(tree: Tree, path: Path) -> tuple[dict[bytes, bytes], bool]:
    """The short values of an object and its short facts; jumps over long streams. And whether entries are lost."""
    values: dict[bytes, bytes] = {}
    broken = False
    start: Path | None = ()
    while start is not None:
        begin, start = start, None
        long: LongValue | None = None
        name = b""
        parts: list[bytes] = []
        for entry in tree.directory(path, begin):
            entry_path, key, value = entry
            if entry is GAP or len(values) > _FACTS_LIMIT:
                broken = True
                continue
            if len(entry_path) == 4:
                if key in (DIRECTORY, DIGEST, REFERENCES) or (len(key) == 4 and _is_fact(key)):
                    values[key] = value
                elif len(values) == 0:
                    values[b""] = b""  # something is here, so the object exists
                continue
            if entry_path[4] != name:
                name, long, parts = entry_path[4], LongValue(), []
            if long is None or not _is_fact(name) or (key == HEADER_KEY and int.from_bytes(value, "big") > _FACT_LIMIT):
                start = (name, LAST_KEY)
                values.setdefault(b"", b"")
                break
            part = long.add(key, value)
            if part is not None and long.size <= _FACT_LIMIT:
                parts.append(part)
                values[name] = b"".join(parts)
    return values, broken


def _is_fact(key: bytes) -> bool:
    """A stream that tells about the file, or the lower-case type that stands for a file outside."""
    return _name_of(key) in _FACTS or (len(key) == 4 and _name_of(key).rstrip("_").islower() and key.isascii())


def _name_of(key: bytes) -> str:
    return key.decode("latin-1")


def parse_directory(block: bytes) -> tuple[Stream, ...] | None:
    """Key 02: u16 count, then type and u32 size of every stream. None when it does not fit."""
    if len(block) < 2 or len(block) != 2 + 8 * int.from_bytes(block[:2], "big"):
        return None
    streams = [
        Stream(_name_of(block[place : place + 4]), int.from_bytes(block[place + 4 : place + 8], "big"))
        for place in range(2, len(block), 8)
    ]
    names = [stream.type for stream in streams]
    return tuple(streams) if names == sorted(set(names)) else None


def choose_main(types: list[str], main: bytes) -> str | None:
    """Which stream is the file: MAIN names it, else the order of FMP12.md 7.2, else any that is no fact."""
    named = _name_of(main[:4])
    if named in types and named not in _FACTS:
        return named
    for name in _FILES:
        if name in types:
            return name
    return next((name for name in types if name not in _FACTS), None)


def parse_outside(types: list[str], values: dict[bytes, bytes]) -> Outside | None:
    """The file outside that a lower-case stream and REMO describe; None if there is none (one sample, FMP12.md 7.3)."""
    remote = values.get(b"REMO")
    if remote is None or len(remote) < 9:
        return None
    for name in types:
        block = values.get(name.encode("latin-1"), b"")
        if name in _FACTS or not name.rstrip("_").islower() or len(block) < 26 or block[-1]:
            continue
        directory = remote[8:].rstrip(b"\0").decode("utf-8", "replace")
        upper = {"pngf": "PNGf", "giff": "GIFf", "bmpf": "BMPf"}.get(name, name.upper())
        return Outside(
            type=upper,
            size=int.from_bytes(block[:8], "little"),
            md5=block[8:24].hex(),
            base=int.from_bytes(remote[:8], "little"),
            parts=(*(part for part in directory.split("/") if part), block[24:-1].decode("utf-8", "replace")),
        )
    return None


def parse_names(block: bytes) -> tuple[FileName, ...]:
    """FNAM. Lengths are single bytes; how longer ones look was never seen, so what fits to the last byte is taken."""
    for wide in (None, 0x80, 0x00):
        names = _names(block, wide)
        if names is not None:
            return names
    return ()


def _names(block: bytes, wide: int | None) -> tuple[FileName, ...] | None:
    count, pos = int.from_bytes(block[:4], "big"), 4
    found: list[FileName] = []
    if len(block) < 4 or count > len(block) // 3:
        return None
    for _ in range(count):
        parts: list[str] = []
        for _ in range(3):
            if pos >= len(block):
                return None
            size, pos = block[pos], pos + 1
            if wide is not None and size >= 0x80 and pos < len(block):
                size, pos = wide + ((size & (0x3F if wide else 0x7F)) << 8 | block[pos]), pos + 1
            if pos + size > len(block):
                return None
            parts.append(_text(block[pos : pos + size]))
            pos += size
        found.append(FileName(parts[0], tuple(part for part in parts[1].split("\ue000") if part), parts[2]))
    return tuple(found) if pos == len(block) else None


def _text(data: bytes) -> str:
    try:
        return scsu.text(data)
    except scsu.ScsuError:
        return scsu.unmask(data).decode("latin-1")


def _pair(block: bytes | None) -> tuple[int, int] | None:
    if block is None or len(block) != 4:
        return None
    return int.from_bytes(block[:2], "big"), int.from_bytes(block[2:], "big")


def _orientation(block: bytes | None) -> int | None:
    value = int.from_bytes(block, "big") if block is not None and len(block) == 2 else 0
    return value if 1 <= value <= 8 else None
