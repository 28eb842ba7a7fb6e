"""How ids of FileMaker's are looked for in a model's column: text, number, UUID or a key inside JSON, also over relations.

Only what is certain is forgiven. Texts are compared without case, braces and surrounding white space, and no further:
`7` and `007` may be two serials. In a column of numbers they cannot be, so there `7`, `007` and `7.0` are one.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import (
    AutoField,
    BigAutoField,
    CharField,
    F,
    Field,
    IntegerField,
    JSONField,
    Model,
    SmallAutoField,
    TextField,
    UUIDField,
)
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Trim, Upper

#: Rows asked for in one query; below SQLite's limit of variables.
CHUNK = 400

_NUMBER = re.compile(r"(-?[0-9]{1,25})(?:\.0*)?")
_UUID = re.compile(r"[0-9A-F]{8}-?(?:[0-9A-F]{4}-?){3}[0-9A-F]{12}")
#: What a JSON null, true or false reads as in SQLite: no id.
_NO_IDS = frozenset({"NULL", "TRUE", "FALSE"})


def normalise_ref(value: object) -> str:
    """The form in which owner references are compared: trimmed, braces off, upper case."""
    text = str(value if value is not None else "").strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    return text.upper()


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    NUMBER = "number"
    UUID = "uuid"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Lookup:
    """A column that is looked in. `path` is as declared, `model` has the column, `keys` lead into its JSON."""

    path: str
    model: type[Model]
    field: Field[Any, Any]
    kind: Kind
    keys: tuple[str, ...] = ()

    def rows(self, manager: Any, refs: Sequence[str]) -> dict[str, list[Any]]:
        """The rows of `manager` that fit each of these normalised references; one query for `CHUNK` of them."""
        found: dict[str, dict[Any, Any]] = {}
        for start in range(0, len(refs), CHUNK):
            for ref, row in self._ask(manager, refs[start : start + CHUNK]):
                found.setdefault(ref, {})[row.pk] = row
        return {ref: list(rows.values()) for ref, rows in found.items()}

    def values(self, manager: Any, pks: Sequence[Any]) -> dict[Any, str]:
        """The id that each of these rows has here, as it is kept; rows with none, or several, are left out."""
        found: dict[Any, set[str]] = {}
        for start in range(0, len(pks), CHUNK):
            rows = manager.filter(pk__in=pks[start : start + CHUNK]).order_by()
            for pk, value in rows.values_list("pk", self._column()):
                if value is not None and str(value).strip():
                    found.setdefault(pk, set()).add(str(value).strip())
        return {pk: values.pop() for pk, values in found.items() if len(values) == 1}

    def _column(self) -> Any:
        """The column as an expression."""
        if self.kind is not Kind.JSON:
            return F(self.path)
        expression: Any = F(self.path[: -len("__".join(self.keys)) - 2])
        for key in self.keys[:-1]:
            expression = KeyTransform(key, expression)
        return KeyTextTransform(self.keys[-1], expression)

    def _ask(self, manager: Any, refs: Sequence[str]) -> Iterator[tuple[str, Any]]:
        if self.kind in (Kind.TEXT, Kind.JSON):
            asked = [ref for ref in refs if "\0" not in ref and not (self.kind is Kind.JSON and ref in _NO_IDS)]
            spelt = asked + [f"{{{ref}}}" for ref in asked]
            # Letter by letter what `manage.py check` asks an index for.
            rows = manager.annotate(_ref=Upper(Trim(self._column()))).filter(_ref__in=spelt)
            wanted = {ref: [ref] for ref in asked}
        else:
            wanted = _by_value(refs, _number if self.kind is Kind.NUMBER else _uuid)
            rows = manager.annotate(_ref=self._column()).filter(_ref__in=list(wanted))
        if not wanted:
            return
        for row in rows.order_by():
            value = getattr(row, "_ref")  # noqa: B009 - an annotation, unknown to types
            for ref in wanted.get(normalise_ref(value) if isinstance(value, str) else value, ()):
                yield ref, row


def lookup_of(model: type[Model], path: str) -> Lookup:
    """What `path` leads to from `model`: `filemaker_id`, `account__serial`, `data__filemaker_id`.

    Raises `FieldDoesNotExist` when it leads nowhere, `TypeError` when it ends at a column that ids cannot be in.
    """
    at, names = model, path.split("__")
    for place, name in enumerate(names):
        field = at._meta.pk if name == "pk" else at._meta.get_field(name)
        rest = tuple(names[place + 1 :])
        if isinstance(field, JSONField):
            if not rest or not all(rest):
                raise TypeError(f"{path} ends at a JSON column: name the key, as in {path}__filemaker_id")
            return Lookup(path, at, field, Kind.JSON, rest)
        if not rest:
            kind = _kind(field)
            if kind is None or not isinstance(field, Field):
                raise TypeError(f"{path} is no column of texts, whole numbers or UUIDs")
            return Lookup(path, at, field, kind)
        related = field.related_model if field is not None and field.is_relation else None
        if not isinstance(related, type):
            raise FieldDoesNotExist(f"{at.__name__}.{name} leads to no other model")
        at = related
    raise FieldDoesNotExist(f"{model.__name__} has no {path!r}")


def _kind(field: Any) -> Kind | None:
    if isinstance(field, CharField | TextField):
        return Kind.TEXT
    own_numbers = isinstance(field, AutoField | BigAutoField | SmallAutoField)
    if isinstance(field, IntegerField) and not own_numbers:
        return Kind.NUMBER
    return Kind.UUID if isinstance(field, UUIDField) else None


def _by_value(refs: Sequence[str], read: Any) -> dict[Any, list[str]]:
    found: dict[Any, list[str]] = {}
    for ref in refs:
        value = read(ref)
        if value is not None:
            found.setdefault(value, []).append(ref)
    return found


def _number(ref: str) -> int | None:
    match = _NUMBER.fullmatch(ref)
    number = int(Decimal(match[1])) if match else None
    return number if number is not None and abs(number) < 2**63 else None


def _uuid(ref: str) -> uuid.UUID | None:
    return uuid.UUID(ref) if _UUID.fullmatch(ref) else None


#: What looks for owners when lookups cannot say it; see `unlade.owners.Owner.find`.
Answers = Mapping[Any, Any]

__all__ = ["CHUNK", "Answers", "Kind", "Lookup", "lookup_of", "normalise_ref"]
