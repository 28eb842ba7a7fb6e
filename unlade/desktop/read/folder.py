"""A scanned folder in a stable order, with its twins: for pages over a tree of any size in constant memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from unlade.desktop.read.paths import folded
from unlade.desktop.read.tree import Found, Kind, scan

_TABLE = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE files (path TEXT NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,
                    folded TEXT NOT NULL, turned TEXT NOT NULL, PRIMARY KEY (kind, path)) WITHOUT ROWID;
"""


class FolderIndex:
    """All entries of a folder. Use `build`; close it after use. Paths must be valid Unicode. Not for several threads."""

    def __init__(self, root: Path, database: Path | str = "") -> None:
        self.root = root
        self._db = sqlite3.connect(database, check_same_thread=False)

    @classmethod
    def build(cls, root: Path, database: Path | str = "") -> FolderIndex:
        """Scan `root`. `database` is a new file to hold the index; "" a temporary one. Raises `SourceError`."""
        index = cls(root, database)
        try:
            index._db.executescript(_TABLE)
            with index._db:
                index._db.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", map(_row, scan(root)))
                index._db.execute("CREATE INDEX by_fold ON files (folded)")
        except BaseException:
            index.close()
            raise
        return index

    def close(self) -> None:
        """Let go of the index's file."""
        self._db.close()

    def __enter__(self) -> FolderIndex:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def counts(self) -> dict[Kind, int]:
        """How many entries there are of each kind."""
        return {Kind(kind): count for kind, count in self._db.execute("SELECT kind, count(*) FROM files GROUP BY kind")}

    def files(self, kind: Kind = Kind.CARGO, *, after: str = "", limit: int = 500) -> list[Found]:
        """Entries of a kind behind the path `after`, ordered by path."""
        rows = self._db.execute(
            "SELECT path, kind, size, modified FROM files WHERE kind = ? AND path > ? ORDER BY path LIMIT ?",
            (kind.value, after, limit),
        )
        return [Found(path, Kind(kind_), size, modified) for path, kind_, size, modified in rows]

    def all_files(self, kind: Kind = Kind.CARGO) -> Iterator[Found]:
        """All entries of a kind, ordered by path."""
        after = ""
        while page := self.files(kind, after=after):
            yield from page
            after = page[-1].path

    def find(self, path: str) -> Found | None:
        """The entry of that path; one that differs only by Unicode form or case when it is the only one."""
        query = "SELECT path, kind, size, modified FROM files WHERE folded = ?"
        rows = self._db.execute(query, (folded(path),)).fetchall()
        exact = [row for row in rows if row[0] == path]
        chosen = exact or (rows if len(rows) == 1 else [])
        return Found(chosen[0][0], Kind(chosen[0][1]), chosen[0][2], chosen[0][3]) if chosen else None

    def find_ending(self, tail: str, limit: int = 10) -> list[Found]:
        """Cargo whose path ends with the parts of `tail` (`photo/IMG_1.JPG`), ignoring case and Unicode form.

        For open storage, where FileMaker knows a file's path only from the base folder on.
        """
        self._db.execute("CREATE INDEX IF NOT EXISTS by_end ON files (turned)")
        key = "/" + folded(tail.strip("/"))
        rows = self._db.execute(
            "SELECT path, kind, size, modified FROM files WHERE turned >= ? AND turned < ? AND kind = ? "
            "ORDER BY path LIMIT ?",
            (key[::-1], key[::-1] + "\U0010ffff", Kind.CARGO.value, limit),
        )
        return [Found(path, Kind(kind), size, modified) for path, kind, size, modified in rows]

    def twins(self, limit: int = 100) -> list[tuple[str, ...]]:
        """Cargo whose paths differ only by case or Unicode form: one of them is lost on other systems."""
        keys = self._db.execute(
            "SELECT folded FROM files WHERE kind = ? GROUP BY folded HAVING count(*) > 1 ORDER BY folded LIMIT ?",
            (Kind.CARGO.value, limit),
        ).fetchall()
        find = "SELECT path FROM files WHERE folded = ? AND kind = ? ORDER BY path"
        return [tuple(path for (path,) in self._db.execute(find, (key, Kind.CARGO.value))) for (key,) in keys]


def _row(found: Found) -> tuple[str, str, int, int, str, str]:
    path = _text(found.path)
    fold = folded(path)
    return path, found.kind.value, found.size, found.modified_ns, fold, f"/{fold}"[::-1]


def _text(path: str) -> str:
    """A name that is no Unicode (possible on Linux) with its odd bytes shown as `\\xNN`, so that it can be kept."""
    return path.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="backslashreplace")
