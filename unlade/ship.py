"""What every worker of one run shares: source, store, spool, decoders, books of bytes, and the will to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from unlade.cargo import Content, Parcel
from unlade.importer import ContainerImport
from unlade.source import Booking, LentFiles, LocalFiles, Source
from unlade.spool import Leftover, Spool
from unlade.store import Store


class Inspector(Protocol):
    """Says what a parcel's bytes are (the decoder pool)."""

    def inspect(
        self, parcel: Parcel, *, name: str | None, box: tuple[int, int] = (300, 300), want_thumbnail: bool = True
    ) -> Content: ...


class DownloadBooking(Booking, Protocol):
    """A booking that the spool's mark can name, so that the next run settles what a killed one left."""

    @property
    def ticket_id(self) -> str:
        """Names the booking, "" where nothing is booked."""


class DownloadToll(Protocol):
    """Books the bytes of one item's download; waits until the booking is committed."""

    def reserve_download(self, item_id: int, expected: int) -> DownloadBooking: ...


@dataclass
class Doubt:
    """Notices when the host stops sending files although it answers.

    One page of HTML instead of a file is that file's fault. The same for several items in a row, or the same page for
    two of them, is a log-in or maintenance page of something in between (CONTRACT B2: "while the host answers well
    otherwise").
    """

    in_a_row: int = 3
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _bad: int = 0
    _last: str = ""

    def good(self) -> None:
        """A real file came."""
        with self._lock:
            self._bad, self._last = 0, ""

    def bad(self, sha256: str, *, empty: bool) -> bool:
        """Something that is no file came twice; True when the host is to be doubted, not the file."""
        with self._lock:
            self._bad += 1
            same = bool(self._last) and self._last == sha256 and not empty
            self._last = sha256
            return same or self._bad >= self.in_a_row


@dataclass
class Ship:
    """One run's shared parts. Everything here may be used from any thread."""

    importer: ContainerImport
    source: Source
    store: Store
    spool: Spool
    inspector: Inspector
    toll: DownloadToll
    clock: Callable[[], datetime]
    #: Sleeps so many seconds; raises when the run must stop.
    nap: Callable[[float], None]
    #: Broken downloads that lie in the spool, by the item's key there and field.
    partials: dict[tuple[str, str], Leftover] = field(default_factory=dict)
    doubt: Doubt = field(default_factory=Doubt)
    #: A size that most downloads stay below, bytes; grows with what is seen.
    expected_size: int = 200_000
    #: Whether pictures are decoded, for thumbnails and to find damage; else only their type is looked at.
    thumbnails: bool = True
    #: How old a link may be before its record is read again, seconds.
    link_age: float = 300.0
    _aside: dict[str, tuple[Parcel, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        #: The source again, where it has its files on our own disk or lends them; asked once, for asking costs time.
        self.local_files = self.source if isinstance(self.source, LocalFiles) else None
        self.lends = isinstance(self.source, LentFiles)

    def set_aside(self, key: str, parcels: Iterable[Parcel]) -> None:
        """Keep whole files of an item that could not be settled, for its next try; they stay in the spool."""
        kept = tuple(parcels)
        if kept:
            self._aside[key] = kept

    def take_aside(self, key: str) -> tuple[Parcel, ...]:
        """What was set aside for the item."""
        return self._aside.pop(key, ())
