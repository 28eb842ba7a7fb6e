"""The pool of decoder children: hands each file to one, and survives whatever becomes of it there.

A thread that calls `inspect` blocks on its own child's pipe. One watchman thread looks after deadlines and, where the
system keeps no memory limit, after memory; all that it ever does is kill a child, which the waiting thread then
notices as the end of its pipe. So one bad file never holds up or breaks the others (DESIGN 2).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from unlade.cargo import Content, Parcel
from unlade.errors import Interrupted, UnladeError
from unlade.media.filetypes import Kind
from unlade.media.messages import Decoded, Job
from unlade.media.process import Child, ChildDied
from unlade.media.sniff import Sniffed, not_a_file, sniff

DEFAULT_MEMORY_LIMIT = 1_500_000_000  #: bytes
DEFAULT_TIME_LIMIT = 60.0  #: seconds
DEFAULT_PIXEL_LIMIT = 200_000_000
_START_LIMIT = 60.0
_WATCH_EVERY = 0.05


@dataclass(slots=True)
class _Watch:
    """One child at work: when it must be done, and why it was killed if it was."""

    child: Child
    deadline: float
    verdict: str | None = None


class DecoderPool:
    """Decoder child processes, started when first needed. Every method may be called from any thread.

    `memory_limit` in bytes and `time_limit` in seconds hold for one file in one child; `pixel_limit` for one picture.
    A child is replaced after `jobs_per_child` files, because decoders leak. `decoder` names the function that a child
    calls (`module:function`); `clock` counts seconds. Without `system_limit` the parent watches the memory of its
    children, as it does where the system has no limit that holds.
    """

    def __init__(
        self,
        size: int | None = None,
        *,
        memory_limit: int = DEFAULT_MEMORY_LIMIT,
        time_limit: float = DEFAULT_TIME_LIMIT,
        pixel_limit: int = DEFAULT_PIXEL_LIMIT,
        jobs_per_child: int = 1000,
        decoder: str = "unlade.media.decode:decode",
        clock: Callable[[], float] = time.monotonic,
        system_limit: bool = True,
    ) -> None:
        self.size = size or os.cpu_count() or 1
        self._memory_limit = memory_limit
        self._time_limit = time_limit
        self._pixel_limit = pixel_limit
        self._jobs_per_child = jobs_per_child
        self._decoder = decoder
        self._clock = clock
        self._system_limit = system_limit
        self._changed = threading.Condition()
        self._idle: list[Child] = []
        self._busy: list[_Watch] = []
        self._held = 0  # children that exist or are being started
        self._closed = False
        self._stopped = threading.Event()
        self._watchman: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Start a child now, to see before a run that it can be done. Raises `UnladeError` if not."""
        child = self._take()
        if child is None:
            raise UnladeError(
                "No decoder process could be started, so there would be no thumbnails and no look for damage.",
                remedy=f"Try `{os.path.basename(sys.executable)} -m unlade.media.child 0 {self._decoder}` to see why.",  # noqa: PTH119
            )
        with self._changed:
            self._idle.append(child)
            self._changed.notify()

    def inspect(
        self,
        parcel: Parcel,
        *,
        name: str | None = None,
        box: tuple[int, int] = (300, 300),
        want_thumbnail: bool = True,
        check: bool = True,
    ) -> Content:
        """What the bytes of `parcel` are, with a thumbnail that fits `box`.

        `name` is the declared file name, or the last segment of the link when there is none; `parcel.name` if it is
        not given. Without `want_thumbnail` and without `check` only headers are read, and a file that is cut off
        passes for whole. Whatever is wrong with the file is said in the `Content`; raises only `OSError`, when the
        spool cannot be read, and `Interrupted`, when the pool is closed.
        """
        name = name or parcel.name
        sniffed = sniff(parcel.body, name, parcel.content_type)
        damage = not_a_file(sniffed, name)
        if damage is not None or sniffed.kind not in {Kind.IMAGE, Kind.PDF}:
            return _content(parcel, sniffed, Decoded(damage=damage))
        job = Job(
            path=os.fspath(parcel.path.resolve()),
            mime_type=sniffed.mime_type,
            box=box,
            want_thumbnail=want_thumbnail,
            check=check,
            pixel_limit=self._pixel_limit,
            memory_limit=self._memory_limit,
            time_limit=self._time_limit,
        )
        return _content(parcel, sniffed, self._decode(job))

    def close(self) -> None:
        """End all children; those who wait for one get `Interrupted`. May be called twice."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._held -= len(idle)
            for watch in self._busy:
                watch.child.kill()
            self._changed.notify_all()
        self._stopped.set()
        for child in idle:
            child.bury()
        if self._watchman is not None and self._watchman is not threading.current_thread():
            self._watchman.join()

    def _decode(self, job: Job) -> Decoded:
        """By a child; once more by a new one if an old child died or ran full, as its past may be to blame."""
        while True:
            child = self._take()
            if child is None:
                return Decoded(failed="no decoder process could be started")
            seasoned = child.jobs_done > 0
            found, verdict = self._ask(child, job)
            if found is not None and not found.exhausted:
                return found
            if seasoned and verdict is None:
                continue
            return found or Decoded(failed=verdict or "the decoder crashed on this file")

    def _ask(self, child: Child, job: Job) -> tuple[Decoded | None, str | None]:
        """What the child found, or None and why it was killed (None too when it died by itself)."""
        watch = self._start_watch(child, job.time_limit)
        try:
            found = child.ask(job)
        except ChildDied:
            found = None
        except BaseException:
            self._give_back(watch, fit=False)  # its answer would be taken for the next job's
            raise
        fit = found is not None and not found.exhausted and child.jobs_done < self._jobs_per_child
        self._give_back(watch, fit=fit)
        if found is None:
            self._check_open()
        return found, watch.verdict

    def _take(self) -> Child | None:
        """An idle child, or a new one; waits while all are at work. None when none can be started."""
        with self._changed:
            while not self._idle and self._held >= self.size and not self._closed:
                self._changed.wait()
            self._check_open()
            if self._idle:
                return self._idle.pop()
            self._held += 1
        child = None
        try:
            child = Child(self._memory_limit if self._system_limit else 0, self._decoder)
            watch = self._start_watch(child, _START_LIMIT)
            child.greet()
            self._end_watch(watch)
        except (ChildDied, OSError):
            self._drop(child)
            self._check_open()
            return None
        except BaseException:
            self._drop(child)
            raise
        return child

    def _give_back(self, watch: _Watch, *, fit: bool) -> None:
        with self._changed:
            self._busy.remove(watch)
            if fit and watch.verdict is None and not self._closed:
                self._idle.append(watch.child)
                self._changed.notify()
                return
        self._drop(watch.child)

    def _drop(self, child: Child | None) -> None:
        if child is not None:
            child.bury()
        with self._changed:
            self._busy = [watch for watch in self._busy if watch.child is not child]
            self._held -= 1
            self._changed.notify()

    def _check_open(self) -> None:
        if self._closed:  # a child that died of it says nothing about its file
            raise Interrupted("the decoders were closed while a file waited for them")

    def _start_watch(self, child: Child, limit: float) -> _Watch:
        watch = _Watch(child, self._clock() + limit)
        with self._changed:
            self._busy.append(watch)
            if self._closed:
                child.kill()
            if self._watchman is None:
                self._watchman = threading.Thread(target=self._keep_watch, name="unlade-decoders", daemon=True)
                self._watchman.start()
        return watch

    def _end_watch(self, watch: _Watch) -> None:
        with self._changed:
            self._busy.remove(watch)

    def _keep_watch(self) -> None:
        while not self._stopped.wait(_WATCH_EVERY):
            with self._changed:
                now = self._clock()
                for watch in self._busy:
                    if watch.verdict is None and now >= watch.deadline:
                        self._end(watch, f"decoding it took longer than {self._time_limit:g} s")
                    elif watch.verdict is None and self._is_swollen(watch.child):
                        self._end(watch, "decoding it takes more memory than allowed")

    def _is_swollen(self, child: Child) -> bool:
        return child.pid > 0 and not child.limited and _memory_of(child.pid) > self._memory_limit

    def _end(self, watch: _Watch, verdict: str) -> None:
        watch.verdict = verdict
        watch.child.kill()


def _memory_of(pid: int) -> int:
    """Resident bytes of a process; 0 when it is gone."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def look(parcel: Parcel, *, name: str | None = None) -> Content:
    """What the bytes of `parcel` are by their type alone, without a decoder: no pixels, and what is cut off passes."""
    name = name or parcel.name
    sniffed = sniff(parcel.body, name, parcel.content_type)
    return _content(parcel, sniffed, Decoded(damage=not_a_file(sniffed, name)))


def _content(parcel: Parcel, sniffed: Sniffed, found: Decoded) -> Content:
    return Content(
        mime_type=sniffed.mime_type,
        extension=sniffed.extension,
        size=parcel.size,
        sha256=parcel.sha256,
        md5=parcel.md5,
        width=found.width,
        height=found.height,
        pages=found.pages,
        orientation=found.orientation,
        taken_naive=found.taken_naive,
        damage=found.damage,
        thumbnail=found.thumbnail,
        thumbnail_error=found.failed,
        notes=sniffed.notes,
    )
