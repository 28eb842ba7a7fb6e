"""`unlade verify`: what was pulled is still there and the same, byte for byte."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from unlade.errors import StoreError, UsageError
from unlade.standalone.common import Tick, no_tick
from unlade.standalone.manifest import Identity, Line, read_manifest
from unlade.standalone.targets import Target

_LISTED = 100
_AHEAD = 256


@dataclass
class Verified:
    """What was found. Lists hold at most 100 names; `extra` files are in no line, which is no fault.

    Thumbnails are looked for, and not read: they can be made again.
    """

    files: int = 0
    bytes: int = 0
    good: int = 0
    missing_count: int = 0
    different_count: int = 0
    unreadable_count: int = 0
    without_file: int = 0  #: lines of values that had no bytes to write
    thumbnails: int = 0  #: thumbnails that are there
    thumbnails_missing: int = 0
    extra: int = 0
    missing: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 when every file is there and the same and no thumbnail is missing, else 1."""
        return 0 if self.good == self.files and not self.thumbnails_missing else 1

    def add(self, kind: str, name: str) -> None:
        setattr(self, f"{kind}_count", getattr(self, f"{kind}_count") + 1)
        names: list[str] = getattr(self, kind)
        if len(names) < _LISTED:
            names.append(name)

    def as_json(self) -> dict[str, Any]:
        return {"outcome": "done" if self.exit_code == 0 else "failed", **asdict(self), "exit": self.exit_code}


def verify(
    manifest: Path,
    target: Target,
    *,
    threads: int = 4,
    tick: Tick = no_tick,
) -> Verified:
    """Read every file of `manifest` at `target` and compare size and sha256. Raises `UsageError`, `StoreError`."""
    if not manifest.is_file():
        raise UsageError(f"{manifest} is not there", remedy="Name the manifest.jsonl that a pull has written.")
    latest: dict[Identity, Line] = {line.identity: line for line in read_manifest(manifest)}
    found = Verified()
    expected: set[str] = set()
    lines = []
    for line in latest.values():
        if line.thumbnail is not None:
            expected.add(line.thumbnail)
            there = target.size(line.thumbnail) is not None
            found.thumbnails += there
            found.thumbnails_missing += not there
        if line.file is None:
            found.without_file += 1
        else:
            expected.add(line.file)
            lines.append(line)
    found.files = len(lines)
    done = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="verify") as pool:
        waiting: deque[tuple[Line, Future[str]]] = deque()

        def settle() -> None:
            nonlocal done
            line, future = waiting.popleft()
            assert line.file is not None
            what = future.result()
            done += 1
            if what:
                found.add(what, line.file)
            else:
                found.good += 1
                found.bytes += line.size or 0
            tick(done, found.files, found.bytes)

        try:
            for line in lines:
                waiting.append((line, pool.submit(_look, target, line)))
                if len(waiting) >= _AHEAD:
                    settle()
            while waiting:
                settle()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    found.extra = sum(key not in expected for key in target.files())
    return found


def _look(target: Target, line: Line) -> str:
    """What is wrong with one file, "" when nothing is."""
    assert line.file is not None
    size = target.size(line.file)
    if size is None:
        return "missing"
    if size != line.size:
        return "different"
    try:
        return "" if target.sha256(line.file) == line.sha256 else "different"
    except StoreError:
        return "unreadable"
