"""What a project declares: which layout, which containers, whose files, under which key, into which rows.

    class ImageImport(ContainerImport):
        name = "images"
        layout = "API_Images"
        identity = "id"
        containers = ["image_Full", "image_large", "image_small"]   # best first
        owner = Owner(field="id_Contact", model="patients.Patient", match="filemaker_id")
        taken_on = DateField("date")
        key = "patients/filemaker-import/images/{owner}/{date}/{identity}{ext}"

Declarations live in a module `imports` of any installed app and are found by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules

from unlade.cargo import Attempt, Content, SourceRecord
from unlade.dates import parse_date
from unlade.errors import UsageError
from unlade.owners import Owner, Ref, first_of

__all__ = [
    "Consignment",
    "ContainerImport",
    "DateField",
    "LeftRow",
    "Owner",
    "RowFacts",
    "Thumbnail",
    "declared",
    "declared_all",
    "get_any_import",
    "get_import",
]


@dataclass(frozen=True, slots=True)
class DateField:
    """The source's field with the day a file belongs to. `order` (`mdy` or `dmy`) settles what reads two ways."""

    field: str
    order: str = "mdy"

    def read(self, record: SourceRecord) -> tuple[date | None, str]:
        """The day and the raw text; None when there is no day in it."""
        raw = str(record.fields.get(self.field, ""))
        return parse_date(raw, self.order), raw


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """The box, in pixels, that thumbnails fit into."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Consignment:
    """All that is known about one stored file when its row is written.

    `owner` is the project's row or None while the file is unlinked; `owner_ref` and `identity` are the source's values
    as keys spell them ("" when missing). `metadata` is every field that is no container, as it was read, long base64
    text left out. `state` is imported, unlinked or quarantined. `thumbnail_key` is "" when there is none.
    """

    source: str
    record: SourceRecord
    identity: str
    owner: Any
    owner_ref: str
    day: date | None
    raw_day: str
    category: str
    original_name: str
    key: str
    thumbnail_key: str
    thumbnail_size: int
    field: str
    state: str
    reason: str
    uploaded_by: str
    metadata: Mapping[str, Any]
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What one of the project's rows says of its file, for checks. "" and None: the row does not say."""

    key: str
    owner: Any = None  #: primary key of the owner's row
    thumbnail_key: str = ""
    sha256: str = ""
    day: date | str | None = ""  #: the day it is filed under; "" for a row that does not say


@dataclass(frozen=True, slots=True)
class LeftRow:
    """A row of the project that an earlier script wrote, for `filemaker_adopt`. "" and None: the row does not say."""

    pk: Any
    key: str
    identity: str = ""  #: the source's id, from wherever the script kept it
    sha256: str = ""
    original_name: str = ""


class ContainerImport:
    """Base of all declarations of files to import. Subclass it, set the attributes, override the hooks you need."""

    #: What is brought: `files`, or `records` alone (`unlade.records.RecordImport`).
    carries: ClassVar[str] = "files"
    #: Unique name; `import_filemaker NAME` runs it.
    name: ClassVar[str] = ""
    #: Layout that is read; keep it lean: only the declared fields.
    layout: ClassVar[str] = ""
    #: Other layout for the output (`layout.response`), "" for none.
    response_layout: ClassVar[str] = ""
    #: Table in the database file, for the road that reads it; "" to find it by the declared fields.
    table: ClassVar[str] = ""
    #: Field with the record's own id, unique in the source.
    identity: ClassVar[str] = "id"
    #: Container fields, best first; a repetition is `photo(2)`.
    containers: ClassVar[Sequence[str]] = ()
    #: One item for each filled container instead of one for each record.
    each: ClassVar[bool] = False
    owner: ClassVar[Owner | None] = None
    taken_on: ClassVar[DateField | None] = None
    #: Field names; "" for none.
    category: ClassVar[str] = ""
    original_name: ClassVar[str] = ""
    size_field: ClassVar[str] = ""
    digest_field: ClassVar[str] = ""
    #: Where an original goes; see `unlade.keys.render`.
    key: ClassVar[str] = ""
    thumbnail: ClassVar[Thumbnail | None] = Thumbnail(300, 300)
    #: Field that may be stamped in FileMaker once a file is recorded; written only when asked for.
    marker: ClassVar[str] = ""
    #: `host` (its own order), `newest first` or `owners first`.
    order: ClassVar[str] = "host"
    portals: ClassVar[Sequence[str]] = ()
    #: How reports speak of one and of many.
    noun: ClassVar[tuple[str, str]] = ("file", "files")
    #: How reports speak of one owner's files of one day, "" to leave that out.
    group_noun: ClassVar[str] = ""

    # What a project may override.

    def wants(self, record: SourceRecord) -> bool:
        """Whether this record is cargo at all; what is not wanted ends as `accepted` with that reason."""
        return True

    def key_values(self, record: SourceRecord) -> Mapping[str, str]:
        """Further placeholders for `key`, beside owner, identity, date, category, record and ext."""
        return {}

    def record(self, item: Consignment, content: Content) -> Any:
        """Write the project's own row and return it (or None).

        Called inside the transaction that settles the item, by one thread. May be called again for the same identity:
        it must update, not add. An exception leaves the item for the next run; the stored file is not fetched again.
        """
        return None

    def record_many(self, items: Sequence[tuple[Consignment, Content]]) -> Sequence[Any]:
        """Write many rows at once and return them in the same order; worth overriding where there are thousands.

        For files that lie in the store already (`import_..._metadata_only`, `filemaker_adopt`). Called inside a
        transaction; the same rules as for `record`, which is called for each unless this is overridden.
        """
        return [self.record(item, content) for item, content in items]

    def insert_many(self, items: Sequence[tuple[Consignment, Content]]) -> Sequence[Any] | None:
        """Write many rows at once and return only their primary keys, in the same order; None: by `record_many`.

        For imports of hundreds of thousands of rows, where building the rows' objects is what takes the time; see
        `unlade.bulk.insert`. The ledger has not met these items before, but a row may be there all the same. Not asked
        where `after_commit` is overridden, since that wants the row. Called inside a transaction.
        """
        return None

    def after_commit(self, item: Consignment, row: Any) -> None:
        """Called once the row is committed."""

    def link(self, pairs: Sequence[tuple[Any, Any]]) -> Collection[Any] | None:
        """Repoint rows to owners that arrived later; `pairs` of (primary key of the row, owner).

        Called inside a transaction. Returns the primary keys, as given, for which there is no row any more.
        """
        return None

    def reassign(self, pairs: Sequence[tuple[Any, Any]]) -> Collection[Any] | None:
        """The same for owners that a person chose for just these rows; to be overridden where `link` moves others along."""
        return self.link(pairs)

    def rekey(self, moves: Sequence[tuple[Any, str, str]]) -> Collection[Any] | None:
        """Write other keys into rows: (primary key of the row, key, thumbnail's key or ""), as `link` is called.

        Without it `reassign_filemaker_... --rekey` is refused.
        """
        raise NotImplementedError

    def orphans(self, after: Any, limit: int) -> Sequence[Any]:
        """Primary keys of rows of this import that have no owner: up to `limit`, rising, behind `after` (None: first)."""
        return ()

    def rows(self, pks: Sequence[str]) -> Mapping[str, RowFacts] | None:
        """What the rows with these primary keys say; those that are not there are left out.

        Keys are texts, as the ledger keeps them; at most 500 at a time. None: this project's rows are not looked at.
        """
        return None

    def row_metadata(self, pk: str) -> Mapping[str, Any]:
        """The fields of the source as the row keeps them, for writing it anew without the source; {} if it does not."""
        return {}

    def left_rows(self, after: Any, limit: int) -> Sequence[LeftRow]:
        """Rows that an earlier script may have left: up to `limit`, by rising primary key, behind `after` (None: first).

        Those that the ledger knows already are passed over by the caller.
        """
        return ()

    def adopt_row(self, pk: Any, identity: str) -> None:
        """Write `identity` into the row where `record` looks for it. Called inside a transaction."""

    # What the engine asks.

    def identity_of(self, record: SourceRecord) -> str:
        """The identity's value, trimmed; "" when missing."""
        return str(record.fields.get(self.identity, "")).strip()

    def owner_ref_of(self, record: SourceRecord) -> str:
        """The owner reference as the source has it, trimmed; "" when missing. Of several fields the first filled one."""
        return first_of(self.owner.refs(record.fields)) if self.owner else ""

    def owner_refs_of(self, record: SourceRecord) -> Ref:
        """What the owner is looked for by: the same, or a text for each field where the declaration names several."""
        if self.owner is None or len(self.owner.fields) == 1:
            return self.owner_ref_of(record)
        return self.owner.refs(record.fields)

    def fields_needed(self) -> list[str]:
        """Every field that must be on the layout, containers last, without repetition numbers."""
        plain = [
            self.identity,
            *(self.owner.fields if self.owner else ()),
            self.taken_on.field if self.taken_on else "",
            self.category,
            self.original_name,
            self.size_field,
            self.digest_field,
            self.marker,
        ]
        bare = [name.partition("(")[0] for name in self.containers]
        return list(dict.fromkeys(name for name in [*plain, *bare] if name))


def _all_subclasses(cls: type[ContainerImport]) -> Iterable[type[ContainerImport]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _all_subclasses(sub)


def _place_of(cls: type[ContainerImport]) -> int:
    """The place of a declaration's app, whichever module was loaded first; behind all apps without one."""
    places = [config.name for config in apps.get_app_configs()]
    home = apps.get_containing_app_config(cls.__module__)
    return places.index(home.name) if home else len(places)


def declared() -> dict[str, ContainerImport]:
    """Every declared import of files by name, in the order of INSTALLED_APPS.

    Raises `ImproperlyConfigured` on a double name.
    """
    return {name: importer for name, importer in declared_all().items() if importer.carries == "files"}


def declared_all() -> dict[str, ContainerImport]:
    """Every declared import by name: those of records first, since files belong to them, then those of files.

    Each in the order of INSTALLED_APPS, within an app as they are written. Raises `ImproperlyConfigured` on a double
    name.
    """
    autodiscover_modules("imports")
    found: dict[str, ContainerImport] = {}
    for cls in sorted(_all_subclasses(ContainerImport), key=lambda cls: (cls.carries != "records", _place_of(cls))):
        if not cls.name:
            continue
        if cls.name in found and type(found[cls.name]) is not cls:
            raise ImproperlyConfigured(f"two imports are named {cls.name!r}")
        found[cls.name] = cls()
    return found


def get_import(name: str) -> ContainerImport:
    """The declaration of files of that name. Raises `UsageError` that lists the names there are."""
    return _named(name, declared())


def get_any_import(name: str) -> ContainerImport:
    """The declaration of that name, of files or of records. Raises `UsageError` that lists the names there are."""
    return _named(name, declared_all())


def _named(name: str, imports: Mapping[str, ContainerImport]) -> ContainerImport:
    if name not in imports:
        names = ", ".join(imports) or "none"
        raise UsageError(f"no import is named {name!r}", remedy=f"Declared imports: {names}.")
    return imports[name]
