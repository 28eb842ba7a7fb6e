"""A database file, opened: its tables, records and containers, and the proof that nothing was left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from unlade.errors import ReferenceOnly, Unreadable
from unlade.fmp12.catalogue import OBJECTS, Table, read_tables
from unlade.fmp12.content import ContainerStream, InsideReader, OutsideReader, State
from unlade.fmp12.errors import COPY, RECOVER, DamagedObject, ObjectLost, OutsideMissing, SecureStorage
from unlade.fmp12.header import Header, read_header, read_locale, read_programs
from unlade.fmp12.index import ChainLeaves
from unlade.fmp12.keyset import IdSet, KeyCounts
from unlade.fmp12.objects import Object, read_object
from unlade.fmp12.outside import find_outside
from unlade.fmp12.pages import PageFile
from unlade.fmp12.proof import Proof, prove
from unlade.fmp12.records import Container, Record, count_records, listed, read_globals, read_ids, read_records
from unlade.fmp12.salvage import SalvagedLeaves
from unlade.fmp12.salvage_report import SalvageReport, make_report
from unlade.fmp12.tree import Tree


class DatabaseFile:
    """A closed FileMaker file. Use it as a context manager; all methods may be called from any thread.

    Every iterator reads on its own, so several may run at once; memory does not grow with the file.
    Accounts and privileges of the database are not asked: who can read the file can read everything in it.
    """

    def __init__(self, path: Path, *, salvage: bool = False, outside: Sequence[Path] = ()) -> None:
        self.path = path
        self._outside = tuple(outside)
        self._file = PageFile(path)
        try:
            header = read_header(self._file, salvage=salvage)
            self._salvaged = SalvagedLeaves(self._file) if salvage else None
            self._chain = ChainLeaves(self._file)
            self._tree = Tree(self._salvaged or self._chain)
            self.header: Header = self._complete(header)
            self.tables: tuple[Table, ...] = tuple(read_tables(self._tree))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> DatabaseFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        self._file.close()

    def _complete(self, header: Header) -> Header:
        programs = self._tree.value((b"\x02",), b"\x08") or b""
        locale = self._tree.value((b"\x02",), b"\x0d") or b""
        return dataclasses.replace(header, programs=read_programs(programs), locale=read_locale(locale))

    def table(self, name: str) -> Table:
        """The table called `name`, in any case. Raises `KeyError` that names the tables there are."""
        for table in self.tables:
            if table.name.casefold() == name.casefold():
                return table
        known = ", ".join(table.name for table in self.tables)
        raise KeyError(f"there is no table {name} in {self.path.name}; it has {known or 'no tables'}")

    def records(self, table: Table, *, first: int = 0) -> Iterator[Record]:
        """Records of `table` in the order of their ids, from id `first` on.

        Raises `DamagedFile` where a page breaks a rule, `ValueError` for an id that no record can have.
        """
        return read_records(self._tree, table, self.header.locale, first)

    def record(self, table: Table, number: int) -> Record | None:
        """The record with that id, None if there is none."""
        found = next(self.records(table, first=number), None)
        return found if found is not None and found.id == number else None

    def count(self, table: Table) -> int:
        """How many records `table` has; quicker than reading them."""
        return count_records(self._tree, table)

    def compare_list(self, table: Table, present: IdSet) -> tuple[list[int], int, bool]:
        """Ids of the table's own list that are not `present` (at most 100,000), how many are present beyond it, and
        whether the list could be read; if not, the others mean nothing."""
        words, understood = read_ids(self._tree, table)
        if not understood or (present.count and not words):
            return [], 0, False
        missing: list[int] = []
        found = 0
        for number in listed(words):
            if number in present:
                found += 1
            elif len(missing) < 100_000:
                missing.append(number)
        return missing, present.count - found, True

    def globals(self, table: Table) -> Record:
        """The values of the table's global fields, as a record without an id."""
        return read_globals(self._tree, table, self.header.locale)

    def containers(self, table: Table | None = None) -> Iterator[Container]:
        """Every filled container value of one table or of all: records first, then global fields."""
        for one in [table] if table else self.tables:
            if one.containers:
                for record in self.records(one):
                    yield from record.containers.values()
                yield from self.globals(one).containers.values()

    def object(self, container: Container) -> Object | None:
        """What the file keeps of a container value's object, without its bytes; None if it has no object."""
        if container.object_key is None:
            return None
        return self.find_object(container.table, container.object_key)

    def find_object(self, table: Table, key: bytes) -> Object | None:
        """An object by its key, whoever refers to it; None if there is none."""
        return read_object(self._tree, table.key, table.id, key)

    def is_here(self, thing: Object) -> bool:
        """Whether an object's file can be had: one of open storage lies where it may, in its size; none is secure."""
        if thing.outside is None:
            return not thing.secure
        return find_outside(self.path, self.header.bases, thing.outside, self._outside)[0] is not None

    def objects(self, table: Table) -> Iterator[Object]:
        """All container objects of `table`, referenced or not."""
        for key in self._tree.children((table.key, OBJECTS, b"\x05")):
            if (thing := self.find_object(table, key)) is not None:
                yield thing

    def left_over(self, table: Table) -> Iterator[Object]:
        """Objects that no value refers to any more (a deleted field, a cleared global); reads all records first."""
        counts = KeyCounts()
        for container in self.containers(table):
            if container.object_key is not None:
                counts.add(container.object_key)
        for thing in self.objects(table):
            if not counts.get(thing.key):
                yield thing

    def open(self, container: Container, *, stream: str | None = None, keep_damaged: bool = False) -> ContainerStream:
        """The file of a container value, or another of its streams, as a binary stream that proves itself.

        Raises `ReferenceOnly`, `Unreadable`, `ObjectLost`, `SecureStorage`, `OutsideMissing` and, when its parts do
        not fit together, `DamagedObject`.
        """
        thing = self.object(container)
        if thing is None:
            raise self._no_object(container)
        return self.open_object(container.table, thing, label=str(container), stream=stream, keep_damaged=keep_damaged)

    def open_object(
        self, table: Table, thing: Object, *, label: str = "", stream: str | None = None, keep_damaged: bool = False
    ) -> ContainerStream:
        """The file of an object, for left-over ones too. Raises as `open` does."""
        label = label or f"{table.name}, object {thing.key.hex()}"
        if stream is None and thing.outside is not None:
            path, changed = find_outside(self.path, self.header.bases, thing.outside, self._outside)
            if path is None:
                how = "another file stands in its place" if changed else "is not there"
                raise OutsideMissing(
                    f"{label}: its file should lie beside the database, but {how}.",
                    remedy=f"Put the folder of container files beside the database. Or: {COPY}",
                )
            reader: InsideReader | OutsideReader = OutsideReader(self._tree, table.key, thing, path)
            good: State | None = State.VERIFIED_OUTSIDE
            name = thing.outside.type
        else:
            name = stream or thing.main or ""
            if not any(one.type == name for one in thing.streams):
                raise self._no_stream(thing, label, name)
            reader = InsideReader(self._tree, table.key, thing, name)
            good = State.VERIFIED if thing.outside is None else None
        return ContainerStream(reader, good, label, name=thing.file_name, type_=name, keep_damaged=keep_damaged)

    def state(self, container: Container) -> State:
        """Read a container value's file to its end and say what is proven of it."""
        thing = self.object(container)
        if thing is None:
            return _state_of(self._no_object(container))
        return self.object_state(container.table, thing)

    def object_state(self, table: Table, thing: Object) -> State:
        """Read an object's file to its end and say what is proven of it."""
        try:
            with self.open_object(table, thing, keep_damaged=True) as stream:
                for _ in stream.chunks():
                    pass
                return stream.state or State.MISMATCH
        except (OutsideMissing, SecureStorage, DamagedObject) as error:
            return _state_of(error)

    def proof(self, *, objects: bool = True) -> Proof:
        """Read the whole file and prove that it is complete; without `objects` all but the objects' MD5.

        Pages that this object has read before, and that kept every rule then, are not read again.
        Never raises for damage: the result says where it is.
        """
        return prove(self, self._file, self._chain, self._salvaged, objects=objects)

    def salvage_report(self) -> SalvageReport | None:
        """What is lost, in words; None unless the file was opened with `salvage`."""
        if self._salvaged is None:
            return None
        return make_report(self, self._file, self._salvaged)

    def _no_object(self, container: Container) -> ReferenceOnly | Unreadable | ObjectLost:
        if container.object_key is not None:
            return ObjectLost(f"{container}: the file does not hold the object that it names.", remedy=RECOVER)
        if container.reference is not None:
            return ReferenceOnly(f"{container}: only the path of a file elsewhere was stored.", remedy=COPY)
        return Unreadable(f"{container}: the value is no reference of a kind that we know.", remedy=COPY)

    def _no_stream(self, thing: Object, label: str, name: str) -> SecureStorage | DamagedObject:
        if thing.secure:
            return SecureStorage(f"{label}: its file is in secure storage, encrypted by FileMaker.", remedy=COPY)
        why = thing.damage or (f"it has no stream {name.strip()}" if name else "it holds no file")
        return DamagedObject(f"{label}: {why}.", remedy=RECOVER)


def _state_of(error: Exception) -> State:
    for kind, state in (
        (ObjectLost, State.OBJECT_MISSING),
        (OutsideMissing, State.OUTSIDE_MISSING),
        (SecureStorage, State.SECURE),
        (DamagedObject, State.MISMATCH),
        (ReferenceOnly, State.REFERENCE_ONLY),
    ):
        if isinstance(error, kind):
            return state
    return State.UNREADABLE
