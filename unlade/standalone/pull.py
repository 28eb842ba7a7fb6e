"""`unlade pull`: every file of a database file into a folder or object storage, each proven by the MD5 the file keeps.

Threads read and digest, others write; one thread keeps the manifest. What the manifest holds and the target still has at
its size is not written again, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from unlade import keys
from unlade.errors import UsageError
from unlade.fmp12 import Container, DatabaseFile, Proof, SalvageReport, State
from unlade.media.filetypes import ALL, Kind
from unlade.standalone.common import Chosen, Tick, no_tick
from unlade.standalone.lifting import Lifter, Room, Thumbnails, identity_of
from unlade.standalone.manifest import Line, Manifest
from unlade.standalone.targets import Target

PATTERN = "{table}/{record}/{field}{ext}"
READERS = min(4, max(2, os.cpu_count() or 1))
WRITERS = 10
_AHEAD = 64  #: values in work at once
_DESK = 256_000_000  #: bytes on disk that are read and not yet at the target
_HELD = 32_000_000  #: the same of those in memory; writers and the store's library hold copies of theirs

_WITH_PIXELS = frozenset(known.mime_type for known in ALL if known.kind in (Kind.IMAGE, Kind.PDF))

PROVEN = frozenset({State.VERIFIED, State.VERIFIED_OUTSIDE})


@dataclass
class Pulled:
    """How a pull ended. `written` and `bytes` are of this run; `states` count all values that were asked for."""

    found: int = 0
    written: int = 0
    skipped: int = 0
    bytes: int = 0
    states: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)  #: values without a proven file, at most 20 by name
    thumbnails: int = 0
    without_thumbnail: int = 0  #: pictures that none could be made of
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
            **({"thumbnails": self.thumbnails} if self.thumbnails or self.without_thumbnail else {}),
            **({"thumbnail_errors": self.without_thumbnail} if self.without_thumbnail else {}),
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
        readers: int = READERS,
        thumbnails: Thumbnails | None = None,
        tick: Tick = no_tick,
    ) -> None:
        check_key(pattern, chosen)
        self._database, self._target, self._chosen = database, target, chosen
        self._readers, self._tick, self._with_thumbnails = readers, tick, thumbnails is not None
        self._stop = threading.Event()
        self._desk, self._memory = Room(_DESK), Room(_HELD)
        self._lifter = Lifter(database, target, pattern, self._stop, thumbnails)
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
        readers = ThreadPoolExecutor(self._readers, thread_name_prefix="pull-read")
        writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="pull-write")
        waiting: deque[Future[Future[Line]]] = deque()

        def read(value: Container, modification: int) -> Future[Line]:
            lifted = self._lifter.read(value, modification)
            size = lifted.line.size or 0
            room = self._memory if lifted.held else self._desk
            room.enter(size, self._stop)
            settling = writers.submit(self._lifter.settle, lifted)
            settling.add_done_callback(lambda _: room.leave(size))
            return settling

        try:
            for value, modification in self._values():
                known = manifest.known.get(identity_of(value))
                if known is not None and self._is_done(known, modification):
                    self._count(known, written=False)
                    continue
                waiting.append(readers.submit(read, value, modification))
                while len(waiting) >= _AHEAD:
                    self._note(manifest, waiting.popleft().result().result())
            while waiting:
                self._note(manifest, waiting.popleft().result().result())
        finally:
            self._stop.set()
            readers.shutdown(wait=True, cancel_futures=True)
            writers.shutdown(wait=True)
            for future in waiting:  # what is written already needs not be written again
                if (line := _line_in(future)) is not None:
                    manifest.add(line)

    def _is_done(self, line: Line, modification: int) -> bool:
        """Whether a value need not be looked at again: proven, of the same modification, and still there."""
        same = line.record == "global" or line.modification == str(modification)
        if not (same and line.state in PROVEN and line.file is not None and self._target.size(line.file) == line.size):
            return False
        if not self._with_thumbnails or line.thumbnail_error or line.mime_type not in _WITH_PIXELS:
            return True
        return line.thumbnail is not None and self._target.size(line.thumbnail) is not None

    def _note(self, manifest: Manifest, line: Line) -> None:
        manifest.add(line)
        self._count(line, written=line.file is not None)

    def _count(self, line: Line, *, written: bool) -> None:
        result = self.result
        result.states[line.state] += 1
        result.thumbnails += line.thumbnail is not None
        result.without_thumbnail += line.thumbnail_error is not None
        if written:
            result.written += 1
            result.bytes += line.size or 0
        elif line.file is not None:
            result.skipped += 1
        if line.state not in PROVEN and len(result.trouble) < 20:
            result.trouble.append(f"{line.table}, record {line.record}, {line.field_name}: {line.state}")
        self._tick(sum(result.states.values()), result.found, result.bytes)


def _line_in(future: Future[Future[Line]]) -> Line | None:
    """The line of a value that was brought to its place; None of one that was not."""
    if future.cancelled() or future.exception() is not None:
        return None
    settling = future.result()
    return settling.result() if settling.exception() is None else None
