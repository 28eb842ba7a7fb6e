"""Keeps `ImageBatch.image_count` right inside the database, whoever writes and however.

Bulk operations, raw SQL, cascades, a stale batch that is saved again, fixtures, a truncated table: code in Python sees
only some of them, triggers see all. There is one formula (the batch's own trigger counts its images); whatever
touches an image only touches its batch. Two transactions that touch one batch wait for each other there, and the
second counts what the first committed.

The triggers come and go around `migrate` instead of standing in a migration: SQLite rebuilds a table to alter it,
which drops the table's triggers silently and refuses to rename a table that another table's trigger names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction

IMAGES, BATCHES = "images_image", "images_imagebatch"
#: Raise it when a definition below changes: triggers of another version are replaced by the next `migrate`.
VERSION = 1
PREFIX = "images_count_"
#: From so many new images on it is worth it to take a trigger away and put it back.
_MANY = 1000

_RECOUNT = f"(SELECT COUNT(*) FROM {IMAGES} WHERE batch_id = NEW.id)"
_TOUCH = f"UPDATE {BATCHES} SET image_count = image_count WHERE id"

_SQLITE = {
    "added": f"AFTER INSERT ON {IMAGES} BEGIN {_TOUCH} = NEW.batch_id; END",
    "removed": f"AFTER DELETE ON {IMAGES} BEGIN {_TOUCH} = OLD.batch_id; END",
    "moved": f"AFTER UPDATE OF batch_id ON {IMAGES} WHEN OLD.batch_id IS NOT NEW.batch_id "
    f"BEGIN {_TOUCH} IN (OLD.batch_id, NEW.batch_id); END",
    "batch_new": f"AFTER INSERT ON {BATCHES} BEGIN UPDATE {BATCHES} SET image_count = {_RECOUNT} WHERE id = NEW.id; END",
    "batch": f"AFTER UPDATE OF image_count ON {BATCHES} "
    f"BEGIN UPDATE {BATCHES} SET image_count = {_RECOUNT} WHERE id = NEW.id; END",
}

# Batches are locked in the order of their ids, so that two bulk operations cannot wait for each other in a circle.
_POSTGRES_FUNCTIONS = {
    "recount": f"BEGIN NEW.image_count := {_RECOUNT}; RETURN NEW; END",
    **{
        name: f"BEGIN PERFORM 1 FROM {BATCHES} WHERE id IN ({ids}) ORDER BY id FOR NO KEY UPDATE; "
        f"{_TOUCH} IN ({ids}); RETURN NULL; END"
        for name, ids in {
            "added": "SELECT batch_id FROM new_rows",
            "removed": "SELECT batch_id FROM old_rows",
            "moved": "SELECT unnest(ARRAY[o.batch_id, n.batch_id]) FROM old_rows o JOIN new_rows n ON n.id = o.id "
            "WHERE n.batch_id <> o.batch_id",
            "emptied": f"SELECT id FROM {BATCHES}",
        }.items()
    },
}
_POSTGRES = {
    "added": (f"AFTER INSERT ON {IMAGES} REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT", "added"),
    "removed": (f"AFTER DELETE ON {IMAGES} REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT", "removed"),
    "moved": (
        f"AFTER UPDATE ON {IMAGES} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT",
        "moved",
    ),
    "emptied": (f"AFTER TRUNCATE ON {IMAGES} FOR EACH STATEMENT", "emptied"),
    "batch_new": (f"BEFORE INSERT ON {BATCHES} FOR EACH ROW", "recount"),
    "batch": (f"BEFORE UPDATE OF image_count ON {BATCHES} FOR EACH ROW", "recount"),
}


def before_migrate(*, using: str, plan: Any, **_: Any) -> None:
    """Take the triggers away when a migration of these tables lies ahead."""
    if any(migration.app_label == "images" for migration, _backwards in plan):
        with transaction.atomic(using=using):
            drop_triggers(connections[using])


def after_migrate(*, using: str, **_: Any) -> None:
    """Put the triggers in place, and count anew if they were not there."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if not {IMAGES, BATCHES} <= set(connection.introspection.table_names(cursor)):
            return
    if set(_present(connection)) == _expected(connection):
        return
    with transaction.atomic(using=using):
        drop_triggers(connection)
        create_triggers(connection)
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {BATCHES} SET image_count = image_count")


@contextmanager
def counted_at_once(connection: Any, batches: Sequence[int]) -> Iterator[None]:
    """Insert images by the thousand, one for each of `batches` (primary keys), in the caller's transaction.

    SQLite has no trigger for a whole statement, and its trigger for each row costs more than the row. It stands aside
    here, and the batches are counted at the end: nobody else can write meanwhile, and what fails is rolled back,
    trigger and all. PostgreSQL counts by statements anyway.
    """
    name = _name("added")
    if connection.vendor != "sqlite" or len(batches) < _MANY or name not in _present(connection):
        yield
        return
    touched = sorted(set(batches))
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}")
        yield
        for start in range(0, len(touched), 500):
            keys = touched[start : start + 500]
            cursor.execute(f"{_TOUCH} IN ({', '.join(['%s'] * len(keys))})", keys)
        cursor.execute(f"CREATE TRIGGER {name} {_SQLITE['added']}")


def _name(name: str) -> str:
    return f"{PREFIX}v{VERSION}_{name}"


def _expected(connection: Any) -> set[str]:
    return {_name(name) for name in (_POSTGRES if connection.vendor == "postgresql" else _SQLITE)}


def _present(connection: Any) -> dict[str, str]:
    """Our triggers that exist, of any version, with the table that each hangs on."""
    query = {
        "sqlite": "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE NOT t.tgisinternal AND pg_table_is_visible(c.oid)",
    }.get(connection.vendor)
    if query is None:
        raise NotImplementedError(f"image counts are kept on SQLite and PostgreSQL, not on {connection.vendor}")
    with connection.cursor() as cursor:
        cursor.execute(query)
        return {name: table for name, table in cursor.fetchall() if name.startswith(PREFIX)}


def drop_triggers(connection: Any) -> None:
    """Take away every trigger of ours, of any version."""
    postgres = connection.vendor == "postgresql"
    for name, table in _present(connection).items():
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if postgres else ""))


def create_triggers(connection: Any) -> None:
    """Create them in a database that has none."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name, definition in _SQLITE.items():
                cursor.execute(f"CREATE TRIGGER {_name(name)} {definition}")
            return
        for name, body in _POSTGRES_FUNCTIONS.items():
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {PREFIX}{name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body}; $$"
            )
        for name, (when, function) in _POSTGRES.items():
            cursor.execute(f"CREATE TRIGGER {_name(name)} {when} EXECUTE FUNCTION {PREFIX}{function}()")
