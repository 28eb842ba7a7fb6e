"""Tables and fields: names, types, kinds, storage (FMP12.md 5, 7.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from unlade.fmp12 import scsu
from unlade.fmp12.errors import DatabaseFileError
from unlade.fmp12.tokens import Path, decode_integer, encode_integer
from unlade.fmp12.tree import GAP, LongValue, Tree, child_of

_MOST = 200_000  #: tables and fields together
_NAME_BYTES = 1000  #: of names, of which FileMaker allows 100 characters

TABLES: Path = (b"\x03", b"\x10", b"\x05")
FIELDS, RECORDS, GLOBALS, LIST, OBJECTS = b"\x03", b"\x05", b"\x08", b"\x0d", b"\x1f"
NAME_KEY = b"\x10"
_DEFINITION, _BASE, _PATH, _FORMULA = b"\x02", b"\x26", b"\x27", b"\x05"


class FieldType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    CONTAINER = "container"
    UNKNOWN = "unknown"  #: a definition that this program does not know; values are kept as text


class FieldKind(StrEnum):
    NORMAL = "normal"
    CALCULATION = "calculation"
    SUMMARY = "summary"
    UNKNOWN = "unknown"


class Storage(StrEnum):
    """Where a container field keeps new files. An object says for itself where it is."""

    INSIDE = "inside"
    OPEN = "open"  #: beside the file, readable [one sample]
    SECURE = "secure"  #: beside the file, encrypted [no sample]


_TYPES = dict(enumerate(FieldType, 1))
_KINDS = {1: FieldKind.NORMAL, 2: FieldKind.CALCULATION, 3: FieldKind.SUMMARY}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a table. `base` is the number of its base directory, `directory` a path formula as text."""

    id: int
    name: str
    type: FieldType
    kind: FieldKind = FieldKind.NORMAL
    is_global: bool = False
    repetitions: int = 1
    storage: Storage = Storage.INSIDE
    base: int | None = None
    directory: str = ""

    def spelt(self, repetition: int = 1) -> str:
        """The field's name, from the second repetition on as `name(2)`."""
        return self.name if repetition == 1 else f"{self.name}({repetition})"


@dataclass(frozen=True, slots=True)
class Table:
    """One table with its fields in the order of their ids. `key` is its place in the file."""

    id: int
    name: str
    fields: tuple[Field, ...] = ()

    @property
    def key(self) -> bytes:
        return encode_integer(self.id)

    @property
    def containers(self) -> tuple[Field, ...]:
        """The container fields, global ones and calculations among them."""
        return tuple(field for field in self.fields if field.type is FieldType.CONTAINER)

    def field(self, name: str) -> Field:
        """The field called `name`, in any case. Raises `KeyError`."""
        for field in self.fields:
            if field.name.casefold() == name.casefold():
                return field
        raise KeyError(name)


def read_tables(tree: Tree) -> Iterator[Table]:
    """All tables in the order of their ids, each with its fields. Raises `DatabaseFileError` for absurd numbers."""
    room = _MOST
    for key in tree.children(TABLES):
        number = decode_integer(key)
        if number is None or number < 0x80:
            continue
        fields = tuple(islice(_fields(tree, key), room))
        room -= len(fields) + 1
        if room <= 0:
            raise DatabaseFileError(f"The file claims to have more than {_MOST:,} fields, which no database has.")
        yield Table(number, _name(tree, (*TABLES, key)) or f"table {number}", fields)


def _fields(tree: Tree, table: bytes) -> Iterator[Field]:
    directory = (table, FIELDS, b"\x05")
    for key in tree.children(directory):
        number = decode_integer(key)
        if number is not None and number >= 1:
            path = (*directory, key)
            definition = tree.value(path, _DEFINITION) or b""
            name = _name(tree, path) or f"field {number}"
            yield _define(tree, path, number, name, definition)


def _define(tree: Tree, path: Path, number: int, name: str, definition: bytes) -> Field:
    """Read a field's definition; the offsets are those of FMP12.md 5."""
    if len(definition) != 26:
        return Field(number, name, FieldType.UNKNOWN, FieldKind.UNKNOWN)
    kind = _KINDS.get(definition[0], FieldKind.UNKNOWN)
    type_ = _TYPES.get(definition[1], FieldType.UNKNOWN)
    repetitions = max(int.from_bytes(definition[24:26], "big"), 1)
    if type_ is not FieldType.CONTAINER:
        return Field(number, name, type_, kind, bool(definition[9] & 1), repetitions)
    base = tree.value(path, _BASE)
    return Field(
        number,
        name,
        type_,
        kind,
        bool(definition[9] & 1),
        repetitions,
        _storage(definition[10]),
        int.from_bytes(base, "little") if base else None,
        _formula(tree.value((*path, _PATH), _FORMULA) or b""),
    )


def _storage(flags: int) -> Storage:
    if not flags & 0x10:
        return Storage.INSIDE
    return Storage.OPEN if flags & 0x20 else Storage.SECURE


def _formula(block: bytes) -> str:
    """A path formula that is one literal; anything longer is not needed to find files and left out."""
    if len(block) < 3 or block[0] != 0x13 or len(block) < 2 + block[1]:
        return ""
    return _text(block[2 : 2 + block[1]])


def _name(tree: Tree, path: Path) -> str:
    """Key 16 of `path`, as a value or, when it is long or not Latin, as a node."""
    depth = len(path)
    long, parts = LongValue(), []
    for entry in tree.directory(path, (NAME_KEY,)):
        if entry is GAP or child_of(entry, depth) != NAME_KEY:
            break
        if len(entry[0]) == depth:
            return _text(entry[2][:_NAME_BYTES])
        if len(entry[0]) == depth + 1:
            part = long.add(entry[1], entry[2])
            if part is not None and long.size <= _NAME_BYTES:
                parts.append(part)
    return _text(b"".join(parts))


def _text(data: bytes) -> str:
    try:
        return scsu.text(data)
    except scsu.ScsuError:
        return scsu.unmask(data).decode("latin-1")
