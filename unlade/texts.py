"""Texts from a database that nobody has cleaned, made fit for ours (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNFIT = {0: "\ufffd", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}


def storable(value: Any) -> Any:
    """`value` without what PostgreSQL cannot store in texts and JSON: NUL and halves of surrogate pairs."""
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        return value.translate(_UNFIT)
    if isinstance(value, Mapping):
        return {storable(key): storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    return value


def cut_name(name: str, limit: int) -> str:
    """A file name of at most `limit` characters that keeps its extension."""
    if len(name) <= limit:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > 10:
        return name[:limit]
    return stem[: limit - len(extension) - 1] + dot + extension
