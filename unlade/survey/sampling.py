"""Which records a sample looks at, and what it says of all of them (pure)."""

from __future__ import annotations

import math

#: For 95 in 100 samples.
_Z = 1.96


def spread(found: int, sample: int, page: int) -> list[tuple[int, int]]:
    """Pages (offset from 1, limit) of at most `page` records that lie evenly over `found` records, `sample` in all.

    The first and the last record are among them. Nothing is random: the same survey looks at the same places.
    """
    if found <= 0 or sample <= 0:
        return []
    if sample >= found:
        return [(offset, min(page, found - offset + 1)) for offset in range(1, found + 1, page)]
    count = max(1, min(-(-sample // page), sample), min(10, sample))
    sizes = [sample // count + (number < sample % count) for number in range(count)]
    if count == 1:
        return [(1, sizes[0])]
    room = found - sizes[-1]  # where the last page begins, from 0
    pages: list[tuple[int, int]] = []
    end = 0
    for number, size in enumerate(sizes):
        start = max(end, room * number // (count - 1))
        pages.append((start + 1, min(size, found - start)))
        end = start + size
    return [(offset, limit) for offset, limit in pages if limit > 0]


def share_between(filled: int, looked_at: int) -> tuple[float, float]:
    """Between which shares the truth lies when `filled` of `looked_at` were: Wilson's interval.

    It holds at nought too: none of 100 still lets 4 in 100 be filled.
    """
    if looked_at <= 0:
        return 0.0, 1.0
    share, square = filled / looked_at, _Z * _Z
    middle = share + square / (2 * looked_at)
    half = _Z * math.sqrt(share * (1 - share) / looked_at + square / (4 * looked_at * looked_at))
    whole = 1 + square / looked_at
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)
