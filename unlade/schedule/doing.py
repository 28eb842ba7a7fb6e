"""Does the steps that were shown. The only module here that changes anything on the machine."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from unlade.errors import SettingsError
from unlade.schedule.cron import Cron, edited
from unlade.schedule.entry import MARK
from unlade.schedule.steps import DeleteFile, EditCrontab, MakeFolder, Run, Step, WriteFile

#: A scheduler that does not answer within this is not waited for, in seconds.
_PATIENCE = 60.0

Call = Callable[..., "subprocess.CompletedProcess[str]"]


class Doer:
    """Does steps in their order. `call` runs a program (like `subprocess.run`); `now` and `nap` are seconds of wall time
    and a sleep.

    Raises `SettingsError` when a scheduler refuses or is not there, or when somebody else's file is in the way.
    """

    def __init__(
        self,
        call: Call = subprocess.run,
        environ: Mapping[str, str] | None = None,
        *,
        now: Callable[[], float] = time.time,
        nap: Callable[[float], None] = time.sleep,
    ) -> None:
        self._call, self._now, self._nap = call, now, nap
        self._environ = {**(os.environ if environ is None else environ), "LC_ALL": "C"}

    def do(self, steps: Iterable[Step]) -> None:
        """Do them all."""
        for step in steps:
            match step:
                case MakeFolder(path):
                    _make(Path(path))
                case WriteFile(path, text, encoding):
                    _write(Path(path), text, encoding)
                case DeleteFile(path):
                    _delete(Path(path))
                case Run(command, optional):
                    self._run(command, optional=optional)
                case EditCrontab(ident, lines):
                    self._crontab(ident, lines)

    def _run(self, command: tuple[str, ...], *, optional: bool) -> None:
        done = self._start(command)
        if done.returncode and not optional:
            raise SettingsError(
                f"`{shlex.join(command)}` failed: {_last_line(done.stderr or done.stdout)}",
                remedy="Nothing else was done. What was written before stays; `filemaker_schedule remove` takes it away.",
            )

    def _crontab(self, ident: str, lines: tuple[str, ...]) -> None:
        self._let_cron_look()
        listed = self._start(("crontab", "-l"))
        if listed.returncode and "no crontab" not in listed.stderr:
            raise SettingsError(f"The crontab cannot be read: {_last_line(listed.stderr)}", remedy=Cron.hints[1])
        before = "" if listed.returncode else listed.stdout
        after = edited(before, ident, lines)
        if after == before:
            return
        done = self._start(("crontab", "-"), given=after) if after.strip() else self._start(("crontab", "-r"))
        if done.returncode:
            raise SettingsError(f"The crontab cannot be written: {_last_line(done.stderr)}", remedy=Cron.hints[1])

    def _let_cron_look(self) -> None:
        """cron looks at its tables when a minute begins (Debian's at :01), and tells a change by its second: what changes
        behind its back in that second it does not see until the next change. So nothing is written just then.
        """
        second = (self._now() + 1) % 60
        if second < 4:  # from :59 to :03
            self._nap(4 - second)

    def _start(self, command: tuple[str, ...], given: str | None = None) -> subprocess.CompletedProcess[str]:
        try:
            return self._call(
                command, input=given, capture_output=True, text=True, timeout=_PATIENCE, env=self._environ, check=False
            )
        except FileNotFoundError:
            raise SettingsError(
                f"This machine has no {command[0]}", remedy="Take another scheduler: --as, or filemaker_daemon."
            ) from None
        except subprocess.TimeoutExpired:
            raise SettingsError(f"`{shlex.join(command)}` does not come back", remedy="Try it by hand.") from None


def is_ours(path: Path) -> bool:
    """Whether we wrote this file."""
    data = path.read_bytes()
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", errors="replace")
    return MARK in text


def _make(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write(path: Path, text: str, encoding: str) -> None:
    if path.exists() and not is_ours(path):
        raise SettingsError(f"{path} is there and not ours", remedy="Look what it is, and move it away.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)


def _delete(path: Path) -> None:
    if path.exists() and is_ours(path):
        path.unlink()


def _last_line(text: str | None) -> str:
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it did not say why"


def machine_time() -> datetime:
    """The time by the machine's own clock and zone, as its daemons read it: not by this shell's TZ."""
    now = datetime.now(UTC)
    try:
        with Path("/etc/localtime").open("rb") as file:
            return now.astimezone(ZoneInfo.from_file(file))
    except (OSError, ValueError):
        return now.astimezone()
