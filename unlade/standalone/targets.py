"""Where pulled files go and are looked for again: a plain folder, or object storage by URL.

A folder holds nothing but the files, the manifest and `SHA256SUMS`; temporary files lie in `.unlade` and are gone at the end.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from shutil import rmtree

from filelock import FileLock, Timeout

from unlade import keys
from unlade.cargo import Facts
from unlade.errors import LockedElsewhere, StoreError, StoreRefused
from unlade.standalone.manifest import MANIFEST, SUMS, Line, replace_file
from unlade.store.disk import fsync_file

CHUNK = 1 << 20


class Target(ABC):
    """A place for files. `put`, `size` and `sha256` may be called from any thread."""

    url: str
    desk: Path  #: a folder for temporary files
    manifest: Path  #: where the manifest grows
    holds: int = 0  #: `put` takes the bytes of files of up to so many, instead of a file
    _lock: FileLock | None = None

    @abstractmethod
    def put(self, key: str, body: Path | bytes, line: Line) -> str:
        """Bring a temporary file there, durably; it may be gone afterwards. Returns the key that it got.

        Bytes instead of the file are taken up to `holds`.

        A file that is there is never replaced: the same bytes are success, others get a key of their own. Raises
        `StoreError`.
        """

    @abstractmethod
    def put_thumbnail(self, key: str, data: bytes, mime_type: str, line: Line) -> None:
        """Write the thumbnail of a line's file; it replaces an earlier one. Raises `StoreError`."""

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Bytes of the file, None when it is not there."""

    @abstractmethod
    def sha256(self, key: str) -> str:
        """The digest of what is there now. Raises `StoreError`."""

    @abstractmethod
    def files(self) -> Iterator[str]:
        """Keys of all files but the manifest and the sums."""

    @abstractmethod
    def finish(self, sums: Iterable[bytes]) -> None:
        """Write the sums, and the manifest where it belongs."""

    def close(self) -> None:
        """Remove what is temporary, if it is ours."""
        if self._lock is not None:
            rmtree(self.desk, ignore_errors=True)
            with suppress(OSError):  # Windows lets nobody remove what is open
                Path(self._lock.lock_file).unlink(missing_ok=True)
            self._lock.release()

    def _hold(self, path: Path) -> None:
        """Let nobody else write there; the lock dies with its holder."""
        self._lock = FileLock(path)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            self._lock = None
            raise LockedElsewhere(
                f"Another process is writing to {self.url}.", remedy="Run the same command again when it is done."
            ) from None


class FolderTarget(Target):
    """A folder. It is made when something is to be written."""

    def __init__(self, root: Path, *, write: bool) -> None:
        self.root, self.url = root, str(root)
        self.manifest = root / MANIFEST
        self.desk = root / ".unlade" / "desk"
        if write:
            try:
                private_folder(root)
                private_folder(self.desk)
            except OSError as error:
                raise StoreRefused(
                    f"{root} cannot be written: {error.strerror}.", remedy="Name another --to."
                ) from None
            self._hold(self.desk.parent / "lock")
            for left in self.desk.iterdir():  # by a process that was killed
                left.unlink()
        elif not root.is_dir():
            raise StoreRefused(f"{root} is no folder.")

    def put(self, key: str, body: Path | bytes, line: Line) -> str:
        assert isinstance(body, Path)
        path = body
        try:
            with path.open("rb+") as file:
                fsync_file(file.fileno())
        except OSError as error:
            raise StoreError(f"{key} could not be written: {error.strerror}.") from error
        names = (key, *keys_of_another(key, line))
        for name in names:
            place = self._place(name)
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                if not place.exists():
                    path.replace(place)
                    return name
                if place.stat().st_size == line.size and self.sha256(name) == line.sha256:
                    path.unlink()
                    return name
            except OSError as error:
                raise StoreError(f"{place} could not be written: {error.strerror}.") from error
        raise StoreError(f"All names for {key} are taken by other files.", remedy="Name another folder with --to.")

    def put_thumbnail(self, key: str, data: bytes, mime_type: str, line: Line) -> None:
        temporary = self.desk / f"{os.getpid()}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        try:
            temporary.write_bytes(data)
            temporary.replace(self._place(key))
        except OSError as error:
            raise StoreError(f"{key} could not be written: {error.strerror}.") from error

    def size(self, key: str) -> int | None:
        try:
            return self._place(key).stat().st_size
        except OSError:
            return None

    def sha256(self, key: str) -> str:
        try:
            with self._place(key).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise StoreError(f"{key} cannot be read: {error.strerror}.") from error

    def files(self) -> Iterator[str]:
        for folder, inner, names in os.walk(self.root):
            if ".unlade" in inner and Path(folder) == self.root:
                inner.remove(".unlade")
            for name in names:
                key = (Path(folder) / name).relative_to(self.root).as_posix()
                if key not in (MANIFEST, SUMS):
                    yield key

    def finish(self, sums: Iterable[bytes]) -> None:
        replace_file(self.root / SUMS, sums)

    def close(self) -> None:
        super().close()
        try:
            self.desk.parent.rmdir()
        except OSError:
            return  # somebody keeps something there

    def _place(self, key: str) -> Path:
        return self.root.joinpath(*key.split("/"))


class StoreTarget(Target):
    """Object storage. The manifest grows in a folder of our own and is put beside the files at the end."""

    def __init__(self, url: str, *, state: Path | None = None, write: bool) -> None:
        from unlade.store import open_store
        from unlade.store.remote import SINGLE_PUT

        self.url, self.holds = url, SINGLE_PUT
        self._store = open_store(url)
        self._sizes: dict[str, int] | None = None
        folder = state or state_of(url)
        self.desk, self.manifest = folder / "desk", folder / MANIFEST
        if write:
            private_folder(folder)
            self._hold(folder / "lock")
            self.desk = Path(tempfile.mkdtemp(prefix="unlade-"))
            if not self.manifest.exists() and self._store.head(MANIFEST) is not None:
                self._store.read(MANIFEST, self.manifest)

    def put(self, key: str, body: Path | bytes, line: Line) -> str:
        content_type = line.mime_type or "application/octet-stream"
        return self._store.put(key, body, content_type=content_type, facts=_facts(line)).key

    def put_thumbnail(self, key: str, data: bytes, mime_type: str, line: Line) -> None:
        self._store.put_thumbnail(key, data, content_type=mime_type, facts=_facts(line))

    def size(self, key: str) -> int | None:
        if self._sizes is None:
            self._sizes = {info.key: info.size for info in self._store.list()}
        return self._sizes.get(key)

    def sha256(self, key: str) -> str:
        return self._store.sha256(key)

    def files(self) -> Iterator[str]:
        for info in self._store.list(cargo_only=True):
            if info.key not in (MANIFEST, SUMS):
                yield info.key

    def finish(self, sums: Iterable[bytes]) -> None:
        self._store.put_note(MANIFEST, self.manifest.read_bytes(), content_type="application/jsonl")
        self._store.put_note(SUMS, b"".join(sums), content_type="text/plain")

    def close(self) -> None:
        super().close()
        self._store.close()


def _facts(line: Line) -> Facts:
    """What an object says of itself: whose it is, without a name of the database in it."""
    name = f"{line.table}/{line.record}/{line.field}({line.repetition})"
    identity = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32]
    record = line.record if len(line.record) < 40 else identity
    return Facts("pull", record, line.modification or "0", identity, 0, line.sha256 or "", line.state)


def open_target(to: str, *, write: bool, state: Path | None = None) -> Target:
    """The target that `to` names: a folder, or `s3://bucket/prefix` and its like. Raises `StoreError`, `SettingsError`."""
    if is_url(to):
        return StoreTarget(to, state=state, write=write)
    if to.startswith("file://"):
        from unlade.store.opening import local_path

        return FolderTarget(Path(local_path(to)), write=write)
    return FolderTarget(Path(to), write=write)


def is_url(to: str) -> bool:
    """Whether a target is object storage, and no folder."""
    return re.match(r"[a-z][a-z0-9+]+://", to) is not None and not to.startswith("file://")


def state_of(to: str) -> Path:
    """The folder that holds what is known of a pull to `to`: in the target itself, for a bucket below `home_folder`."""
    if is_url(to):
        return home_folder() / "pull" / safe_name(to)
    if to.startswith("file://"):
        from unlade.store.opening import local_path

        return Path(local_path(to)) / ".unlade" / "state"
    return Path(to) / ".unlade" / "state"


def home_folder() -> Path:
    """Where state lies that has no place of its own: `UNLADE_HOME`, else `~/.unlade`."""
    return Path(os.environ.get("UNLADE_HOME") or Path.home() / ".unlade")


def safe_name(text: str) -> str:
    """A text as the name of a folder on every system."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text).strip("._")[:150] or "_"


def private_folder(folder: Path) -> None:
    """Make a folder, if it is not there, that its owner alone can look into: what is written is often health data."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)


def keys_of_another(key: str, line: Line) -> tuple[str, str]:
    """Keys for a value's file when others' bytes hold its own: of its modification, then of these bytes (CONTRACT B3)."""
    modification = line.modification or "0"
    sha256 = line.sha256 or ""
    return keys.variant_key(key, modification), keys.variant_key(key, f"{modification}-{sha256[:12]}")
