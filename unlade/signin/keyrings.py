"""The system's keyring as a drawer for texts of any length (the package `keyring`, extra `claris`).

Windows takes 2,560 bytes an entry in UTF-16 (CRED_MAX_CREDENTIAL_BLOB_SIZE), and a refresh token alone has about 1,800
letters: so a text lies there in pieces. Only keyrings that guard what they hold count: no plain-text file, no stand-in
that forgets.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from typing import Any

from unlade.errors import SettingsError

log = logging.getLogger(__name__)

SERVICE = "unlade Claris ID"
PIECE = 1_000  #: letters in one entry

_NO_GUARDS = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")


class Keyring:
    """One usable keyring. Every method raises `SettingsError` when it cannot be opened."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    @property
    def name(self) -> str:
        """What it is called, for a person: `SecretService`, `macOS`, `WinVault`, ..."""
        module = type(self._backend).__module__.rpartition(".")[2]
        return str(getattr(self._backend, "name", "") or module)

    def put(self, key: str, text: str) -> int:
        """Keep `text` under `key`; in how many pieces it lies there. What was put is read again to be sure."""
        pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
        with _Opened(self.name):
            for name, piece in zip(_names(key, len(pieces)), pieces, strict=True):
                self._backend.set_password(SERVICE, name, piece)
        if self.get(key, len(pieces)) != text:
            self.drop(key, len(pieces))
            raise SettingsError(
                f"The keyring {self.name} does not give back what it was given",
                remedy="Keep it in a file: --keep file.",
            )
        return len(pieces)

    def get(self, key: str, pieces: int) -> str | None:
        """The text, None where any of it is missing."""
        with _Opened(self.name):
            found = [self._backend.get_password(SERVICE, name) for name in _names(key, pieces)]
        return None if None in found else "".join(found)

    def drop(self, key: str, pieces: int) -> None:
        """Take it out; what is gone already is no trouble."""
        with _Opened(self.name):
            for name in _names(key, pieces):
                if self._backend.get_password(SERVICE, name) is not None:
                    self._backend.delete_password(SERVICE, name)


class _Opened:
    """Turns whatever a backend raises into our own error: they are of many kinds, and may quote what they were given."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, Exception):
            assert kind is not None
            raise SettingsError(
                f"The keyring {self._name} cannot be opened ({kind.__name__})",
                remedy="Unlock it, or keep the sign-in in a file: `python manage.py filemaker_login --keep file`.",
            ) from None


def open_keyring() -> Keyring | None:
    """This system's keyring; None where there is none, where it does not guard, or without the package."""
    try:
        backend = importlib.import_module("keyring").get_keyring()
    except Exception as error:  # noqa: BLE001 - a backend that cannot even be loaded is none
        log.info("there is no keyring: %s", type(error).__name__)
        return None
    return Keyring(backend) if _guards(backend) else None


def _guards(backend: Any) -> bool:
    if type(backend).__module__.startswith(_NO_GUARDS):
        return False
    several = getattr(backend, "backends", None)  # a chain of them
    if several is not None:
        return any(_guards(each) for each in several)
    try:
        return float(backend.priority) >= 1
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return False


def _names(key: str, pieces: int) -> Iterator[str]:
    return (f"{key} {number}/{pieces}" for number in range(1, pieces + 1))
