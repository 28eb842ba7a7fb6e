"""A store's listing on disk, so that memory does not depend on how many objects there are (DESIGN 5.6)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice

from unlade import keys
from unlade.store import ObjectInfo

#: Keys in one question; SQLite's oldest limit of variables is 999.
_AT_ONCE = 400
_WRITE = 5000


class Shelf:
    """What one listing showed. A temporary SQLite file that is gone when it is closed. Belongs to one thread."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute(
            "CREATE TABLE object (key TEXT PRIMARY KEY, size INTEGER, held INTEGER DEFAULT 0) WITHOUT ROWID"
        )
        self._db.execute("BEGIN")

    def __enter__(self) -> Shelf:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def fill(self, listing: Iterable[ObjectInfo]) -> None:
        """Take the listing in; what is our own (journal, marks, probes) is left out."""
        rows = ((i.key, i.size) for i in listing if not i.key.startswith(f"{keys.OWN_FOLDER}/"))
        while batch := list(islice(rows, _WRITE)):
            self._db.executemany("INSERT OR REPLACE INTO object (key, size) VALUES (?, ?)", batch)

    def sizes(self, wanted: Iterable[str]) -> dict[str, int]:
        """The sizes of those of the keys that were listed; these count as held by somebody from now on."""
        found: dict[str, int] = {}
        names = iter(set(wanted) - {""})
        while batch := list(islice(names, _AT_ONCE)):
            marks = ",".join("?" * len(batch))
            found.update(self._db.execute(f"SELECT key, size FROM object WHERE key IN ({marks})", batch))
            self._db.execute(f"UPDATE object SET held = 1 WHERE key IN ({marks})", batch)
        return found

    def unheld(self) -> Iterator[list[str]]:
        """The keys that nobody holds, in slices, in order."""
        last = ""
        while True:
            rows = self._db.execute(
                "SELECT key FROM object WHERE held = 0 AND key > ? ORDER BY key LIMIT ?", (last, _AT_ONCE)
            ).fetchall()
            if not rows:
                return
            yield [row[0] for row in rows]
            last = rows[-1][0]

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM object").fetchone()[0])
