"""Sleeps until a run is due, runs it, sleeps again; for containers and services.

Each run is a process of its own, the same command that a scheduler would start: so a run that dies takes nothing with
it, weeks leave no traces in memory, and "never two at once" is kept by one loop here and by the source's lock
everywhere. Wall time is compared in short naps: after the machine's sleep a run that was missed starts at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Protocol

from unlade.schedule.timing import Schedule, next_wake
from unlade.units import format_count, format_duration, format_size

#: Longest sleep without a look at the clock and at whether somebody said stop, in seconds.
NAP = 0.5

#: A run that is told to stop may finish for so long (seconds), then it is ended; together under two seconds.
MERCY, LAST_MERCY = 1.2, 0.3

#: After a run that failed the next try comes after these, unless the schedule is earlier.
AFTER_FAILURE = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))

#: How long it waits when somebody else works on the source.
AFTER_LOCK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Came:
    """What a run came to: its exit code and its JSON object (CONTRACT A4), {} when it printed none."""

    exit_code: int
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def retry_at(self) -> datetime | None:
        """Until when it was told to wait."""
        sources = self.told.get("sources")
        told = sources.values() if isinstance(sources, Mapping) else [self.told]
        texts = [each.get("retry_at") for each in told if isinstance(each, Mapping)]
        try:
            return min((datetime.fromisoformat(text).astimezone(UTC) for text in texts if text), default=None)
        except (TypeError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class LastRun:
    """A source's last run, by anybody. `go_on_at`: when it may go on, if it did not come to its end; None: it did."""

    started_at: datetime
    go_on_at: datetime | None = None


class Runner(Protocol):
    """Runs one import to its end; must come back soon when `stopping()` turns true."""

    def __call__(self, name: str, stopping: Callable[[], bool]) -> Came: ...


class Daemon:
    """The loop. `last_run(name)` is the source's last run; it must not raise.

    `clock` is wall time in UTC, `nap` a sleep in seconds, `say` takes a line for each event.
    """

    def __init__(
        self,
        names: Sequence[str],
        schedule: Schedule,
        *,
        run: Runner,
        last_run: Callable[[str], LastRun | None],
        say: Callable[[str], None],
        clock: Callable[[], datetime],
        nap: Callable[[float], None] = time.sleep,
        zone: tzinfo = UTC,
    ) -> None:
        self.names, self.schedule, self.zone = tuple(names), schedule, zone
        self.runs = 0
        self._run, self._last_run, self._say, self._clock, self._nap = run, last_run, say, clock, nap
        self._began = clock()
        self._mine: dict[str, datetime] = {}  #: when we last started each
        self._retry: dict[str, datetime] = {}
        self._failures: dict[str, int] = dict.fromkeys(names, 0)
        self._stopping = False
        self._announced: tuple[str, datetime] | None = None
        self._ledger: dict[str, LastRun | None] = {}

    def stop(self, *_: object) -> None:
        """End soon. Safe in a signal handler."""
        self._stopping = True

    @property
    def stopping(self) -> bool:
        """Whether somebody said stop."""
        return self._stopping

    def serve(self) -> None:
        """Until `stop`."""
        self._say(f"Watching {', '.join(self.names)}, {self.schedule}; Ctrl-C or SIGTERM ends it.")
        self._look()
        # A run that was paused, or that ended with the last daemon, goes on where it was.
        self._retry = {name: run.go_on_at for name, run in self._ledger.items() if run and run.go_on_at}
        while not self._stopping:
            if self._next()[1] <= self._clock():
                self._look()  # somebody may have run it by hand meanwhile
            name, due = self._next()
            now = self._clock()
            if due <= now:
                self._one(name)
            else:
                self._announce(name, due, now)
                self._nap(min((due - now).total_seconds(), NAP))
        self._say("Stopped; nothing is lost, and the next start goes on from here.")

    def _next(self) -> tuple[str, datetime]:
        """Which import is due first, and when; on equal terms the one that was started longest ago."""
        now = self._clock()
        dues = []
        for place, name in enumerate(self.names):
            last = self._last(name)
            if last is None and self.schedule.daily is not None:
                last = self._began
            due = next_wake(now, self.schedule, last, self._retry.get(name), self.zone)
            dues.append((due, self._mine.get(name, self._began), place, name))
        due, _, _, name = min(dues)
        return name, due

    def _last(self, name: str) -> datetime | None:
        known = self._ledger.get(name)
        moments = [self._mine.get(name), known.started_at if known else None]
        return max((moment for moment in moments if moment is not None), default=None)

    def _look(self) -> None:
        """What the ledger says of the last runs, by anybody."""
        self._ledger = {name: self._last_run(name) for name in self.names}

    def _one(self, name: str) -> None:
        self._say(f"{name}: starting")
        started = self._clock()
        came = self._run(name, lambda: self._stopping)
        ended = self._clock()
        self.runs += 1
        self._mine[name] = started
        self._announced = None
        self._retry.pop(name, None)
        self._failures[name] = self._failures[name] + 1 if came.exit_code not in (0, 3, 75, 130) else 0
        if came.exit_code == 75:
            # Somebody else may hold the source's lock, or a limit have no end: then no time was named.
            self._retry[name] = came.retry_at or ended + AFTER_LOCK
        elif self._failures[name]:
            again = ended + AFTER_FAILURE[min(self._failures[name], len(AFTER_FAILURE)) - 1]
            self._retry[name] = min(again, next_wake(ended, self.schedule, started, None, self.zone))
        self._say(f"{name}: {told(came, ended - started)}")

    def _announce(self, name: str, due: datetime, now: datetime) -> None:
        if self._announced != (name, due):
            self._announced = (name, due)
            local = due.astimezone(self.zone)
            self._say(f"{name}: next at {local:%Y-%m-%d %H:%M:%S} {local.tzname()}, in {format_duration(due - now)}")


def told(came: Came, took: timedelta) -> str:
    """A run in a line."""
    figures: Any = came.told
    outcome = str(figures.get("outcome") or {75: "paused", 130: "interrupted"}.get(came.exit_code, "failed"))
    parts = [f"{outcome} after {format_duration(took)} (exit {came.exit_code})"]
    sources: Any = figures.get("sources")
    if isinstance(sources, Mapping):
        parts += [f"{name} {each['outcome']}" for name, each in sources.items() if each["outcome"] != "done"]
    this_run = figures.get("this_run") or {}
    parts += [f"{format_count(count)} {state}" for state, count in this_run.items() if count and state != "skipped"]
    if figures.get("bytes"):
        parts.append(format_size(sum(figures["bytes"].get(kind, 0) for kind in ("api", "container", "headers"))))
    if "totals" in figures:
        parts.append(f"{format_count(figures['totals']['pending'])} to go")
    line = ", ".join(parts)
    reason = figures.get("reason")
    return f"{line}: {reason}" if reason and outcome not in ("done", "limit") else line


class Processes:
    """A `Runner` that starts a command. `command(name)` gives its words; it must print the JSON object last."""

    def __init__(self, command: Callable[[str], Sequence[str]], folder: str) -> None:
        self._command, self._folder = command, folder

    def __call__(self, name: str, stopping: Callable[[], bool]) -> Came:
        """Run it; its progress goes to our standard error."""
        process = subprocess.Popen(
            list(self._command(name)),
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            **_own_group(),
        )
        said: list[str] = []
        reader = threading.Thread(target=_read, args=(process, said), daemon=True)
        reader.start()
        try:
            while not stopping():
                try:
                    process.wait(0.2)
                    break
                except subprocess.TimeoutExpired:
                    continue
            else:
                _end(process)
        except BaseException:
            process.kill()
            raise
        reader.join(0.3 if stopping() else 5)
        return Came(_code(process.returncode), _object(said))


def _own_group() -> dict[str, Any]:
    """A Ctrl-C at the terminal reaches us alone; the run hears of it once, from us."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _end(process: subprocess.Popen[str]) -> None:
    """Ask the run to end, ask again (then it leaves at once; nothing is lost), and end it if it does not."""
    # A group of its own hears no Ctrl-C on Windows, but a Ctrl-Break.
    gentle = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM)
    for patience in (MERCY, LAST_MERCY):
        try:
            process.send_signal(gentle)
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue
        except OSError:
            break
    process.kill()
    process.wait()


def _read(process: subprocess.Popen[str], said: list[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said[:] = [line] if line.strip() else said


def _object(said: Sequence[str]) -> Mapping[str, Any]:
    try:
        found = json.loads(said[-1]) if said else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _code(returned: int) -> int:
    """A process that a signal ended has a negative code: told to end, it was interrupted, else it has failed."""
    if returned >= 0:
        return returned
    return 130 if returned in (-signal.SIGTERM, -signal.SIGINT) else 1


@contextmanager
def until_told(stop: Callable[..., None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call `stop`; a second one ends the process at once."""
    asked = 0

    def handle(*_: object) -> None:
        nonlocal asked
        asked += 1
        stop()
        if asked > 2:
            os._exit(130)

    signals = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, handle) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
