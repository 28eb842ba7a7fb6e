"""The other end of a schedule: what a run that nobody watches leaves behind.

With `--log FILE` everything that a command would show goes into FILE, which is rotated. Beside it lie the heartbeat
(`FILE.heartbeat.json`: started when, by whom, with which settings present, and how it ended) and, while somebody tries
out an entry, the request for a trial (see `trial`).
"""

from __future__ import annotations

import getpass
import io
import json
import logging
import os
import platform
import time
from collections import deque
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, redirect_stderr
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Literal

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.core.management.color import no_style

from unlade.errors import UnladeError
from unlade.schedule import surroundings
from unlade.schedule.entry import beside
from unlade.schedule.trial import requested
from unlade.settings import Settings

#: A log is moved aside at this size; so many old ones are kept.
LOG_SIZE, LOG_COUNT = 5_000_000, 5

log = logging.getLogger("unlade.run")


@contextmanager
def recorded(
    command: BaseCommand, options: MutableMapping[str, Any], settings: Callable[[], Settings]
) -> Iterator[None]:
    """Around a command's work: with the option `log` its lines go there, and its heartbeat beside it.

    A trial (somebody installs a schedule) has its `limit` set to 0: it signs in, counts and proves the store, and
    fetches no file. Raises `CommandError` when the log cannot be written.
    """
    path = options.get("log")
    if path is None:
        yield
        return
    try:
        handler = _Private(path)
        beat = Heartbeat(Path(beside(path, ".heartbeat.json")), requested(path, time.time()), _present(settings))
    except OSError as error:
        raise CommandError(f"The log {path} cannot be written: {error.strerror}") from None
    if beat.token:
        options["limit"] = 0
    stream = _Lines()
    command.style = no_style()
    command.stderr = OutputWrapper(stream)
    if not options.get("json"):
        command.stdout = OutputWrapper(stream)
    code: Any = 1
    try:
        with _attached(handler), redirect_stderr(stream):
            try:
                yield
                code = 0
            except SystemExit as leaving:
                code = leaving.code or 0
                raise
            except BaseException:
                log.exception("the command ended with an error that it did not expect")
                raise
            finally:
                stream.end()
    finally:
        beat.ended(code, list(stream.last))


class Heartbeat:
    """A small file that says that a scheduled run started, and later how it ended. Holds no value of any setting."""

    def __init__(self, path: Path, token: str, present: list[str]) -> None:
        self.token = token
        self._path = path
        self._told: dict[str, Any] = {
            "token": token,
            "started_at": datetime.now(UTC).isoformat(),
            "machine": platform.node(),
            "process": os.getpid(),
            "user": _user(),
            "present": sorted(present),
            "ended_at": None,
            "exit": None,
        }
        self._write()

    def ended(self, code: object, last: list[str]) -> None:
        """Say how it ended, with the last lines of the log."""
        self._told |= {"ended_at": datetime.now(UTC).isoformat(), "exit": code, "last": last}
        try:
            self._write()
        except OSError as error:
            log.warning("the heartbeat cannot be written: %s", error.strerror)

    def _write(self) -> None:
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with open_private(str(draft), "w") as file:
            file.write(json.dumps(self._told))
        draft.replace(self._path)


class _Private(RotatingFileHandler):
    """A rotated log that only its owner reads; times in UTC."""

    def __init__(self, path: str | Path) -> None:
        Path(path).absolute().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(path, maxBytes=LOG_SIZE, backupCount=LOG_COUNT, encoding="utf-8")
        formatter = logging.Formatter("%(asctime)sZ %(process)d %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def filter(self, record: logging.LogRecord) -> bool:
        """Our own words, and other libraries' warnings: their chatter may name addresses."""
        return record.levelno >= logging.WARNING or record.name.partition(".")[0] == "unlade"

    def _open(self) -> io.TextIOWrapper:
        return open_private(self.baseFilename, "a")


def open_private(path: str, mode: Literal["a", "w"]) -> io.TextIOWrapper:
    """A file that is its owner's alone from its first moment, where the system knows modes."""
    flags = os.O_APPEND if mode == "a" else os.O_TRUNC
    number = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    return io.TextIOWrapper(io.FileIO(number, mode), encoding="utf-8", write_through=True)


@contextmanager
def _attached(handler: logging.Handler) -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("unlade")
    level = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(level)
        root.removeHandler(handler)
        handler.close()


class _Lines(io.StringIO):
    """A stream whose lines become lines of the log."""

    def __init__(self) -> None:
        super().__init__()
        self._rest = ""
        self.last: deque[str] = deque(maxlen=6)

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)

    def end(self) -> None:
        """Say what no line end followed."""
        self._say(self._rest)
        self._rest = ""

    def isatty(self) -> bool:
        return False

    def _say(self, line: str) -> None:
        if line.strip():
            self.last.append(line.strip())
            log.info("%s", line.rstrip())


def _present(settings: Callable[[], Settings]) -> list[str]:
    try:
        names = [each.setting.name for each in settings().all() if each.origin != "default"]
    except UnladeError:
        names = []  # the command itself will say what is wrong with them
    return surroundings.present(names, os.environ)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
