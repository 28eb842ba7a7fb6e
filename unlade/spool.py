"""The spool: what came over the wire is on our own disk before anything else is done with it.

Each download is a file with a small mark beside it (JSON). The mark says whose bytes these are and what they cost, so
that the next run stores what a killed one had fetched, and settles what it had spent (CONTRACT B4). A mark that says
`complete` is written after the file is flushed, and believed only after size and digest were compared.

One folder per source; whoever holds the source's lock owns it. `Spool` is safe to use from any thread, a
`SpoolWriter` belongs to one.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import FileIO
from pathlib import Path

from unlade.cargo import Parcel, Wire
from unlade.errors import StoreBusy, StoreError, StoreRefused
from unlade.keys import encode_segment
from unlade.marks import BODY, MARK, NEW, Leftover, Mark, body_name, boot, check, parcel_of, read_mark, save_mark
from unlade.media.digest import Digest
from unlade.store import disk

__all__ = ["Leftover", "Mark", "Spool", "SpoolFull", "SpoolWriter"]

_CHUNK = 1024 * 1024


class SpoolFull(StoreBusy):
    """The spool holds as much as it may; store what is there first."""


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
            for body in folder.glob(f"*/*{BODY}"):
                with suppress(FileNotFoundError):  # another run, at work beside us, has stored it in this moment
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
        passing: bool = False,
    ) -> SpoolWriter:
        """Begin one download of `expected` bytes (0: not known). What an earlier try of it left is thrown away,
        unless it is given as `resume`: then the writer goes on at its `size`, and its `wire` is kept.

        `passing`: the file can be had again for nothing, so it gets no mark and outlives no death.

        Raises `SpoolFull` when there is no room now, `StoreRefused` when the disk is full.
        """
        folder = self._source_folder(source)
        body = folder / (body_name(item_key, field) + BODY)
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
                return SpoolWriter(self, body, mark, resume.resumable if resume else 0, passing=passing)
        except BaseException:
            self._let_go(body, 0)
            raise

    def left(self, source: str) -> Iterator[Leftover]:
        """What earlier runs left of `source`, checked: size and digest of complete parcels are compared.

        Downloads of this process that are under way are not among them.
        """
        folder = self._source_folder(source)
        with _disk(self.folder):
            for path in sorted(folder.glob(f"*{MARK}")):
                body = path.with_suffix(BODY)
                with self._lock:
                    if body in self._open:
                        continue
                mark = read_mark(path)
                if mark is not None:
                    yield check(mark, body)

    def discard(self, left: Parcel | Leftover) -> None:
        """Forget a parcel that is stored and recorded, or a leftover that is settled. May be called twice."""
        if left.path.parent.parent != self.folder:
            return  # borrowed from somebody's own folder: it is not ours to remove
        with _disk(self.folder):
            left.path.with_suffix(MARK).unlink(missing_ok=True)
            left.path.unlink(missing_ok=True)
        with self._lock:
            self._sizes.pop(left.path, None)

    def clean(self, source: str) -> int:
        """Remove what nobody can use: bodies without a readable mark, half-written marks. How many files went."""
        folder, gone = self._source_folder(source), 0
        with _disk(self.folder):
            for path in sorted(folder.glob("*")):
                body = path.with_suffix(BODY)
                with self._lock:
                    if body in self._open:
                        continue
                if path.suffix == NEW or read_mark(path.with_suffix(MARK)) is None:
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

    def __init__(self, spool: Spool, body: Path, mark: Mark, resume_at: int, *, passing: bool = False) -> None:
        self._spool = spool
        self._body = body
        self._passing = passing
        self._digest = Digest()
        self._ended = False
        self.size = 0
        self._file = self._open_at(resume_at)
        self.mark = replace(mark, size=self.size, boot=boot())
        self._save(durable=False)

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon(keep_partial=True)

    def write(self, chunk: bytes) -> None:
        """Append `chunk`. Raises `StoreRefused` when the disk is full."""
        with _disk(self._spool.folder):
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._digest.update(chunk)
        self.size += len(chunk)
        self._spool._grown(self._body, self.size)

    def note(self, *, wire: Wire, content_length: int | None = None, flush: bool = False) -> None:
        """Put down what is known to have come over the wire. Outlives the process's death at any instant.

        `flush` also brings the bytes so far and the mark to the medium, so that the download can be continued
        there after a power cut; without it a mark that a power cut destroys leaves its booking spent.
        """
        known = self.mark.content_length if content_length is None else content_length
        with _disk(self._spool.folder):
            if flush:
                disk.fsync_file(self._file.fileno())
            flushed = self.size if flush else self.mark.flushed
            self.mark = replace(self.mark, wire=wire, content_length=known, size=self.size, flushed=flushed)
            self._save(durable=flush)

    def restart(self) -> None:
        """Throw away the bytes so far, because the host sends the file from its beginning; the wire bytes stay."""
        self._digest = Digest()
        self.size = 0
        with _disk(self._spool.folder):
            self.mark = replace(self.mark, size=0, flushed=0)
            self._save(durable=False)  # before the bytes go: a mark never claims more than there is
            self._file.seek(0)
            self._file.truncate()

    def finish(self, *, content_type: str | None, name: str | None, wire: Wire, flush: bool = True) -> Parcel:
        """The file is whole: flush it, then say so in the mark. On return both survive a power cut.

        `flush` False is for a passing file that nobody will link.
        """
        sha256, md5 = self._digest.sha256, self._digest.md5
        with _disk(self._spool.folder):
            if flush:
                disk.fsync_file(self._file.fileno())
            self._file.close()
            self.mark = replace(
                self.mark, content_type=content_type, name=name, wire=wire, size=self.size, flushed=self.size,
                sha256=sha256, md5=md5, complete=True,
            )  # fmt: skip
            self._save(durable=True)
        self._ended = True
        self._spool._let_go(self._body, self.size or 1)
        return parcel_of(self.mark, self._body)

    def abandon(self, *, keep_partial: bool) -> Leftover | None:
        """The download broke off. `keep_partial` leaves bytes and mark for `begin(resume=...)` and for settling.

        Does nothing after `finish`. When even the mark cannot be written, the last one that could stays.
        """
        if self._ended:
            return None
        self._ended = True
        try:
            with _disk(self._spool.folder):
                self._file.close()
                if keep_partial:
                    self.mark = replace(self.mark, size=self.size)
                    self._save(durable=False)
                    return Leftover(self.mark, self._body, resumable=self.size)
                self._body.with_suffix(MARK).unlink(missing_ok=True)
                self._body.unlink(missing_ok=True)
                return None
        finally:
            self._spool._let_go(self._body, self.size if keep_partial else 0)

    def _open_at(self, resume_at: int) -> FileIO:
        """The body without a buffer of our own: what was written outlives this process."""
        if resume_at:
            file = self._body.open("r+b", buffering=0)
            while self.size < resume_at:
                chunk = file.read(min(_CHUNK, resume_at - self.size))
                if not chunk:
                    break
                self._digest.update(chunk)
                self.size += len(chunk)
            file.truncate(self.size)
            file.seek(self.size)
            return file
        self._body.with_suffix(MARK).unlink(missing_ok=True)
        self._body.unlink(missing_ok=True)
        return os.fdopen(disk.create_private(self._body), "wb", buffering=0)

    def _save(self, *, durable: bool) -> None:
        if not self._passing:
            save_mark(self.mark, self._body, durable=durable)


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
