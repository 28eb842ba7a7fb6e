"""What a person agrees to before a database file is read directly: that asks no account and no privilege."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from unlade.errors import Interrupted, UsageError

#: Every FileMaker file begins so, encrypted or not (FMP12.md 3).
_MAGIC = bytes.fromhex("0001000000020001000500020002c0")

NOTICE = (
    "{name} is read directly: its accounts and privileges are not enforced. "
    "Who can read the file can read everything in it. Go on only with its owner's consent."
)

_agreed: set[Path] = set()  #: files that a person agreed to in this process: one question for several imports


def is_database(path: Path) -> bool:
    """Whether a file is, or claims to be, a FileMaker database: by its header, or by its name."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC or path.suffix.lower() in (".fmp12", ".fp7")


def agree(path: Path, *, yes: bool, ask: Callable[[str], str] = input, terminal: bool | None = None) -> str:
    """Let a person agree to a direct read, once; returns the notice. Raises `UsageError`, `Interrupted` for a no.

    `yes` answers for scripts; without it and without a terminal nothing is read.
    """
    notice = NOTICE.format(name=path.name)
    place = path.resolve()
    if yes or place in _agreed:
        _agreed.add(place)
        return notice
    if not (sys.stdin.isatty() and sys.stderr.isatty() if terminal is None else terminal):
        raise UsageError(notice, remedy="Say --yes where nobody can be asked.")
    print(notice, file=sys.stderr)
    if ask("Read it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise Interrupted("Nothing was read.")
    _agreed.add(place)
    return notice
