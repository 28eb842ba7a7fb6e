"""Files in open storage beside the database: where they can be, and whether they are the right ones (FMP12.md 7.3).

What a database says about paths is hostile until proven otherwise: nothing outside the folders that were named is ever
opened.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from unlade.fmp12.objects import Outside

#: Where FileMaker Server keeps container files, in its database folder and in backups.
_SERVER_FOLDER = "RC_Data_FMS"


def find_outside(
    database: Path, bases: Sequence[str], outside: Outside, more: Sequence[Path] = ()
) -> tuple[Path | None, bool]:
    """The file that `outside` describes, and whether only files of another size stand in its place.

    Looks beside the database, in the server's folder beside it, and below each folder of `more`.
    """
    parent = database.resolve().parent
    roots = [parent, parent / _SERVER_FOLDER, parent / _SERVER_FOLDER / database.stem, *more]
    changed = False
    for path in _candidates(roots, bases, outside):
        try:
            if not path.is_file():
                continue
            if path.stat().st_size == outside.size:
                return path, False
        except OSError:
            continue  # a path that this system cannot even ask for is no candidate
        changed = True
    return None, changed


def _candidates(roots: Sequence[Path], bases: Sequence[str], outside: Outside) -> Iterator[Path]:
    if not all(_is_plain(part) for part in outside.parts):
        return
    chosen = [bases[outside.base]] if outside.base < len(bases) else list(bases)
    folders = [[part for part in base.split("/") if part] for base in chosen if not base.startswith("/")]
    for root in roots:
        for folder in [*folders, []]:
            if not all(_is_plain(part) for part in folder):
                continue
            for form in ("NFC", "NFD"):  # macOS and others write the same name in different ways
                parts = [unicodedata.normalize(form, part) for part in (*folder, *outside.parts)]
                path = root.joinpath(*parts)
                if _is_inside(path, root):
                    yield path


def _is_plain(part: str) -> bool:
    """A name that stays in its folder on every system."""
    return part not in ("", ".", "..") and not any(char in part for char in "/\\:\0")


def _is_inside(path: Path, root: Path) -> bool:
    """False where a link leads out of the folder."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return False
