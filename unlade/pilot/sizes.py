"""Sizes of a pilot's files, and those that stand for the whole listing (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: So many sizes stand for the listing.
_STAND_FOR = 400


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the files that were taken from one field; "" for all of them."""

    field: str
    count: int
    mean: int
    small: int  #: 10 in 100 are at most so large
    median: int
    large: int  #: 90 in 100 are at most so large
    largest: int
    total: int

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "files": self.count,
            "mean": self.mean,
            "p10": self.small,
            "median": self.median,
            "p90": self.large,
            "largest": self.largest,
            "total": self.total,
        }


def sizes_of(name: str, sizes: Iterable[int]) -> Sizes | None:
    """The figures of some sizes; None without any."""
    ordered = sorted(sizes)
    if not ordered:
        return None
    return Sizes(
        name,
        len(ordered),
        sum(ordered) // len(ordered),
        _at(ordered, 0.1),
        _at(ordered, 0.5),
        _at(ordered, 0.9),
        ordered[-1],
        sum(ordered),
    )


def _at(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def stands_for(listed: Mapping[str, int], taken: Sequence[tuple[str, int]]) -> list[int]:
    """Sizes that stand for the listing: each best field by its share there, since the sample is not like the whole."""
    by_field: dict[str, list[int]] = defaultdict(list)
    for name, size in taken:
        by_field[name].append(size)
    whole = sum(count for name, count in listed.items() if name in by_field)
    if not whole:
        return [size for _, size in taken]
    sizes: list[int] = []
    for name, own in sorted(by_field.items()):
        share = listed.get(name, 0) / whole
        wanted = max(1, round(_STAND_FOR * share)) if share else 0
        ordered = sorted(own)
        sizes += [ordered[len(ordered) * step // wanted] for step in range(wanted)]
    return sizes
