"""The seam between the engine and where files come from.

A `Source` counts and yields `SourceRecord`s, opens a `ContainerRef` as a stream and says what that costs. The Data
API, an export folder, a database file and OData are sources; one conformance suite (`tests/conformance/`) runs
against each of them.

`Toll` and `Gate` are what stands between a source and its host: the toll books bytes before they are asked for, the
gate decides when a request may go out. Sources of our own disk take the free ones below.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol, runtime_checkable

from unlade.cargo import ContainerRef, Count, FieldValue, Page, Parcel, Road, SourceRecord, Wire

RequestKind = Literal["login", "api", "probe", "container"]


class Booking(Protocol):
    """One reservation of wire bytes. It counts as spent until it is settled."""

    def raise_to(self, total: int) -> None:
        """Reserve `total` bytes instead. Returns after the commit.

        Raises `AllowanceSpent` or `LimitReached` when that does not fit: close the connection, then `settle`.
        """

    def settle(self, wire: Wire) -> None:
        """Book what really came. May be called once; a booking that is never settled stays spent."""


class Toll(Protocol):
    """Books wire bytes before they are asked for. Safe to use from any thread."""

    def reserve(self, kind: RequestKind, expected: int) -> Booking:
        """Reserve `expected` bytes for one request. Raises `AllowanceSpent` or `LimitReached`; then do not ask."""


class Gate(Protocol):
    """Decides when a request may go out, and learns from what came of it. Safe to use from any thread."""

    def passage(self, kind: RequestKind) -> AbstractContextManager[None]:
        """Wait for permit and pace, then hold the permit while inside.

        Raises `HostResting` when the breaker is open and `Interrupted` when the run must stop. A `HostTrouble`
        that leaves the block counts for the breaker; leaving it cleanly counts as a good answer. One passage
        covers one request: both hops of a download are one.
        """


class Download(Protocol):
    """An opened container: its head is read, its body is not."""

    @property
    def content_type(self) -> str | None: ...

    @property
    def content_length(self) -> int | None:
        """Bytes the whole file has by the host's word (also when this download continues a partial one)."""

    @property
    def name(self) -> str | None:
        """File name if the host said one (Content-Disposition), else None."""

    @property
    def resumed_at(self) -> int:
        """Offset of the first byte that `chunks` yields: `resume_at` if the host continues there, else 0."""

    @property
    def wire(self) -> Wire:
        """What came over the wire for this download until now, both hops and heads included."""

    def chunks(self) -> Iterator[bytes]:
        """The body. Raises `Truncated`, `ConnectionBroken`, `HostTimeout` with the wire bytes so far."""


@runtime_checkable
class Source(Protocol):
    """Where records and files come from. All methods may be called from any thread."""

    road: Road

    def count(self) -> Count:
        """How many records there are; one cheap request. Raises `SourceError`, `HostTrouble`, `NotNow`."""

    def page(self, offset: int, limit: int) -> Page:
        """Records `offset` (from 1) to `offset + limit - 1` in the source's own, stable order.

        Past the end: an empty page with a true `count`. Never an empty page because of an error: raises
        `SourceError`, `HostTrouble`, `NotNow`.
        """

    def read(self, record_id: str) -> SourceRecord:
        """One record anew, with fresh links. Raises `RecordGone`."""

    def download(
        self, record: SourceRecord, ref: ContainerRef, *, resume_at: int = 0
    ) -> AbstractContextManager[Download]:
        """Open `ref` of `record`; the caller holds a booking for it, the source passes the gate.

        Raises `StaleLink` (read the record again), `ReferenceOnly`, `Unreadable`, `Transient`, `SourceError`.
        The permit is held until the context is left.
        """

    def close(self) -> None:
        """Log out, let go of connections. May be called twice; raises nothing."""


@runtime_checkable
class LocalFiles(Protocol):
    """A source whose files lie on our own disk: they are read where they are, and no copy goes through the spool."""

    def borrow(self, record: SourceRecord, ref: ContainerRef, *, hold: int = 0) -> tuple[Parcel, str | None]:
        """The file itself, digested, `borrowed_at` set; and what is wrong with it by the source's own word, or None.

        The bytes of a file of up to `hold` come along (`Parcel.held`). Raises what `Source.download` raises. Nobody may
        move, change or remove the file.
        """


@runtime_checkable
class LentFiles(Protocol):
    """A source that has its files at any time for nothing, but not as files: a database file of our own disk.

    Such a file is read once, digested on the way, and lies in the spool only while it is looked at and stored: without
    marks, and flushed only where the store links it.
    """

    lends: Literal[True]


class MarkerWriter(Protocol):
    """Writes the exported marker back into the source; a source without it cannot write at all."""

    def mark(self, record: SourceRecord, field: str, value: FieldValue) -> str:
        """Set `field` and return the record's new modification id. Raises `ItemError`."""


class FreeBooking:
    """A booking that costs nothing."""

    def raise_to(self, total: int) -> None:
        """Always fits."""

    def settle(self, wire: Wire) -> None:
        """Nothing to book."""


class FreeToll:
    """The toll of a road without an allowance."""

    def reserve(self, kind: RequestKind, expected: int) -> Booking:
        """Always fits."""
        return FreeBooking()


class OpenGate:
    """The gate of a road without a host."""

    @contextmanager
    def _through(self) -> Iterator[None]:
        yield

    def passage(self, kind: RequestKind) -> AbstractContextManager[None]:
        """Never waits."""
        return self._through()


class Gatekeeper(Protocol):
    """What the run loop asks of the governor."""

    @property
    def on_trial(self) -> bool: ...
    def check(self) -> None: ...
    def stop(self) -> None: ...
    def beat(self) -> None: ...
