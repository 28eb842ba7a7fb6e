"""What `manage.py check` says of declared imports, each with a hint. Nothing here asks a host or a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db.models import DateTimeField, F, Field, ForeignKey, JSONField, Model

from unlade.importer import ContainerImport, declared_all
from unlade.keys import check_pattern
from unlade.lookups import Kind, Lookup, lookup_of
from unlade.owners import Owner
from unlade.records.declaring import RecordImport, Rows
from unlade.rowchecks import check_rows
from unlade.rows import ModelImport


def check_declarations(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """Messages on the declarations of these apps (None: of all)."""
    try:
        imports = declared_all()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="Give each declaration a name of its own.", id="unlade.E001")]
    asked = None if app_configs is None else {config.name for config in app_configs}
    found: list[CheckMessage] = []
    for importer in imports.values():
        home = apps.get_containing_app_config(type(importer).__module__)
        if asked is None or (home is not None and home.name in asked):
            found += check_import(importer)
    return found


def check_import(importer: ContainerImport) -> list[CheckMessage]:
    """Messages on one declaration."""
    found = list(_plain(importer))
    if isinstance(importer, RecordImport):
        return [*found, *_records(importer)]
    return [*found, *_files(importer)]


def _plain(importer: ContainerImport) -> Iterator[CheckMessage]:
    for name in ("layout", "identity"):
        if not getattr(importer, name):
            yield _error(importer, f"names no {name}", f"Set `{name}` to its name in FileMaker.", "E002")


def _files(importer: ContainerImport) -> Iterator[CheckMessage]:
    if not importer.containers:
        yield _error(
            importer, "names no containers", "List the container fields in `containers`, the best first.", "E003"
        )
    # What `key_values` adds is known only with a record in hand.
    own = type(importer).key_values is not ContainerImport.key_values
    for problem in check_pattern(importer.key):
        if not (own and "is not known" in problem):
            yield _error(importer, f"has a key that cannot be used: {problem}", "Correct `key`.", "E004")
    if importer.owner is not None:
        yield from _owner(importer, importer.owner)
    if isinstance(importer, ModelImport):
        yield from check_rows(importer)


def _owner(importer: ContainerImport, owner: Owner) -> Iterator[CheckMessage]:
    if owner.find is not None:
        yield from _model(importer, "owner", owner.model)
        return
    for match in owner.matches:
        problems = list(_reference(importer, "owner", owner.model, match))
        yield from problems
        if any(problem.id == "unlade.E007" for problem in problems):
            return


def _records(importer: RecordImport) -> Iterator[CheckMessage]:
    problems = list(_reference(importer, "model", importer.model, importer.match))
    yield from problems
    if any(problem.is_serious() for problem in problems):
        return
    if lookup_of(importer.model_class, importer.match).kind is not Kind.TEXT or "__" in importer.match:
        hint = "Name a CharField of the model itself in `match`: rows are made with it."
        yield _error(importer, f"keeps FileMaker's id in {importer.match}, which is no text of its model", hint, "E009")
        return
    if not importer.fields:
        yield _error(importer, "names no fields", "Say in `fields` what goes into which column.", "E005")
    if not importer.model_field(importer.match).unique:
        yield Warning(
            _said(importer, f"finds rows by {importer.match}, which may be double"),
            hint=f"Make {importer.match} unique: a record whose rows are two is failed as ambiguous.",
            obj=type(importer),
            id="unlade.W002",
        )
    for name in importer.fields:
        yield from _column(importer, name, ForeignKey if name in importer.links() else Field)
    if importer.metadata:
        yield from _column(importer, importer.metadata, JSONField)
    for name, link in importer.links().items():
        yield from _reference(importer, name, link.model, link.match)
    for portal, rows in importer.portals.items():
        yield from _rows(importer, portal, rows)


def _rows(importer: RecordImport, portal: str, rows: Rows) -> Iterator[CheckMessage]:
    """A portal's rows: their model, its key to the record's row, and its columns."""
    problems = list(_reference(importer, f"portal {portal}", rows.model, rows.match))
    yield from problems
    if any(problem.is_serious() for problem in problems):
        return
    yield from _column(importer, rows.parent, ForeignKey, rows.model_class)
    for name in rows.fields:
        yield from _column(importer, name, Field, rows.model_class)
    if rows.gone:
        yield from _column(importer, rows.gone, DateTimeField, rows.model_class)


def _column(
    importer: RecordImport, name: str, kind: type[Any], model: type[Model] | None = None
) -> Iterator[CheckMessage]:
    try:
        good = isinstance((model or importer.model_class)._meta.get_field(name), kind)
    except FieldDoesNotExist:
        good = False
    if not good:
        what = "no field" if kind is Field else f"no {kind.__name__}"
        yield _error(
            importer, f"writes {name}, but its model has {what} of that name", "Correct the name, or add it.", "E006"
        )


def _reference(importer: ContainerImport, what: str, model: type[Model] | str, match: str) -> Iterator[CheckMessage]:
    """A model that is looked up by an id of FileMaker's."""
    problems = list(_model(importer, what, model))
    yield from problems
    if problems:
        return
    cls = apps.get_model(model) if isinstance(model, str) else model
    try:
        lookup = lookup_of(cls, match)
    except FieldDoesNotExist:
        hint = "Name the model's field with FileMaker's id in `match`, or the lookup that leads to it."
        yield _error(importer, f"matches {what} by {match}, which {cls.__name__} does not have", hint, "E008")
        return
    except TypeError as error:
        hint = "Keep FileMaker's id in a CharField: ids are compared as text, without case and braces."
        yield _error(importer, f"matches {what} by {cls.__name__}.{match}: {error}", hint, "E009")
        return
    if not _indexed(lookup.model, lookup.field):
        yield Warning(
            _said(importer, f"matches {what} by {cls.__name__}.{match}, which has no index"),
            hint=_index_hint(lookup),
            obj=type(importer),
            id="unlade.W001",
        )


def _model(importer: ContainerImport, what: str, model: type[Model] | str) -> Iterator[CheckMessage]:
    try:
        _ = apps.get_model(model) if isinstance(model, str) else model
    except (LookupError, ValueError):
        yield _error(importer, f"names a model for {what} that does not exist: {model!r}", "Write app.Model.", "E007")


def _index_hint(lookup: Lookup) -> str:
    name = lookup.field.name
    if lookup.kind is Kind.JSON:
        column = f'Upper(Trim(KT("{"__".join((name, *lookup.keys))}")))'
    else:
        column = f'Upper(Trim("{name}"))' if lookup.kind is Kind.TEXT else f'fields=["{name}"]'
    whose = f"{lookup.model.__name__}'s" if "__" in lookup.path else "its"
    return f"Add models.Index({column}, name=...) to {whose} Meta.indexes: each lookup reads the table."


def _indexed(model: type[Model], field: Field[Any, Any]) -> bool:
    if field.unique or getattr(field, "db_index", False):
        return True
    return any(
        field.name in index.fields or any(field.name in _names(each) for each in index.expressions)
        for index in model._meta.indexes
    )


def _names(expression: Any) -> Iterator[str]:
    """The fields that an expression speaks of."""
    if isinstance(expression, F):
        yield str(getattr(expression, "name", "")).partition("__")[0]
    for inner in getattr(expression, "get_source_expressions", list)():
        yield from _names(inner)


def _said(importer: ContainerImport, what: str) -> str:
    return f"The import {importer.name!r} {what}."


def _error(importer: ContainerImport, what: str, hint: str, number: str) -> Error:
    return Error(_said(importer, what), hint=hint, obj=type(importer), id=f"unlade.{number}")
