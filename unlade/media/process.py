"""One decoder child as its parent sees it: started, spoken to by one thread at a time, killed by any."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

from unlade.media.messages import Decoded, Garbled, Job, job_message, read_decoded, receive, send

#: What a child may know of our environment: where things are, never what lets somebody in.
_PASSED_ON = frozenset(
    {"PATH", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE"}
    | {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"}
    | {"PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
)


class ChildDied(Exception):
    """The child ended, or spoke nonsense, before it had answered."""


class Child:
    """A running child. `start` may be called once; `kill` any time, from any thread, more than once."""

    def __init__(self, memory_limit: int, decoder: str) -> None:
        self.jobs_done = 0
        self.pid = 0  #: as the child knows itself; a launcher may stand between us
        self.limited = False  #: the system keeps its memory limit
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "unlade.media.child", str(memory_limit), decoder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=os.name == "posix",  # out of reach of the terminal's Ctrl-C
            creationflags=_creation_flags(),
        )
        self._to = cast("IO[bytes]", self._process.stdin)
        self._from = cast("IO[bytes]", self._process.stdout)

    def greet(self) -> None:
        """Wait until it is ready. Raises `ChildDied`."""
        try:
            hello, _ = receive(self._from)  # type: ignore[arg-type]
            self.pid, self.limited = int(hello["pid"]), hello["limited"] is True
        except (Garbled, OSError, KeyError, TypeError, ValueError) as error:
            raise ChildDied from error

    def ask(self, job: Job) -> Decoded:
        """Have one file decoded; blocks. Raises `ChildDied`, also when somebody killed it meanwhile."""
        try:
            send(self._to, job_message(job))  # type: ignore[arg-type]
            message, blob = receive(self._from)  # type: ignore[arg-type]
            found = read_decoded(message, blob)
        except (Garbled, OSError, ValueError) as error:
            raise ChildDied from error
        self.jobs_done += 1
        return found

    def kill(self) -> None:
        """End it now. Whoever waits in `ask` gets `ChildDied`."""
        with contextlib.suppress(OSError):  # it may be gone already
            self._process.kill()

    def bury(self) -> None:
        """Kill it and give its pipes and its place in the process table back; by the thread that used it."""
        self.kill()
        self._process.wait()
        for pipe in (self._to, self._from):
            with contextlib.suppress(OSError):
                pipe.close()


def _environment() -> dict[str, str]:
    passed = {name: value for name, value in os.environ.items() if name.upper() in _PASSED_ON}
    # What the parent can import, its child can: also from a checkout, a test run or a folder added by hand.
    passed["PYTHONPATH"] = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)
    return passed


def _creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0
