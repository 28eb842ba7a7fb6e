"""What the project's own models offer for a declaration: a column with FileMaker's id, a link to the owner, places for
what is known of a file. Guesses by names and types; nothing is asked of the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import (  # fmt: skip
    CharField,
    DateField,
    Field,
    FileField,
    ForeignKey,
    IntegerField,
    JSONField,
    Model,
    TextField,
    UUIDField,
)

from unlade.errors import UsageError
from unlade.owners import Owner
from unlade.rowowner import row_owner
from unlade.starting.guessing import words_of

#: Names of columns that may hold FileMaker's id, the likeliest first.
_IDS = ("filemaker_id", "fm_id", "fmid", "source_id", "legacy_id", "external_id", "old_id", "remote_id", "uuid", "guid")
#: Names that columns may have for what is known of a file.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "key": ("key", "storage_key", "object_key", "path", "s3_key"),
    "thumbnail_key": ("thumbnail_key", "thumbnail", "thumb", "preview"),
    "original_name": ("original_name", "filename", "file_name", "name", "title"),
    "size": ("size", "file_size", "bytes", "filesize"),
    "sha256": ("sha256", "digest", "checksum", "hash"),
    "mime_type": ("mime_type", "content_type", "mimetype", "media_type"),
    "width": ("width",),
    "height": ("height",),
    "pages": ("pages", "page_count"),
    "category": ("category", "kind", "type"),
    "day": ("date_taken", "taken_on", "taken", "document_date", "day", "date"),
    "metadata": ("filemaker_metadata", "metadata", "source_metadata", "source", "extra"),
}
_TYPES: dict[str, tuple[type[Any], ...]] = {
    "size": (IntegerField,),
    "width": (IntegerField,),
    "height": (IntegerField,),
    "pages": (IntegerField,),
    "day": (DateField,),
    "metadata": (JSONField,),
}


@dataclass(frozen=True, slots=True)
class RowsGuess:
    """The model that rows would go into. `match` is "" where it has no column for FileMaker's id."""

    label: str
    match: str = ""
    owner_column: str = ""
    columns: dict[str, str] = field(default_factory=dict)  #: by column, what fills it


def model_of(label: str) -> type[Model]:
    """The model `app.Model`. Raises `UsageError`."""
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        raise UsageError(f"There is no model {label!r}", remedy="Write app.Model, as in people.Patient.") from None


def guess_owner(label: str, owner_field: str) -> Owner | None:
    """How owners would be found by the source's field; None where the model has no column that may hold the id.

    Raises `UsageError` for a model that does not exist.
    """
    model = model_of(label)
    found = _id_column(model)
    if not found:
        kept = next((each.name for each in _fields(model) if isinstance(each, JSONField)), "")
        found = f"{kept}__filemaker_id" if kept else ""
    return Owner(owner_field, model._meta.label, found) if found and owner_field else None


def guess_rows(label: str, owner: Owner | None) -> RowsGuess:
    """What of a model the declaration would fill. Raises `UsageError` for a model that does not exist."""
    model = model_of(label)
    match = _id_column(model)
    columns: dict[str, str] = {}
    for fact in _COLUMNS:
        name = _column(model, fact, {*columns, match})
        if name:
            columns[name] = fact
    return RowsGuess(model._meta.label, match, _owner_column(model, owner), columns)


def candidates(app: str) -> list[RowsGuess]:
    """The models of an app that files could become rows of: with a place for the key, and for FileMaker's id."""
    found = [guess_rows(model._meta.label, None) for model in apps.get_app_config(app).get_models()]
    return [rows for rows in found if rows.match and "key" in rows.columns.values()]


def _fields(model: type[Model]) -> Iterable[Field[Any, Any]]:
    return [each for each in model._meta.concrete_fields if not each.primary_key]


def _id_column(model: type[Model]) -> str:
    kinds = (CharField, TextField, UUIDField)
    names = {each.name: each for each in _fields(model) if isinstance(each, kinds) and not isinstance(each, FileField)}
    known = [name for name in _IDS if name in names]
    known += [name for name in names if {"filemaker", "fm"} & set(words_of(name)) and names[name].unique]
    return known[0] if known else ""


def _column(model: type[Model], fact: str, taken: set[str]) -> str:
    fields = {each.name: each for each in _fields(model) if each.name not in taken}
    if fact == "key":
        files = [name for name, each in fields.items() if isinstance(each, FileField)]
        files.sort(key=lambda name: bool({"thumbnail", "thumb", "preview"} & set(words_of(name))))
        if files:
            return files[0]
    kinds = _TYPES.get(fact, (CharField, TextField))
    for name in _COLUMNS[fact]:
        column = fields.get(name)
        if column is None or column.choices or (isinstance(column, FileField) and fact != "thumbnail_key"):
            continue
        if isinstance(column, (*kinds, FileField)):
            return name
    return ""


def _owner_column(model: type[Model], owner: Owner | None) -> str:
    for each in _fields(model):
        if owner is not None and isinstance(each, ForeignKey) and each.related_model is owner.model_class:
            return str(each.name)
    for generic in model._meta.private_fields:
        try:
            row_owner(model, generic.name)
        except FieldDoesNotExist:
            continue
        return str(generic.name)
    return ""


__all__ = ["RowsGuess", "candidates", "guess_owner", "guess_rows", "model_of"]
