"""`unlade pull`: every file of a database file into a folder or object storage, each proven by the MD5 the file keeps.

Threads read, digest and write; one thread keeps the manifest. What the manifest holds and the target still has at its
size is not written again, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from unlade import keys
from unlade.errors import ItemError, ReferenceOnly, UsageError
from unlade.fmp12 import (
    Container,
    DamagedObject,
    DatabaseFile,
    ObjectLost,
    OutsideMissing,
    Proof,
    SalvageReport,
    SecureStorage,
    State,
)
from unlade.media.sniff import sniff
from unlade.standalone.common import Chosen, Tick, no_tick
from unlade.standalone.manifest import Line, Manifest
from unlade.standalone.targets import Target

PATTERN = "{table}/{record}/{field}{ext}"
THREADS = 4
_AHEAD = 64  #: values in work at once
_SYNC = 64  #: files whose bytes are made durable together

PROVEN = frozenset({State.VERIFIED, State.VERIFIED_OUTSIDE})

_STATES: tuple[tuple[type[ItemError], State], ...] = (
    (ObjectLost, State.OBJECT_MISSING),
    (OutsideMissing, State.OUTSIDE_MISSING),
    (SecureStorage, State.SECURE),
    (DamagedObject, State.MISMATCH),
    (ReferenceOnly, State.REFERENCE_ONLY),
)


@dataclass
class Pulled:
    """How a pull ended. `written` and `bytes` are of this run; `states` count all values that were asked for."""

    found: int = 0
    written: int = 0
    skipped: int = 0
    bytes: int = 0
    states: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)  #: values without a proven file, at most 20 by name
    seconds: float = 0.0
    proof: Proof | None = None
    lost: SalvageReport | None = None

    @property
    def unproven(self) -> int:
        return sum(number for state, number in self.states.items() if state not in PROVEN)

    @property
    def exit_code(self) -> int:
        """0 when all is proven, 3 when some values gave no proven file, 1 when the database itself does not add up."""
        if self.lost is None and self.proof is not None and not self.proof.ok:
            return 1
        return 3 if self.unproven or (self.lost is not None and not self.lost.nothing_lost) else 0

    def as_json(self) -> dict[str, Any]:
        return {
            "outcome": "done",
            "found": self.found,
            "this_run": {"written": self.written, "skipped": self.skipped, "bytes": self.bytes},
            "states": dict(sorted(self.states.items())),
            "seconds": round(self.seconds, 3),
            "proof": self.proof.as_json() if self.proof else None,
            "salvage": self.lost.as_json() if self.lost else None,
            "exit": self.exit_code,
        }


def check_key(pattern: str, chosen: Sequence[Chosen]) -> None:
    """Refuse a pattern by which two values could get one key. Raises `UsageError`."""
    errors = keys.check_pattern(pattern, ("table", "name"))
    if "{identity}" in pattern or "{owner}" in pattern or "{date}" in pattern or "{category}" in pattern:
        errors.append("{table}, {record}, {field}, {name} and {ext} are what a database file has")
    several = sum(len(one.fields) for one in chosen) > 1 or any(f.repetitions > 1 for one in chosen for f in one.fields)
    if len(chosen) > 1 and "{table}" not in pattern:
        errors.append("it needs {table}: several tables are pulled")
    if "{record}" not in pattern:
        errors.append("it needs {record}")
    if several and "{field}" not in pattern:
        errors.append("it needs {field}: several container fields or repetitions are pulled")
    if errors:
        raise UsageError(f"--key {pattern}: {'; '.join(errors)}", remedy=f"The usual one is {PATTERN}")


class Pull:
    """One pull. `tick` is told after each value: how many are done, how many there are, bytes written."""

    def __init__(
        self,
        database: DatabaseFile,
        target: Target,
        chosen: Sequence[Chosen],
        *,
        pattern: str = PATTERN,
        threads: int = THREADS,
        tick: Tick = no_tick,
    ) -> None:
        check_key(pattern, chosen)
        self._database, self._target, self._chosen = database, target, chosen
        self._pattern, self._threads, self._tick = pattern, threads, tick
        self._numbers = count(1)
        self._stop = threading.Event()
        self.result = Pulled()

    def run(self) -> Pulled:
        """Pull all. Raises `SourceError`, `StoreError`; what was written until then is in the manifest."""
        began = time.monotonic()
        result = self.result
        result.found = sum(1 for _ in self._values())
        manifest = Manifest(self._target.manifest)
        try:
            self._carry(manifest)
        finally:
            manifest.close()
        self._target.finish(manifest.sums())
        result.lost = self._database.salvage_report()
        result.proof = self._database.proof(objects=False)
        result.seconds = time.monotonic() - began
        return result

    def _values(self) -> Iterator[tuple[Container, int]]:
        """The filled container values with their records' modification counts."""
        for one in self._chosen:
            wanted = {field.id for field in one.fields}
            for record in self._database.records(one.table):
                for value in record.containers.values():
                    if value.field.id in wanted:
                        yield value, record.modification
            for value in self._database.globals(one.table).containers.values():
                if value.field.id in wanted:
                    yield value, 0

    def _carry(self, manifest: Manifest) -> None:
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="pull")
        waiting: deque[Future[Line]] = deque()
        try:
            for value, modification in self._values():
                known = manifest.known.get(_identity(value))
                if known is not None and self._is_done(known, modification):
                    self._count(known, written=False)
                    continue
                waiting.append(pool.submit(self._one, value, modification))
                while len(waiting) >= _AHEAD:
                    self._note(manifest, waiting.popleft().result())
            while waiting:
                self._note(manifest, waiting.popleft().result())
        finally:
            self._stop.set()
            for future in waiting:
                future.cancel()
            pool.shutdown(wait=True)
            for future in waiting:  # what is written already needs not be written again
                if future.done() and not future.cancelled() and future.exception() is None:
                    manifest.add(future.result())

    def _is_done(self, line: Line, modification: int) -> bool:
        """Whether a value need not be looked at again: proven, of the same modification, and still there."""
        same = line.record == "global" or line.modification == str(modification)
        return same and line.state in PROVEN and line.file is not None and self._target.size(line.file) == line.size

    def _note(self, manifest: Manifest, line: Line) -> None:
        manifest.add(line)
        self._count(line, written=line.file is not None)

    def _count(self, line: Line, *, written: bool) -> None:
        result = self.result
        result.states[line.state] += 1
        if written:
            result.written += 1
            result.bytes += line.size or 0
        elif line.file is not None:
            result.skipped += 1
        if line.state not in PROVEN and len(result.trouble) < 20:
            what = line.field if line.repetition == 1 else f"{line.field}({line.repetition})"
            result.trouble.append(f"{line.table}, record {line.record}, {what}: {line.state}")
        self._tick(sum(result.states.values()), result.found, result.bytes)

    # -- one value, in a thread --

    def _one(self, value: Container, modification: int) -> Line:
        """Read, digest, name and bring one value's file to the target."""
        table, record, name, repetition = _identity(value)
        line = Line(
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
        desk = self._target.desk / f"{os.getpid()}-{next(self._numbers)}"
        try:
            with self._database.open(value, keep_damaged=True) as stream:
                digest, size = hashlib.sha256(), 0
                with desk.open("wb") as file:
                    for chunk in stream.chunks():
                        digest.update(chunk)
                        size += file.write(chunk)
                        if self._stop.is_set() and size > 1 << 22:
                            raise _Stopped
                    file.flush()
                    os.fsync(file.fileno())
                state = stream.state or State.MISMATCH
                found = sniff(desk, stream.file_name)
                line = replace(
                    line,
                    original_name=stream.file_name,
                    mime_type=found.mime_type,
                    size=size,
                    sha256=digest.hexdigest(),
                    proof=state.proof,
                    state=state,
                )
        except ItemError as error:
            return replace(line, state=next((s for kind, s in _STATES if isinstance(error, kind)), State.UNREADABLE))
        except BaseException:
            with suppress(OSError):
                desk.unlink(missing_ok=True)
            raise
        key = keys.render(self._pattern, _values_of(value, line), found.extension)
        return replace(line, file=self._target.put(key, desk, line))


class _Stopped(Exception):
    """The pull ends; this file is begun anew next time."""


def _identity(value: Container) -> tuple[str, str, str, int]:
    return (value.table.name, value.record_name, value.field.name, value.repetition)


def _values_of(value: Container, line: Line) -> dict[str, str | None]:
    stem = Path(line.original_name or "").stem
    return {"table": value.table.name, "record": value.record_name, "field": value.field_name, "name": stem}
