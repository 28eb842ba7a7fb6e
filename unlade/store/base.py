"""The seam between the engine and where files go: what every store promises, and the rules for a key that is taken.

A store is used by many threads at once. Every method raises `StoreRefused` when nothing will work until somebody
acts, `StoreBusy` when it may work later, `StoreError` otherwise; after an error nothing is half there: an object
exists whole or not at all, and the same call can be made again.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from unlade import keys
from unlade.cargo import Facts, Stored
from unlade.errors import KeyCollision, StoreBusy, StoreError
from unlade.store.disk import create_private, fsync_file
from unlade.store.facts import THUMBNAIL, same_item

if TYPE_CHECKING:
    from unlade.store.probe import ProbeReport

CHUNK = 1024 * 1024  #: bytes read at a time


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as a listing or `head` shows it. Listings know neither facts nor content type."""

    key: str
    size: int
    etag: str | None = None
    modified: datetime | None = None
    content_type: str | None = None
    facts: Facts | None = None


class Store(ABC):
    """Object storage under one prefix. Keys are relative to it. Safe to use from any thread."""

    #: For people: never holds credentials.
    url: str
    #: Whether the store refuses to create what is there; False once a probe or an answer showed that it cannot.
    conditional: bool = True
    #: Whether a file of the spool may be linked as it is: only one that was flushed may be handed to such a store.
    links_files: bool = False
    #: Bytes up to which `put` reads a file whole anyway, and is better given what a reader has in memory already.
    takes_bytes: int = 0

    # What each kind of store does in its own way.

    @abstractmethod
    def head(self, key: str) -> ObjectInfo | None:
        """The object with its facts, from its metadata or the journal's sidecar; None when there is no object."""

    @abstractmethod
    def open(self, key: str) -> AbstractContextManager[Iterator[bytes]]:
        """The object's bytes in pieces, whatever its size. Raises `StoreError` when it is not there."""

    @abstractmethod
    def list(self, prefix: str = "", *, cargo_only: bool = False) -> Iterator[ObjectInfo]:
        """All objects below the folder `prefix`, to the last page, in no promised order; no facts.

        `cargo_only` leaves out thumbnails and everything of our own (journal, marks, probes).
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object and its sidecar; nothing happens when it is not there. Runs never need it."""

    @abstractmethod
    def _create(self, key: str, path: Path, size: int, content_type: str, facts: Facts) -> bool:
        """Write a new object; it is confirmed (durable) on return. False when the key is taken, whoever holds it."""

    @abstractmethod
    def _write(self, key: str, data: bytes, content_type: str, facts: Facts | None, *, overwrite: bool) -> bool:
        """The same for bytes in memory. `overwrite` replaces what is there; without it False when the key is taken.

        Objects without `facts` are our own marks: no sidecar is kept for them.
        """

    @abstractmethod
    def _copy(self, key: str, to: str, size: int, content_type: str, facts: Facts) -> bool:
        """Copy an object to a key that is free, with its facts; confirmed on return. False when it was taken since."""

    @abstractmethod
    def _write_sidecar(self, key: str, facts: Facts, content_type: str, size: int) -> None:
        """Write the journal's sidecar for an object that is there and carries no facts."""

    def close(self) -> None:  # noqa: B027 - most stores hold nothing
        """Let go of connections. May be called twice."""

    # The rules of CONTRACT B3, the same for all.

    def put(self, key: str, body: Path | bytes, *, content_type: str, facts: Facts, look_first: bool = False) -> Stored:
        """Store a file, or the bytes of a small one, whose digest is `facts.sha256`. On return the object is confirmed.

        A key that is taken: the same item with the same bytes is success (`existed`), also when it is this very put,
        tried again. The same item with other bytes gives `{stem}~{modId}{ext}` (look at `Stored.key`). An object that
        carries no facts is compared byte by byte: the same bytes are success, and a sidecar is written.
        `look_first`: it may well be there, so nothing is sent before the store was asked.
        Raises `KeyCollision` when another item holds the key.
        """
        try:
            size = len(body) if isinstance(body, bytes) else body.stat().st_size
        except OSError as error:
            raise StoreError(f"The file for {key} is not in the spool any more.", remedy="Run again.") from error
        for candidate in _candidates(key, facts):
            info = self.head(candidate) if look_first else None
            for _ in range(3):
                if info is None and self._offer(candidate, body, size, content_type, facts):
                    return Stored(candidate, size, facts.sha256)
                info = info or self.head(candidate)
                if info is not None:
                    break
            else:
                raise StoreBusy(f"The store says that {candidate} is taken, and does not show it.")
            if self._holds(info, facts, content_type, size):
                return Stored(candidate, size, facts.sha256, existed=True)
        raise StoreError(f"All names for {key} are taken by other versions of the file of record {facts.record_id}.")

    def _offer(self, key: str, body: Path | bytes, size: int, content_type: str, facts: Facts) -> bool:
        """Create the object unless the key is taken; whether it was free."""
        if isinstance(body, bytes):
            return self._write(key, body, content_type, facts, overwrite=False)
        return self._create(key, body, size, content_type, facts)

    def put_thumbnail(self, key: str, data: bytes, *, content_type: str, facts: Facts) -> Stored:
        """Store a thumbnail. `facts` are those of its original; it gets its own sha256 and the state `thumbnail`.

        Unlike an original, a thumbnail replaces an earlier one of the same item. Raises `KeyCollision`.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        facts = replace(facts, sha256=sha256, state=THUMBNAIL)
        if self._write(key, data, content_type, facts, overwrite=False):
            return Stored(key, len(data), sha256)
        info = self.head(key)
        if info is not None and self._holds(info, facts, content_type, len(data)):
            return Stored(key, len(data), sha256, existed=True)
        self._write(key, data, content_type, facts, overwrite=True)
        return Stored(key, len(data), sha256)

    def adopt(self, key: str, *, content_type: str, facts: Facts) -> None:
        """Let an object that somebody else put there say whose it is, in a sidecar; the object is not touched.

        Raises `KeyCollision` when it says already that it is another item's.
        """
        info = self.head(key)
        if info is None:
            raise StoreError(f"{key} is not in the store {self.url}.")
        if info.facts is None:
            self._write_sidecar(key, facts, info.content_type or content_type, info.size)
        elif not same_item(info.facts, facts):
            raise KeyCollision(f"{key} belongs to record {info.facts.record_id} of {info.facts.source}.")

    def copy(self, key: str, to: str, *, content_type: str, facts: Facts) -> Stored:
        """Bring an object to another key within the store, as `put` would; the old one stays.

        On return the new one is confirmed. Raises `KeyCollision`, `StoreError`.
        """
        source = self.head(key)
        if source is None:
            raise StoreError(f"{key} is not in the store {self.url}.")
        if key == to:
            return Stored(key, source.size, facts.sha256, existed=True)
        for candidate in _candidates(to, facts):
            info = self.head(candidate)
            if info is None:
                if self._copy(key, candidate, source.size, content_type, facts):
                    return Stored(candidate, source.size, facts.sha256)
                info = self.head(candidate)
            if info is not None and self._holds(info, facts, content_type, source.size):
                return Stored(candidate, source.size, facts.sha256, existed=True)
        raise StoreError(f"All names for {to} are taken by other versions of the file of record {facts.record_id}.")

    def read(self, key: str, into: Path) -> int:
        """Copy the object into the new private file `into`, flushed; its size. Raises `FileExistsError`."""
        size = 0
        with self.open(key) as chunks, os.fdopen(create_private(into), "wb") as file:
            for chunk in chunks:
                size += file.write(chunk)
            file.flush()
            fsync_file(file.fileno())
        return size

    def sha256(self, key: str) -> str:
        """The digest of the object's bytes, read now."""
        digest = hashlib.sha256()
        with self.open(key) as chunks:
            for chunk in chunks:
                digest.update(chunk)
        return digest.hexdigest()

    def find(self, stems: Iterable[str], wanted: Callable[[Facts], bool]) -> tuple[ObjectInfo, ...]:
        """What is stored of one item: the objects whose key begins with one of `keys.stems(...)` and whose facts fit.

        Lists the key's folder and reads the facts of those few that can be meant. Thumbnails are left out.
        """
        stems = tuple(stems)
        found = []
        for folder in dict.fromkeys(keys.folder_of(stem) for stem in stems):
            for info in self.list(folder, cargo_only=True):
                if any(info.key == stem or info.key.startswith((f"{stem}.", f"{stem}~")) for stem in stems):
                    full = self.head(info.key)
                    if full is not None and full.facts is not None and wanted(full.facts):
                        found.append(full)
        return tuple(sorted(found, key=lambda info: info.key))

    def put_note(self, key: str, data: bytes, *, content_type: str) -> None:
        """Write a file of our own beside the cargo, such as a manifest; it replaces an earlier one. No sidecar."""
        self._write(key, data, content_type, None, overwrite=True)

    def put_run_mark(self, source: str, number: int) -> None:
        """Leave `.unlade/{source}/run-{n}`, by which a ledger that is older than the store can be told."""
        self._write(keys.run_mark_key(source, number), b"", "text/plain", None, overwrite=True)

    def newest_run(self, source: str) -> int | None:
        """The highest run number that left a mark, None when none did."""
        names = (info.key.rpartition("/run-")[2] for info in self.list(keys.run_mark_folder(source)))
        return max((int(name) for name in names if name.isascii() and name.isdigit()), default=None)

    def probe(self) -> ProbeReport:
        """Write, read, list and remove a probe object under the real prefix; what was found, never an exception.

        Learns on the way what this store can (conditional writes, metadata, encryption) and acts on it afterwards.
        """
        from unlade.store.probe import run_probe

        return run_probe(self)

    def encryption_of(self, key: str) -> str | None:
        """How the object is encrypted at rest by the store's own word, "" when it is not, None when it does not say."""
        return None

    def is_public(self, key: str) -> bool | None:
        """Whether anybody can read the object without signing in; None when that cannot be found out."""
        return None

    def learn_metadata(self, keeps: bool) -> None:  # noqa: B027 - only remote stores differ
        """The probe's word on whether objects keep their metadata; where they do not, facts go to the journal."""

    def _holds(self, info: ObjectInfo, facts: Facts, content_type: str, size: int) -> bool:
        """Whether the object that holds the key is the one we want: True, False for the same item with other bytes.

        Raises `KeyCollision`.
        """
        if info.facts is not None:
            if not same_item(info.facts, facts):
                raise KeyCollision(
                    f"{info.key} belongs to record {info.facts.record_id} of {info.facts.source};"
                    f" record {facts.record_id} of {facts.source} cannot have it.",
                    remedy="Make the declared key differ for these records (it should contain {identity}).",
                )
            return info.facts.sha256 == facts.sha256 and info.size == size
        if info.size == size and self.sha256(info.key) == facts.sha256:
            self._write_sidecar(info.key, facts, info.content_type or content_type, size)
            return True
        raise KeyCollision(
            f"{info.key} holds a file of unknown origin with other bytes; record {facts.record_id} cannot have its key.",
            remedy="Look at the object; move it away or adopt it, then use --retry-failed.",
        )


def _candidates(key: str, facts: Facts) -> Iterator[str]:
    """The declared key, the one of this modification, and one that only these bytes have."""
    yield key
    yield keys.variant_key(key, facts.mod_id)
    yield keys.variant_key(key, f"{facts.mod_id}-{facts.sha256[:12]}")
