"""Files that people ask for: readable by their owner alone, replaced whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from unlade.errors import UsageError


def write_private(path: Path, text: str) -> Path:
    """Write `text` (UTF-8) to `path`, in one step; its absolute path. Raises `UsageError` when that cannot be done."""
    target = path.expanduser().absolute()
    try:
        handle, name = tempfile.mkstemp(prefix=".unlade-", dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or type(error).__name__}") from None
    return target
