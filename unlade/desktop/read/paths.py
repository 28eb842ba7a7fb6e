"""Paths of an export, checked: what a manifest names must lie in its own folder, on every system.

Pure but for `inside`, which looks at links.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path, PureWindowsPath

from unlade.errors import SourceError

_DRIVE = re.compile(r"[A-Za-z]:")


def safe_relative(text: str) -> str:
    """`text` if it is a relative path of plain parts joined by `/`. Raises `SourceError` for anything else."""
    parts = text.split("/")
    bad = (
        not text
        or "\\" in text
        or "\x00" in text
        or _DRIVE.match(text) is not None
        or any(part in ("", ".", "..") for part in parts)
        or PureWindowsPath(text).is_absolute()
    )
    if bad:
        raise SourceError(
            f"a manifest names {text!r}, which is no path within the export's own folder",
            remedy="The manifest was changed by something else than our script; do not use it.",
        )
    return text


@lru_cache(maxsize=2000)
def _is_below(folder: Path, root: Path) -> bool:
    return folder.resolve().is_relative_to(root.resolve())


def inside(root: Path, relative: str) -> Path:
    """The path of a file below `root`; links that lead out of it are refused. Raises `SourceError`."""
    path = root / safe_relative(relative)
    if path.is_symlink():
        whole = path.resolve().is_relative_to(root.resolve())
    else:  # then only its folders can lead elsewhere, and many files share one
        whole = _is_below(path.parent, root)
    if not whole:
        raise SourceError(f"{relative!r} leads out of the export's folder by a link")
    return path


def folded(path: str) -> str:
    """A path as systems see it that ignore case and Unicode forms: equal for twins."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
