"""Rows for SQLite: one prepared statement, bound again for each row."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from typing import Any

from django.db import models

from unlade.bulk.values import Same


def insert_rows(model: type[models.Model], values: Mapping[Any, Any], connection: Any) -> None:
    quote = connection.ops.quote_name
    names, places, rows = [], [], []
    for field, column in values.items():
        names.append(quote(str(field.column)))
        if isinstance(column, Same) and (literal := _literal(column.value)):
            places.append(literal)
        else:
            places.append("?")
            rows.append(repeat(column.value) if isinstance(column, Same) else column)
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(names)}) VALUES ({', '.join(places)})"
    with connection.wrap_database_errors:
        # Django's own cursor would look for %s in each row's statement.
        connection.connection.cursor().executemany(statement, zip(*rows, strict=False))


def _literal(value: Any) -> str:
    """A value as SQLite writes it; "" for one that is better bound."""
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int)):
        return str(int(value))
    if isinstance(value, str) and "\0" not in value:
        return "'" + value.replace("'", "''") + "'"
    return ""
