"""The waterfall: the best field that has a good file, and what a final answer of a better one is (CONTRACT B2).

A lower field is taken only after a final answer of the better one. What may pass (time-outs, 502, resets, a 401 that a
new login does not cure) leaves the whole item for another try: a bad hour never turns into worse pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from unlade.cargo import Attempt, ContainerRef, Content, Parcel, RefStatus, SourceRecord, Wire
from unlade.errors import (
    Final,
    GatewayError,
    HostTrouble,
    Missing,
    RecordGone,
    ReferenceOnly,
    StaleLink,
    Truncated,
    Unauthorised,
    Unreadable,
)
from unlade.importer import ContainerImport
from unlade.media import Kind, not_a_file, sniff
from unlade.media.workers import look
from unlade.ship import DownloadBooking, Ship
from unlade.source import Booking, Download
from unlade.spool import SpoolFull, SpoolWriter

#: What the result of an attempt is called when its field holds nothing to fetch.
_STATUS_RESULT = {
    RefStatus.EMPTY: "empty",
    RefStatus.REFERENCE: ReferenceOnly.reason,
    RefStatus.UNREADABLE: Unreadable.reason,
}

#: Results that say that a field is damaged: it is not fetched again while the record is unchanged.
DAMAGED = frozenset({"damaged", "truncated", "not_a_file", "zero_bytes"})

#: Files below this are durable once, at their end; longer ones note on the way what came over the wire.
_NOTE_ABOVE = 4 * 1024 * 1024

#: What the bodies of redirects may add to a file's bytes.
_REDIRECTS = 1000


@dataclass
class Haul:
    """What the waterfall came to: the file that was taken (None: no field is good), and all that was tried."""

    record: SourceRecord
    attempts: list[Attempt] = field(default_factory=list)
    taken: tuple[Parcel, Content] | None = None
    damaged: tuple[Parcel, Content] | None = None  #: the best field's damaged bytes

    @property
    def parcels(self) -> list[Parcel]:
        """Every spool file that this haul holds."""
        return [pair[0] for pair in (self.taken, self.damaged) if pair is not None]


@dataclass
class Fetcher:
    """Fetches the fields of one item.

    `prior` are results of earlier tries at the same modification, `given` files that are here already (left in the
    spool by a run that died, or read back from the store), by field. `booking` was made when the item was taken in
    hand, for the first download.
    """

    ship: Ship
    item_id: int
    key: str  #: the item's name in the spool
    prior: Sequence[Attempt] = ()
    given: Mapping[str, Parcel] = field(default_factory=dict)
    booking: DownloadBooking | None = None
    started: bool = False  #: a download was started
    wire: Wire = field(default_factory=Wire)  #: what all downloads of this item cost
    known_size: int | None = None  #: Content-Length of the last download
    _held: dict[str, Parcel] = field(default_factory=dict)

    def haul(self, record: SourceRecord, names: Sequence[str]) -> Haul:
        """Try `names`, best first. Raises `Transient`, `NotNow`, `SourceError`, `RecordGone`, `StoreError`."""
        haul = Haul(record)
        self._held = dict(self.given)
        known = {attempt.field: attempt for attempt in self.prior if attempt.result in DAMAGED}
        try:
            for name in names:
                if name in known and name not in self.given:
                    haul.attempts.append(known[name])
                elif self._try(haul, name):
                    break
        finally:
            self._unused_booking()
        return haul

    @property
    def parcels(self) -> tuple[Parcel, ...]:
        """Every spool file of the item that is here. What was borrowed is none, and its bytes go with the fetcher."""
        return tuple(parcel for parcel in self._held.values() if parcel.borrowed_at is None)

    def keep(self) -> None:
        """Nothing is decided: what was paid for waits in the spool for the next try, of this run or another."""
        if self.ship.lends:
            self.throw_away()
        self.ship.set_aside(self.key, self.parcels)

    def throw_away(self) -> None:
        """Nobody will ask for these files again."""
        for parcel in self.parcels:
            self._drop(parcel)

    def _drop(self, parcel: Parcel) -> None:
        self._held.pop(parcel.field, None)
        self.ship.spool.discard(parcel)

    def _try(self, haul: Haul, name: str) -> bool:
        """Try one field; True when its file is good."""
        ref = haul.record.containers.get(name)
        if name not in self.given and (ref is None or ref.status is not RefStatus.FILE):
            haul.attempts.append(Attempt(name, _STATUS_RESULT[ref.status] if ref else "empty"))
            return False
        try:
            parcel, damage = self._here(name) or self._fetch(haul, ref)
        except RecordGone:
            raise
        except Final as error:
            haul.attempts.append(Attempt(name, error.reason))
            return False
        self._held[name] = parcel
        content = self._inspect(parcel, damage)
        result = "taken" if content.damage is None else _result_of(content.damage)
        haul.attempts.append(Attempt(name, result, content.damage or "", parcel.size))
        if result == "taken":
            haul.taken = (parcel, content)
            self.ship.doubt.good()
            return True
        if haul.damaged is None:
            haul.damaged = (parcel, content)
        else:
            self._drop(parcel)
        return False

    def _here(self, name: str) -> tuple[Parcel, str | None] | None:
        parcel = self.given.get(name)
        if parcel is None:
            return None
        return parcel, _wrong(parcel, "")

    def _inspect(self, parcel: Parcel, damage: str | None) -> Content:
        box = self.ship.importer.thumbnail
        if not self.ship.thumbnails:
            content = look(parcel)
            return replace(content, damage=damage) if damage else content
        content = self.ship.inspector.inspect(
            parcel,
            name=parcel.name,
            box=(box.width, box.height) if box else (0, 0),
            want_thumbnail=box is not None and damage is None,
        )
        return replace(content, damage=damage) if damage else content

    def _fetch(self, haul: Haul, ref: ContainerRef | None) -> tuple[Parcel, str | None]:
        """One field's bytes; asks again, on a fresh link, where the answer may be the link's fault or a bad moment's.

        It takes two answers that speak against the file itself, and a link that was refused (401) is none of them.
        Returns the parcel and, when both answers were no whole file, what is wrong with it.
        """
        assert ref is not None
        if self.ship.local_files is not None:
            self.started = True
            parcel, wrong = self.ship.local_files.borrow(haul.record, ref, hold=self.ship.store.takes_bytes)
            return parcel, wrong or _wrong(parcel, "")
        if self.ship.lends:
            return self._lent(haul.record, ref)  # a closed file answers the same twice
        who, blamed = f"record {haul.record.record_id}, {ref.field}", False
        for links in count(1):
            try:
                parcel, wrong = self._download(haul.record, ref)
            except StaleLink as error:
                if error.status == 404:
                    if blamed:
                        raise Missing(f"{who}: the host has no file") from error
                    blamed = True
                elif links > 1:
                    if error.status == 401:
                        raise Unauthorised(f"{who}: the host refuses a fresh link") from error
                    raise
            else:
                if wrong is None:
                    return parcel, None
                if blamed:
                    return self._believed(who, parcel, wrong), wrong
                blamed = True
                self.ship.spool.discard(parcel)
            ref = self._fresh(haul, ref.field)
        raise AssertionError("a second answer against the file, or a refused fresh link, ends the loop")

    def _believed(self, who: str, parcel: Parcel, wrong: str) -> Parcel:
        """The bytes of a file that is `wrong` by two answers. Raises `GatewayError` when all files have become so."""
        if self.ship.doubt.bad(parcel.sha256, empty=parcel.size == 0):
            self.ship.spool.discard(parcel)
            raise GatewayError(
                f"{who}: the host sends a page or a broken body instead of one file after another ({wrong})",
                remedy="Open one container link in a browser: something in between asks for a log-in or is down.",
            )
        return parcel

    def _fresh(self, haul: Haul, name: str) -> ContainerRef:
        """Read the record again for a fresh link. Raises `Final` when the field no longer holds a file."""
        haul.record = self.ship.source.read(haul.record.record_id)
        ref = haul.record.containers.get(name)
        who = f"record {haul.record.record_id}, {name}"
        if ref is None or ref.status is RefStatus.EMPTY:
            raise Missing(f"{who}: it was emptied while it was fetched")
        if ref.status is RefStatus.REFERENCE:
            raise ReferenceOnly(f"{who}: it holds only a path")
        if ref.status is RefStatus.UNREADABLE:
            raise Unreadable(f"{who}: it holds no link")
        return ref

    def _download(self, record: SourceRecord, ref: ContainerRef) -> tuple[Parcel, str | None]:
        """Stream one container into the spool; its booking is settled whatever happens.

        Returns the parcel and, if it is no whole file, why. Raises what `Source.download` raises.
        """
        ship = self.ship
        booking = self._next_booking(ref)
        wire, wrong, opened = Wire(), None, None
        try:
            writer = self._writer(record, ref, booking.ticket_id)
            try:
                self.started = True
                with ship.source.download(record, ref, resume_at=writer.size) as download:
                    opened = download
                    self.known_size = download.content_length
                    booking.raise_to(_announced(download))
                    if writer.size and not download.resumed_at:
                        writer.restart()
                    try:
                        wire = self._pour(download, writer, booking)
                    except Truncated as error:
                        wire, wrong = error.wire, "truncated"
                    # A source that can prove its bytes says so itself when they are not the ones it was given.
                    wrong = wrong or getattr(download, "damage", None)
                    name = ref.name or declared_name(ship.importer, record) or download.name
                    content_type = download.content_type
                parcel = writer.finish(content_type=content_type, name=name, wire=wire)
            except BaseException as error:
                # Once it is closed, a broken download counts what the host can have sent.
                wire = opened.wire if opened is not None else getattr(error, "wire", Wire())
                self._broken_off(writer, ref.field, keep=isinstance(error, HostTrouble))
                raise
        finally:
            booking.settle(wire)
            self.wire += wire
        return parcel, wrong or _wrong(parcel, ref.locator)

    def _lent(self, record: SourceRecord, ref: ContainerRef) -> tuple[Parcel, str | None]:
        """One container of a source that lends: read once, into a passing file; and what is wrong with its bytes."""
        ship = self.ship
        self.started = True
        with ship.source.download(record, ref) as download:
            writer = self._writer(record, ref, "", passing=True)
            try:
                for chunk in download.chunks():
                    writer.write(chunk)
                name = ref.name or declared_name(ship.importer, record) or download.name
                parcel = writer.finish(
                    content_type=download.content_type, name=name, wire=Wire(), flush=ship.store.links_files
                )
            except BaseException:
                writer.abandon(keep_partial=False)
                raise
        return parcel, getattr(download, "damage", None) or _wrong(parcel, ref.locator)

    def _writer(self, record: SourceRecord, ref: ContainerRef, ticket: str, *, passing: bool = False) -> SpoolWriter:
        """A place in the spool; where a broken download of the same modification lies, its continuation.

        A passing file has a place of its own: what was paid for over the API may lie under the record's name.
        """
        ship = self.ship
        partial = None if passing else ship.partials.pop((self.key, ref.field), None)
        if partial is not None and (partial.mark.mod_id != record.mod_id or partial.resumable < _NOTE_ABOVE):
            ship.spool.discard(partial)
            partial = None
        while True:
            try:
                return ship.spool.begin(
                    ship.importer.name,
                    f"lent {self.key}" if passing else self.key,
                    ref.field,
                    record_id=record.record_id,
                    mod_id=record.mod_id,
                    booking=ticket,
                    expected=ref.size or 0,
                    resume=partial,
                    passing=passing,
                )
            except SpoolFull:
                ship.nap(0.5)  # it empties as the others store what they hold

    def _broken_off(self, writer: SpoolWriter, name: str, *, keep: bool) -> None:
        """Keep a long partial download: the host may be able to continue it."""
        partial = writer.abandon(keep_partial=keep and writer.size >= _NOTE_ABOVE)
        if partial is not None:
            self.ship.partials[self.key, name] = partial

    def _pour(self, download: Download, writer: SpoolWriter, booking: Booking) -> Wire:
        noted = booked = 0
        for chunk in download.chunks():
            if writer.size == 0 and (download.content_length or _NOTE_ABOVE) >= _NOTE_ABOVE:
                writer.note(wire=download.wire, content_length=download.content_length)
            writer.write(chunk)
            if download.content_length is None and download.wire.total > booked:
                # Nobody said how long it is: the booking grows ahead of it, in steps.
                booked = max(download.wire.total * 3 // 2, self.ship.expected_size)
                booking.raise_to(booked)
            if writer.size - noted >= _NOTE_ABOVE:
                noted = writer.size
                writer.note(wire=download.wire, content_length=download.content_length)
        return download.wire

    def _next_booking(self, ref: ContainerRef) -> DownloadBooking:
        booking, self.booking = self.booking, None
        return booking or self.ship.toll.reserve_download(self.item_id, ref.size or self.ship.expected_size)

    def _unused_booking(self) -> None:
        if self.booking is not None:
            self.booking.settle(Wire())
            self.booking = None


def _announced(download: Download) -> int:
    """Wire bytes that an opened download will have taken by the host's word; part of its body came with its head."""
    left = max(0, (download.content_length or 0) - download.resumed_at)
    return download.wire.headers + max(download.wire.container, left + _REDIRECTS)


def declared_name(importer: ContainerImport, record: SourceRecord) -> str:
    """The file name that the record itself gives; "" for none."""
    return str(record.fields.get(importer.original_name, "")).strip() if importer.original_name else ""


def _wrong(parcel: Parcel, locator: str) -> str | None:
    """Why these bytes are no file (CONTRACT B2), or None. Without a name the link's extension speaks."""
    name = parcel.name or PurePosixPath(urlsplit(locator).path).name or None
    found = sniff(parcel.body, name, parcel.content_type)
    if found.kind is Kind.EMPTY:
        return "zero_bytes"
    return "not_a_file" if not_a_file(found, name) else None


def _result_of(damage: str) -> str:
    return damage if damage in DAMAGED else "damaged"
