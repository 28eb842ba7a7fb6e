"""The proof that a file was read completely and truly (FMP12.md 10).

Chain against index tree, file size against page count, every page in its place, strict order of all keys, and the MD5
of every container object. Pictures of layouts do not belong to the user's data and stay out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from unlade.fmp12.content import State
from unlade.fmp12.errors import DamagedFile, DatabaseFileError
from unlade.fmp12.index import ChainLeaves, index_leaves
from unlade.fmp12.keyset import IdSet, KeyCounts
from unlade.fmp12.pages import FIRST_LEAF, PAGE, PageFile

if TYPE_CHECKING:
    from unlade.fmp12.catalogue import Table
    from unlade.fmp12.database import DatabaseFile
    from unlade.fmp12.salvage import SalvagedLeaves

_LISTED = 100  #: so many differences are listed by name, all are counted


@dataclass
class Proof:
    """What was checked and what came of it. `faults` are sentences, at most 100 of them; `ok` when there are none.

    `values` counts container values by state, `objects` objects by state (both by the names of `State`); states that
    need a person but are no damage (outside-file-missing, reference-only, secure-storage) leave `ok` alone.
    `left_over` objects are referred to by no value. `notes` are differences that prove nothing wrong, such as a reference count.
    """

    pages: int = 0
    leaves: int = 0
    size_fits: bool = False
    chain_is_index: bool = False
    all_leaves_in_chain: bool = False
    keys_in_order: bool = False
    closed: bool | None = None
    records: int = 0
    listed_tables: int = 0  #: tables whose own list of record ids was compared with the records
    incomplete_records: int = 0
    misfits: int = 0
    values: dict[str, int] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    left_over: int = 0
    objects_checked: bool = False
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.fault_count == 0

    def fault(self, sentence: str) -> None:
        self.fault_count += 1
        if len(self.faults) < _LISTED:
            self.faults.append(sentence)

    def note(self, sentence: str) -> None:
        if len(self.notes) < _LISTED:
            self.notes.append(sentence)

    def line(self, unread: str = "objects not read") -> str:
        """One line for a person; `unread` is said of objects where this proof did not read them."""
        if not self.ok:
            more = f" (and {self.fault_count - 1} more)" if self.fault_count > 1 else ""
            return f"NOT proven: {self.faults[0]}{more}"
        verified = sum(self.objects.get(name, 0) for name in (State.VERIFIED, State.VERIFIED_OUTSIDE))
        checked = sum(self.objects.values())
        objects = f"{verified:,} of {checked:,} objects by MD5" if self.objects_checked else unread
        return (
            f"Complete: {self.leaves:,} leaves in {self.pages:,} pages, chain and index agree, keys in order, "
            f"{self.records:,} records, {sum(self.values.values()):,} container values, {objects}."
        )

    def as_json(self) -> dict[str, Any]:
        """All of it, ready for `json.dumps`."""
        return {"ok": self.ok, "line": self.line(), **asdict(self)}


def prove(
    database: DatabaseFile, file: PageFile, chain: ChainLeaves, salvaged: SalvagedLeaves | None, *, objects: bool
) -> Proof:
    """Read everything. Damage is a fault of the proof, never an exception."""
    proof = Proof(pages=file.count, closed=database.header.closed, objects_checked=objects)
    for table in database.tables:
        try:
            _prove_table(proof, database, table, objects)
        except DamagedFile as error:
            proof.fault(f"{table.name}: {error}")
    # Pages come last, as most of them have been read by now; what is wrong with them is the cause of the rest.
    of_tables, proof.faults = proof.faults, []
    _prove_pages(proof, file, chain)
    proof.faults = (proof.faults + of_tables)[:_LISTED]
    if salvaged is not None:
        for lost in salvaged.lost:
            proof.fault(f"Page {lost.page} is lost: {lost.why}.")
        proof.fault_count += salvaged.lost_count - len(salvaged.lost)
    return proof


def _prove_pages(proof: Proof, file: PageFile, chain: ChainLeaves) -> None:
    stated = int.from_bytes(file.page(1)[8:12], "big") + 1 if file.count > 1 else 0
    proof.size_fits = file.size == file.count * PAGE == stated * PAGE
    if not proof.size_fits:
        proof.fault(f"The file has {file.size} bytes where {stated * PAGE} are stated.")
    if not file.is_unchanged():
        proof.fault("The file was written to while it was read: close it, or take a copy.")
    seen = bytearray(file.count // 8 + 1)
    try:
        # One walk: the chain's order and keys are checked on the way, the index runs beside it.
        index = index_leaves(file)
        for number in chain.walk():
            seen[number >> 3] |= 1 << (number & 7)
            proof.leaves += 1
            if next(index, None) != number:
                raise DamagedFile(number, "the index and the chain of leaves do not agree")
        proof.keys_in_order = True
        if (extra := next(index, None)) is not None:
            raise DamagedFile(extra, "the index knows a leaf that the chain does not")
        proof.chain_is_index = True
    except DatabaseFileError as error:
        proof.fault(str(error))
        return
    _prove_all_used(proof, file, seen)


def _prove_all_used(proof: Proof, file: PageFile, seen: bytearray) -> None:
    """Every page that says it is a leaf must have come by."""
    for number in range(FIRST_LEAF, file.count):
        if seen[number >> 3] >> (number & 7) & 1:
            continue
        if file.page(number)[12:14] == b"\0\0":
            proof.fault(f"Page {number} is a leaf that is not in the chain.")
            return
    proof.all_leaves_in_chain = True


def _prove_table(proof: Proof, database: DatabaseFile, table: Table, objects: bool) -> None:
    counts = KeyCounts()
    present = IdSet()
    for record in database.records(table):
        proof.records += 1
        present.add(record.id or 0)
        proof.misfits += len(record.misfits)
        if not record.complete:
            proof.incomplete_records += 1
            proof.fault(f"{table.name}, record {record.id}: part of it may be lost.")
        for container in record.containers.values():
            _count_value(proof, counts, container.object_key, container.reference)
    for container in database.globals(table).containers.values():
        _count_value(proof, counts, container.object_key, container.reference)
    _prove_list(proof, database, table, present)
    _prove_objects(proof, database, table, counts, objects)


def _prove_list(proof: Proof, database: DatabaseFile, table: Table, present: IdSet) -> None:
    """The table keeps a list of its records' ids; the records that are there must be those."""
    missing, extra, understood = database.compare_list(table, present)
    if not understood:
        proof.note(f"{table.name}: its own list of records has a form that is not known; it was not compared.")
        return
    proof.listed_tables += 1
    say = proof.note if proof.closed is False else proof.fault
    if missing:
        say(f"{table.name}: {len(missing)} records of its own list are not there, the first is {missing[0]}.")
    if extra:
        say(f"{table.name}: {extra} records are not in its own list.")


def _count_value(proof: Proof, counts: KeyCounts, key: bytes | None, reference: str | None) -> None:
    if key is not None:
        counts.add(key)
        state = "object"
    else:
        state = State.REFERENCE_ONLY if reference is not None else State.UNREADABLE
    proof.values[state] = proof.values.get(state, 0) + 1


def _prove_objects(proof: Proof, database: DatabaseFile, table: Table, counts: KeyCounts, objects: bool) -> None:
    """Each object once: its MD5, and how many values refer to it."""
    found = KeyCounts()
    for thing in database.objects(table):
        found.add(thing.key)
        used = counts.get(thing.key)
        state = database.object_state(table, thing) if objects else None
        if state is State.MISMATCH:
            proof.fault(f"{table.name}, object {thing.key.hex()}: its bytes do not fit what the file says of them.")
        if state is not None:
            proof.objects[state] = proof.objects.get(state, 0) + 1
        if not used:
            proof.left_over += 1
        elif thing.references is not None and thing.references != used:
            proof.note(
                f"{table.name}, object {thing.key.hex()}: {used} values refer to it, the file counts {thing.references}."
            )
    for key in counts.not_in(found):
        proof.fault(f"{table.name}: a value names object {key.hex()}, which the file does not hold.")
