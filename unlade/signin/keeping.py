"""Where a sign-in with a Claris ID lies between runs: what everybody may know of it in a small file, its secrets in the
system's keyring or in that file as well.

The file is readable by its owner alone (0600). Windows knows no such modes: there the rights of the folder guard it,
and a folder in one's own profile is closed to others.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from unlade.errors import SettingsError
from unlade.filemaker.claris import REFRESH_LIFE, SignIn
from unlade.filemaker.cognito import Device
from unlade.filemaker.config import ClarisPool
from unlade.settings import Settings
from unlade.signin.keyrings import Keyring, open_keyring

Place = Literal["keyring", "file"]

_AGAIN = "Sign in again at a terminal: `python manage.py filemaker_login`."


@dataclass(frozen=True, slots=True)
class Head:
    """What the file says without any secret. `number` tells one sign-in from another; `pieces` lie in the keyring."""

    account: str
    pool: str
    client: str
    signed_in_at: datetime
    kept_in: Place
    device: bool
    number: str
    pieces: int = 0
    over: str = ""
    over_at: datetime | None = None

    @property
    def good_until(self) -> datetime:
        """The end of the refresh token by Claris's word."""
        return self.signed_in_at + REFRESH_LIFE


class Keeping:
    """The sign-in of one project. `path` is the file; `prefer` says where a new one goes: `auto`, `keyring` or `file`."""

    def __init__(self, path: Path, prefer: str = "auto") -> None:
        self.path, self._prefer = path, prefer

    # what everybody may know

    def head(self) -> Head | None:
        """What is kept, without its secrets; None where there is nothing. Raises `SettingsError` for a broken file."""
        data = self._read()
        if data is None:
            return None
        try:
            return Head(
                data["account"],
                data["pool"],
                data["client"],
                datetime.fromisoformat(data["signed_in_at"]),
                "keyring" if data["kept_in"] == "keyring" else "file",
                bool(data["device"]),
                data["number"],
                int(data["pieces"]),
                data["over"],
                datetime.fromisoformat(data["over_at"]) if data["over_at"] else None,
            )
        except (KeyError, TypeError, ValueError):
            raise self._broken() from None

    def fingerprint(self) -> str:
        """Changes when somebody signs in anew; "" where nobody is signed in."""
        head = self.head()
        return f"{head.account} {head.number}" if head else ""

    @property
    def open_to_others(self) -> bool:
        """The file can be read by others on this machine (never known on Windows)."""
        with suppress(OSError):
            return os.name != "nt" and bool(self.path.stat().st_mode & 0o077)
        return False

    # secrets

    def load(self) -> SignIn | None:
        """The sign-in with its secrets; None where there is none. Raises `SettingsError` when it cannot be read."""
        head = self.head()
        if head is None:
            return None
        if head.kept_in == "keyring":
            text = self._keyring().get(head.number, head.pieces)
            if text is None:
                raise SettingsError("The sign-in of the Claris ID is no longer in the keyring", remedy=_AGAIN)
            secrets = _parsed(text)
        else:
            secrets = (self._read() or {}).get("secrets")
        try:
            device = Device(**secrets["device"]) if secrets["device"] else None
            token = str(secrets["refresh_token"])
        except (KeyError, TypeError):
            raise self._broken() from None
        return SignIn(head.account, head.pool, head.client, head.signed_in_at, token, device, head.over, head.over_at)

    def save(self, sign_in: SignIn, place: Place | None = None) -> Head:
        """Keep this one in place of any other: where it was, or in `place`. Raises `SettingsError`."""
        with suppress(SettingsError):  # what is broken is replaced
            before = self.head()
            if before is not None and before.number == _number(sign_in) and place in (None, before.kept_in):
                return self._mark(before, sign_in)
            place = place or (before.kept_in if before else None)
        return self._put(sign_in, place)

    def _mark(self, head: Head, sign_in: SignIn) -> Head:
        """Only what everybody may know has changed."""
        data = self._read() or {}
        marked = self._head_of(sign_in, head.kept_in, head.pieces)
        self._write({**_as_json(marked), **({"secrets": data["secrets"]} if "secrets" in data else {})})
        return marked

    def _put(self, sign_in: SignIn, place: Place | None) -> Head:
        before, number = self._read(broken_is_none=True), _number(sign_in)
        secrets = {
            "refresh_token": sign_in.refresh_token,
            "device": asdict(sign_in.device) if sign_in.device else None,
        }
        place = place or self.choose()
        if place == "keyring":
            pieces = self._keyring().put(number, json.dumps(secrets))
            head = self._head_of(sign_in, place, pieces)
            self._write(_as_json(head))
        else:
            head = self._head_of(sign_in, place, 0)
            self._write({**_as_json(head), "secrets": secrets})
        self._drop(before, but=number if place == "keyring" else "")
        return head

    def probe(self, place: Place | None = None) -> None:
        """Whether a new sign-in could be kept, before a person is asked for anything. Raises `SettingsError`."""
        if (place or self.choose()) == "keyring":
            self._keyring()
        with self._beside():
            pass

    def choose(self) -> Place:
        """Where a new sign-in goes: as set, else the keyring where there is one that can be used."""
        if self._prefer == "keyring" or (self._prefer == "auto" and open_keyring() is not None):
            return "keyring"
        return "file"

    def delete(self) -> None:
        """Nothing is kept any more. Raises `SettingsError` when the keyring or the file does not let go."""
        before = self._read(broken_is_none=True)
        self._drop(before)
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._trouble("deleted", error) from None

    def where(self, head: Head) -> str:
        """Where it lies, for a person: `in the keyring macOS Keyring`, `in the file /…/sign-in.json, mode 0600`."""
        if head.kept_in == "keyring":
            keyring = open_keyring()
            return f"in the keyring{f' {keyring.name}' if keyring else ''}"
        guard = "guarded by the rights of its folder" if os.name == "nt" else "for its owner alone (mode 0600)"
        return f"in the file {self.path.absolute()}, {guard}"

    # the parts

    @staticmethod
    def _head_of(sign_in: SignIn, place: Place, pieces: int) -> Head:
        return Head(
            sign_in.account,
            sign_in.pool,
            sign_in.client,
            sign_in.signed_in_at,
            place,
            sign_in.device is not None,
            _number(sign_in),
            pieces,
            sign_in.over,
            sign_in.over_at,
        )

    def _keyring(self) -> Keyring:
        keyring = open_keyring()
        if keyring is None:
            raise SettingsError(
                "There is no keyring here that could be used: no package (unlade[claris]), none in this system, or none "
                "without a desktop session, as under cron and over SSH",
                remedy="Keep the sign-in in a file: `python manage.py filemaker_login --keep file`.",
            )
        return keyring

    def _drop(self, before: dict[str, Any] | None, *, but: str = "") -> None:
        """What an earlier sign-in left in the keyring; a keyring that cannot be opened keeps it."""
        if before and before.get("kept_in") == "keyring" and before.get("number") not in ("", but):
            with suppress(SettingsError, KeyError, ValueError):
                self._keyring().drop(str(before["number"]), int(before["pieces"]))

    def _read(self, *, broken_is_none: bool = False) -> dict[str, Any] | None:
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._trouble("read", error) from None
        except ValueError:
            data = None
        if isinstance(data, dict):
            return data
        if broken_is_none:
            return None
        raise self._broken()

    def _write(self, data: dict[str, Any]) -> None:
        """In one step, by a file that was private from its first byte on."""
        with self._beside() as temporary:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(data, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            _replace(temporary, self.path)

    @contextmanager
    def _beside(self) -> Iterator[Path]:
        """A new private file in the same folder, gone at the end unless it was moved."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".sign-in-", dir=self.path.parent)
            os.close(handle)
            try:
                yield Path(name)
            finally:
                Path(name).unlink(missing_ok=True)
        except OSError as error:
            raise self._trouble("written", error) from None

    def _broken(self) -> SettingsError:
        return SettingsError(f"{self.path} cannot be understood", remedy=_AGAIN)

    def _trouble(self, what: str, error: OSError) -> SettingsError:
        why = error.strerror or type(error).__name__
        return SettingsError(f"{self.path} cannot be {what}: {why}", remedy="UNLADE_SIGN_IN_FILE names another place.")


def _replace(temporary: Path, path: Path) -> None:
    """Windows lets nobody replace a file in the moment in which another process reads it."""
    for _ in range(20):
        try:
            temporary.replace(path)
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(0.05)
    temporary.replace(path)


def _number(sign_in: SignIn) -> str:
    """Tells sign-ins apart without telling anything of them: the token is long and random."""
    return hashlib.sha256(sign_in.refresh_token.encode()).hexdigest()[:16]


def _as_json(head: Head) -> dict[str, Any]:
    data = asdict(head)
    data["signed_in_at"] = head.signed_in_at.isoformat()
    data["over_at"] = head.over_at.isoformat() if head.over_at else None
    return {"about": "A sign-in with a Claris ID. `filemaker_login --forget` ends it.", **data}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def pool_of(settings: Settings) -> ClarisPool:
    """Where Claris IDs are checked. Raises `SettingsError`."""
    return ClarisPool(
        settings.text("UNLADE_CLARIS_POOL"), settings.text("UNLADE_CLARIS_CLIENT"), settings.text("UNLADE_CLARIS_URL")
    )


def keeping_of(settings: Settings) -> Keeping:
    """Where this project keeps a sign-in: as set, else beside the spool. Raises `SettingsError`."""
    file = settings.text("UNLADE_SIGN_IN_FILE")
    path = Path(file) if file else Path(settings.need("UNLADE_SPOOL")).parent / "sign-in.json"
    return Keeping(path, settings["UNLADE_SIGN_IN"])


def kept_of(settings: Settings) -> Keeping | None:
    """The kept sign-in, where runs are to use one: of FILEMAKER_ACCOUNT, if that is set, and of this pool.

    Raises `SettingsError`.
    """
    if settings["FILEMAKER_AUTH"] != "claris-id" or settings.text("FILEMAKER_CLARIS_TOKEN"):
        return None
    keeping, account, pool = keeping_of(settings), settings.text("FILEMAKER_ACCOUNT"), pool_of(settings)
    head = keeping.head()
    if head is None or (head.pool, head.client) != (pool.pool, pool.client):
        return None
    return keeping if account.casefold() in ("", head.account.casefold()) else None
