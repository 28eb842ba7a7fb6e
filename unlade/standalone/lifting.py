"""One value's way in a pull, in two halves: read and digest it, then name it and bring it to the target.

Readers keep the interpreter busy, the second half waits for disks, buckets and decoders; so each has threads of its own.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from io import FileIO
from itertools import count
from pathlib import Path
from typing import Self

from unlade import keys
from unlade.cargo import Content, Parcel
from unlade.errors import Interrupted, ItemError, ReferenceOnly
from unlade.fmp12 import (
    Container,
    DamagedObject,
    DatabaseFile,
    ObjectLost,
    OutsideMissing,
    SecureStorage,
    State,
)
from unlade.media.sniff import sniff
from unlade.media.workers import DecoderPool
from unlade.settings import Settings
from unlade.standalone.manifest import Identity, Line
from unlade.standalone.targets import Target

_STATES: tuple[tuple[type[ItemError], State], ...] = (
    (ObjectLost, State.OBJECT_MISSING),
    (OutsideMissing, State.OUTSIDE_MISSING),
    (SecureStorage, State.SECURE),
    (DamagedObject, State.MISMATCH),
    (ReferenceOnly, State.REFERENCE_ONLY),
)


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """That thumbnails are wanted: who makes them, and the box in pixels that they fit into."""

    decoders: DecoderPool
    box: tuple[int, int]

    @classmethod
    def by(cls, settings: Settings, box: tuple[int, int]) -> Self:
        """With decoder processes as the settings have them; close `decoders` at the end. Raises `SettingsError`."""
        time_limit: timedelta = settings["UNLADE_DECODER_TIME"]
        pool = DecoderPool(
            settings["UNLADE_DECODERS"],
            memory_limit=settings["UNLADE_DECODER_MEMORY"],
            time_limit=time_limit.total_seconds(),
            pixel_limit=settings["UNLADE_MAX_PIXELS"],
        )
        return cls(pool, box)


@dataclass(frozen=True, slots=True)
class Lifted:
    """A value that was read: its line without a place yet, and its bytes or their temporary file (None: there were none)."""

    line: Line
    values: Mapping[str, str | None]  #: what its key is made of
    extension: str = ""
    body: Path | bytes | None = None

    @property
    def held(self) -> int:
        """Bytes of it that lie in memory."""
        return len(self.body) if isinstance(self.body, bytes) else 0


class Lifter:
    """Reads values and brings them to `target`. Both halves may be called from any thread.

    When `stop` is set, what was begun is left, and is begun anew the next time.
    """

    def __init__(
        self,
        database: DatabaseFile,
        target: Target,
        pattern: str,
        stop: threading.Event,
        thumbnails: Thumbnails | None = None,
    ) -> None:
        self._database, self._target, self._pattern, self._stop = database, target, pattern, stop
        self._thumbnails = thumbnails
        self._hold = target.holds if thumbnails is None else 0  # decoders are given a file
        self._numbers = count(1)

    def read(self, value: Container, modification: int) -> Lifted:
        """Read and digest one value's file. Raises `SourceError`, `OSError`, `Interrupted`."""
        line = _line_of(value, modification)
        body = _Body(self._target.desk / f"{os.getpid()}-{next(self._numbers)}", self._hold)
        try:
            with self._database.open(value, keep_damaged=True) as stream, closing(body):
                body.expect(stream.size)
                digest = hashlib.sha256()
                for chunk in stream.chunks():
                    digest.update(chunk)
                    body.add(chunk)
                    if self._stop.is_set():
                        raise Interrupted
                state = stream.state or State.MISMATCH
            whole = body.whole()
            found = sniff(whole, stream.file_name)
        except ItemError as error:
            body.drop()
            state = next((s for kind, s in _STATES if isinstance(error, kind)), State.UNREADABLE)
            return Lifted(replace(line, state=state), {})
        except BaseException:
            body.drop()
            raise
        line = replace(
            line,
            original_name=stream.file_name,
            mime_type=found.mime_type,
            size=body.size,
            sha256=digest.hexdigest(),
            proof=state.proof,
            state=state,
        )
        return Lifted(line, _values_of(value, line), found.extension, whole)

    def settle(self, lifted: Lifted) -> Line:
        """Bring what was read to the target, then its thumbnail. Raises `StoreError`, `Interrupted`."""
        line, body = lifted.line, lifted.body
        if body is None:
            return line
        try:
            if self._stop.is_set():
                raise Interrupted
            content = self._look_at(line, body)
            key = self._target.put(keys.render(self._pattern, lifted.values, lifted.extension), body, line)
            line = replace(line, file=key)
            return self._with_thumbnail(line, content) if content is not None else line
        finally:
            if isinstance(body, Path):
                _unlink(body)

    def _look_at(self, line: Line, body: Path | bytes) -> Content | None:
        if self._thumbnails is None or isinstance(body, bytes) or line.sha256 is None or line.size is None:
            return None
        parcel = Parcel(body, line.field, line.size, line.sha256, "", name=line.original_name)
        return self._thumbnails.decoders.inspect(parcel, box=self._thumbnails.box)

    def _with_thumbnail(self, line: Line, content: Content) -> Line:
        """The original is there by now, whatever became of its thumbnail."""
        thumb = content.thumbnail
        if thumb is None:
            return replace(line, thumbnail_error=content.thumbnail_error or content.damage)
        assert line.file is not None
        key = keys.thumbnail_key(line.file, thumb.extension)
        self._target.put_thumbnail(key, thumb.data, thumb.mime_type, line)
        return replace(line, thumbnail=key)


class Room:
    """How many bytes may wait on the desk or in memory; a file that is larger alone finds room when nothing else is there."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0
        self._changed = threading.Condition()

    def enter(self, size: int, stop: threading.Event) -> None:
        """Wait until there is room. Returns at once when `stop` is set."""
        with self._changed:
            while self._taken and self._taken + size > self._most and not stop.is_set():
                self._changed.wait(0.1)
            self._taken += size

    def leave(self, size: int) -> None:
        """Make room."""
        with self._changed:
            self._taken -= size
            self._changed.notify_all()


def identity_of(value: Container) -> Identity:
    """Table, record, field and repetition of a value, as manifests have them."""
    return (value.table.name, value.record_name, value.field.name, value.repetition)


def _line_of(value: Container, modification: int) -> Line:
    table, record, name, repetition = identity_of(value)
    return Line(
        table=table,
        record=record,
        modification=None if value.record is None else str(modification),
        field=name,
        repetition=repetition,
        file=None,
        original_name=None,
        mime_type=None,
        size=None,
        sha256=None,
        proof="none",
        state=State.UNREADABLE,
    )


def _values_of(value: Container, line: Line) -> dict[str, str | None]:
    stem = Path(line.original_name or "").stem
    return {"table": value.table.name, "record": value.record_name, "field": value.field_name, "name": stem}


class _Body:
    """The bytes of one file as they are read: in memory up to `hold`, with more of them in a file at `path`.

    Unlike `tempfile.SpooledTemporaryFile` it has a path, by which the file is moved or sent in parts.
    """

    def __init__(self, path: Path, hold: int) -> None:
        self.size = 0
        self._path, self._hold = path, hold
        self._parts: list[bytes] = []
        self._file: FileIO | None = None

    def expect(self, size: int | None) -> None:
        """Before the first piece: how many bytes there will be, as far as is known; too many go to disk at once."""
        if size is not None and size > self._hold:
            self._hold = 0

    def add(self, chunk: bytes) -> None:
        """One more piece. Raises `OSError`."""
        self.size += len(chunk)
        if self._file is None:
            self._parts.append(chunk)
            if self.size <= self._hold:
                return
            self._file = self._path.open("xb", buffering=0)
            chunk = b"".join(self._parts)
            self._parts.clear()
        _write(self._file.fileno(), chunk)

    def whole(self) -> Path | bytes:
        """All of it, when nothing is added any more; an empty one is a file where nothing may be held."""
        if self._file is None and not self._hold:
            self._path.open("xb").close()
            return self._path
        return self._path if self._file is not None else b"".join(self._parts)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def drop(self) -> None:
        """It is not wanted."""
        self._parts.clear()
        _unlink(self._path)


def _unlink(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _write(descriptor: int, data: bytes) -> int:
    """All of `data`, whatever the system takes at a time; its length."""
    done = os.write(descriptor, data)
    while done < len(data):
        done += os.write(descriptor, memoryview(data)[done:])
    return done
