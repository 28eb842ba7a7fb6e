"""Starts a new entry once, through its scheduler, and waits for its heartbeat.

Only that shows what the scheduler's own surroundings lack: a folder that macOS guards, an AWS_PROFILE that only this
shell has, a key ring that is locked. While the request lies beside the log, every run with that log is a trial: it
fetches no file.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlade.schedule.entry import Entry, beside

#: A request that nobody took back counts for so many seconds.
_LASTS = 600.0


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a trial. `beat` None: nothing started in time."""

    beat: dict[str, Any] | None
    output: str = ""  #: the last line that the interpreter itself said

    @property
    def started(self) -> bool:
        return self.beat is not None

    @property
    def exit_code(self) -> int | None:
        """How the trial ended; None: it did not start, or goes on."""
        return None if self.beat is None or self.beat["ended_at"] is None else self.beat["exit"]


def request_path(log: str | Path) -> Path:
    """Where the request for a trial lies."""
    return Path(beside(log, ".trial.json"))


def requested(log: str | Path, now: float) -> str:
    """The token of the trial that is asked for now (seconds since the epoch), or ""."""
    try:
        asked = json.loads(request_path(log).read_text(encoding="utf-8"))
        return str(asked["token"]) if now < float(asked["until"]) else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


class Trial:
    """Asks for a trial and waits for it. `now` and `nap` are seconds of wall time and a sleep."""

    def __init__(self, entry: Entry, now: Callable[[], float], nap: Callable[[float], None]) -> None:
        self._entry, self._now, self._nap = entry, now, nap
        self._token = secrets.token_hex(8)
        self._output = Path(entry.output)
        self._said = _size(self._output)

    def __enter__(self) -> Trial:
        path = request_path(self._entry.log)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(json.dumps({"token": self._token, "until": self._now() + _LASTS}), encoding="utf-8")
        return self

    def __exit__(self, *exc_info: object) -> None:
        request_path(self._entry.log).unlink(missing_ok=True)

    def wait(self, to_start: float, to_end: float) -> Found:
        """Up to `to_start` seconds for the heartbeat, then up to `to_end` for the end."""
        deadline = self._now() + to_start
        while (beat := self._beat()) is None and self._now() < deadline:
            self._nap(0.5)
        deadline = self._now() + to_end
        while beat is not None and beat["ended_at"] is None and self._now() < deadline:
            self._nap(0.5)
            beat = self._beat() or beat
        return Found(beat, self._new_output())

    def _beat(self) -> dict[str, Any] | None:
        try:
            told = json.loads(Path(beside(self._entry.log, ".heartbeat.json")).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return told if isinstance(told, dict) and told.get("token") == self._token else None

    def _new_output(self) -> str:
        if _size(self._output) <= self._said:
            return ""
        with self._output.open("rb") as file:
            file.seek(self._said)
            lines = file.read(20_000).decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def verdict(found: Found, present: Sequence[str], scheduler: str, hints: Sequence[str]) -> tuple[int, list[str]]:
    """The exit code of `install`, and what to tell a person. `present`: the settings that are set here.

    A setting that is missing there is a failure only as long as nothing proved that it works without.
    """
    if found.beat is None:
        lines = [f"{scheduler} has not started it in time."]
        lines += [f"It said: {found.output}"] if found.output else []
        return 1, [*lines, *hints]
    lines = [f"{scheduler} started it (process {found.beat['process']}, user {found.beat['user']})."]
    code = found.exit_code
    missing = ", ".join(sorted(set(present) - set(found.beat["present"])))
    if missing:
        lines.append(f"There it lacks {missing}, which this shell has: what it needs of them belongs into .env.")
    last = [f"    {line}" for line in found.beat.get("last", [])]
    if code in (0, 3):
        return 0, [*lines, "Its trial went well: it signed in, counted, and fetched nothing."]
    if code is None:
        return (1 if missing else 0), [*lines, "It is still at work; the log has the rest."]
    if code == 75:
        return (1 if missing else 0), [*lines, "It may not work now, and ended as it should:", *last]
    return 1, [*lines, f"Its trial failed (exit {code}):", *last, *hints]
