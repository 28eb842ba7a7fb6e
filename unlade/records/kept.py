"""Related rows by the id of the record they belong to, in a temporary file: memory does not grow with them."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from unlade.owners import normalise_ref
from unlade.records.converting import plain

_CHUNK = 400


class Found:
    """The rows of some records, by the record's identity in any spelling."""

    def __init__(self, rows: Mapping[str, tuple[Mapping[str, Any], ...]]) -> None:
        self._rows = rows

    def get(self, identity: str) -> tuple[Mapping[str, Any], ...]:
        """The rows of one record, in their own order; () for none."""
        return self._rows.get(normalise_ref(plain(identity)), ())


class KeptRows:
    """Rows by key, read from `rows` when they are first asked for. Safe to use from any thread. Close it after use."""

    def __init__(self, rows: Callable[[], Iterable[tuple[str, Mapping[str, Any]]]]) -> None:
        self._rows = rows
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> KeptRows:
        """Read now."""
        kept = cls(lambda: rows)
        try:
            kept._filled()
        except BaseException:
            kept.close()
            raise
        return kept

    def of(self, identities: Iterable[str]) -> Found:
        """The rows of these records."""
        keys = sorted({normalise_ref(plain(identity)) for identity in identities} - {""})
        found: dict[str, list[Mapping[str, Any]]] = {}
        with self._lock:
            db = self._filled()
            for start in range(0, len(keys), _CHUNK):
                some = keys[start : start + _CHUNK]
                marks = ", ".join("?" * len(some))
                query = f"SELECT key, vals FROM related WHERE key IN ({marks}) ORDER BY place"
                for key, text in db.execute(query, some):
                    found.setdefault(key, []).append(json.loads(text))
        return Found({key: tuple(rows) for key, rows in found.items()})

    def close(self) -> None:
        """Let go of it. May be called twice."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _filled(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = sqlite3.connect("", check_same_thread=False)
            self._db.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                "CREATE TABLE related (place INTEGER PRIMARY KEY, key TEXT NOT NULL, vals TEXT NOT NULL);"
            )
            with self._db:
                self._db.executemany(
                    "INSERT INTO related (key, vals) VALUES (?, ?)",
                    ((normalise_ref(plain(key)), json.dumps(row, default=str)) for key, row in self._rows()),
                )
                self._db.execute("CREATE INDEX by_key ON related (key)")
        return self._db
