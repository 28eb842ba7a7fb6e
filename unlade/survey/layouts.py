"""One layout as a survey sees it, and what a record of it fills."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from unlade.cargo import RefStatus
from unlade.filemaker import Layout, LayoutField
from unlade.filemaker.links import classify
from unlade.filemaker.metadata import base_name

_PLACES = {RefStatus.FILE: "link", RefStatus.REFERENCE: "reference", RefStatus.UNREADABLE: "unreadable"}


@dataclass
class Shown:
    """One layout with containers, and its first record."""

    layout: Layout
    table: str = ""
    found: int = 0
    total: int | None = None
    weight: int = 0  #: bytes of one record
    portals: tuple[str, ...] = ()  #: portals that show containers
    pages: list[tuple[int, int]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.layout.name


def values_of(data: Any, fields: Iterable[LayoutField], entry: LayoutField) -> dict[int, str]:
    """Filled repetitions of one field in one record, and what each is."""
    if not isinstance(data, dict):
        return {}
    names = {one.name for one in fields}
    found = {}
    for key, value in data.items():
        name, number = (key, 1) if key in names else base_name(key)
        if name != entry.name:
            continue
        place = _PLACES.get(classify(entry.name, value).status)
        if place is not None:
            found[number] = place
    return found
