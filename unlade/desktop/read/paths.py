"""Paths of an export, checked: what a manifest names must lie in its own folder, on every system.

Pure but for `inside`, which looks at links.
"""

from __future__ import annotations

import os
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from unlade.errors import SourceError

_DRIVE = re.compile(r"[A-Za-z]:|.:/", re.DOTALL)


def safe_relative(text: str) -> str:
    """`text` if it is a relative path of plain parts joined by `/`. Raises `SourceError` for anything else."""
    parts = text.split("/")
    bad = (
        not text
        or "\\" in text
        or "\x00" in text
        or _DRIVE.match(text) is not None
        or any(part in ("", ".", "..") for part in parts)
    )
    if bad:
        raise SourceError(
            f"a manifest names {text!r}, which is no path within the export's own folder",
            remedy="The manifest was changed by something else than our script; do not use it.",
        )
    return text


@lru_cache(maxsize=10_000)
def _is_plain(root: str, folder: str) -> bool:
    """Whether the folder `folder` below `root` is where it seems, no folder on the way being a link."""
    if not folder:
        return True
    if os.name == "nt":  # junctions lead elsewhere too, and are no symbolic links
        return Path(root, folder).resolve().is_relative_to(Path(root).resolve())
    return not os.path.islink(f"{root}/{folder}") and _is_plain(root, folder.rpartition("/")[0])  # noqa: PTH114


def inside(root: Path, relative: str) -> Path:
    """The path of a file below `root`; links that lead out of it are refused. Raises `SourceError`."""
    path = root / safe_relative(relative)
    folder = relative.rpartition("/")[0]
    plain = _is_plain(os.fspath(root), folder) and not os.path.islink(path)  # noqa: PTH114 - once for each file
    if not plain and not path.resolve().is_relative_to(root.resolve()):
        raise SourceError(f"{relative!r} leads out of the export's folder by a link")
    return path


def folded(path: str) -> str:
    """A path as systems see it that ignore case and Unicode forms: equal for twins."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
