"""Records as they come by: id, modification count, values by field and repetition (FMP12.md 5, 6, 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from unlade.fmp12 import scsu
from unlade.fmp12.catalogue import GLOBALS, LIST, RECORDS, Field, FieldType, Table
from unlade.fmp12.header import Locale
from unlade.fmp12.tokens import EMPTY, Entry, Path, decode_integer, decode_integers, encode_integer
from unlade.fmp12.tree import GAP, LongValue, Tree
from unlade.fmp12.values import Value, interpret

SEPARATOR = "\ue000"  #: FileMaker's own, between the parts of a value
GLOBAL = "global"  #: in the place of a record id
COUNTER = b"\xfc"
#: A single text beyond this is cut and marked damaged, so that memory stays bounded.
MAX_TEXT = 64_000_000
#: What one record may hold in all; the rest is left out and the record is not complete.
MAX_RECORD = 128_000_000
_SLOTS_KEPT = 10_000


class Container(NamedTuple):
    """A container value of a record: where it stands, and what it refers to.

    `object_key` is the key of an object of the same table; None for a value that only names a file elsewhere
    (`reference`, the text as it is) or that is none of both (`reference` None).
    """

    table: Table
    record: int | None  #: None for a global field
    field: Field
    repetition: int
    object_key: bytes | None
    reference: str | None = None

    @property
    def record_name(self) -> str:
        """The record's id, `global` for a global value."""
        return GLOBAL if self.record is None else str(self.record)

    @property
    def field_name(self) -> str:
        """`name`, `name(2)` from the second repetition on."""
        return self.field.spelt(self.repetition)

    def __str__(self) -> str:
        where = f"record {self.record}" if self.record is not None else "global"
        return f"{self.table.name}, {where}, {self.field_name}"


@dataclass(slots=True)
class Record:
    """One record. `values` and `containers` are by field name, from the second repetition on `name(2)`.

    Empty fields are absent. `complete` is False where something of the record may be lost (salvage). `strays` counts
    values of fields that the table does not have.
    """

    id: int | None  #: None for the values of global fields
    modification: int = 0
    values: dict[str, Value] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    complete: bool = True
    strays: int = 0

    @property
    def misfits(self) -> tuple[str, ...]:
        """Names of fields whose text is not written as their type has it."""
        return tuple(name for name, value in self.values.items() if value.misfit or value.damaged)


def read_records(tree: Tree, table: Table, locale: Locale, first: int = 0) -> Iterator[Record]:
    """Records of `table` in the order of their ids, from id `first` on. Memory holds one record at a time."""
    prefix: Path = (table.key, RECORDS)
    builder = _Builder(table, locale)
    current: bytes | None = None
    number: int | None = None
    for entry in tree.directory(prefix, (encode_integer(first),) if first else ()):
        if entry is GAP:
            builder.gap()
            continue
        path = entry[0]
        here = path[2] if len(path) > 2 else entry[1]
        if here != current:
            if number is not None:
                yield builder.finish()
            current = here
            number = decode_integer(here) if len(path) > 2 or entry[2] is EMPTY else None
            builder.start(number)
        if number is not None and len(path) > 2:  # else bookkeeping, or a record without values
            builder.add(entry, 3)
    if number is not None:
        yield builder.finish()


def count_records(tree: Tree, table: Table) -> int:
    """How many records there are, without reading what is in them."""
    count, current = 0, b""
    for entry in tree.directory((table.key, RECORDS)):
        path = entry[0]
        here = path[2] if len(path) > 2 else entry[1]
        if here != current and entry is not GAP and (len(path) > 2 or entry[2] is EMPTY):
            current = here
            count += decode_integer(here) is not None
    return count


def read_globals(tree: Tree, table: Table, locale: Locale) -> Record:
    """The values of the table's global fields, as a record without an id."""
    builder = _Builder(table, locale)
    builder.start(None)
    for entry in tree.directory((table.key, GLOBALS)):
        if entry is GAP:
            builder.gap()
        elif entry[2] is not EMPTY:
            builder.add(entry, 2)
    return builder.finish()


def read_ids(tree: Tree, table: Table) -> tuple[dict[int, bytes], bool]:
    """The ids of all records as the table keeps them: {first id: bits}, and whether every entry was understood.

    [table].[13]: key 0 holds 32-bit words, word i for the ids 32 i to 32 i + 31, the lowest bit for the first; one
    record alone is a key without value that is its id ([B] 5,202 of 5,202 records of eight samples). What larger
    tables have beside key 0 was not seen.
    """
    words: dict[int, bytes] = {}
    for entry in tree.directory((table.key, LIST)):
        if entry is GAP:
            return words, False
        first = decode_integer(entry[1])
        if len(entry[0]) != 2 or first is None or entry[2] is EMPTY or len(entry[2]) % 4:
            return words, False
        if entry[2] and first:
            return words, False
        words[first] = entry[2]
        if len(words) > _SLOTS_KEPT:
            return words, False
    return words, True


def listed(words: dict[int, bytes]) -> Iterator[int]:
    """The ids that `read_ids` found, in order."""
    for first in sorted(words):
        if not words[first]:
            yield first
        for place in range(0, len(words[first]), 4):
            word = int.from_bytes(words[first][place : place + 4], "big")
            yield from (first + place * 8 + bit for bit in range(32) if word >> bit & 1)


class _Slot(NamedTuple):
    """What a key in a record stands for."""

    field: Field
    repetition: int
    name: str


class _Builder:
    """Puts a record together from its entries."""

    def __init__(self, table: Table, locale: Locale) -> None:
        self._table = table
        self._locale = locale
        self._fields = {field.id: field for field in table.fields}
        self._slots: dict[bytes, _Slot | None] = {}
        self._torn = False  # something before the next entry may be lost
        self._long: _Long | None = None
        self._record = Record(None)
        self._weight = 0

    def start(self, number: int | None) -> None:
        self._weight = 0
        self._record = Record(number, complete=not self._torn)
        self._torn = False

    def gap(self) -> None:
        self._record.complete = False
        self._torn = True
        self._end_long()

    def add(self, entry: Entry, depth: int) -> None:
        path, key, data = entry
        self._torn = False
        if len(path) == depth:
            if self._long is not None:
                self._end_long()
            if key == COUNTER:
                self._record.modification = counter(data)
            elif (slot := self._slot(key)) is not None:
                self._put(slot, data, None, damaged=False)
            return
        if len(path) > depth + 1:
            return  # styles
        slot_key = path[depth]
        if self._long is None or self._long.key != slot_key:
            self._end_long()
            self._long = _Long(slot_key, self._slot(slot_key))
        self._long.add(key, data)

    def finish(self) -> Record:
        self._end_long()
        record, self._record = self._record, Record(None)
        return record

    def _slot(self, key: bytes) -> _Slot | None:
        try:
            slot = self._slots[key]
        except KeyError:
            slot = self._find(key)
            if len(self._slots) < _SLOTS_KEPT:
                self._slots[key] = slot
        if slot is None and key < b"\xc0":
            self._record.strays += 1
        return slot

    def _find(self, key: bytes) -> _Slot | None:
        numbers = decode_integers(key)
        if numbers is None or len(numbers) > 2 or numbers[0] not in self._fields:
            return None
        found, repetition = self._fields[numbers[0]], numbers[1] if len(numbers) == 2 else 1
        return _Slot(found, repetition, found.spelt(repetition))

    def _end_long(self) -> None:
        long, self._long = self._long, None
        if long is None or long.slot is None or not long.started:
            return
        data, units, damaged = long.finish()
        self._put(long.slot, data, units, damaged=damaged)

    def _put(self, slot: _Slot, data: bytes, units: int | None, *, damaged: bool) -> None:
        self._weight += len(data) + 200
        if self._weight > MAX_RECORD:
            self._record.complete = False
            return
        try:
            text = scsu.text(data)
        except scsu.ScsuError:
            text, damaged = scsu.unmask(data).decode("latin-1"), True
        if units is not None and not damaged:
            damaged = scsu.units_of(text) != units
        if damaged:
            self._record.complete = False
        if slot.field.type is FieldType.CONTAINER:
            key, reference = parse_reference(text) if not damaged else (None, None)
            where = (self._table, self._record.id, slot.field, slot.repetition)
            self._record.containers[slot.name] = Container(*where, key, reference)
        elif damaged:
            self._record.values[slot.name] = Value(text, None, misfit=True, damaged=True)
        else:
            self._record.values[slot.name] = interpret(text, slot.field.type, self._locale)


class _Long:
    """A long text while its parts come by."""

    def __init__(self, key: bytes, slot: _Slot | None) -> None:
        self.key = key
        self.slot = slot
        self.started = False
        self._parts: list[bytes] = []
        self._value = LongValue()
        self._broken = False

    def add(self, key: bytes, data: bytes) -> None:
        self.started = True
        part = self._value.add(key, data)
        if part is not None and self.slot is not None:
            if self._value.size > MAX_TEXT:
                self._broken = True
            else:
                self._parts.append(part)

    def finish(self) -> tuple[bytes, int | None, bool]:
        """Bytes, UTF-16 units as stated, and whether something is lost."""
        header = self._value.header
        units = int.from_bytes(header[4:8], "big") if len(header) >= 8 else None
        broken = self._broken or self._value.stated != self._value.size or units is None
        return b"".join(self._parts), units, broken


def counter(data: bytes) -> int:
    """A counter under key FC: one length byte and an integer (1,166 of 1,166 in eight samples)."""
    return int.from_bytes(data[1:], "big") if data and data[0] == len(data) - 1 else 0


def parse_reference(text: str) -> tuple[bytes | None, str | None]:
    """Object key and reference of a container value: `8084` and U+E000 is key 80 84, other text names a file."""
    if text.endswith(SEPARATOR):
        try:
            return bytes.fromhex(text[:-1]) or None, None
        except ValueError:
            return None, None
    return None, text or None
