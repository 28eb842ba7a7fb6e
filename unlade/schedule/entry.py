"""What a scheduled run is: its name among all entries of this machine, its command, its folder and its files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from unlade.errors import UsageError
from unlade.schedule.timing import Schedule

#: Stands in everything that we write into a scheduler; nothing without it is ever changed or removed.
MARK = "Written by unlade"

_PLAIN = re.compile(r"[^A-Za-z0-9_.-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One import's entry. Paths are absolute, as the machine writes them."""

    name: str
    ident: str  #: unlike that of any other project's entry
    schedule: Schedule
    command: tuple[str, ...]  #: interpreter and arguments
    folder: str  #: working directory
    log: str

    def __post_init__(self) -> None:
        for text in (*self.command, self.folder, self.log):
            if _CONTROL.search(text):
                raise UsageError(f"a scheduler cannot hold the control character in {text!r}")

    @property
    def output(self) -> str:
        """What the interpreter itself says when it does not get as far as the log."""
        return beside(self.log, ".out")

    @property
    def offset(self) -> int:
        """A minute of the hour, from the ident: not all the world's jobs should start at minute 0."""
        return int(hashlib.sha256(self.ident.encode()).hexdigest()[:6], 16) % 60

    @property
    def title(self) -> str:
        """A line for people who look through a scheduler's entries."""
        return f"unlade: import {self.name} {self.schedule}"


@dataclass(frozen=True, slots=True)
class Place:
    """The account in whose name things are scheduled."""

    home: str
    user: str = ""
    uid: int = 0
    system: bool = False  #: the machine's own systemd rather than the account's


def beside(log: str | PurePath, suffix: str) -> str:
    """A file that belongs to a log: `images.log` -> `images.heartbeat.json`."""
    text = str(log)
    return (text[:-4] if text.endswith(".log") else text) + suffix


def ident_of(name: str, folder: str | Path) -> str:
    """An ident for an import of the project in `folder`."""
    digest = hashlib.sha256(f"{folder}\0{name}".encode()).hexdigest()[:8]
    return f"{_PLAIN.sub('-', name).strip('-.') or 'import'}-{digest}"


def program(argv: Sequence[str], interpreter: str) -> tuple[str, ...]:
    """How this project's commands are called from anywhere: interpreter and project script, both absolute.

    The interpreter's path is left as it is: resolving a virtual environment's link would lead out of it.
    """
    script = Path(argv[0]) if argv and argv[0] else Path()
    if script.suffix == ".py" and script.name != "__main__.py":
        return (str(Path(interpreter).absolute()), str(script.absolute()))
    return (str(Path(interpreter).absolute()), "-m", "django")
