"""How far a comparison with a database file is: what it has proven is not read again after it was broken off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from unlade.fileroad import ImportedFile
from unlade.ledger.events import DAMAGED, note
from unlade.ledger.models import Item, Source


class Proofs:
    """Writes down what is proven, page by page, and how far the comparison is."""

    def __init__(
        self, source: Source | None, files: Sequence[ImportedFile], clock: Callable[[], datetime], *, again: bool
    ) -> None:
        self._source, self._clock = source, clock
        stats = [file.database.path.stat() for file in files]
        which = [
            [file.database.path.name, one.st_size, one.st_mtime_ns] for file, one in zip(files, stats, strict=True)
        ]
        left = source.comparing if source is not None and not again else {}
        if left.get("files") != which:
            left = {"files": which, "since": clock().isoformat(), "through": 0, "open": []}
        self._state: dict[str, Any] = left
        self._since = datetime.fromisoformat(left["since"])
        self._known_through, self._done = int(left["through"]), 0
        self._open = set(left["open"])
        self._proven: list[Item] = []
        self._broken: list[Item] = []

    def knows(self, item: Item) -> bool:
        """Whether the part that was broken off has proven this item's bytes."""
        return (
            self._done < self._known_through
            and item.pk not in self._open
            and item.proven_at is not None
            and item.proven_at >= self._since
        )

    def read(self, item: Item, found: str) -> None:
        """An item's bytes were compared; `found` is the kind of what is wrong with them, "" when nothing is."""
        self._open.discard(item.pk)
        if not found:
            self._proven.append(item)
            return
        self._open.add(item.pk)
        if found in ("object_missing", "object_differs"):
            self._broken.append(item)
            if found == "object_differs":
                note(item, DAMAGED, self._clock(), key=item.key)

    def through(self, done: int) -> None:
        """So many records are compared."""
        self._done = done
        read = {item.pk: (item.key, item.sha256) for item in self._proven}
        now = Item.objects.filter(pk__in=read).values_list("pk", "key", "sha256")
        same = [pk for pk, key, sha256 in now if read[pk] == (key, sha256)]
        Item.objects.filter(pk__in=same).update(proven_at=self._clock())
        Item.objects.filter(pk__in=[item.pk for item in self._broken]).update(proven_at=None)
        self._proven, self._broken = [], []
        self._state |= {"through": max(done, self._known_through), "open": sorted(self._open)}
        self._save(self._state)

    def close(self) -> None:
        """The comparison is complete: the next one begins anew."""
        self._save({})

    def _save(self, state: dict[str, Any]) -> None:
        if self._source is not None:
            self._source.comparing = state
            self._source.save(update_fields=["comparing"])
