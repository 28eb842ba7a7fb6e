"""unlade takes files out of FileMaker container fields and lands them in object storage and a Django database.

What a project declares its imports with is imported from here; docs/adopt.md shows how, docs/api.md has every name.

    from unlade import ContainerImport, DateField, ModelImport, Owner, RecordImport, Thumbnail
    from unlade.signals import item_settled
    from unlade.commands import ImportCommand

Names are looked up when they are asked for: `import unlade` alone imports no Django.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from unlade.cargo import Content, SourceRecord
    from unlade.errors import UnladeError
    from unlade.importer import Consignment, ContainerImport, DateField, LeftRow, RowFacts, Thumbnail
    from unlade.owners import Owner, normalise_ref
    from unlade.records import Column, Invalid, Link, RecordImport, Rows
    from unlade.rows import ModelImport
    from unlade.storages import point_at

_HOMES = {
    "unlade.cargo": ("Content", "SourceRecord"),
    "unlade.errors": ("UnladeError",),
    "unlade.importer": ("Consignment", "ContainerImport", "DateField", "LeftRow", "RowFacts", "Thumbnail"),
    "unlade.owners": ("Owner", "normalise_ref"),
    "unlade.records": ("Column", "Invalid", "Link", "RecordImport", "Rows"),
    "unlade.rows": ("ModelImport",),
    "unlade.storages": ("point_at",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unlade' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOME]


__all__ = [
    "Column",
    "Consignment",
    "ContainerImport",
    "Content",
    "DateField",
    "Invalid",
    "LeftRow",
    "Link",
    "ModelImport",
    "Owner",
    "RecordImport",
    "RowFacts",
    "Rows",
    "SourceRecord",
    "Thumbnail",
    "UnladeError",
    "__version__",
    "normalise_ref",
    "point_at",
]
