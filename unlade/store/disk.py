"""Files that survive a power cut: written, flushed and made known, on all three systems.

Folders are 0700 and files 0600 where the system has such modes.
"""

from __future__ import annotations

import os
import platform
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

if sys.platform == "darwin":
    import fcntl

_HOST = "".join(c for c in platform.node().lower() if c.isalnum())[:16] or "host"


def fsync_file(fd: int) -> None:
    """Until the file's bytes are on the medium. On macOS `fsync` alone stops at the drive's cache."""
    if sys.platform == "darwin":  # pragma: no cover
        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
        except OSError:
            os.fsync(fd)
            return
    os.fsync(fd)


def fsync_folder(folder: Path) -> None:
    """Until the folder's names are on the medium. Windows keeps them with the file and opens no folder."""
    if os.name == "nt":  # pragma: no cover
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def create_private(path: Path) -> int:
    """A descriptor of a new file that only we can read. Raises `FileExistsError`."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)


def write_new(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Create `path` with `data`, flushed. The folder's own flush is the caller's. Raises `FileExistsError`."""
    fd = create_private(path)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            fsync_file(file.fileno())


def make_private_folder(folder: Path) -> None:
    """Create `folder` with its parents, each of them made known before the next."""
    missing = []
    current = folder
    while not current.exists():
        missing.append(current)
        current = current.parent
    for each in reversed(missing):
        with suppress(FileExistsError):  # another writer was faster; its flush may still be on the way, so ours follows
            each.mkdir(mode=0o700)
        fsync_folder(each.parent)


def temporary_name(prefix: str, clock: Callable[[], float]) -> str:
    """A name that tells who made it and when, so that litter can be told from work in progress."""
    return f"{prefix}.{_HOST}-{os.getpid()}-{int(clock()):x}-{secrets.token_hex(4)}"


def is_litter(name: str, clock: Callable[[], float], *, after_seconds: float = 2 * 86400) -> bool:
    """Whether the maker of a temporary name is gone: its process has ended, or it is days old.

    A process of another machine is only judged by age.
    """
    parts = name.split(".", 1)[-1].split("-")
    if len(parts) < 4 or not parts[1].isdigit():
        return False
    try:
        made = int(parts[2], 16)
    except ValueError:
        return False
    if clock() - made > after_seconds:
        return True
    return parts[0] == _HOST and not psutil.pid_exists(int(parts[1]))
