"""A column's values as a database driver takes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.utils import timezone

PLAIN = frozenset({int, str, bool, type(None)})


def values_of(field: Any, columns: Mapping[str, Sequence[Any]], count: int, connection: Any) -> Any:
    """One column's values as the driver takes them; a `Same` where all are one."""
    given = columns.get(field.attname)
    if given is None:
        prepare = _prepare(field, connection)
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            return Same(prepare(_now(field)))
        if (
            field.has_default() and callable(field.default) and field.default not in (dict, list, timezone.now)
        ):  # uuid4 and the like
            return [prepare(field.get_default()) for _ in range(count)]
        return Same(prepare(field.get_default()))
    first, kinds = given[0], set(map(type, given))
    if len(kinds) == 1 and given.count(first) == count:
        return Same(_prepare(field, connection)(first))
    if field.get_internal_type() != "JSONField" and kinds <= PLAIN:
        return given
    return list(map(_prepare(field, connection), given))


class Same:
    """One value for all rows."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _now(field: Any) -> Any:
    return timezone.now().date() if field.get_internal_type() == "DateField" else timezone.now()


def _prepare(field: Any, connection: Any) -> Callable[[Any], Any]:
    """What turns a value of this field into a plain one, as Django itself would write it."""
    if field.get_internal_type() == "JSONField":
        encode = (field.encoder() if field.encoder else json.JSONEncoder()).encode
        return lambda value: None if value is None else encode(value)

    def prepared(value: Any) -> Any:
        if isinstance(value, datetime) and connection.vendor == "sqlite" and value.tzinfo is not None:
            return str(value.astimezone(UTC).replace(tzinfo=None))
        if isinstance(value, date):
            return value.isoformat()
        if type(value) in PLAIN:
            return value
        value = field.get_db_prep_save(value, connection)
        return value if type(value) in PLAIN or isinstance(value, float | bytes) else str(value)

    return prepared
