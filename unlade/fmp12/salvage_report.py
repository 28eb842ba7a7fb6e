"""What is lost in a damaged file, exactly: pages, the places between which something is missing, records, objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from unlade.fmp12.catalogue import FIELDS, OBJECTS, RECORDS, TABLES, Table
from unlade.fmp12.content import State
from unlade.fmp12.keyset import IdSet
from unlade.fmp12.pages import PageFile
from unlade.fmp12.salvage import LostPage, SalvagedLeaves
from unlade.fmp12.tokens import Path, decode_integer

if TYPE_CHECKING:
    from unlade.fmp12.database import DatabaseFile

_LISTED = 10_000

_PARTS = {RECORDS: "record", OBJECTS: "object", FIELDS: "field"}


@dataclass(frozen=True, slots=True)
class Hole:
    """A place where entries may be missing, between two that are there; both in words."""

    after: str
    before: str


@dataclass
class SalvageReport:
    """What is lost. Lists hold at most 10,000 entries; `counts` are complete.

    `records` may lack values (`Images, record 17`), `lost_records` are in the table's own list and nowhere else. For
    tables whose list is lost itself (`unlisted_tables`), a whole record that is lost can only lie in one of the `holes`.
    `values` are container values whose file is lost or damaged, `objects` damaged objects that no value refers to.
    """

    pages: list[LostPage] = field(default_factory=list)
    pages_behind_end: int = 0
    holes: list[Hole] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    lost_records: list[str] = field(default_factory=list)
    unlisted_tables: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    records_read: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def nothing_lost(self) -> bool:
        return not set(self.counts) - {"unlisted_tables"} and not self.pages_behind_end

    def add(self, kind: str, entry: Any) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        entries: list[Any] = getattr(self, kind)
        if len(entries) < _LISTED:
            entries.append(entry)

    def line(self) -> str:
        """One line for a person."""
        if self.nothing_lost:
            return f"Nothing is lost: every page is sound, {self.records_read:,} records."
        count = self.counts.get
        text = (
            f"Lost: {count('pages', 0):,} pages, {count('lost_records', 0):,} records, {count('values', 0):,} files; "
            f"{count('records', 0):,} records may lack values; entries can be missing in {count('holes', 0):,} places."
        )
        if self.pages_behind_end:
            text += f" The file ends {self.pages_behind_end:,} pages early."
        return text

    def as_json(self) -> dict[str, Any]:
        """All of it, ready for `json.dumps`."""
        data = asdict(self)
        data["pages"] = [{"page": page.page, "why": page.why} for page in self.pages]
        return {"nothing_lost": self.nothing_lost, "line": self.line(), **data}


def make_report(database: DatabaseFile, file: PageFile, leaves: SalvagedLeaves) -> SalvageReport:
    """Read all records and objects and list what is lost of them."""
    report = SalvageReport()
    for page in leaves.lost:
        report.add("pages", page)
    if leaves.lost_count:
        report.counts["pages"] = leaves.lost_count
    stated = int.from_bytes(file.page(1)[8:12], "big") + 1 if file.count > 1 else 0
    # The root may be what is damaged; then its number means nothing.
    if file.count < stated < 4 * file.count + 1024:
        report.pages_behind_end = stated - file.count
    for before, after in leaves.holes():
        report.add("holes", Hole(_in_words(before, database.tables), _in_words(after, database.tables)))
    for table in database.tables:
        _add_table(report, database, table)
    return report


def _add_table(report: SalvageReport, database: DatabaseFile, table: Table) -> None:
    damaged: dict[bytes, bool] = {}
    for thing in database.objects(table):
        if database.object_state(table, thing) is State.MISMATCH:
            damaged[thing.key] = False
    present = IdSet()
    for record in database.records(table):
        present.add(record.id or 0)
        report.records_read += 1
        if not record.complete:
            report.add("records", f"{table.name}, record {record.id}")
    missing, _, understood = database.compare_list(table, present)
    if not understood:
        report.add("unlisted_tables", table.name)
    for number in missing:
        report.add("lost_records", f"{table.name}, record {number}")
    for container in database.containers(table):
        if container.object_key in damaged:
            damaged[container.object_key] = True
            report.add("values", str(container))
        elif container.object_key is not None and database.object(container) is None:
            report.add("values", str(container))
    for key, used in damaged.items():
        if not used:
            report.add("objects", f"{table.name}, object {key.hex()}")


def _in_words(path: Path | None, tables: tuple[Table, ...]) -> str:
    """`Images, record 17`: where an entry of the tree stands."""
    if path is None:
        return "the beginning of the file"
    return ", ".join(_words(path, {table.key: table for table in tables}))


def _words(path: Path, tables: dict[bytes, Table]) -> Iterator[str]:
    table = tables.get(path[0])
    if table is None:
        if path[:3] == TABLES and len(path) > 3:
            yield f"the name of table {decode_integer(path[3])}"
        else:
            yield "layouts, scripts and settings"
        return
    yield table.name
    part = path[1] if len(path) > 1 else b""
    place = 2 if part == RECORDS else 3
    if part in _PARTS and len(path) > place:
        yield f"{_PARTS[part]} {decode_integer(path[place])}"
