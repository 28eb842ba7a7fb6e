"""All parts of a manifest as one: later sessions replace the lines of earlier ones, records keep their order.

The index is an SQLite file that holds places and paths, not values, so memory does not grow with the manifest and a
page or a single record is read straight from the parts. Source: DESKTOP.md 8.4, 8.5.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from unlade.desktop.read.manifest import (
    STATUSES,
    Cut,
    End,
    Head,
    ManifestItem,
    PartEnd,
    Placed,
    find_parts,
    parse_line,
    read_part,
)
from unlade.desktop.read.paths import folded
from unlade.errors import SourceError

_TABLES = """
CREATE TABLE records (place INTEGER PRIMARY KEY, rid TEXT NOT NULL UNIQUE);
CREATE TABLE items (
    place INTEGER NOT NULL, field TEXT NOT NULL, part INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, raw BLOB, session INTEGER NOT NULL, status TEXT NOT NULL, path TEXT NOT NULL,
    folded TEXT NOT NULL, md5 TEXT NOT NULL, PRIMARY KEY (place, field)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    """All values of one record, in the order of the head's fields. `complete`: every field has its line."""

    record_id: str
    items: tuple[ManifestItem, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that the manifest says against itself. `code` for programs, `text` for people."""

    code: str
    text: str


class ManifestIndex:
    """Random access to a manifest. Use `build`; close it after use. Not for several threads at once."""

    def __init__(self, folder: Path, database: Path | str = "") -> None:
        self.folder = folder
        self.parts: list[Path] = []
        self.heads: list[Head] = []
        self.ends: dict[str, End] = {}
        self.sessions: list[str] = []
        self._problems: list[Problem] = []
        self._doubles = 0
        self._open: tuple[int, BinaryIO] | None = None
        self._db = sqlite3.connect(database, check_same_thread=False)

    @classmethod
    def build(cls, folder: Path, database: Path | str = "") -> ManifestIndex:
        """Read every part of `folder` once. `database` is a new file to hold the index; "" a temporary one.

        Raises `SourceError` when there is no manifest, or a line of it is broken.
        """
        index = cls(folder, database)
        try:
            index._read(find_parts(folder))
        except BaseException:
            index.close()
            raise
        return index

    def close(self) -> None:
        """Let go of the index's file and of the parts."""
        self._close_part()
        self._db.close()

    def __enter__(self) -> ManifestIndex:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def head(self) -> Head:
        """The newest head."""
        return self.heads[-1]

    # Reading.

    def count(self) -> int:
        """How many records have lines."""
        return int(self._one("SELECT count(*) FROM records"))

    def counts(self) -> dict[str, int]:
        """How many values there are by status."""
        found = dict(self._db.execute("SELECT status, count(*) FROM items GROUP BY status").fetchall())
        return {status: int(found.get(status, 0)) for status in STATUSES}

    def records(self, offset: int = 1, limit: int = 100) -> list[ManifestRecord]:
        """Records `offset` (from 1) to `offset + limit - 1`, in the order of the export."""
        return self._between(offset, offset + limit - 1)

    def record(self, record_id: str) -> ManifestRecord | None:
        """One record, None when the manifest does not have it."""
        row = self._db.execute("SELECT place FROM records WHERE rid = ?", (record_id,)).fetchone()
        return self._between(row[0], row[0])[0] if row else None

    def __iter__(self) -> Iterator[ManifestRecord]:
        """All records in order."""
        place = 1
        while page := self.records(place, 200):
            yield from page
            place += len(page)

    def names_path(self, path: str) -> bool:
        """Whether a value of the manifest has this file, in this or another case and Unicode form."""
        self._with_path_index()
        return bool(self._one("SELECT count(*) FROM items WHERE folded = ?", folded(path)))

    def with_md5(self, md5: str) -> list[tuple[str, str]]:
        """(record id, field) of every value with this MD5 (lower case): the join when names moved."""
        self._db.execute("CREATE INDEX IF NOT EXISTS by_md5 ON items (md5)")
        query = "SELECT rid, field FROM items JOIN records USING (place) WHERE md5 = ? ORDER BY place, field"
        return [(rid, field) for rid, field in self._db.execute(query, (md5,))]

    def twins(self, limit: int = 100) -> list[tuple[str, ...]]:
        """Paths that are one and the same on systems that ignore case or Unicode form."""
        self._with_path_index()
        rows = self._db.execute(
            "SELECT folded FROM items WHERE path != '' GROUP BY folded HAVING count(*) > 1 ORDER BY folded LIMIT ?",
            (limit,),
        ).fetchall()
        find = "SELECT path FROM items WHERE folded = ? ORDER BY path"
        return [tuple(path for (path,) in self._db.execute(find, (key,))) for (key,) in rows]

    def problems(self) -> list[Problem]:
        """Everything that keeps this manifest from proving a complete export; [] when nothing does."""
        return [*self._problems, *self._sums()]

    # Building.

    def _read(self, parts: Sequence[Path]) -> None:
        if not parts:
            raise SourceError(f"{self.folder} holds no manifest-*.jsonl")
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
        self.parts = list(parts)
        numbers = [int(part.stem.rpartition("-")[2]) for part in parts]
        missing = sorted(set(range(1, numbers[-1] + 1)) - set(numbers))
        if missing:
            self._add("part_missing", f"parts are missing: {', '.join(map(str, missing[:10]))}")
        for number, part in enumerate(parts):
            with self._db:
                self._read_part(number, part)

    def _read_part(self, number: int, part: Path) -> None:
        session = -1
        lines, ended = 0, False
        for placed in read_part(part):
            entry = placed.entry
            if isinstance(entry, Head):
                session = self._begin(entry, part)
            elif session < 0:
                self._add("no_head", f"{part.name} does not begin with a head; it was left out")
                return
            elif isinstance(entry, ManifestItem):
                lines += 1
                self._keep(number, session, placed, entry)
            elif isinstance(entry, PartEnd):
                ended = True
                if entry.lines != lines:
                    self._add("lines", f"{part.name} says it has {entry.lines} lines and has {lines}")
            elif isinstance(entry, End):
                self.ends[entry.session] = entry
            elif isinstance(entry, Cut):
                self._add("cut", f"{part.name} breaks off in line {entry.line}; what stands before was read")
        if not ended:
            self._add("part_open", f"{part.name} was not closed: the script ended within it")

    def _begin(self, head: Head, part: Path) -> int:
        if self.heads and (head.name, head.fields) != (self.heads[0].name, self.heads[0].fields):
            raise SourceError(
                f"{part.name} is of another export than the parts before it: the name or the fields differ",
                remedy="Keep every export in a folder of its own.",
            )
        self.heads.append(head)
        if head.session not in self.sessions:
            self.sessions.append(head.session)
        return self.sessions.index(head.session)

    def _keep(self, number: int, session: int, placed: Placed, item: ManifestItem) -> None:
        self._db.execute("INSERT OR IGNORE INTO records (rid) VALUES (?)", (item.record_id,))
        place = self._one("SELECT place FROM records WHERE rid = ?", item.record_id)
        before = self._db.execute(
            "SELECT session FROM items WHERE place = ? AND field = ?", (place, item.field)
        ).fetchone()
        if before is not None and before[0] == session:
            self._doubles += 1
        raw = placed.raw if placed.offset < 0 else None
        self._db.execute(
            "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(place, item.field, number, placed.offset, placed.length, raw, session, item.status),
                *(item.path, folded(item.path), item.md5),
            ),
        )

    # Helpers.

    def _between(self, first: int, last: int) -> list[ManifestRecord]:
        rows = self._db.execute(
            "SELECT rid, field, part, offset, length, raw FROM records JOIN items USING (place) "
            "WHERE place BETWEEN ? AND ? ORDER BY place",
            (first, last),
        ).fetchall()
        order = {name: number for number, name in enumerate(self.head.fields)}
        found: dict[str, dict[str, ManifestItem]] = {}
        for rid, field, part, offset, length, raw in rows:
            entry = parse_line(raw if raw is not None else self._bytes(part, offset, length))
            if not isinstance(entry, ManifestItem) or entry.record_id != rid:
                raise SourceError(f"{self.parts[part].name} was changed while it was read")
            found.setdefault(rid, {})[field] = entry
        return [
            ManifestRecord(
                rid,
                tuple(sorted(items.values(), key=lambda item: order.get(item.field, len(order)))),
                set(order) <= set(items),
            )
            for rid, items in found.items()
        ]

    def _bytes(self, part: int, offset: int, length: int) -> bytes:
        """Records that follow each other mostly lie in one part: it stays open."""
        if self._open is None or self._open[0] != part:
            self._close_part()
            self._open = part, self.parts[part].open("rb")
        file = self._open[1]
        file.seek(offset)
        return file.read(length)

    def _close_part(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _with_path_index(self) -> None:
        self._db.execute("CREATE INDEX IF NOT EXISTS by_path ON items (folded)")

    def _sums(self) -> Iterator[Problem]:
        head = self.head
        end = self.ends.get(head.session)
        count = self.count()
        if self._doubles:
            yield Problem("doubles", f"{self._doubles} values have two lines within one session; the later ones count")
        if head.found != head.total:
            yield Problem(
                "not_all_found",
                f"the script saw {head.found} of {head.total} records: run it with full access privileges, "
                "and without a find",
            )
        if end is None:
            yield Problem("no_end", "the last session did not come to its end; run the script again in the same run")
        else:
            yield from self._against_end(head, end)
        if count != head.found:
            yield Problem("records", f"{count} records have lines, FileMaker had {head.found}")
        wanted = len(head.fields)
        short = self._one("SELECT count(*) FROM (SELECT place FROM items GROUP BY place HAVING count(*) < ?)", wanted)
        if short:
            yield Problem("incomplete", f"{short} records lack the line of a field")

    def _against_end(self, head: Head, end: End) -> Iterator[Problem]:
        if end.stopped:
            yield Problem("stopped", f"the last session was stopped ({end.stopped}); run the script again")
        if end.found_after != head.found:
            yield Problem(
                "changed",
                f"FileMaker had {head.found} records when the script began and {end.found_after} when it ended; run it "
                "again to catch what changed",
            )
        number = self.sessions.index(head.session)
        rows = self._db.execute(
            "SELECT status, count(*) FROM items WHERE session = ? GROUP BY status", (number,)
        ).fetchall()
        mine = dict(rows)
        wrong = [status for status in STATUSES if mine.get(status, 0) != end.counts[status]]
        if wrong and not self._doubles:
            yield Problem("counts", f"the last session's own sums differ from its lines: {', '.join(wrong)}")

    def _one(self, query: str, *values: Any) -> Any:
        with closing(self._db.execute(query, values)) as cursor:
            return cursor.fetchone()[0]

    def _add(self, code: str, text: str) -> None:
        self._problems.append(Problem(code, text))
