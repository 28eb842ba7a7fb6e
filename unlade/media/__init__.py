"""What the bytes are: type, digest, pixels, damage, thumbnail. Hostile bytes are decoded in child processes only.

with DecoderPool(2) as pool:
    content = pool.inspect(parcel, name="IMG_0001.jpeg")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unlade.media.digest import Digest, digest_file
from unlade.media.filetypes import Kind
from unlade.media.sniff import Sniffed, not_a_file, sniff

if TYPE_CHECKING:
    from unlade.media.workers import DecoderPool

__all__ = ["DecoderPool", "Digest", "Kind", "Sniffed", "digest_file", "not_a_file", "sniff"]


def __getattr__(name: str) -> Any:
    """Load the pool when it is asked for: its children import this package too, and start faster without it."""
    if name != "DecoderPool":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from unlade.media.workers import DecoderPool

    return DecoderPool
