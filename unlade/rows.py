"""`ModelImport`: files of FileMaker's become rows of one of the project's models, by declaration and without code.

    class PhotoImport(ModelImport):
        name = "photos"
        layout = "API_Images"
        containers = ["image_Full", "image_small"]
        owner = Owner("id_Contact", "people.Patient", match="data__filemaker_id")
        key = "people/{owner}/photos/{identity}{ext}"
        model = "gallery.Photo"
        match = "source_id"
        owner_column = "owner"
        columns = {"file": "key", "title": "original_name", "bytes": "size", "digest": "sha256"}

It is a `ContainerImport` whose hooks are written: a model that wants more overrides `prepare`, one that is made of
several tables overrides `record` and the other hooks of `ContainerImport` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields as fields_of
from typing import Any, ClassVar

from django.apps import apps
from django.db.models import CharField, Field, FileField, ImageField, JSONField, Model, QuerySet, TextField
from django.db.models.signals import post_save, pre_save

from unlade.cargo import Content
from unlade.errors import UnladeError
from unlade.importer import Consignment, ContainerImport, LeftRow, RowFacts
from unlade.owners import normalise_ref
from unlade.rowowner import RowOwner, row_owner
from unlade.states import ItemState
from unlade.storages import key_in, point_at
from unlade.texts import cut_name, storable

#: What a column can be filled with by name: the fields of `Consignment` and of `Content`, and `quarantined`.
FACTS = frozenset(
    {entry.name for entry in fields_of(Consignment)} | {entry.name for entry in fields_of(Content)} | {"quarantined"}
) - {"record", "owner", "attempts", "thumbnail", "notes"}
#: Texts that lose their meaning when they are cut.
_WHOLE = frozenset({"key", "thumbnail_key", "sha256", "md5", "identity", "owner_ref"})

Filler = Callable[[Consignment, Content], Any]


class TwoRows(UnladeError):
    """Two of the project's rows have one identity."""


class ModelImport(ContainerImport):
    """Files as rows of one model."""

    #: The project's model, or its label `app.Model`. Its primary key may be of any type.
    model: ClassVar[type[Model] | str] = ""
    #: The column with FileMaker's id as it is compared (trimmed, braces off, upper case), by which a row is found
    #: again; a key of a JSON column is `column__key`. Unique, or it should be.
    match: ClassVar[str] = "filemaker_id"
    #: Columns and what goes into them: a name of `FACTS`, or a function of consignment and content. A `FileField` takes
    #: `key` or `thumbnail_key` and gets the name by which its storage knows that object. All other columns are left.
    columns: ClassVar[Mapping[str, str | Filler]] = {}
    #: ForeignKey or GenericForeignKey to the owner's row, "" for none. It must be able to be empty.
    owner_column: ClassVar[str] = ""
    #: Values that all rows of this import have, where a model holds rows of several; rows are told apart by them.
    fixed: ClassVar[Mapping[str, Any]] = {}

    # What a project may override, beside the hooks of `ContainerImport`.

    def prepare(self, row: Any, item: Consignment, content: Content) -> None:
        """Called with the columns set, before the row is saved: set what no column can. As `record`: in a transaction."""

    # The hooks of `ContainerImport`, written.

    def record(self, item: Consignment, content: Content) -> Any:
        """Write the row of this identity, or update it. Raises `TwoRows`, `SettingsError` (the field's storage)."""
        row = self._existing(item) or self.model_class(**self.fixed)
        self._fill(row, item, content)
        row.save()
        return row

    def record_many(self, items: Sequence[tuple[Consignment, Content]]) -> Sequence[Any]:
        """New rows in one statement, unless the model has a `save` of its own or signals that it would miss."""
        model = self.model_class
        if model.save is not Model.save or pre_save.has_listeners(model) or post_save.has_listeners(model):
            return super().record_many(items)
        there = self._there([item for item, _ in items])
        fresh, places = [], {}
        for place, (item, content) in enumerate(items):
            if self._name_of(item) not in there:
                row = model(**self.fixed)
                self._fill(row, item, content)
                fresh.append(row)
                places[place] = row
        model._base_manager.bulk_create(fresh, batch_size=500)
        return [places.get(place) or self.record(*pair) for place, pair in enumerate(items)]

    def link(self, pairs: Sequence[tuple[Any, Any]]) -> Collection[Any]:
        """Set the owners of rows; a fixed number of queries for each five hundred."""
        link, owners = self._link(), {self._pk(key): (key, owner) for key, owner in pairs}
        lost = []
        for start in range(0, len(owners), 500):
            wanted = list(owners)[start : start + 500]
            rows = {row.pk: row for row in self.model_class._base_manager.select_for_update().filter(pk__in=wanted)}
            if link is not None and rows:
                for pk, row in rows.items():
                    link.set(row, owners[pk][1])
                self.model_class._base_manager.bulk_update(rows.values(), link.columns)
            lost += [owners[pk][0] for pk in wanted if pk not in rows]
        return lost

    def rekey(self, moves: Sequence[tuple[Any, str, str]]) -> Collection[Any]:
        """Let rows name other objects; a query for each five hundred rows, and one to write them."""
        wanted = {self._pk(key): (key, facts) for key, *facts in moves}
        columns = [name for name in (self._column_of("key"), self._column_of("thumbnail_key")) if name]
        lost = []
        for start in range(0, len(wanted), 500):
            some = list(wanted)[start : start + 500]
            rows = {row.pk: row for row in self.model_class._base_manager.select_for_update().filter(pk__in=some)}
            for pk, row in rows.items():
                for fact_name, value in zip(("key", "thumbnail_key"), wanted[pk][1], strict=True):
                    if column := self._column_of(fact_name):
                        self._set(row, column, fact_name, value)
            if rows and columns:
                self.model_class._base_manager.bulk_update(rows.values(), columns)
            lost += [wanted[pk][0] for pk in some if pk not in rows]
        return lost

    def orphans(self, after: Any, limit: int) -> Sequence[Any]:
        """Rows of this import without an owner, or whose owner was deleted since (a GenericForeignKey keeps its id)."""
        link = self._link()
        if link is None:
            return ()
        rows = self._mine().order_by("pk")
        return link.orphans(rows if after is None else rows.filter(pk__gt=after), limit)

    def rows(self, pks: Sequence[str]) -> Mapping[str, RowFacts] | None:
        """What the rows say; None where no column keeps the key."""
        if not self._column_of("key"):
            return None
        found = self.model_class._base_manager.filter(pk__in=[self._pk(pk) for pk in pks])
        return {str(row.pk): self._facts(row) for row in found}

    def row_metadata(self, pk: str) -> Mapping[str, Any]:
        """The fields of the source, where a column is filled with `metadata`."""
        column = self._column_of("metadata")
        rows = self.model_class._base_manager.filter(pk=self._pk(pk))
        kept = rows.values_list(column, flat=True).first() if column else None
        return kept if isinstance(kept, dict) else {}

    def left_rows(self, after: Any, limit: int) -> Sequence[LeftRow]:
        """All rows of the model that have a file and fit `fixed`."""
        rows = self.model_class._base_manager.filter(**self.fixed).order_by("pk")
        if after is not None:
            rows = rows.filter(pk__gt=after)
        return [
            LeftRow(row.pk, self._said(row, "key"), self._identity(row), self._said(row, "sha256"))
            for row in rows[:limit]
        ]

    def adopt_row(self, pk: Any, identity: str) -> None:
        """Write the identity where `record` looks for it."""
        row = self.model_class._base_manager.select_for_update().get(pk=pk)
        self._name(row, normalise_ref(identity))
        self.model_class._base_manager.bulk_update([row], [self.match.partition("__")[0]])

    # What checks ask too.

    @property
    def model_class(self) -> type[Model]:
        return apps.get_model(self.model) if isinstance(self.model, str) else self.model

    def slot_column(self) -> str:
        """With `each`: the column that is filled with the container field's name, by which a record's rows differ."""
        return self._column_of("field") if self.each else ""

    # Inside.

    def _mine(self) -> QuerySet[Any]:
        """Rows that came by this import."""
        rows = self.model_class._base_manager.filter(**self.fixed).exclude(**{f"{self.match}__isnull": True})
        plain = "__" not in self.match and isinstance(self.model_class._meta.get_field(self.match), CharField)
        return rows.exclude(**{self.match: ""}) if plain else rows

    def _existing(self, item: Consignment) -> Any:
        slot = self.slot_column()
        lookup = {**self.fixed, self.match: self._as_kept(item.identity), **({slot: item.field} if slot else {})}
        found = list(self.model_class._base_manager.select_for_update().filter(**lookup).order_by("pk")[:2])
        if len(found) > 1:
            raise TwoRows(
                f"record {item.record.record_id}: rows {found[0].pk} and {found[1].pk} both have its identity",
                remedy="Keep one of them, and make the column unique.",
            )
        return found[0] if found else None

    def _there(self, items: Sequence[Consignment]) -> set[tuple[str, str]]:
        """Identity, and with `each` field, of those that have a row."""
        slot = self.slot_column()
        kept = {self._as_kept(item.identity) for item in items}
        found: set[tuple[str, str]] = set()
        for start in range(0, len(kept), 500):
            some = list(kept)[start : start + 500]
            rows = self.model_class._base_manager.filter(**self.fixed, **{f"{self.match}__in": some})
            told = rows.values_list(self.match, *([slot] if slot else []))
            found |= {(normalise_ref(identity), "".join(rest)) for identity, *rest in told}
        return found

    def _name_of(self, item: Consignment) -> tuple[str, str]:
        return item.identity, item.field if self.slot_column() else ""

    def _fill(self, row: Any, item: Consignment, content: Content) -> None:
        for name, value in self.fixed.items():
            setattr(row, name, value)
        for name, filler in self.columns.items():
            self._set(row, name, filler, filler(item, content) if callable(filler) else fact(filler, item, content))
        self._measure(row, content)
        self._name(row, item.identity)
        if (link := self._link()) is not None:
            link.set(row, item.owner)
        self.prepare(row, item, content)

    def _set(self, row: Any, name: str, filler: str | Filler, value: Any) -> None:
        column = self.model_class._meta.get_field(name)
        if isinstance(column, FileField):
            point_at(row, name, value or "")
            return
        assert isinstance(column, Field)
        if isinstance(column, JSONField) and isinstance(value, Mapping):
            kept = getattr(row, name)
            value = {**(kept if isinstance(kept, dict) else {}), **storable(value)}
        elif isinstance(value, str):
            value = storable(value)
            if filler not in _WHOLE and isinstance(column, CharField | TextField) and column.max_length:
                value = cut_name(value, column.max_length)
        if value is None and not column.null:
            value = column.get_default()
        setattr(row, name, value)

    def _measure(self, row: Any, content: Content) -> None:
        """Fill what an ImageField keeps of its picture: Django would open the file for that, each time it is missing."""
        for name, filler in self.columns.items():
            column = self.model_class._meta.get_field(name)
            if filler == "key" and isinstance(column, ImageField):
                for side, value in (("width_field", content.width), ("height_field", content.height)):
                    target = getattr(column, side)
                    if target and target not in self.columns:
                        setattr(row, target, value)

    def _name(self, row: Any, identity: str) -> None:
        column, _, path = self.match.partition("__")
        if not path:
            setattr(row, column, self._as_kept(identity))
            return
        kept = getattr(row, column)
        setattr(row, column, {**(kept if isinstance(kept, dict) else {}), path: identity})

    def _as_kept(self, identity: str) -> Any:
        if "__" in self.match:
            return identity
        return self.model_class._meta.get_field(self.match).to_python(identity)  # type: ignore[union-attr]

    def _identity(self, row: Any) -> str:
        column, _, path = self.match.partition("__")
        kept = getattr(row, column)
        return normalise_ref((kept.get(path) if isinstance(kept, dict) else None) if path else kept)

    def _facts(self, row: Any) -> RowFacts:
        day, link = self._column_of("day"), self._link()
        return RowFacts(
            key=self._said(row, "key"),
            owner=link.key_of(row, self.owner.model_class) if link is not None and self.owner is not None else None,
            thumbnail_key=self._said(row, "thumbnail_key"),
            sha256=self._said(row, "sha256"),
            day=getattr(row, day) if day else "",
        )

    def _said(self, row: Any, what: str) -> str:
        """The text that the row keeps of this fact; of a file field the key that its name stands for."""
        name = self._column_of(what)
        if not name:
            return ""
        column = self.model_class._meta.get_field(name)
        if isinstance(column, FileField):
            return key_in(column.storage, getattr(row, name).name or "")
        return str(getattr(row, name) or "")

    def _column_of(self, what: str) -> str:
        return next((name for name, filler in self.columns.items() if filler == what), "")

    def _link(self) -> RowOwner | None:
        return row_owner(self.model_class, self.owner_column) if self.owner_column else None

    def _pk(self, text: Any) -> Any:
        """A primary key from the ledger's text."""
        key = self.model_class._meta.pk
        assert key is not None
        return key.to_python(text)


def fact(name: str, item: Consignment, content: Content) -> Any:
    """What `columns` calls by that name."""
    if name == "quarantined":
        return item.state == ItemState.QUARANTINED
    return getattr(item, name) if hasattr(item, name) else getattr(content, name)


__all__ = ["FACTS", "ModelImport", "TwoRows", "fact"]
