"""The spool: what came over the wire is on our own disk before anything else is done with it.

Each download is a file with a small mark beside it (JSON). The mark says whose bytes these are and what they cost, so
that the next run stores what a killed one had fetched, and settles what it had spent (CONTRACT B4). A mark that says
`complete` is written after the file is flushed, and believed only after size and digest were compared.

One folder per source; whoever holds the source's lock owns it. `Spool` is safe to use from any thread, a
`SpoolWriter` belongs to one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

import psutil

from unlade.cargo import Parcel, Wire
from unlade.errors import StoreBusy, StoreError, StoreRefused
from unlade.keys import encode_segment
from unlade.store import disk

_CHUNK = 1024 * 1024
_NOTHING = Wire()
_BODY, _MARK, _NEW = ".body", ".mark", ".new"


class SpoolFull(StoreBusy):
    """The spool holds as much as it may; store what is there first."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of one download. Hashes are there when it is complete.

    `size` bytes were handed to the system, `flushed` of them are on the medium: after a power cut (another `boot`)
    only those are believed.
    `booking` is the caller's own word for the reservation, `content_length` what the host announced. `wire` is what
    is known to have come over the wire, broken tries included.
    """

    source: str
    item_key: str
    field: str
    record_id: str = ""
    mod_id: str = ""
    booking: str = ""
    content_type: str | None = None
    content_length: int | None = None
    name: str | None = None
    wire: Wire = _NOTHING
    size: int = 0
    flushed: int = 0
    boot: int = 0
    sha256: str = ""
    md5: str = ""
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a run left behind: a `parcel` that is complete, or None and a mark that tells what its bytes cost.

    `resumable` bytes of a broken download are intact, 0 when it must start anew.
    """

    mark: Mark
    path: Path
    parcel: Parcel | None = None
    resumable: int = 0


class Spool:
    """Downloads below `folder`, which is made private. It holds about `max_bytes`; one larger file may be there alone.

    The bound counts what this process writes and what it found. Raises `StoreRefused` when the folder cannot be used.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._sizes: dict[Path, int] = {}
        self._open: set[Path] = set()
        with _disk(folder):
            disk.make_private_folder(folder)
            folder.chmod(0o700)
            for body in folder.glob(f"*/*{_BODY}"):
                self._sizes[body] = body.stat().st_size

    @property
    def used(self) -> int:
        """Bytes in the spool, promised ones included."""
        with self._lock:
            return sum(self._sizes.values())

    @property
    def room(self) -> int:
        """Bytes that still fit."""
        return max(0, self.max_bytes - self.used)

    def begin(
        self,
        source: str,
        item_key: str,
        field: str,
        *,
        record_id: str = "",
        mod_id: str = "",
        booking: str = "",
        expected: int = 0,
        resume: Leftover | None = None,
    ) -> SpoolWriter:
        """Begin one download of `expected` bytes (0: not known). What an earlier try of it left is thrown away,
        unless it is given as `resume`: then the writer goes on at its `size`, and its `wire` is kept.

        Raises `SpoolFull` when there is no room now, `StoreRefused` when the disk is full.
        """
        folder = self._source_folder(source)
        body = folder / (_name(item_key, field) + _BODY)
        with self._lock:
            if body in self._open:
                raise StoreError(f"Record {record_id or item_key}, {field} is being fetched already.")
            others = sum(size for path, size in self._sizes.items() if path != body)
            if others and others + expected >= self.max_bytes:
                raise SpoolFull(f"The spool {self.folder} is full.", remedy="It empties as files are stored.")
            self._open.add(body)
            self._sizes[body] = expected
        try:
            with _disk(self.folder):
                disk.make_private_folder(folder)
                mark = Mark(source, item_key, field, record_id, mod_id, booking)
                if resume is not None:
                    kept = resume.mark
                    mark = replace(mark, wire=kept.wire, name=kept.name, content_type=kept.content_type)
                return SpoolWriter(self, body, mark, resume.resumable if resume else 0)
        except BaseException:
            self._let_go(body, 0)
            raise

    def left(self, source: str) -> Iterator[Leftover]:
        """What earlier runs left of `source`, checked: size and digest of complete parcels are compared.

        Downloads of this process that are under way are not among them.
        """
        folder = self._source_folder(source)
        with _disk(self.folder):
            for path in sorted(folder.glob(f"*{_MARK}")):
                body = path.with_suffix(_BODY)
                with self._lock:
                    if body in self._open:
                        continue
                mark = _read_mark(path)
                if mark is not None:
                    yield _check(mark, body)

    def discard(self, left: Parcel | Leftover) -> None:
        """Forget a parcel that is stored and recorded, or a leftover that is settled. May be called twice."""
        with _disk(self.folder):
            left.path.with_suffix(_MARK).unlink(missing_ok=True)
            left.path.unlink(missing_ok=True)
        with self._lock:
            self._sizes.pop(left.path, None)

    def clean(self, source: str) -> int:
        """Remove what nobody can use: bodies without a readable mark, half-written marks. How many files went."""
        folder, gone = self._source_folder(source), 0
        with _disk(self.folder):
            for path in sorted(folder.glob("*")):
                body = path.with_suffix(_BODY)
                with self._lock:
                    if body in self._open:
                        continue
                if path.suffix == _NEW or _read_mark(path.with_suffix(_MARK)) is None:
                    path.unlink(missing_ok=True)
                    gone += 1
                    with self._lock:
                        self._sizes.pop(path, None)
        return gone

    def _source_folder(self, source: str) -> Path:
        return self.folder / encode_segment(source, 80)

    def _grown(self, body: Path, size: int) -> None:
        with self._lock:
            self._sizes[body] = max(size, self._sizes.get(body, 0))

    def _let_go(self, body: Path, size: int) -> None:
        with self._lock:
            self._open.discard(body)
            if size:
                self._sizes[body] = size
            else:
                self._sizes.pop(body, None)


class SpoolWriter:
    """One download on its way to disk. End it with `finish` or `abandon`; as a context it abandons by itself."""

    def __init__(self, spool: Spool, body: Path, mark: Mark, resume_at: int) -> None:
        self._spool = spool
        self._body = body
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._ended = False
        self.size = 0
        self._file = self._open_at(resume_at)
        self.mark = replace(mark, size=self.size, boot=_boot())
        self._save(durable=False)

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon(keep_partial=True)

    def write(self, chunk: bytes) -> None:
        """Append `chunk`. Raises `StoreRefused` when the disk is full."""
        with _disk(self._spool.folder):
            self._file.write(chunk)
        self._sha256.update(chunk)
        self._md5.update(chunk)
        self.size += len(chunk)
        self._spool._grown(self._body, self.size)

    def note(self, *, wire: Wire, content_length: int | None = None, flush: bool = False) -> None:
        """Put down what is known to have come over the wire. Outlives the process's death at any instant.

        `flush` also brings the bytes so far and the mark to the medium, so that the download can be continued
        there after a power cut; without it a mark that a power cut destroys leaves its booking spent.
        """
        known = self.mark.content_length if content_length is None else content_length
        with _disk(self._spool.folder):
            self._file.flush()
            if flush:
                disk.fsync_file(self._file.fileno())
            flushed = self.size if flush else self.mark.flushed
            self.mark = replace(self.mark, wire=wire, content_length=known, size=self.size, flushed=flushed)
            self._save(durable=flush)

    def restart(self) -> None:
        """Throw away the bytes so far, because the host sends the file from its beginning; the wire bytes stay."""
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0
        with _disk(self._spool.folder):
            self.mark = replace(self.mark, size=0, flushed=0)
            self._save(durable=False)  # before the bytes go: a mark never claims more than there is
            self._file.seek(0)
            self._file.truncate()

    def finish(self, *, content_type: str | None, name: str | None, wire: Wire) -> Parcel:
        """The file is whole: flush it, then say so in the mark. On return both survive a power cut."""
        sha256, md5 = self._sha256.hexdigest(), self._md5.hexdigest()
        with _disk(self._spool.folder):
            self._file.flush()
            disk.fsync_file(self._file.fileno())
            self._file.close()
            self.mark = replace(
                self.mark, content_type=content_type, name=name, wire=wire, size=self.size, flushed=self.size,
                sha256=sha256, md5=md5, complete=True,
            )  # fmt: skip
            self._save(durable=True)
        self._ended = True
        self._spool._let_go(self._body, self.size or 1)
        return _parcel(self.mark, self._body)

    def abandon(self, *, keep_partial: bool) -> Leftover | None:
        """The download broke off. `keep_partial` leaves bytes and mark for `begin(resume=...)` and for settling.

        Does nothing after `finish`.
        """
        if self._ended:
            return None
        self._ended = True
        left = None
        with _disk(self._spool.folder):
            try:
                self._file.flush()
                if keep_partial:
                    self.mark = replace(self.mark, size=self.size)
                    self._save(durable=False)
                    left = Leftover(self.mark, self._body, resumable=self.size)
            finally:
                self._file.close()
                if not keep_partial:
                    self._body.with_suffix(_MARK).unlink(missing_ok=True)
                    self._body.unlink(missing_ok=True)
                self._spool._let_go(self._body, self.size if keep_partial else 0)
        return left

    def _open_at(self, resume_at: int) -> BinaryIO:
        if resume_at:
            file = self._body.open("r+b")
            while self.size < resume_at:
                chunk = file.read(min(_CHUNK, resume_at - self.size))
                if not chunk:
                    break
                self._sha256.update(chunk)
                self._md5.update(chunk)
                self.size += len(chunk)
            file.truncate(self.size)
            file.seek(self.size)
            return file
        self._body.with_suffix(_MARK).unlink(missing_ok=True)
        self._body.unlink(missing_ok=True)
        return os.fdopen(disk.create_private(self._body), "wb")

    def _save(self, *, durable: bool) -> None:
        """Replace the mark in one step."""
        new = self._body.with_suffix(_NEW)
        new.unlink(missing_ok=True)
        disk.write_new(new, json.dumps(asdict(self.mark)).encode("ascii"), durable=durable)
        new.replace(self._body.with_suffix(_MARK))
        if durable:
            disk.fsync_folder(self._body.parent)


def _check(mark: Mark, body: Path) -> Leftover:
    """Compare a mark with its file."""
    try:
        size = body.stat().st_size
    except FileNotFoundError:
        return Leftover(replace(mark, complete=False), body)
    if mark.complete and size == mark.size and _sha256(body) == mark.sha256:
        return Leftover(mark, body, _parcel(mark, body))
    intact = mark.size if mark.boot == _boot() else mark.flushed
    resumable = intact if not mark.complete and intact <= size else 0
    return Leftover(replace(mark, complete=False), body, resumable=resumable)


def _parcel(mark: Mark, body: Path) -> Parcel:
    return Parcel(
        path=body, field=mark.field, size=mark.size, sha256=mark.sha256, md5=mark.md5,
        wire=mark.wire, content_type=mark.content_type, name=mark.name,
    )  # fmt: skip


def _read_mark(path: Path) -> Mark | None:
    try:
        body = json.loads(path.read_bytes())
        return Mark(**{**body, "wire": Wire(**body["wire"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _name(item_key: str, field: str) -> str:
    """A readable start, and a hash that tells items and fields apart."""
    digest = hashlib.sha256(f"{item_key}\0{field}".encode("utf-8", "surrogatepass")).hexdigest()[:20]
    return f"{encode_segment(item_key, 60).replace('.', '_')}-{digest}"


def _boot() -> int:
    """Changes when the machine starts anew; a wrong clock may change it too, which only costs a download."""
    return int(psutil.boot_time())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG):
            raise StoreRefused(
                f"The disk of the spool {folder} is full.", remedy="Make room, or set UNLADE_SPOOL to another disk."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StoreRefused(
                f"The spool {folder} cannot be written.", remedy="Set UNLADE_SPOOL to a folder of your own."
            ) from error
        raise StoreError(f"The spool {folder} failed: {error.strerror or type(error).__name__}.") from error
