"""Many new rows at once: COPY on PostgreSQL, one prepared statement on SQLite, and no model instance for any of them.

    keys = bulk.insert(Image, {"key": [...], "batch_id": [...]})

For imports of hundreds of thousands of rows, where `bulk_create` spends most of its time on objects. Signals are not
sent and `save` is not called, as with `bulk_create`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any

from django.db import connections, models, router, transaction

from unlade.bulk.copying import copies, copy_rows, overlapped
from unlade.bulk.lite import insert_rows
from unlade.bulk.values import Same, values_of

__all__ = ["insert", "overlapped", "update"]


def insert(model: type[models.Model], columns: Mapping[str, Sequence[Any]], *, using: str = "") -> list[Any]:
    """Insert rows, given column by column (names as on instances: `batch_id`), and return their primary keys in order.

    Columns that are left out get their default. All of it stands or falls together with the caller's transaction.
    Raises `ValueError` for a column that does not exist or is shorter than the others, and what the database raises.
    """
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise ValueError("the columns differ in length")
    count = lengths.pop() if lengths else 0
    if not count:
        return []
    alias = using or router.db_for_write(model)
    connection = connections[alias]
    fields = _fields(model, columns)
    if connection.vendor == "postgresql" and copies(connection):
        write: Callable[..., None] = copy_rows
    elif connection.vendor == "sqlite":
        write = insert_rows
    else:
        return _slowly(model, columns, count, alias)
    with transaction.atomic(using=alias, savepoint=False):
        key = model._meta.pk
        assert key is not None
        given = columns.get(key.attname)
        keys = list(given) if given is not None else _free_keys(connection, model, count)
        values = {field: values_of(field, columns, count, connection) for field in fields}
        values[key] = keys
        write(model, values, connection)
    return keys


def update(
    model: type[models.Model], keys: Sequence[Any], columns: Mapping[str, Sequence[Any]], *, using: str = ""
) -> None:
    """Write columns, given as for `insert`, into the rows with these primary keys; a key without a row is passed over.

    Raises what the database raises.
    """
    if not keys or not columns:
        return
    alias = using or router.db_for_write(model)
    connection = connections[alias]
    options, quote = model._meta, connection.ops.quote_name
    by_name = {field.attname: field for field in options.concrete_fields}
    fields, key = [by_name[name] for name in columns], options.pk
    assert key is not None
    table = quote(options.db_table)
    with transaction.atomic(using=alias, savepoint=False):
        if connection.vendor == "sqlite":
            values = [values_of(field, columns, len(keys), connection) for field in fields]
            rows = [repeat(column.value) if isinstance(column, Same) else column for column in values]
            names = ", ".join(f"{quote(str(field.column))} = ?" for field in fields)
            statement = f"UPDATE {table} SET {names} WHERE {quote(str(key.column))} = ?"
            with connection.wrap_database_errors:
                connection.ensure_connection()
                connection.connection.cursor().executemany(statement, zip(*rows, keys, strict=False))
        elif connection.vendor == "postgresql":
            names = ", ".join(f"{quote(str(field.column))} = given.{quote(str(field.column))}" for field in fields)
            given = [key, *fields]
            arrays = ", ".join(f"%s::{_type(field, connection)}[]" for field in given)
            heads = ", ".join(quote(str(field.column)) for field in given)
            values = [values_of(field, columns, len(keys), connection) for field in fields]
            lists = [[column.value] * len(keys) if isinstance(column, Same) else list(column) for column in values]
            with connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE {table} SET {names} FROM unnest({arrays}) AS given ({heads}) "
                    f"WHERE {table}.{quote(str(key.column))} = given.{quote(str(key.column))}",
                    [list(keys), *lists],
                )
        else:
            objects = []
            for place, primary in enumerate(keys):
                objects.append(model(pk=primary, **{name: values[place] for name, values in columns.items()}))
            model._base_manager.using(alias).bulk_update(objects, [field.name for field in fields], batch_size=500)


def _type(field: Any, connection: Any) -> str:
    """The type of a column's values; of one that numbers itself that of its numbers."""
    return str(field.rel_db_type(connection) if field.primary_key else field.db_type(connection))


def _fields(model: type[models.Model], columns: Mapping[str, Sequence[Any]]) -> list[models.Field[Any, Any]]:
    """The fields that are written, the primary key left out."""
    options = model._meta
    if options.parents:
        raise ValueError(f"{options.label} has its columns in more than one table")
    known = {field.attname for field in options.concrete_fields}
    if unknown := sorted(set(columns) - known):
        raise ValueError(f"{options.label} has no column {', '.join(unknown)}")
    return [
        field
        for field in options.concrete_fields
        if not field.primary_key
        and not getattr(field, "generated", False)
        and (field.attname in columns or not getattr(field, "has_db_default", lambda: False)())
    ]


def _free_keys(connection: Any, model: type[models.Model], count: int) -> list[Any]:
    """Primary keys that nobody else gets."""
    key, table = model._meta.pk, model._meta.db_table
    assert key is not None
    if key.has_default() and callable(key.default):
        return [key.get_default() for _ in range(count)]
    if not isinstance(key, models.AutoField | models.BigAutoField | models.SmallAutoField):
        raise ValueError(  # noqa: TRY004 - the model is not the caller's choice of type
            f"{model._meta.label} numbers no rows by itself: give its primary keys"
        )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [connection.ops.quote_name(table), key.column])
            (sequence,) = cursor.fetchone()
            cursor.execute("SELECT nextval(%s) FROM generate_series(1, %s)", [sequence, count])
            return [number for (number,) in cursor.fetchall()]
        # The transaction writes, so nobody else does: what is free now stays so.
        quote = connection.ops.quote_name
        cursor.execute(f"SELECT max({quote(str(key.column))}) FROM {quote(table)}")
        highest = cursor.fetchone()[0] or 0
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
        first = max(highest, row[0] if row else 0) + 1
        return list(range(first, first + count))


def _slowly(model: type[models.Model], columns: Mapping[str, Sequence[Any]], count: int, alias: str) -> list[Any]:
    """For databases and drivers that are not known here."""
    names = list(columns)
    objects = [model(**dict(zip(names, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    made = model._base_manager.using(alias).bulk_create(objects, batch_size=min(count, 1000))
    return [each.pk for each in made]
