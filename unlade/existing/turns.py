"""The order in which records are written down: the plain ones by owner, those with something odd about them as they stand.

By owner, because a portion then touches few of the project's groups (a patient's days) and each of them once; index
pages are filled one after the other instead of all at random. Nothing depends on the order among plain records: no
two of them share an id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from unlade.cargo import ContainerRef, RefStatus, SourceRecord
from unlade.desktop.catalogue import Catalogue, FileRef


@dataclass(slots=True)
class Turn:
    """A record with what is known of its files: container values by field, sizes in bytes by path."""

    record: SourceRecord
    refs: dict[str, FileRef] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)


class Turns:
    """All records of a catalogue in turns; with `plain` False all of them count as odd."""

    def __init__(self, catalogue: Catalogue, *, plain: bool) -> None:
        self._catalogue, db = catalogue, catalogue.db
        db.executescript(
            "DROP TABLE IF EXISTS odd; DROP TABLE IF EXISTS turns; CREATE TABLE odd (place INTEGER PRIMARY KEY);"
            "CREATE TABLE turns (turn INTEGER PRIMARY KEY, place INTEGER NOT NULL);"
        )
        if plain:
            db.execute(
                "INSERT INTO odd SELECT place FROM rows WHERE identity_key = '' OR identity_key IN "
                "(SELECT identity_key FROM rows GROUP BY identity_key HAVING count(*) > 1)"
            )
        else:
            db.execute("INSERT INTO odd SELECT place FROM rows")
        db.execute("INSERT INTO turns (place) SELECT place FROM odd ORDER BY place")
        self._odd = int(db.execute("SELECT count(*) FROM odd").fetchone()[0])
        db.execute(
            "INSERT INTO turns (place) SELECT place FROM rows WHERE place NOT IN (SELECT place FROM odd) "
            "ORDER BY owner_key, place"
        )
        self._whole = int(db.execute("SELECT count(*) FROM turns").fetchone()[0])

    def portions(self, plain: int, odd: int, clock: Callable[[], datetime]) -> Iterator[tuple[list[Turn], bool]]:
        """Portions of at most so many records, and whether they are plain."""
        for first in range(1, self._odd + 1, odd):
            yield self._read(first, min(first + odd - 1, self._odd), clock()), False
        for first in range(self._odd + 1, self._whole + 1, plain):
            yield self._read(first, min(first + plain - 1, self._whole), clock()), True

    def _read(self, first: int, last: int, now: datetime) -> list[Turn]:
        db, fields_of = self._catalogue.db, self._catalogue.fields
        refs: dict[int, tuple[dict[str, FileRef], dict[str, ContainerRef], dict[str, int]]] = {}
        query = (
            "SELECT place, field, status, refs.path, name, refs.size, refs.md5, sha256, trouble, how, files.size "
            "FROM turns JOIN refs USING (place) LEFT JOIN files ON files.path = refs.path "
            "WHERE turn BETWEEN ? AND ? ORDER BY turn, field"
        )
        for place, name, status, *rest, size in db.execute(query, (first, last)):
            ref = FileRef(name, RefStatus(status), *rest)
            known, containers, sizes = refs.setdefault(place, ({}, {}, {}))
            known[name] = ref
            containers[name] = ContainerRef(name, ref.status, ref.path, ref.name or None, ref.size, ref.md5 or None)
            if size is not None:
                sizes[ref.path] = size
        query = "SELECT place, record_id, mod_id, vals FROM turns JOIN rows USING (place) WHERE turn BETWEEN ? AND ? ORDER BY turn"
        turns = []
        for place, record_id, mod_id, text in db.execute(query, (first, last)):
            known, containers, sizes = refs.get(place) or ({}, {}, {})
            record = SourceRecord(record_id, mod_id, fields_of(json.loads(text)), containers, now)
            turns.append(Turn(record, known, sizes))
        return turns
