"""What `manage.py check` says of a `ModelImport`. Asks neither host nor database nor store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import FieldDoesNotExist
from django.db.models import CharField, Field, FileField, JSONField, Model

from unlade.errors import SettingsError
from unlade.importer import ContainerImport
from unlade.rigging import load_settings
from unlade.rowowner import row_owner
from unlade.rows import FACTS, ModelImport
from unlade.storages import name_in, place_of

#: How many characters a placeholder of `key` may well take.
_LENGTHS = {"owner": 36, "identity": 36, "date": 10, "record": 10, "ext": 5}
_LENGTH = 40
#: Facts that are unknown for some files.
_UNKNOWN = frozenset({"width", "height", "pages", "orientation", "taken_naive", "day", "damage", "thumbnail_error"})


def check_rows(importer: ModelImport) -> Iterator[CheckMessage]:
    """Messages on the model that rows are written into."""
    try:
        model = importer.model_class
    except (LookupError, ValueError):
        yield _error(importer, f"names a model that does not exist: {importer.model!r}", "Write app.Model.", "E007")
        return
    yield from _match(importer, model)
    for name in importer.fixed:
        yield from _there(importer, model, name)
    for name, filler in importer.columns.items():
        if filler_is_unknown(filler):
            hint = f"A column is filled by a function or by one of: {', '.join(sorted(FACTS))}."
            yield _error(importer, f"fills {name} with {filler!r}, which is not known", hint, "E011")
        elif not (missing := list(_there(importer, model, name))):
            yield from _column(importer, model, name, filler)
        else:
            yield from missing
    yield from _owner(importer, model)
    if not importer.each and not any(filler == "key" for filler in importer.columns.values()):
        hint = 'Fill a column with "key": filemaker_verify then holds rows against the store too.'
        yield _warning(importer, "keeps no key in its rows", hint, "W006")
    if importer.each and not importer.slot_column():
        hint = 'With `each` a record has several rows: fill a column with "field", by which they are told apart.'
        yield _error(importer, "cannot tell a record's rows apart", hint, "E013")


def filler_is_unknown(filler: object) -> bool:
    """Whether `columns` cannot be filled so."""
    return not callable(filler) and filler not in FACTS


def _match(importer: ModelImport, model: type[Model]) -> Iterator[CheckMessage]:
    name, _, path = importer.match.partition("__")
    field = _field(model, name)
    if field is None or (bool(path) != isinstance(field, JSONField)):
        hint = "Name the column with FileMaker's id in `match`; a key of a JSON column as column__key."
        yield _error(
            importer, f"finds its rows by {importer.match}, which {model.__name__} does not have", hint, "E008"
        )
        return
    own = any({name} <= set(each) for each in model._meta.unique_together) or any(
        name in getattr(each, "fields", ()) for each in model._meta.constraints
    )
    if not path and not field.unique and not own:
        hint = f"Make {name} unique (null=True where rows do without it): each row is looked for by it."
        yield _warning(importer, f"finds its rows by {name}, which may be double", hint, "W002")


def _column(importer: ModelImport, model: type[Model], name: str, filler: object) -> Iterator[CheckMessage]:
    field = _field(model, name)
    assert field is not None
    if isinstance(field, FileField):
        yield from _file(importer, field, filler)
    elif filler in ("key", "thumbnail_key") and isinstance(field, CharField):
        yield from _room(importer, field)
    if filler in _UNKNOWN and not field.null and not field.empty_strings_allowed and not field.has_default():
        hint = f"Let {name} be null: {filler} is not known of every file."
        yield _warning(importer, f"fills {name} with {filler}, but it cannot be empty", hint, "W005")


def _file(importer: ModelImport, field: FileField, filler: object) -> Iterator[CheckMessage]:
    if filler not in ("key", "thumbnail_key") and not callable(filler):
        hint = 'Fill a file field with "key" or "thumbnail_key": it gets the name of the stored object.'
        yield _error(importer, f"fills the file field {field.name} with {filler!r}", hint, "E014")
        return
    yield from _room(importer, field)
    try:
        url = load_settings().text("UNLADE_STORE")
        if not url:
            return
        if place_of(field.storage) is None:
            hint = "Set the field's name in `prepare`, or use a storage of a folder, S3, Google or Azure."
            what = f"fills {field.name}, whose storage {field.storage.__class__.__name__} is not known here"
            yield _warning(importer, what, hint, "W004")
            return
        name_in(field.storage, _example(importer), url)
    except SettingsError as error:
        what = f"fills {field.name}, which would not find its files. {error}"
        yield _error(importer, what, error.remedy or "Correct UNLADE_STORE.", "E012")


def _example(importer: ContainerImport) -> str:
    """A key as the pattern begins; what stands in for values does not matter."""
    return importer.key.replace("{", "").replace("}", "")


def _room(importer: ContainerImport, field: Field[Any, Any]) -> Iterator[CheckMessage]:
    """Keys are longer than a file field's hundred characters."""
    longest, most = longest_key(importer.key), field.max_length
    if most is not None and most < longest:
        what = f"fills {field.name}, which holds {most} characters; keys have {longest} and more"
        yield _warning(importer, what, f"Give {field.name} max_length=1024 and make a migration.", "W003")


def longest_key(pattern: str) -> int:
    """How many characters a key by this pattern has with ids that are UUIDs and a thumbnail's ending."""
    literal, names = "", []
    for piece in pattern.split("{"):
        name, closed, rest = piece.partition("}")
        names += [name] if closed else []
        literal += rest if closed else piece
    return len(literal) + sum(_LENGTHS.get(name, _LENGTH) for name in names) + len(".thumb")


def _owner(importer: ModelImport, model: type[Model]) -> Iterator[CheckMessage]:
    if not importer.owner_column:
        if importer.owner is not None:
            hint = "Name the foreign key to the owner's row in `owner_column`."
            yield _warning(importer, "finds owners, and keeps them in no column", hint, "W007")
        return
    try:
        link = row_owner(model, importer.owner_column)
    except FieldDoesNotExist as error:
        hint = "Name a ForeignKey or a GenericForeignKey of the model (django.contrib.contenttypes installed)."
        yield _error(importer, f"cannot link its rows: {error}", hint, "E015")
        return
    for name in link.stubborn():
        hint = f"Let {name} be null: files whose owner is not here yet are linked later."
        yield _error(importer, f"links its rows by {name}, which cannot be empty", hint, "E010")


def _there(importer: ModelImport, model: type[Model], name: str) -> Iterator[CheckMessage]:
    if _field(model, name) is None:
        what = f"writes {name}, but {model.__name__} has no column of that name"
        yield _error(importer, what, "Correct the name, or add it.", "E006")


def _field(model: type[Model], name: str) -> Field[Any, Any] | None:
    try:
        found = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return found if isinstance(found, Field) else None


def _error(importer: ContainerImport, what: str, hint: str, number: str) -> Error:
    return Error(f"The import {importer.name!r} {what}.", hint=hint, obj=type(importer), id=f"unlade.{number}")


def _warning(importer: ContainerImport, what: str, hint: str, number: str) -> Warning:
    return Warning(f"The import {importer.name!r} {what}.", hint=hint, obj=type(importer), id=f"unlade.{number}")
