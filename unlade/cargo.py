"""The value types that all rooms share. Frozen, plain, and free of Django: what one stage hands to the next.

Units: sizes are bytes (`int`), times are aware datetimes in UTC unless a name says `naive`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

#: What a field that is not a container can hold once read: text as it was, numbers exactly, nothing else.
FieldValue = str | int | Decimal


class RefStatus(StrEnum):
    """What a container value is before anything is fetched."""

    FILE = "file"  #: a link or path that can be opened
    EMPTY = "empty"
    REFERENCE = "reference"  #: FileMaker stores only a path to a file elsewhere
    UNREADABLE = "unreadable"  #: `?`, or a text that is no link of a kind we know


class Road(StrEnum):
    """By which road a source's files come."""

    API = "api"
    FOLDER = "folder"
    FILE = "file"
    ODATA = "odata"


@dataclass(frozen=True, slots=True)
class ContainerRef:
    """One container value as the source describes it, before it is opened.

    `field` is spelt as declared, a repetition as `photo(2)`. `locator` is whatever the source needs to open it (a
    link, a path, an object key); it can be as good as a password, so it is left out of `repr`, logs and the ledger.
    """

    field: str
    status: RefStatus
    locator: str = dataclasses.field(default="", repr=False)
    name: str | None = None
    size: int | None = None
    md5: str | None = None
    stamp: str = ""  #: of a file on our own disk: its size and time, by which it is known that it was not changed


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One record of the source: who it is, its values, its containers, and when we read it (links age).

    `fields` hold what is not a container, exactly as read; `portals` the related rows by portal name.
    """

    record_id: str
    mod_id: str
    fields: Mapping[str, FieldValue]
    containers: Mapping[str, ContainerRef]
    read_at: datetime
    portals: Mapping[str, tuple[Mapping[str, Any], ...]] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Count:
    """How many records this account sees (`found`), how many there are (`total`, None if unknown)."""

    found: int
    total: int | None = None
    count_is: str = "records"  #: records | values | files


@dataclass(frozen=True, slots=True)
class Page:
    """A slice of the source's own order. `offset` counts from 1, as FileMaker does; `count` as of this reply."""

    offset: int
    records: tuple[SourceRecord, ...]
    count: Count


@dataclass(frozen=True, slots=True)
class Wire:
    """HTTP response bytes before TLS, by kind: API bodies, container bodies, response heads (CONTRACT B4)."""

    api: int = 0
    container: int = 0
    headers: int = 0

    def __add__(self, other: Wire) -> Wire:
        return Wire(self.api + other.api, self.container + other.container, self.headers + other.headers)

    @property
    def total(self) -> int:
        return self.api + self.container + self.headers


@dataclass(frozen=True, slots=True)
class Parcel:
    """A complete file in the spool (or, borrowed, where its owner keeps it), with everything that its durable mark tells about it.

    `wire` is what this download cost, broken tries included. `content_type` is the source's word, `name` the
    declared name or None. `sha256`/`md5` are lower-case hex over the file's bytes.
    """

    path: Path
    field: str
    size: int
    sha256: str
    md5: str
    wire: Wire = Wire()
    content_type: str | None = None
    name: str | None = None
    borrowed_at: int | None = None  #: st_mtime_ns of a file that is not ours: read in place, never moved or removed
    #: The bytes themselves, of a small file that was read whole; for as long as its item is carried, no longer.
    held: bytes | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def body(self) -> Path | bytes:
        """What is best read: the bytes in memory, else the file."""
        return self.path if self.held is None else self.held


@dataclass(frozen=True, slots=True)
class Thumb:
    """A thumbnail's bytes and what they are. `extension` starts with a dot (`.jpg`, `.png` with alpha)."""

    data: bytes = dataclasses.field(repr=False)
    mime_type: str
    extension: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Content:
    """What the bytes of a parcel are. Everything but sha256, size and type may be unknown (None).

    `damage` is a reason when the content is damaged or not a file (CONTRACT B2), else None. `thumbnail_error` says why
    there is no thumbnail although the type has one. `notes` are corrections such as a wrong extension.
    """

    mime_type: str
    extension: str  #: with its dot, from the sniffed type; "" when unknown
    size: int
    sha256: str
    md5: str = ""
    width: int | None = None
    height: int | None = None
    pages: int | None = None
    orientation: int | None = None  #: EXIF, 1 to 8
    taken_naive: datetime | None = None  #: EXIF DateTimeOriginal, without a zone
    damage: str | None = None
    thumbnail: Thumb | None = None
    thumbnail_error: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one container field of an item: `result` is `taken` or a reason such as `empty`, `missing`."""

    field: str
    result: str
    detail: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """An object that the store has confirmed."""

    key: str
    size: int
    sha256: str
    existed: bool = False  #: the same identity and bytes were there before


@dataclass(frozen=True, slots=True)
class Outcome:
    """What carrying one item came to; the run loop turns it into ledger and rows.

    `state` is a value of `states.ItemState`. `reason` is a short code (`missing`, `reference_only`, `damaged`,
    `timeout`, ...), `detail` a sentence without field values. `final` tells whether a failure is tried again by
    itself. `thumbnail` is the stored thumbnail, `spare` the damaged better copy that was kept beside a lesser one.
    """

    state: str
    reason: str = ""
    detail: str = ""
    final: bool = False
    field: str = ""
    attempts: tuple[Attempt, ...] = ()
    content: Content | None = None
    stored: Stored | None = None
    thumbnail: Stored | None = None
    spare: Stored | None = None
    original_name: str = ""
    lesser_copy: bool = False
    wire: Wire = Wire()
    known_size: int | None = None  #: of a file that was too large for what was left of a limit
    started: bool = False  #: a download was started in this run


@dataclass(frozen=True, slots=True)
class Facts:
    """What a stored object says of itself: metadata where the store keeps it, else the journal's sidecar (B3)."""

    source: str
    record_id: str
    mod_id: str
    identity: str
    field_number: int  #: place of the container field in the declaration, from 0
    sha256: str
    state: str
    slot: str = ""
