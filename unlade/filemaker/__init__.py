"""Speaks to a FileMaker host over the Data API. No Django; nothing here can write but `edit.DataApiMarkerWriter`.

From below: `meter` counts bytes, `transport` is HTTP, `exchange` books and passes the gate, `session` signs in, `api`
re-signs and retries, `metadata` and `records` and `containers` ask, `source` is the seam's `Source`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlade.filemaker.config import FileMakerConfig
    from unlade.filemaker.containers import ContainerPolicy
    from unlade.filemaker.metadata import Layout, LayoutField, ProductInfo
    from unlade.filemaker.source import DataApiSource, Weight

_HOME = {
    "ContainerPolicy": "containers",
    "DataApiSource": "source",
    "FileMakerConfig": "config",
    "Layout": "metadata",
    "LayoutField": "metadata",
    "ProductInfo": "metadata",
    "Weight": "source",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for: who only wants a setting of the host needs no HTTP client (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


__all__ = ["ContainerPolicy", "DataApiSource", "FileMakerConfig", "Layout", "LayoutField", "ProductInfo", "Weight"]
