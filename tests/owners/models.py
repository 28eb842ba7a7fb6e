"""Owners of every shape, in tables that a test makes for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, models


class Account(models.Model):
    serial = models.BigIntegerField(unique=True, null=True)
    external = models.UUIDField(unique=True, null=True)
    data = models.JSONField(default=dict)

    class Meta:
        app_label = "ownertests"


class Holder(models.Model):
    """An owner that is known by keys of its own and by its account's."""

    code = models.CharField(max_length=40, blank=True, db_index=True)
    account = models.ForeignKey(Account, null=True, on_delete=models.CASCADE)
    data = models.JSONField(default=dict)

    class Meta:
        app_label = "ownertests"
        ordering = ["code"]


@contextmanager
def tables() -> Iterator[None]:
    """The tables, in the default database of now."""
    with connection.schema_editor() as editor:
        for model in (Account, Holder):
            editor.create_model(model)
    yield
