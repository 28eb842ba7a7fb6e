"""`RecordImport`: which layout's records become which model's rows, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.apps import apps
from django.db.models import Field, Model

from unlade.cargo import SourceRecord
from unlade.importer import ContainerImport, RowFacts
from unlade.owners import Owner
from unlade.records.converting import Converter, plain, text


@dataclass(frozen=True, slots=True)
class Column:
    """The source's field whose value goes into a model's column, and by which converter."""

    field: str
    convert: Converter = text


@dataclass(frozen=True, slots=True)
class Link:
    """The source's field with another record's id, for a foreign key to the row of `model` that has it in `match`.

    Ids are compared as owners' ids are (`unlade.owners`). As long as the other row is not here, or two fit, the record
    is `unlinked` and the key empty; every later run looks again.
    """

    field: str
    model: type[Model] | str
    match: str = "filemaker_id"

    @property
    def owner(self) -> Owner:
        """The same, for `OwnerFinder`."""
        return Owner(self.field, self.model, self.match)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a portal, for a model whose foreign key `parent` leads to the record's own row.

    They are written with their record, in one transaction. A row is known by `identity`, its own id in FileMaker, or
    without one by the portal row's record id; `match` is the model's text column that keeps it, unique. A row belongs
    to one parent. One that FileMaker no longer shows stays; `gone`, a DateTimeField, says since when.

    Fields may be written with or without their table in front (`Phones::number`). In a database file and in an
    export the rows lie in a `table` of their own, and `key` is its field with the parent's identity.
    """

    model: type[Model] | str
    parent: str
    fields: Mapping[str, Column]
    identity: str = ""
    match: str = "filemaker_id"
    table: str = ""  #: "" to find it by the declared fields
    key: str = ""  #: "": these rows come over the API only
    gone: str = ""

    @property
    def model_class(self) -> type[Model]:
        return apps.get_model(self.model) if isinstance(self.model, str) else self.model

    @property
    def owner(self) -> Owner:
        """The same, for `OwnerFinder`."""
        return Owner(self.identity or "recordId", self.model, self.match)

    def model_field(self, name: str) -> Field[Any, Any]:
        """The model's field. Raises `FieldDoesNotExist`."""
        found = self.model_class._meta.get_field(name)
        assert isinstance(found, Field)
        return found

    def fields_needed(self) -> list[str]:
        """Every field of a portal row, without its table in front."""
        names = [self.identity, *(column.field for column in self.fields.values())]
        return list(dict.fromkeys(bare(name) for name in names if name))


def bare(name: str) -> str:
    """A related field's name without its table: `Phones::number` is `number`."""
    return name.rpartition("::")[2]


class RecordImport(ContainerImport):
    """Base of all declarations of records to import. Subclass it, set the attributes, override the hooks you need.

    Ledger, host and reports ask it what they ask of an import of files; containers on the layout are left alone.
    """

    carries = "records"
    noun = ("record", "records")
    #: The project's model, or its label `app.Model`.
    model: ClassVar[type[Model] | str] = ""
    #: The model's text column with FileMaker's id: unique, and indexed on its upper-case form (`unlade.owners`).
    match: ClassVar[str] = "filemaker_id"
    #: The model's columns and where their values come from; all other columns are never touched.
    fields: ClassVar[Mapping[str, Column | Link]] = {}
    #: Portals of the layout, by the name that the Data API gives them (the portal object's, or its table's), and what
    #: their rows become.
    portals: ClassVar[Mapping[str, Rows]] = {}  # type: ignore[assignment]
    #: A JSONField that keeps all of the source's fields as they were read, "" for none.
    metadata: ClassVar[str] = ""

    # What a project may override, beside `wants`.

    def record(self, row: Any, record: SourceRecord) -> None:  # type: ignore[override]
        """Called before a row is saved, with its columns set: set what no `Column` can.

        Called inside the page's transaction. An exception ends the run; nothing of the page is written then.
        """

    def after_commit(self, row: Any, record: SourceRecord) -> None:  # type: ignore[override]
        """Called once the page with this row is committed. An exception is logged; the row stays."""

    # What the engine asks.

    @property
    def model_class(self) -> type[Model]:
        return apps.get_model(self.model) if isinstance(self.model, str) else self.model

    def columns(self) -> dict[str, Column]:
        """The plain ones."""
        return {name: column for name, column in self.fields.items() if isinstance(column, Column)}

    def links(self) -> dict[str, Link]:
        """The foreign keys."""
        return {name: link for name, link in self.fields.items() if isinstance(link, Link)}

    def model_field(self, name: str) -> Field[Any, Any]:
        """The model's field. Raises `FieldDoesNotExist`."""
        found = self.model_class._meta.get_field(name)
        assert isinstance(found, Field)
        return found

    def owner_ref_of(self, record: SourceRecord) -> str:
        """The id of the first linked record, for the ledger; "" without one."""
        link = next(iter(self.links().values()), None)
        return plain(record.fields.get(link.field, "")) if link else ""

    def identity_of(self, record: SourceRecord) -> str:
        """The identity's value, trimmed; "" when missing."""
        return plain(record.fields.get(self.identity, ""))

    def rows(self, pks: Sequence[str]) -> Mapping[str, RowFacts]:
        """The rows with these primary keys; `owner` is the first link's."""
        link = next(iter(self.links()), None)
        attname = self.model_field(link).attname if link else "pk"
        found = self.model_class._base_manager.filter(pk__in=list(pks)).values_list("pk", attname)
        return {str(pk): RowFacts(key="", owner=owner if link else None) for pk, owner in found}

    def fields_needed(self) -> list[str]:
        """Every field that must be on the layout."""
        return list(dict.fromkeys([self.identity, *(each.field for each in self.fields.values())]))


__all__ = ["Column", "Link", "RecordImport", "Rows", "bare"]
