"""The link from a row to its owner: a ForeignKey, or a GenericForeignKey with keys of any type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field, ForeignKey, Model, QuerySet


class RowOwner(ABC):
    """How rows of one model name their owner."""

    #: The columns that the link consists of, for `bulk_update`.
    columns: Sequence[str]

    @abstractmethod
    def set(self, row: Any, owner: Model | None) -> None:
        """Let the row belong to that owner, or to nobody."""

    @abstractmethod
    def key_of(self, row: Any, model: type[Model]) -> Any:
        """The owner's primary key, None without one. An owner of another model than `model` is a text that names it."""

    @abstractmethod
    def orphans(self, rows: QuerySet[Any], limit: int) -> list[Any]:
        """Primary keys of the first rows, in their order, whose owner is not named or not there any more."""

    @abstractmethod
    def stubborn(self) -> Sequence[str]:
        """Columns of the link that cannot be empty, so that a file without its owner has no row."""


class PlainOwner(RowOwner):
    """A ForeignKey."""

    def __init__(self, field: ForeignKey[Any, Any]) -> None:
        self._field = field
        self.columns = [field.name]

    def set(self, row: Any, owner: Model | None) -> None:
        setattr(row, self._field.name, owner)

    def key_of(self, row: Any, model: type[Model]) -> Any:
        if self._field.target_field.primary_key:
            return getattr(row, self._field.attname)
        owner = getattr(row, self._field.name)  # it points at another column
        return None if owner is None else owner.pk

    def orphans(self, rows: QuerySet[Any], limit: int) -> list[Any]:
        return list(rows.filter(**{self._field.name: None}).values_list("pk", flat=True)[:limit])

    def stubborn(self) -> Sequence[str]:
        return [] if self._field.null else [self._field.name]


class GenericOwner(RowOwner):
    """A GenericForeignKey. Nothing keeps it from naming an owner that was deleted: such rows are orphans too."""

    def __init__(self, model: type[Model], type_field: str, key_field: str, name: str) -> None:
        self._model, self._type, self._key, self._name = model, type_field, key_field, name
        self.columns = [type_field, key_field]

    def set(self, row: Any, owner: Model | None) -> None:
        setattr(row, self._name, owner)
        if owner is None and not self._null(self._key):
            setattr(row, self._key, "")

    def key_of(self, row: Any, model: type[Model]) -> Any:
        type_id, key = getattr(row, f"{self._type}_id"), getattr(row, self._key)
        if type_id is None or key in (None, ""):
            return None
        named = _model_of(type_id)
        if named is None or named._meta.concrete_model is not model._meta.concrete_model:
            return f"{type_id}:{key}"
        return _to_pk(named, key)

    def orphans(self, rows: QuerySet[Any], limit: int) -> list[Any]:
        found: list[Any] = []
        after: Any = None
        while len(found) < limit:
            some = rows if after is None else rows.filter(pk__gt=after)
            told = list(some.values_list("pk", f"{self._type}_id", self._key)[:limit])
            if not told:
                break
            alive = _alive((type_id, str(key)) for _, type_id, key in told if type_id is not None and key is not None)
            found += [pk for pk, type_id, key in told if (type_id, str(key)) not in alive]
            after = told[-1][0]
        return found[:limit]

    def stubborn(self) -> Sequence[str]:
        key = self._model._meta.get_field(self._key)
        texts = isinstance(key, Field) and key.empty_strings_allowed
        return [name for name in self.columns if not self._null(name) and not (name == self._key and texts)]

    def _null(self, name: str) -> bool:
        return bool(getattr(self._model._meta.get_field(name), "null", False))


def row_owner(model: type[Model], name: str) -> RowOwner:
    """The link called `name`. Raises `FieldDoesNotExist` when the model has none of that name that can be used."""
    field = model._meta.get_field(name)
    if isinstance(field, ForeignKey):
        return PlainOwner(field)
    if apps.is_installed("django.contrib.contenttypes"):
        from django.contrib.contenttypes.fields import GenericForeignKey

        if isinstance(field, GenericForeignKey):
            return GenericOwner(model, field.ct_field, field.fk_field, name)
    raise FieldDoesNotExist(f"{model._meta.label} has no foreign key called {name!r}")


def _model_of(type_id: Any) -> type[Model] | None:
    from django.contrib.contenttypes.models import ContentType

    try:
        return ContentType.objects.get_for_id(type_id).model_class()
    except ContentType.DoesNotExist:
        return None


def _to_pk(model: type[Model], text: Any) -> Any:
    """A primary key from what a GenericForeignKey keeps; the text itself where it cannot be one."""
    from django.core.exceptions import ValidationError

    assert model._meta.pk is not None
    try:
        return model._meta.pk.to_python(text)
    except ValidationError:
        return text


def _alive(pairs: Iterable[tuple[Any, str]]) -> set[tuple[Any, str]]:
    """Those of (content type, key as text) whose object exists; a query for each content type."""
    by_type: dict[Any, set[str]] = {}
    for type_id, key in pairs:
        by_type.setdefault(type_id, set()).add(key)
    alive: set[tuple[Any, str]] = set()
    for type_id, keys in by_type.items():
        model = _model_of(type_id)
        if model is None:
            continue
        keys_of: dict[Any, list[str]] = {}
        for key in keys - {""}:
            pk = _to_pk(model, key)
            if not isinstance(pk, str) or type(model._meta.pk).__name__ in _TEXT_KEYS:
                keys_of.setdefault(pk, []).append(key)
        known = list(keys_of)
        for start in range(0, len(known), 500):
            there = model._base_manager.filter(pk__in=known[start : start + 500]).values_list("pk", flat=True)
            alive |= {(type_id, key) for pk in there for key in keys_of[pk]}
    return alive


_TEXT_KEYS = ("CharField", "TextField", "SlugField")

__all__ = ["GenericOwner", "PlainOwner", "RowOwner", "row_owner"]
