"""What `manage.py check` says of declared imports, each with a hint. Nothing here asks a host or a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db.models import CharField, F, Field, ForeignKey, JSONField, Model, TextField

from unlade.importer import ContainerImport, declared_all
from unlade.keys import check_pattern
from unlade.records.declaring import RecordImport


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
        yield from _reference(importer, "owner", importer.owner.model, importer.owner.match)


def _records(importer: RecordImport) -> Iterator[CheckMessage]:
    problems = list(_reference(importer, "model", importer.model, importer.match))
    yield from problems
    if any(problem.is_serious() for problem in problems):
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


def _column(importer: RecordImport, name: str, kind: type[Any]) -> Iterator[CheckMessage]:
    try:
        good = isinstance(importer.model_class._meta.get_field(name), kind)
    except FieldDoesNotExist:
        good = False
    if not good:
        what = "no field" if kind is Field else f"no {kind.__name__}"
        yield _error(
            importer, f"writes {name}, but its model has {what} of that name", "Correct the name, or add it.", "E006"
        )


def _reference(importer: ContainerImport, what: str, model: type[Model] | str, match: str) -> Iterator[CheckMessage]:
    """A model that is looked up by an id of FileMaker's."""
    try:
        cls = apps.get_model(model) if isinstance(model, str) else model
    except (LookupError, ValueError):
        yield _error(importer, f"names a model for {what} that does not exist: {model!r}", "Write app.Model.", "E007")
        return
    try:
        field = cls._meta.get_field(match)
    except FieldDoesNotExist:
        hint = "Name the model's field with FileMaker's id in `match`."
        yield _error(importer, f"matches {what} by {match}, which {cls.__name__} does not have", hint, "E008")
        return
    if not isinstance(field, CharField | TextField):
        hint = "Keep FileMaker's id in a CharField: ids are compared as text, without case and braces."
        yield _error(importer, f"matches {what} by {cls.__name__}.{match}, which is no text", hint, "E009")
    elif not _indexed(cls, field):
        yield Warning(
            _said(importer, f"matches {what} by {cls.__name__}.{match}, which has no index"),
            hint=f'Add models.Index(Upper(Trim("{match}")), name=...) to its Meta.indexes: each lookup reads the table.',
            obj=type(importer),
            id="unlade.W001",
        )


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
        yield str(getattr(expression, "name", ""))
    for inner in getattr(expression, "get_source_expressions", list)():
        yield from _names(inner)


def _said(importer: ContainerImport, what: str) -> str:
    return f"The import {importer.name!r} {what}."


def _error(importer: ContainerImport, what: str, hint: str, number: str) -> Error:
    return Error(_said(importer, what), hint=hint, obj=type(importer), id=f"unlade.{number}")
