"""Many new rows at once: COPY on PostgreSQL, one prepared statement on SQLite, and no model instance for any of them.

    keys = bulk.insert(Image, {"key": [...], "batch_id": [...]})

For imports of hundreds of thousands of rows, where `bulk_create` spends most of its time on objects. Signals are not
sent and `save` is not called, as with `bulk_create`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import repeat
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models, router, transaction
from django.utils import timezone

#: What stands for itself in COPY's text format is everything but these (PostgreSQL, "COPY", File Formats).
_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 92: "\\\\"}
#: Bytes that are handed to COPY at a time.
_PIECE = 256 * 1024
#: Where a connection keeps the COPY that is under way.
_LINE = "_unlade_line"
_PLAIN = frozenset({int, str, bool, type(None)})


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
    if connection.vendor == "postgresql" and _copies(connection):
        write: Callable[..., None] = _copy
    elif connection.vendor == "sqlite":
        write = _many
    else:
        return _slowly(model, columns, count, alias)
    with transaction.atomic(using=alias, savepoint=False):
        key = model._meta.pk
        assert key is not None
        given = columns.get(key.attname)
        keys = list(given) if given is not None else _free_keys(connection, model, count)
        values = {field: _values(field, columns, count, connection) for field in fields}
        values[key] = keys
        with connection.cursor() as cursor:
            write(cursor, model, values, connection)
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
            values = [_values(field, columns, len(keys), connection) for field in fields]
            rows = [repeat(column.value) if isinstance(column, _Same) else column for column in values]
            names = ", ".join(f"{quote(field.column)} = ?" for field in fields)
            statement = f"UPDATE {table} SET {names} WHERE {quote(key.column)} = ?"
            with connection.wrap_database_errors:
                connection.ensure_connection()
                connection.connection.cursor().executemany(statement, zip(*rows, keys, strict=False))
        elif connection.vendor == "postgresql":
            names = ", ".join(f"{quote(field.column)} = given.{quote(field.column)}" for field in fields)
            given = [key, *fields]
            arrays = ", ".join(f"%s::{_type(field, connection)}[]" for field in given)
            heads = ", ".join(quote(field.column) for field in given)
            values = [_values(field, columns, len(keys), connection) for field in fields]
            lists = [[column.value] * len(keys) if isinstance(column, _Same) else list(column) for column in values]
            with connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE {table} SET {names} FROM unnest({arrays}) AS given ({heads}) "
                    f"WHERE {table}.{quote(key.column)} = given.{quote(key.column)}",
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


def _values(field: Any, columns: Mapping[str, Sequence[Any]], count: int, connection: Any) -> Any:
    """One column's values as the driver takes them; a `_Same` where all are one."""
    given = columns.get(field.attname)
    if given is None:
        prepare = _prepare(field, connection)
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            return _Same(prepare(_now(field)))
        if (
            field.has_default() and callable(field.default) and field.default not in (dict, list, timezone.now)
        ):  # uuid4 and the like
            return [prepare(field.get_default()) for _ in range(count)]
        return _Same(prepare(field.get_default()))
    first, kinds = given[0], set(map(type, given))
    if len(kinds) == 1 and given.count(first) == count:
        return _Same(_prepare(field, connection)(first))
    if field.get_internal_type() != "JSONField" and kinds <= _PLAIN:
        return given
    return list(map(_prepare(field, connection), given))


class _Same:
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
        if type(value) in _PLAIN:
            return value
        value = field.get_db_prep_save(value, connection)
        return value if type(value) in _PLAIN or isinstance(value, float | bytes) else str(value)

    return prepared


# SQLite.


def _many(cursor: Any, model: type[models.Model], values: Mapping[Any, Any], connection: Any) -> None:
    quote = connection.ops.quote_name
    names, places, rows = [], [], []
    for field, column in values.items():
        names.append(quote(field.column))
        if isinstance(column, _Same) and (literal := _literal(column.value)):
            places.append(literal)
        else:
            places.append("?")
            rows.append(repeat(column.value) if isinstance(column, _Same) else column)
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


# PostgreSQL.


def _copies(connection: Any) -> bool:
    """Whether the driver has COPY as psycopg 3 has it."""
    connection.ensure_connection()
    return hasattr(connection.connection, "pgconn")


def _copy(cursor: Any, model: type[models.Model], values: Mapping[Any, Any], connection: Any) -> None:
    quote = connection.ops.quote_name
    names = ", ".join(quote(field.column) for field in values)
    columns = [
        repeat(_text(column.value)) if isinstance(column, _Same) else _texts(column) for column in values.values()
    ]
    statement = f"COPY {quote(model._meta.db_table)} ({names}) FROM STDIN"
    line = getattr(connection, _LINE, None)
    if line is not None:
        line.send(statement, list(_pieces(columns)))
        return
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        for piece in _pieces(columns):
            copy.write(piece)


@contextmanager
def overlapped(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Within this, PostgreSQL takes the rows of one `insert` while the next ones are prepared.

    An insert may return before its rows are in; whatever is asked of the database next waits for them, and so does the
    end of this context, which raises what they raised. To be left before the transaction is committed.
    """
    connection = connections[using]
    if connection.vendor != "postgresql" or not _copies(connection):
        yield
        return
    line = _Line(connection)
    setattr(connection, _LINE, line)

    def first(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        line.wait()
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(first):
            yield
        line.wait()
    finally:
        delattr(connection, _LINE)
        line.join()


class _Line:
    """One COPY under way, in a thread of its own: it waits for the server, and the caller's thread need not."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._thread: threading.Thread | None = None
        self._problem: BaseException | None = None

    def send(self, statement: str, pieces: list[str]) -> None:
        """Begin; the COPY before is waited for."""
        self.wait()
        self._thread = threading.Thread(target=self._send, args=(statement, pieces), name="unlade-copy", daemon=True)
        self._thread.start()

    def _send(self, statement: str, pieces: list[str]) -> None:
        try:
            with self._connection.connection.cursor() as cursor, cursor.copy(statement) as copy:
                for piece in pieces:
                    copy.write(piece)
        except BaseException as error:  # noqa: BLE001 - raised again where somebody waits for it
            self._problem = error

    def join(self) -> None:
        """Wait, whatever comes of it."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def wait(self) -> None:
        """Wait, and raise what the database raised."""
        self.join()
        if self._problem is not None:
            problem, self._problem = self._problem, None
            with self._connection.wrap_database_errors:
                raise problem


def _pieces(columns: Sequence[Any]) -> Iterator[str]:
    """Rows as COPY reads them, many at a time."""
    lines, size = [], 0
    for row in zip(*columns, strict=False):
        line = "\t".join(row)
        lines.append(line)
        size += len(line)
        if size > _PIECE:
            yield "\n".join(lines) + "\n"
            lines, size = [], 0
    if lines:
        yield "\n".join(lines) + "\n"


def _texts(values: Sequence[Any]) -> list[str]:
    """A column in COPY's text format."""
    if set(map(type, values)) == {str}:
        whole = "".join(values)
        if not any(char in whole for char in "\\\t\n\r\b\v\f"):
            return list(values)
        return [value.translate(_ESCAPES) for value in values]
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    return str(value).translate(_ESCAPES)


# Both, and the others.


def _free_keys(connection: Any, model: type[models.Model], count: int) -> list[Any]:
    """Primary keys that nobody else gets."""
    key, table = model._meta.pk, model._meta.db_table
    assert key is not None
    if key.has_default() and callable(key.default):
        return [key.get_default() for _ in range(count)]
    if not isinstance(key, models.AutoField | models.BigAutoField | models.SmallAutoField):
        raise ValueError(f"{model._meta.label} numbers no rows by itself: give its primary keys")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [connection.ops.quote_name(table), key.column])
            (sequence,) = cursor.fetchone()
            cursor.execute("SELECT nextval(%s) FROM generate_series(1, %s)", [sequence, count])
            return [number for (number,) in cursor.fetchall()]
        # The transaction writes, so nobody else does: what is free now stays so.
        quote = connection.ops.quote_name
        cursor.execute(f"SELECT max({quote(key.column)}) FROM {quote(table)}")
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
