"""A keyring of our own, a terminal of our own, and the ports of whole runs."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from tests.voyage.conftest import make_port, pool
from tests.voyage.harness import ROOT

__all__ = ["make_port", "pool"]


class Strongbox(KeyringBackend):
    """A keyring that takes as little in one entry as Windows' does, and can be locked."""

    priority = 5  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}
        self.locked = self.forgetful = False

    def get_password(self, service: str, username: str) -> str | None:
        self._open()
        return None if self.forgetful else self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open()
        assert len(password.encode("utf-16-le")) <= 2560, "CRED_MAX_CREDENTIAL_BLOB_SIZE"
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._open()
        del self.entries[service, username]

    def _open(self) -> None:
        if self.locked:
            raise OSError("the collection with s3cret is locked")


@pytest.fixture
def strongbox() -> Iterator[Strongbox]:
    """The system's keyring for as long as a test lasts."""
    before = keyring.get_keyring()
    box = Strongbox()
    keyring.set_keyring(box)
    yield box
    keyring.set_keyring(before)


#: A prompt, and what is typed when it comes.
Step = tuple[str, str | Callable[[], str]]


def at_a_terminal(
    arguments: Sequence[str], environ: Mapping[str, str], steps: Sequence[Step], folder: Path
) -> tuple[int, str, str]:
    """`manage.py` with a pseudo-terminal as its only input and for what it says to a person.

    Returns its exit code, what the terminal showed, and standard output. A prompt that never comes fails the test.
    """
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    kept_from = ("FILEMAKER_", "UNLADE_", "PYTHON_KEYRING", "DBUS_")
    base = {name: value for name, value in os.environ.items() if not name.startswith(kept_from)}
    out = folder / "stdout"
    with out.open("wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**base, **environ, "DJANGO_DEBUG": "1"},
            stdin=slave,
            stdout=stdout,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        try:
            shown = _converse(master, process, steps)
        finally:
            process.kill()
            process.wait()
            os.close(master)
    return process.returncode, shown, out.read_text(encoding="utf-8")


def _converse(master: int, process: subprocess.Popen[bytes], steps: Sequence[Step]) -> str:
    shown, read_to, waiting = "", 0, list(steps)
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if select.select([master], [], [], 0.05)[0]:
            try:
                piece = os.read(master, 65536)
            except OSError:  # Linux says so when the other side is closed
                piece = b""
            if not piece:
                break
            shown += piece.decode("utf-8", "replace")
        elif process.poll() is not None:
            break
        if waiting and waiting[0][0] in shown[read_to:]:
            read_to = len(shown)
            answer = waiting.pop(0)[1]
            os.write(master, f"{answer() if callable(answer) else answer}\n".encode())
    assert not waiting, f"never asked {waiting[0][0]!r}; shown: {shown}"
    process.wait(60)
    return shown


def everything_in(folder: Path, but: Sequence[Path] = ()) -> bytes:
    """All bytes of all files below `folder`, without those of `but`."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path not in but)


def text_of(anything: Any) -> str:
    return repr(anything) + str(anything)
