"""A table of a database file as a `Source`: the same voyage as over the API, without a host.

What the API would say and the file does not is told before anything starts: fields of other tables, and calculations
that are not stored. A closed file does not change, so its records stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Lock
from typing import Literal

from unlade.cargo import ContainerRef, Count, FieldValue, Page, RefStatus, Road, SourceRecord, Wire
from unlade.errors import FieldMissing, LayoutMissing, RecordGone, UsageError
from unlade.fmp12.catalogue import FieldKind, FieldType, Table
from unlade.fmp12.content import ContainerStream, State
from unlade.fmp12.database import DatabaseFile
from unlade.fmp12.records import Container, Record
from unlade.fmp12.values import Value
from unlade.source import Download

_MARK_EVERY = 500  #: so many records lie between two places that can be gone back to


def choose_table(database: DatabaseFile, name: str, fields: Sequence[str]) -> Table:
    """The table called `name`; without a name the only one that has all `fields`.

    Raises `LayoutMissing` when there is none and `UsageError`, with the candidates, when there are several.
    """
    if name:
        try:
            return database.table(name)
        except KeyError as error:
            raise LayoutMissing(str(error.args[0]), remedy="Declare `table` as it is called in the file.") from None
    fitting = [table for table in database.tables if not _missing(table, fields)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(table.name for table in fitting)
        raise UsageError(f"Several tables have the declared fields: {names}.", remedy="Declare `table` as one of them.")
    nearest = sorted(database.tables, key=lambda table: len(_missing(table, fields)))[:3]
    near = "; ".join(f"{table.name} lacks {', '.join(_missing(table, fields)[:5])}" for table in nearest)
    raise LayoutMissing(
        f"No table in {database.path.name} has all declared fields. {near}.",
        remedy="Fields of other tables and layouts are not in a table; declare those of one table.",
    )


def _missing(table: Table, names: Sequence[str]) -> list[str]:
    known = {field.name.casefold() for field in table.fields}
    return [name for name in names if _split(name)[0].casefold() not in known]


def _split(name: str) -> tuple[str, int]:
    """`photo(2)` is repetition 2 of `photo`."""
    stem, bracket, rest = name.rpartition("(")
    if bracket and rest.endswith(")") and rest[:-1].isdecimal():
        return stem, int(rest[:-1])
    return name, 1


@dataclass(frozen=True, slots=True)
class _Mark:
    place: int
    record: int


class FileSource:
    """Records and containers of one table (`unlade.source.Source`). It cannot write, and nothing costs anything.

    `containers` empty means all container fields that are no globals. `fields` are the other declared names, which
    are checked at once. With `keep_damaged` a download whose bytes do not prove true ends where they end, with the
    state `mismatch`, instead of raising. Raises `FieldMissing`. The database is closed with the source.
    """

    road = Road.FILE
    lends: Literal[True] = True

    def __init__(
        self,
        database: DatabaseFile,
        table: Table,
        *,
        containers: Sequence[str] = (),
        fields: Sequence[str] = (),
        keep_damaged: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.database, self.table, self._clock, self._keep_damaged = database, table, clock, keep_damaged
        self._declared = tuple(containers) or tuple(field.name for field in table.containers if not field.is_global)
        self._found: int | None = None
        self._check([*self._declared, *fields])
        self._spelt = {self._known(name): name for name in self._declared}
        self._plain = [field.name for field in table.fields if field.type is not FieldType.CONTAINER]
        self._lock = Lock()
        self._marks = [_Mark(1, 0)]
        self._flow: Iterator[Record] = iter(())
        self._next = 0  # place of the record that the flow gives next; 0 when there is no flow
        self._last: Record | None = None  # the one before it: pages overlap by one

    # The seam (docstrings: unlade.source.Source)

    def count(self) -> Count:
        """How many records the table has. Raises `DamagedFile`."""
        if self._found is None:
            self._found = self.database.count(self.table)
        return Count(self._found, self._found)

    def page(self, offset: int, limit: int) -> Page:
        """Records by the order of their ids, which is the order they were made in. Raises `DamagedFile`."""
        with self._lock:
            records = self._take(offset, limit)
        return Page(offset, tuple(self._record(record) for record in records), self.count())

    def read(self, record_id: str) -> SourceRecord:
        """One record by its id. Raises `RecordGone`, `DamagedFile`."""
        try:
            record = self.database.record(self.table, int(record_id))
        except ValueError:
            record = None
        if record is None:
            raise RecordGone(f"{self.table.name} has no record {record_id} in {self.database.path.name}.")
        return self._record(record)

    @contextmanager
    def download(self, record: SourceRecord, ref: ContainerRef, *, resume_at: int = 0) -> Iterator[Download]:
        """Open a container, always from its beginning: only a whole file proves itself.

        Raises `ReferenceOnly`, `Unreadable`, `ObjectLost`, `OutsideMissing`, `SecureStorage`, `DamagedObject`; the last
        also from `chunks`, before the last bytes.
        """
        found = self.database.record(self.table, int(record.record_id))
        container = found.containers.get(self._known(ref.field)) if found else None
        if container is None:
            raise RecordGone(f"{self.table.name}, record {record.record_id}: {ref.field} is empty or gone.")
        with self.database.open(container, keep_damaged=self._keep_damaged) as stream:
            yield FileDownload(stream)

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    # -- fields --

    def _check(self, names: Sequence[str]) -> None:
        missing = _missing(self.table, names)
        if missing:
            related = any("::" in name for name in missing)
            raise FieldMissing(
                f"The table {self.table.name} has no field {', '.join(missing)}.",
                remedy="A related field is in its own table only; declare a field of this one."
                if related
                else f"It has {', '.join(field.name for field in self.table.fields[:40])}.",
            )
        fields = {field.name: field for field in (self.table.field(_split(name)[0]) for name in names)}
        hollow = {name for name, field in fields.items() if field.kind in (FieldKind.CALCULATION, FieldKind.SUMMARY)}
        for record in self.database.records(self.table) if hollow else ():
            hollow -= {_split(name)[0] for name in (*record.values, *record.containers)}
            if not hollow:
                break
        if hollow and self.count().found:
            raise FieldMissing(
                f"{', '.join(sorted(hollow))} of {self.table.name}: a calculation that the file does not store.",
                remedy="Declare the fields it is made from, or let FileMaker store its results and make a new copy.",
            )

    def _known(self, name: str) -> str:
        """A declared name as the table spells it."""
        stem, repetition = _split(name)
        return self.table.field(stem).spelt(repetition)

    # -- records --

    def _take(self, offset: int, limit: int) -> list[Record]:
        """Records from place `offset` on. Pages follow one another, each beginning with the last record before."""
        records: list[Record] = []
        if self._last is not None and offset == self._next - 1:
            records.append(self._last)
        elif not self._next or offset != self._next:
            self._go_to(offset)
        while len(records) < limit and (record := next(self._flow, None)) is not None:
            if self._next > self._marks[-1].place + _MARK_EVERY:
                self._marks.append(_Mark(self._next, record.id or 0))
            self._next += 1
            self._last = record
            records.append(record)
        return records[:limit]

    def _go_to(self, offset: int) -> None:
        mark = next(mark for mark in reversed(self._marks) if mark.place <= max(offset, 1))
        self._flow = self.database.records(self.table, first=mark.record)
        self._next, self._last = mark.place, None
        while self._next < offset and next(self._flow, None) is not None:
            self._next += 1

    def _record(self, record: Record) -> SourceRecord:
        values: dict[str, FieldValue] = dict.fromkeys(self._plain, "")
        values.update((name, as_field(value)) for name, value in record.values.items())
        return SourceRecord(
            record_id=str(record.id),
            mod_id=str(record.modification),
            fields=values,
            containers={name: self._ref(name, record.containers.get(known)) for known, name in self._spelt.items()},
            read_at=self._clock(),
        )

    def _ref(self, name: str, container: Container | None) -> ContainerRef:
        if container is None:
            return ContainerRef(name, RefStatus.EMPTY)
        if container.object_key is None:
            status = RefStatus.UNREADABLE if container.reference is None else RefStatus.REFERENCE
            return ContainerRef(name, status)
        thing = self.database.object(container)
        if thing is None:
            return ContainerRef(name, RefStatus.FILE, container.object_key.hex())
        return ContainerRef(
            name,
            RefStatus.FILE,
            container.object_key.hex(),
            name=thing.file_name,
            size=None if thing.main == "ZLIB" else thing.stored_size,
            md5=thing.outside.md5 if thing.outside else None,
        )


class FileDownload:
    """An opened container (`unlade.source.Download`). Nothing goes over a wire."""

    content_type: str | None = None
    resumed_at = 0
    wire = Wire()

    def __init__(self, stream: ContainerStream) -> None:
        self._stream = stream

    @property
    def content_length(self) -> int | None:
        """Bytes of the file; None for a compressed one."""
        return self._stream.size

    @property
    def name(self) -> str | None:
        """The name the file had."""
        return self._stream.file_name

    @property
    def state(self) -> State | None:
        """What was proven; None before the end."""
        return self._stream.state

    @property
    def damage(self) -> str | None:
        """With `keep_damaged`, after the end: what did not fit, as the waterfall asks it of any download."""
        return self._stream.why or "damaged" if self._stream.state is State.MISMATCH else None

    def chunks(self) -> Iterator[bytes]:
        """The bytes, the last only when all are proven. Raises `DamagedObject`."""
        return self._stream.chunks()


def as_field(value: Value) -> FieldValue:
    """A value as the API hands it over: numbers as numbers, dates in ISO; what is neither stays as it was typed."""
    meant = value.value
    if isinstance(meant, (int, Decimal)):
        return meant
    if isinstance(meant, datetime):
        return meant.isoformat(timespec="seconds")
    if isinstance(meant, date):
        return meant.isoformat()
    return value.text
