"""A folder as a store: durable, private, and with the facts of every object in a sidecar.

Ours instead of obstore's, which keeps no attributes, writes 0644 and never flushes. An object appears under its key
by one exclusive link or rename of a file that is complete and flushed.

The order for one object: (1) its facts go to `.unlade/tmp`, flushed; (2) the object takes its key; (3) the facts
move to `.unlade/journal`; (4) both folders are flushed. Whoever dies between (2) and (3) leaves facts from which
`head` finishes the work, after comparing the digest.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from unlade import keys
from unlade.cargo import Facts
from unlade.errors import StoreError, StoreRefused
from unlade.store import disk
from unlade.store.base import CHUNK, ObjectInfo, Store
from unlade.store.facts import Sidecar, from_sidecar, to_sidecar
from unlade.store.probe import ProbeReport

#: What a file system answers that knows no hard links, or none from there to here.
_NO_LINK = {errno.EPERM, errno.EXDEV, errno.ENOSYS, errno.EMLINK, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP}
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.EIO, getattr(errno, "ESTALE", errno.ENOENT)}


class LocalStore(Store):
    """The store in `root`.

    `link_from` is the spool's folder: files from there are linked instead of copied where the file system allows,
    because nobody writes to them any more (a link shares its bytes with the original). `clock` gives Unix seconds.
    Raises `StoreRefused` when the folder cannot be made or written.
    """

    def __init__(
        self,
        root: Path,
        *,
        link_from: Path | None = None,
        clock: Callable[[], float] = time.time,
        link: Callable[[Path, Path], None] | None = None,
    ) -> None:
        self.root = root
        self.url = root.absolute().as_uri()
        self._link_from = link_from.resolve() if link_from else None
        self._clock = clock
        self._link = link or getattr(os, "link", None)
        self.links_files = bool(self._link and self._link_from)
        self._known_folders: set[Path] = set()
        self._tmp = root / keys.OWN_FOLDER / "tmp"
        with self._disk("prepare", ""):
            fresh = not root.exists() or not any(root.iterdir())
            disk.make_private_folder(self._tmp)
            if fresh:  # a folder that others fill already keeps the mode they gave it; the probe says so
                root.chmod(0o700)
            self.clean()

    def head(self, key: str) -> ObjectInfo | None:
        with self._disk("read", key):
            path = self._path(key)
            try:
                stat = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            if not path.is_file():
                return None
            found = self._sidecar(key, stat.st_size) or self._finish_pending(key, stat)
            facts, content_type = (found.facts, found.content_type) if found else (None, None)
            return ObjectInfo(key, stat.st_size, _etag(stat), _modified(stat), content_type, facts)

    @contextmanager
    def open(self, key: str) -> Iterator[Iterator[bytes]]:
        with self._disk("read", key):
            try:
                file = self._path(key).open("rb")
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise StoreError(f"{key} is not in the store {self.url}.") from None
        with file:
            yield iter(lambda: file.read(CHUNK), b"")

    def list(self, prefix: str = "", *, cargo_only: bool = False) -> Iterator[ObjectInfo]:
        prefix = prefix.strip("/")
        with self._disk("list", prefix):
            start = self._path(prefix) if prefix else self.root
            yield from self._walk(start, prefix, cargo_only)

    def delete(self, key: str) -> None:
        with self._disk("remove", key):
            self._path(key).unlink(missing_ok=True)
            self._path(keys.journal_key(key)).unlink(missing_ok=True)

    def probe(self) -> ProbeReport:
        report = super().probe()
        if os.name != "nt" and self.root.stat().st_mode & 0o077:
            report.add(
                "private",
                "warning",
                f"Other accounts of this machine can look into {self.root}; what unlade writes there they cannot read.",
                f"chmod 700 {self.root}",
            )
        return report

    def clean(self) -> None:
        """Remove what dead processes left in `.unlade/tmp`; facts of objects that are there are put in their place."""
        for path in list(self._tmp.iterdir()):
            if disk.is_litter(path.name, self._clock):
                with suppress(FileNotFoundError):  # another process may be cleaning up too
                    pending = from_sidecar(path.read_bytes()) if path.suffix == ".facts" else None
                    if pending is not None:
                        self.head(pending.key)
                path.unlink(missing_ok=True)

    def _create(self, key: str, path: Path, size: int, content_type: str, facts: Facts) -> bool:
        with self._disk("write", key):
            if self._prepared(key).exists():
                return False
            body = self._bring(path, facts.sha256)
            return self._place(key, body, size, content_type, facts, overwrite=False)

    def _write(self, key: str, data: bytes, content_type: str, facts: Facts | None, *, overwrite: bool) -> bool:
        with self._disk("write", key):
            if not overwrite and self._prepared(key).exists():
                return False
            body = self._temporary("bytes")
            try:
                disk.write_new(body, data)
            except OSError:
                body.unlink(missing_ok=True)
                raise
            return self._place(key, body, len(data), content_type, facts, overwrite=overwrite)

    def _copy(self, key: str, to: str, size: int, content_type: str, facts: Facts) -> bool:
        return self._create(to, self._path(key), size, content_type, facts)

    def _write_sidecar(self, key: str, facts: Facts, content_type: str, size: int) -> None:
        with self._disk("write", key):
            inode = self._path(key).stat().st_ino
            pending = self._write_pending(Sidecar(key, size, content_type, facts, inode))
            self._finish(key, pending, None)

    def _bring(self, path: Path, sha256: str) -> Path:
        """A flushed file in our own folder with the bytes of `path`: a link to the spool's file, else a copy."""
        body = self._temporary("body")
        if self._link and self._link_from and self._link_from in path.resolve().parents:
            try:
                self._link(path, body)
                return body
            except OSError:  # another disk, or no links here; a copy works everywhere, or says why not
                body.unlink(missing_ok=True)
        try:
            if _copy(path, body) != sha256:
                raise StoreError(f"{path.name} changed on disk since it was fetched; it was not stored.")
        except BaseException:
            body.unlink(missing_ok=True)
            raise
        return body

    def _place(
        self, key: str, body: Path, size: int, content_type: str, facts: Facts | None, *, overwrite: bool
    ) -> bool:
        """Give `body` its key, and its facts their place. False when the key is taken; `body` is gone in any case."""
        target, pending = self._prepared(key), None
        try:
            if facts is not None:
                pending = self._write_pending(Sidecar(key, size, content_type, facts, body.stat().st_ino))
            if overwrite:
                body.replace(target)
            elif not self._claim(body, target):
                return False
            self._finish(key, pending, target)
            return True
        finally:
            body.unlink(missing_ok=True)
            if pending is not None:
                pending.unlink(missing_ok=True)

    def _claim(self, temporary: Path, target: Path) -> bool:
        """Move a complete file to a key that must be free."""
        if self._link:
            try:
                self._link(temporary, target)
                return True
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
        with FileLock(self._tmp / "claim.lock", mode=0o600):  # no links here: exFAT, some network drives
            if target.exists():
                return False
            temporary.replace(target)
            return True

    def _finish(self, key: str, pending: Path | None, target: Path | None) -> None:
        if target is not None:
            disk.fsync_folder(target.parent)
        if pending is not None:
            sidecar = self._prepared(keys.journal_key(key))
            try:
                pending.replace(sidecar)
            except FileNotFoundError:  # another thread's `head` has moved it there already
                if not sidecar.exists():
                    raise
            disk.fsync_folder(sidecar.parent)

    def _write_pending(self, sidecar: Sidecar) -> Path:
        pending = self._tmp / (disk.temporary_name(_short(sidecar.key), self._clock) + ".facts")
        disk.write_new(pending, to_sidecar(sidecar))
        return pending

    def _sidecar(self, key: str, size: int) -> Sidecar | None:
        try:
            found = from_sidecar(self._path(keys.journal_key(key)).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found if found and found.size == size else None

    def _finish_pending(self, key: str, stat: os.stat_result) -> Sidecar | None:
        """The facts that a writer left between object and sidecar. The inode tells which writer placed the object."""
        for pending in self._tmp.glob(f"{_short(key)}.*.facts"):
            try:
                found = from_sidecar(pending.read_bytes())
            except FileNotFoundError:  # its writer has just finished
                continue
            if found is None or (found.key, found.size, found.inode) != (key, stat.st_size, stat.st_ino):
                continue
            if self.sha256(key) == found.facts.sha256:
                with suppress(FileNotFoundError):
                    self._finish(key, pending, None)
                return found
        return self._sidecar(key, stat.st_size)

    def _prepared(self, key: str) -> Path:
        path = self._path(key)
        if path.parent not in self._known_folders or not path.parent.exists():
            if not self._tmp.exists():
                raise FileNotFoundError(errno.ENOENT, "the store's folder is gone")
            disk.make_private_folder(path.parent)
            self._known_folders.add(path.parent)
        return path

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not key or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
            raise ValueError(f"{key!r} is no key")
        return self.root.joinpath(*parts)

    def _temporary(self, kind: str) -> Path:
        return self._tmp / disk.temporary_name(kind, self._clock)

    def _walk(self, folder: Path, prefix: str, cargo_only: bool) -> Iterator[ObjectInfo]:
        try:
            with os.scandir(folder) as entries:
                names = sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in names:
            key = f"{prefix}/{entry.name}" if prefix else entry.name
            if entry.is_dir(follow_symlinks=False):
                if key != f"{keys.OWN_FOLDER}/tmp" and not (cargo_only and key == keys.OWN_FOLDER):
                    yield from self._walk(Path(entry.path), key, cargo_only)
            elif entry.is_file(follow_symlinks=False) and (not cargo_only or keys.is_cargo(key)):
                try:
                    stat = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield ObjectInfo(key, stat.st_size, _etag(stat), _modified(stat))

    @contextmanager
    def _disk(self, what: str, key: str) -> Iterator[None]:
        """Turn the system's errors into ours."""
        try:
            yield
        except OSError as error:
            subject = f"Cannot {what} {key or self.url} in the folder {self.root}"
            if error.errno in _FULL:
                raise StoreRefused(f"{subject}: the disk is full.", remedy="Make room, then run again.") from error
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise StoreRefused(
                    f"{subject}: {os.strerror(error.errno).lower()}.",
                    remedy="Give this account the right to write there, or choose another folder in UNLADE_STORE.",
                ) from error
            if error.errno in _GONE and not self._tmp.is_dir():
                raise StoreRefused(
                    f"{subject}: the folder is gone.", remedy="Is its disk mounted? Then run again."
                ) from error
            raise StoreError(f"{subject}: {error.strerror or type(error).__name__}.") from error


def _copy(path: Path, target: Path) -> str:
    """Copy to the new private file `target`, flushed; the sha256 of what was copied."""
    digest = hashlib.sha256()
    with path.open("rb") as source, os.fdopen(disk.create_private(target), "wb") as file:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        disk.fsync_file(file.fileno())
    return digest.hexdigest()


def _short(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _etag(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"


def _modified(stat: os.stat_result) -> datetime:
    return datetime.fromtimestamp(stat.st_mtime, UTC)
