"""What a project has safe at the moment of a death, and whether the host was asked for any of it again.

The host counts a download as complete when it has sent the last byte. Between that and the spool's mark lies a flush to
the disk: a process that is killed there has nothing that could tell the next one, and its files come once more. What is
in the store or whole in the spool must never come again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unlade.store import open_store

Downloads = dict[str, dict[str, int]]


@dataclass
class Deaths:
    """Takes stock after each death; `fetched_again` and `in_flight` count at the end."""

    project: Path  #: folder of a `Project` with a local store
    tables: dict[str, str] = field(default_factory=dict)  #: field name -> import, for fields that are one import's
    _stock: list[tuple[set[tuple[str, str]], Downloads]] = field(default_factory=list)

    def take_stock(self, downloads: Downloads) -> None:
        """The process is dead; `downloads` is the host's count."""
        safe = set()
        store = open_store((self.project / "store").as_uri())
        for info in store.list("", cargo_only=True):
            head = store.head(info.key)
            if head is not None and head.facts is not None:
                safe.add((head.facts.source, head.facts.record_id))
        store.close()
        for path in (self.project / "spool").glob("*/*.mark"):
            mark: dict[str, Any] = json.loads(path.read_bytes())
            if mark["complete"]:
                safe.add((mark["source"], mark["record_id"]))
        self._stock.append((safe, downloads))

    def fetched_again(self, downloads: Downloads, sound: set[tuple[str, str]]) -> tuple[int, int]:
        """Of `sound` files, by (record id, field): how many came again though they were safe, and how many that were
        in flight at a death."""
        again = in_flight = 0
        for record_id, name in sound:
            final = downloads.get(record_id, {}).get(name, 0)
            if final < 2:
                continue
            source = self.tables.get(name, "images")
            known = [
                before.get(record_id, {}).get(name, 0) for safe, before in self._stock if (source, record_id) in safe
            ]
            again += any(count < final for count in known)
            in_flight += not any(count < final for count in known)
        return again, in_flight


__all__ = ["Deaths"]
