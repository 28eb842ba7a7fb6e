"""What the bytes are: type, digest, pixels, damage, thumbnail. Hostile bytes are decoded in child processes only.

    with DecoderPool(2) as pool:
        content = pool.inspect(parcel, name="IMG_0001.jpeg")

The names below are loaded when first used, because every decoder child imports this package as it starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlade.media.digest import Digest, digest_file
    from unlade.media.filetypes import Kind
    from unlade.media.sniff import Sniffed, not_a_file, sniff
    from unlade.media.workers import DecoderPool

__all__ = ["DecoderPool", "Digest", "Kind", "Sniffed", "digest_file", "not_a_file", "sniff"]

_HOMES = {
    "DecoderPool": "workers",
    "Digest": "digest",
    "Kind": "filetypes",
    "Sniffed": "sniff",
    "digest_file": "digest",
    "not_a_file": "sniff",
    "sniff": "sniff",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
