"""The MD5 of objects whose listing does not tell it: uploaded in parts, or encrypted by the store.

Where the export still lies on this disk, the ETag of an upload in parts is computed from each file of that size, for
the part sizes that the usual tools take; it is `md5(md5 of each part)-N`. Else only reading the object helps.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from unlade.desktop.catalogue import Catalogue, Finding
from unlade.store import Store
from unlade.units import format_size

_PARTS = re.compile(r"([0-9a-f]{32})-(\d{1,5})")
_MIB = 1 << 20
#: Sizes of parts: AWS command line 8 MiB, rclone and unlade 5, s5cmd 50, Cyberduck 10, MinIO 16 and 64, others.
PART_SIZES = tuple(size * _MIB for size in (5, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 256, 512))


@dataclass
class ListedDigests:
    """Finds MD5s for `desktop.joining`: `folder` is the export on this disk, `read` lets objects be read."""

    store: Store
    prefix: str
    folder: Path | None = None
    read: bool = False
    unknown: int = 0  #: objects that only reading would tell
    unknown_bytes: int = 0
    _by_size: dict[int, list[Path]] | None = field(default=None, repr=False)

    def __call__(self, catalogue: Catalogue, path: str, size: int) -> str:
        """The object's MD5, "" when it stays unknown, which is a finding. Raises `StoreError`."""
        row = catalogue.db.execute("SELECT etag FROM etags WHERE path = ?", (path,)).fetchone()
        found = self._by_parts(row[0], size) if row else ""
        if found or not (self.read or row):
            return found
        if self.read:
            return self._read(path)
        self.unknown += 1
        self.unknown_bytes += size
        catalogue.find(Finding("not_compared", path=path, detail="its ETag is no MD5; --read reads it to compare it"))
        return ""

    @property
    def note(self) -> str:
        """What a person should know, "" when nothing is left open."""
        if not self.unknown:
            return ""
        return (
            f"{self.unknown:,} objects ({format_size(self.unknown_bytes)}) tell no MD5, since they were uploaded in parts or "
            "are encrypted by the store: they could not be compared. --read reads them; --report FILE lists them."
        )

    def _read(self, path: str) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        with self.store.open(f"{self.prefix}/{path}" if self.prefix else path) as chunks:
            for chunk in chunks:
                digest.update(chunk)
        return digest.hexdigest()

    def _by_parts(self, etag: str, size: int) -> str:
        match = _PARTS.fullmatch(etag)
        if match is None or self.folder is None:
            return ""
        fitting = [part for part in PART_SIZES if -(-size // part) == int(match[2])]
        for local in self._local().get(size, ()) if fitting else ():
            whole, etags = part_etags(local, fitting)
            if match[1] in etags:
                return whole
        return ""

    def _local(self) -> dict[int, list[Path]]:
        """The export's files by size; of the large ones only, since others go up in one part."""
        if self._by_size is None:
            self._by_size = {}
            for path, size in _walk(self.folder) if self.folder is not None else ():
                if size >= PART_SIZES[0]:
                    self._by_size.setdefault(size, []).append(path)
        return self._by_size


def _walk(folder: Path) -> Iterator[tuple[Path, int]]:
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if path.is_file() and not path.is_symlink():
                yield path, path.stat().st_size


def part_etags(path: Path, sizes: list[int]) -> tuple[str, set[str]]:
    """MD5 of a file, and the first part of its ETag for each of these part sizes; read once."""
    whole = hashlib.md5(usedforsecurity=False)
    state = {size: [hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False), 0] for size in sizes}
    with path.open("rb") as file:
        while chunk := file.read(_MIB):
            whole.update(chunk)
            for size, entry in state.items():  # every part size is a multiple of the chunk's
                entry[1].update(chunk)  # type: ignore[attr-defined]
                entry[2] += len(chunk)  # type: ignore[operator]
                if entry[2] == size:
                    entry[0].update(entry[1].digest())  # type: ignore[attr-defined]
                    entry[1], entry[2] = hashlib.md5(usedforsecurity=False), 0
    for entry in state.values():
        if entry[2]:
            entry[0].update(entry[1].digest())  # type: ignore[attr-defined]
    return whole.hexdigest(), {entry[0].hexdigest() for entry in state.values()}  # type: ignore[attr-defined]
