"""Rows for PostgreSQL: COPY in its text format, in a thread of its own where that is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models

from unlade.bulk.values import Same

#: What stands for itself in COPY's text format is everything but these (PostgreSQL, "COPY", File Formats).
_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 92: "\\\\"}
#: Bytes that are handed to COPY at a time.
_PIECE = 256 * 1024
#: Where a connection keeps the COPY that is under way.
_LINE = "_unlade_line"


def copies(connection: Any) -> bool:
    """Whether the driver has COPY as psycopg 3 has it."""
    connection.ensure_connection()
    return hasattr(connection.connection, "pgconn")


def copy_rows(model: type[models.Model], values: Mapping[Any, Any], connection: Any) -> None:
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in values)
    columns = [
        repeat(_text(column.value)) if isinstance(column, Same) else _texts(column) for column in values.values()
    ]
    statement = f"COPY {quote(model._meta.db_table)} ({names}) FROM STDIN"
    line = getattr(connection, _LINE, None)
    if line is not None:
        line.send(statement, list(_pieces(columns)))
        return
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for piece in _pieces(columns):
            copy.write(piece)


@contextmanager
def overlapped(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Within this, PostgreSQL takes the rows of one `insert` while the next ones are prepared.

    An insert may return before its rows are in; whatever is asked of the database next waits for them, and so does the
    end of this context, which raises what they raised. To be left before the transaction is committed.
    """
    connection = connections[using]
    if connection.vendor != "postgresql" or not copies(connection):
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
