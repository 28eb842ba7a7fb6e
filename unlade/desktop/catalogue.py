"""What an export holds, record by record: the rows, the files that belong to them, and everything that does not fit.

An SQLite file (a temporary one) holds it, so that memory grows with nothing. Pages are read by place. Safe to use from
any thread once it is filled.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from unlade.cargo import ContainerRef, RefStatus, SourceRecord
from unlade.desktop.read.dates import Order, parse_day, settle_order

_TABLES = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -48000;
CREATE TABLE rows (
    place INTEGER PRIMARY KEY, record_id TEXT NOT NULL UNIQUE, mod_id TEXT NOT NULL, identity TEXT NOT NULL,
    identity_key TEXT NOT NULL, owner_key TEXT NOT NULL, rid TEXT NOT NULL, md5 TEXT NOT NULL, vals TEXT NOT NULL
);
CREATE INDEX rows_identity ON rows (identity_key);
CREATE TABLE refs (
    place INTEGER NOT NULL, field TEXT NOT NULL, status TEXT NOT NULL, path TEXT NOT NULL, name TEXT, size INTEGER,
    md5 TEXT NOT NULL, sha256 TEXT NOT NULL, trouble TEXT NOT NULL, how TEXT NOT NULL, PRIMARY KEY (place, field)
) WITHOUT ROWID;
CREATE TABLE files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL, stem TEXT NOT NULL, rid TEXT NOT NULL,
    number INTEGER NOT NULL, owner TEXT NOT NULL, owner_key TEXT NOT NULL, day TEXT NOT NULL, form TEXT NOT NULL,
    md5 TEXT NOT NULL DEFAULT '', used INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE pairs (path TEXT NOT NULL, place INTEGER NOT NULL, field TEXT NOT NULL, how TEXT NOT NULL,
    PRIMARY KEY (path, place)) WITHOUT ROWID;
CREATE TABLE etags (path TEXT PRIMARY KEY, etag TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE findings (what TEXT NOT NULL, record_id TEXT NOT NULL, identity TEXT NOT NULL, field TEXT NOT NULL,
    path TEXT NOT NULL, detail TEXT NOT NULL);
"""


#: So many container values of the last pages are kept, for those who carry them now.
_PAGED = 5_000

_FILE_INDEXES = "CREATE INDEX files_stem ON files (stem); CREATE INDEX files_rid ON files (rid) WHERE rid != '';"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was noticed: `what` is its kind, the rest says about whom. Holds ids and paths, no values."""

    what: str
    record_id: str = ""
    identity: str = ""
    field: str = ""
    path: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FileRef:
    """One container value of a row. `trouble` is why its file cannot be had, "" when it can."""

    field: str
    status: RefStatus
    path: str = ""
    name: str | None = None
    size: int | None = None
    md5: str = ""
    sha256: str = ""
    trouble: str = ""
    how: str = ""  #: by what the file was recognised: path, record, id, md5, tree
    stamp: str = ""  #: size and time of the file that lies there, in bytes and ns


class Catalogue:
    """All records of one export. `date_field` is the declared one, "" for none. Close it after use."""

    def __init__(self, date_field: str = "") -> None:
        self.date_field = date_field
        self.order: Order | None = None
        #: Where files only lie in a listing: what finds the MD5 of one that the listing does not tell ("" unknown).
        self.digests: Callable[[Catalogue, str, int], str] | None = None
        self.db = sqlite3.connect("", check_same_thread=False)
        self.db.executescript(_TABLES + _FILE_INDEXES)
        self._lock = threading.Lock()
        self._paged: dict[tuple[str, str], FileRef] = {}  #: what pages showed last

    def close(self) -> None:
        """Let go of it. May be called twice."""
        with self._lock:
            self.db.close()

    # Filling, from one thread.

    @contextmanager
    def filling(self) -> Iterator[None]:
        """While many files are entered: their indexes are built once, at the end, instead of at every file."""
        self.db.executescript("DROP INDEX files_stem; DROP INDEX files_rid;")
        try:
            yield
        finally:
            self.db.executescript(_FILE_INDEXES)

    def add_row(
        self, *, record_id: str, mod_id: str, identity: str, owner: str, values: Mapping[str, str], rid: str = "",
        md5: str = "",
    ) -> int | None:  # fmt: skip
        """Enter a record and return its place; None when its record id is taken."""
        cursor = self.db.execute(
            "INSERT OR IGNORE INTO rows (record_id, mod_id, identity, identity_key, owner_key, rid, md5, vals) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(record_id, mod_id, identity, key_of(identity), key_of(owner), rid, md5.lower()),
                json.dumps(values, ensure_ascii=False),
            ),
        )
        return cursor.lastrowid if cursor.rowcount else None

    def add_ref(self, place: int, ref: FileRef) -> None:
        """Enter a container value; a file that it names is used."""
        self.db.execute(
            "INSERT OR REPLACE INTO refs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(place, ref.field, ref.status.value, ref.path, ref.name, ref.size, ref.md5, ref.sha256),
                *(ref.trouble, ref.how),
            ),
        )
        if ref.path:
            self.db.execute("UPDATE files SET used = used + 1 WHERE path = ?", (ref.path,))

    def add_trouble(self, place: int, trouble: str) -> None:
        """Nothing of this record can be taken: why."""
        self.db.execute("UPDATE refs SET trouble = ? WHERE place = ? AND trouble = ''", (trouble, place))

    def find(self, finding: Finding) -> None:
        """Write a finding down. Safe in any thread."""
        with self._lock:
            self.db.execute(
                "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?)",
                (finding.what, finding.record_id, finding.identity, finding.field, finding.path, finding.detail),
            )

    def settle_dates(self, given: Order | None) -> None:
        """Find out how the dates are to be read. Raises `AmbiguousDate`, `SourceError`."""
        if self.date_field:
            texts = ((place, values.get(self.date_field, "")) for place, values in self.values())
            self.order = settle_order(texts, given, "the dates of the export: ").order

    def values(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Every row's place and values, as they were read. From one thread."""
        for place, text in self.db.execute("SELECT place, vals FROM rows ORDER BY place"):
            yield place, json.loads(text)

    # Reading, from any thread.

    def count(self) -> int:
        """How many records there are."""
        return int(self._all("SELECT count(*) FROM rows")[0][0])

    def page(self, offset: int, limit: int, now: datetime) -> tuple[SourceRecord, ...]:
        """Records by place, from 1."""
        last = offset + limit - 1
        rows = self._all(
            "SELECT place, record_id, mod_id, vals FROM rows WHERE place BETWEEN ? AND ? ORDER BY place", offset, last
        )
        ids = {place: record_id for place, record_id, *_ in rows}
        refs: dict[int, list[FileRef]] = {}
        columns = "place, field, status, path, name, refs.size, refs.md5, sha256, trouble, how"
        stamp = "coalesce(files.size || '-' || files.modified, '')"
        for place, field, status, *rest in self._all(
            f"SELECT {columns}, {stamp} FROM refs LEFT JOIN files USING (path) WHERE place BETWEEN ? AND ?",
            offset,
            last,
        ):
            refs.setdefault(place, []).append(FileRef(field, RefStatus(status), *rest))
        self._remember({(ids[place], ref.field): ref for place, found in refs.items() for ref in found})
        return tuple(
            SourceRecord(
                record_id=record_id,
                mod_id=mod_id,
                fields=self.fields(json.loads(text)),
                containers={ref.field: _container(ref) for ref in refs.get(place, ())},
                read_at=now,
            )
            for place, record_id, mod_id, text in rows
        )

    def _remember(self, refs: dict[tuple[str, str], FileRef]) -> None:
        with self._lock:
            self._paged |= refs
            while len(self._paged) > _PAGED:
                del self._paged[next(iter(self._paged))]

    def record(self, record_id: str, now: datetime) -> SourceRecord | None:
        """One record by its id, or by its identity as `id=...`; None when there is none, or no single one."""
        found = self._all("SELECT place FROM rows WHERE record_id = ?", record_id)
        if not found and record_id.startswith("id="):
            found = self._all("SELECT place FROM rows WHERE identity_key = ? LIMIT 2", key_of(record_id[3:]))
        return self.page(found[0][0], 1, now)[0] if len(found) == 1 else None

    def ref(self, record_id: str, field: str) -> FileRef | None:
        """What is known of one container value; of one that a page showed lately, without a query."""
        if (known := self._paged.get((record_id, field))) is not None:
            return known
        columns = "field, status, path, name, refs.size, refs.md5, sha256, trouble, how"
        rows = self._all(
            f"SELECT {columns} FROM refs JOIN rows USING (place) WHERE record_id = ? AND field = ?", record_id, field
        )
        return FileRef(rows[0][0], RefStatus(rows[0][1]), *rows[0][2:]) if rows else None

    def size_of(self, path: str) -> int:
        """Bytes of a file that was entered; 0 for one that was not."""
        rows = self._all("SELECT size FROM files WHERE path = ?", path)
        return int(rows[0][0]) if rows else 0

    def found(self) -> dict[str, int]:
        """Findings by kind."""
        return dict(self._all("SELECT what, count(*) FROM findings GROUP BY what ORDER BY what"))

    def findings(self) -> Iterator[Finding]:
        """All findings, in the order in which they were made."""
        last = 0
        while rows := self._all("SELECT rowid, * FROM findings WHERE rowid > ? ORDER BY rowid LIMIT 500", last):
            yield from (Finding(*row[1:]) for row in rows)
            last = rows[-1][0]

    def matched(self) -> Iterator[Finding]:
        """Every container value that has its file."""
        place, field = 0, ""
        while rows := self._all(
            "SELECT place, record_id, identity, field, path, how FROM refs JOIN rows USING (place) "
            "WHERE path != '' AND trouble = '' AND (place, field) > (?, ?) ORDER BY place, field LIMIT 500",
            place,
            field,
        ):
            yield from (Finding("matched", *row[1:]) for row in rows)
            place, field = rows[-1][0], rows[-1][3]

    def fields(self, values: dict[str, str]) -> dict[str, str]:
        """A row's values with its day in ISO, as far as the order of the dates is settled."""
        raw = values.get(self.date_field, "") if self.date_field else ""
        if raw and (day := _iso(raw, self.order)):
            values[self.date_field] = day
        return values

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self.db.execute(query, values).fetchall()


@lru_cache(maxsize=10_000)
def _iso(raw: str, order: Order | None) -> str:
    day = parse_day(raw, order) if raw.strip() else None
    return day.isoformat() if day is not None else ""


def key_of(text: str) -> str:
    """An id as ids are compared: trimmed, braces off, upper case, one Unicode form (a Mac's disk has another)."""
    text = (text if text.isascii() else unicodedata.normalize("NFC", text)).strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    return text.upper()


def _container(ref: FileRef) -> ContainerRef:
    return ContainerRef(ref.field, ref.status, ref.path, ref.name or None, ref.size, ref.md5 or None, ref.stamp)
