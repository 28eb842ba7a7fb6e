"""Keys of files that were moved within the store, written into the rows of either kind."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any


def write_keys(model: Any, moves: Sequence[tuple[Any, str, str]]) -> Collection[Any]:
    """Write (key, thumbnail's key) into the rows with these primary keys; returns those for which there is no row."""
    wanted = {model._meta.pk.to_python(pk): (pk, key, thumbnail) for pk, key, thumbnail in moves}
    found = list(model.objects.filter(pk__in=wanted).order_by("pk").select_for_update())
    for row in found:
        _, row.key, row.thumbnail_key = wanted[row.pk]
    model.objects.bulk_update(found, ["key", "thumbnail_key"])
    return [wanted[pk][0] for pk in wanted.keys() - {row.pk for row in found}]
