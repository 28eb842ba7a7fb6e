"""What lies in a folder: cargo, the system's own litter, our manifest, a database, a server's container storage.

Walks with `os.scandir`, one folder at a time; links are told and not followed. A folder that cannot be read is an
error: nothing is left out silently. Source: DESKTOP.md 4 and 8.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from unlade.desktop.read.manifest import PART_NAME
from unlade.desktop.read.opening import FILEMAKER_MAGIC
from unlade.errors import SourceError

_LITTER = frozenset(
    {".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".localized", "icon\r", ".apdisk", ".metadata_never_index"}
)
_LITTER_FOLDERS = frozenset(
    {
        *("__macosx", ".spotlight-v100", ".trashes", ".fseventsd", ".temporaryitems", ".appledouble"),
        *(".documentrevisions-v100", "$recycle.bin", "system volume information", "lost+found"),
    }
)
_OWN_FOLDERS = frozenset({".unlade"})
_OWN = frozenset({"stop", "stop.txt"})
#: What an AppleDouble file begins with (RFC 1740): the resource fork of a file on a disk that has none.
_APPLE_DOUBLE = bytes.fromhex("00051607")
_SECURE = "secure"


class Kind(StrEnum):
    """What one entry of a folder is."""

    CARGO = "cargo"
    LITTER = "litter"  #: of the system; counted, never imported
    OWN = "own"  #: ours: manifest parts, the stop file, our journal
    DATABASE = "database"  #: a FileMaker file
    SECURE = "secure"  #: FileMaker's encrypted container storage
    LINK = "link"  #: not followed


@dataclass(frozen=True, slots=True)
class Found:
    """One file, or one folder of litter (`path` ends with `/`). `path` is relative, parts joined by `/`."""

    path: str
    kind: Kind
    size: int
    modified_ns: int


def scan(root: Path) -> Iterator[Found]:
    """Everything below `root`, folder by folder, in no particular order. Raises `SourceError` for what is unreadable."""
    in_storage = _storage_at(root.resolve().parts) is not None
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder if folder else root) as entries:
                for entry in entries:
                    found = _classify(entry, folder, in_storage=in_storage)
                    if found is None:
                        waiting.append(f"{folder}{entry.name}/")
                    else:
                        yield found
        except OSError as error:
            raise SourceError(
                f"the folder {folder or root} cannot be read: {error.strerror or type(error).__name__}",
                remedy="Give this account the right to read all of it; a part of an export proves nothing.",
            ) from error


def _classify(entry: os.DirEntry[str], folder: str, *, in_storage: bool) -> Found | None:
    """What an entry is; None for a folder to walk into."""
    path = folder + entry.name
    if entry.is_symlink():
        return Found(path, Kind.LINK, 0, 0)
    if entry.is_dir(follow_symlinks=False):
        kind = folder_kind(path, in_storage=in_storage)
        return None if kind is None else Found(path + "/", kind, 0, 0)
    status = entry.stat(follow_symlinks=False)
    kind = file_kind(path)
    if kind is Kind.LITTER and entry.name.startswith("._") and not _begins(Path(entry.path), _APPLE_DOUBLE):
        kind = Kind.CARGO  # named like a resource fork, but it is none
    return Found(path, kind, status.st_size, status.st_mtime_ns)


def folder_kind(path: str, *, in_storage: bool = False) -> Kind | None:
    """What a folder is by its path; None for one that may hold cargo.

    `Secure` means encrypted storage only within a server's container storage, `.unlade` is ours only at the top:
    anybody may call a folder so.
    """
    parts = tuple(path.lower().split("/"))
    name = parts[-1]
    if name in _LITTER_FOLDERS:
        return Kind.LITTER
    if path in _OWN_FOLDERS:
        return Kind.OWN
    if name == _SECURE and (in_storage or _storage_at(parts) is not None):
        return Kind.SECURE
    return None


def file_kind(path: str) -> Kind:
    """What a file is by its path: a stop file and a database count as such only where one would lie."""
    folder, _, name = path.rpartition("/")
    lower = name.lower()
    if lower in _LITTER or lower.startswith("._"):
        return Kind.LITTER
    if PART_NAME.fullmatch(name) or (not folder and lower in _OWN):
        return Kind.OWN
    if lower.endswith((".fmp12", ".fp7")) and folder.lower() in ("", "databases"):
        return Kind.DATABASE
    return Kind.CARGO


def _begins(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


# Whole folders.


class FolderKind(StrEnum):
    """What a path given with `--from` is."""

    EXPORT = "export"  #: our script's, with a manifest
    STORAGE = "storage"  #: a server's open container storage
    SECURE = "secure"  #: a server's encrypted container storage
    DATABASE = "database"  #: a FileMaker file
    TREE = "tree"  #: any other folder of files


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was found, where it begins, and what to tell the user about it ("" for nothing)."""

    kind: FolderKind
    root: Path
    advice: str = ""


SECURE_ADVICE = (
    "FileMaker keeps these containers encrypted (secure storage); the files cannot be read without it. On a copy of the "
    "database set the fields to open storage and run Manage > Containers > Transfer Data, or export with the script."
)
LIVE_ADVICE = "This is the server's live container folder: take it from a backup, where files and records agree."
DATABASE_ADVICE = "This is a FileMaker database, no folder of files."


def recognise(path: Path) -> Recognised:
    """What `path` is. Raises `SourceError` when it does not exist, or holds several exports of which one must be named."""
    if path.is_file():
        if _begins(path, FILEMAKER_MAGIC):
            return Recognised(FolderKind.DATABASE, path, DATABASE_ADVICE)
        raise SourceError(f"{path} is a file, no folder", remedy="Give a metadata file with --metadata.")
    if not path.is_dir():
        raise SourceError(f"{path} does not exist")
    runs = find_exports(path)
    if len(runs) > 1:
        names = ", ".join(run.relative_to(path).as_posix() for run in runs)
        raise SourceError(f"{path} holds several exports: {names}", remedy="Give the folder of one of them.")
    if runs:
        return Recognised(FolderKind.EXPORT, runs[0])
    storage = _storage_root(path)
    if storage is not None:
        return _recognise_storage(storage)
    return Recognised(FolderKind.TREE, path)


def find_exports(path: Path, depth: int = 3) -> list[Path]:
    """Folders with a manifest, `path` itself and down to `depth` levels below it (`unlade/run-1/images`), sorted."""
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"the folder {path} cannot be read: {error.strerror or type(error).__name__}") from error
    if any(PART_NAME.fullmatch(entry.name) for entry in entries):
        return [path]
    if depth == 0:
        return []
    folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    # A wide folder is a tree of patients, not a place where runs lie.
    if len(folders) > 50:
        return []
    return [run for entry in folders for run in find_exports(Path(entry.path), depth - 1)]


def _recognise_storage(root: Path) -> Recognised:
    parts = [part.lower() for part in root.resolve().parts]
    if _SECURE in parts[_storage_at(tuple(parts)) or 0 :]:
        return Recognised(FolderKind.SECURE, root, SECURE_ADVICE)
    kinds = {Kind.CARGO: False, Kind.SECURE: False}
    for found in scan(root):
        if found.kind in kinds:
            kinds[found.kind] = True
        if all(kinds.values()):
            break
    live = LIVE_ADVICE if "databases" in parts and "backups" not in parts else ""
    if kinds[Kind.SECURE] and not kinds[Kind.CARGO]:
        return Recognised(FolderKind.SECURE, root, SECURE_ADVICE)
    advice = " ".join(text for text in (live, SECURE_ADVICE if kinds[Kind.SECURE] else "") if text)
    return Recognised(FolderKind.STORAGE, root, advice)


def _storage_at(parts: tuple[str, ...]) -> int | None:
    """The place of `RC_Data_FMS` in a path."""
    lower = [part.lower() for part in parts]
    return lower.index("rc_data_fms") if "rc_data_fms" in lower else None


def _storage_root(path: Path) -> Path | None:
    """`path` when it lies in container storage, else a storage folder right below it, or below its databases folder."""
    if _storage_at(path.resolve().parts) is not None:
        return path
    for candidate in (path / "RC_Data_FMS", path / "Databases" / "RC_Data_FMS"):
        if candidate.is_dir():
            return candidate
    return None


@dataclass(frozen=True, slots=True)
class StoragePlace:
    """Where a file lies in open storage: `.../RC_Data_FMS/<database>/<below>`."""

    database: str
    below: str


def storage_place(path: str) -> StoragePlace | None:
    """Database and path below it, from a full path; None when it lies in no container storage."""
    parts = tuple(part for part in path.replace("\\", "/").split("/") if part)
    at = _storage_at(parts)
    if at is None or len(parts) < at + 3:
        return None
    return StoragePlace(parts[at + 1], "/".join(parts[at + 2 :]))


def external_paths(text: str) -> tuple[str, ...]:
    """Paths below a base folder, from `externalFiles` or `GetAsText` of a container kept outside (DESKTOP.md 2.3).

    `remote:cat.jpg`, `size:320,240`, `JPEG:Images/Animals/cat.jpg` give `Images/Animals/cat.jpg`.
    """
    paths = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        kind, colon, rest = line.strip().partition(":")
        if kind.lower() in ("remote", "size"):
            continue
        value = (rest if colon and "/" not in kind else line).strip().strip("/")
        if value:
            paths.append(value)
    return tuple(dict.fromkeys(paths))
