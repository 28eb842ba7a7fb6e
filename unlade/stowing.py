"""Puts a haul into the store: the original under its key, its thumbnail, and a damaged better copy beside a lesser one.

The original goes first, whatever it is; a thumbnail never stands in its way (LESSONS 11).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from unlade.agenda import Order
from unlade.cargo import Content, Facts, Outcome, Parcel, Stored, Wire
from unlade.errors import StoreSlow, Transient
from unlade.importer import ContainerImport
from unlade.keys import damaged_key, stem_of, thumbnail_key
from unlade.landing import landing_of
from unlade.states import ItemState
from unlade.store import Store
from unlade.waterfall import Haul

S = ItemState
T = TypeVar("T")

NO_WIRE = Wire()

#: Seconds between the puts of one file while the store asks for pauses, after the pauses of the client below.
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


class Hold(Protocol):
    """Where a haul is stowed, and by whose declaration (`Ship` is one)."""

    importer: ContainerImport
    store: Store


def stow(
    order: Order, haul: Haul, ship: Hold, spare: Stored | None, *, wire: Wire = NO_WIRE, started: bool = False
) -> Outcome:
    """Put the original under its key, then its thumbnail, then the damaged better copy beside it.

    `wire` and `started` are what fetching it came to. Raises `StoreError`, `KeyCollision`, `BadKey`.
    """
    parcel, content = haul.taken or haul.damaged or (None, None)
    assert parcel is not None and content is not None
    good = haul.taken is not None
    state = S.IMPORTED if good else S.QUARANTINED
    landing = landing_of(ship.importer, haul.record, order.slot, order.owner_in_key)
    key = landing.key(content.extension)
    facts = landing.facts(parcel, haul.record, state)
    stored = _held(order, key, parcel) or _put(key, parcel, content, facts, ship, look_first=order.look_first)
    thumbnail = _stow_thumbnail(stored, content, facts, ship)
    if good and haul.damaged:
        spare = _stow_spare(stored, haul, landing.facts, ship)
    return Outcome(
        state,
        reason="" if good else _damage_reason(haul, parcel),
        detail="" if good else (content.damage or ""),
        final=True,
        field=parcel.field,
        attempts=tuple(haul.attempts),
        content=content,
        stored=stored,
        thumbnail=thumbnail,
        spare=spare,
        original_name=landing.original_name or parcel.name or "",
        lesser_copy=good and spare is not None,
        wire=wire,
        started=started,
    )


def _damage_reason(haul: Haul, parcel: Parcel) -> str:
    return next((attempt.result for attempt in haul.attempts if attempt.field == parcel.field), "damaged")


def _stow_thumbnail(stored: Stored, content: Content, facts: Facts, ship: Hold) -> Stored | None:
    thumb = content.thumbnail
    if thumb is None:
        return None
    key = thumbnail_key(stored.key, thumb.extension)
    return patiently(
        ship,
        lambda: ship.store.put_thumbnail(key, thumb.data, content_type=thumb.mime_type, facts=facts),
        facts.record_id,
    )


def patiently(ship: Hold, put: Callable[[], Stored], who: str) -> Stored:
    """Put, and where the store asks for a pause, pause ever longer and put again; `who` spreads the pauses.

    The same put may be made again: what it stored already is found and counts. Raises `StoreError`, at last
    `StoreSlow`, and what the nap raises when the run is to stop.
    """
    return patient(getattr(ship, "nap", None), put, who)


def patient(nap: Callable[[float], None] | None, call: Callable[[], T], who: str) -> T:
    """Call, and where the store asks for a pause, nap ever longer and call again; without `nap` only once."""
    spread = 0.75 + (zlib.crc32(who.encode()) % 100) / 200
    for seconds in PAUSES if nap is not None else ():
        try:
            return call()
        except StoreSlow:
            assert nap is not None
            nap(seconds * spread)
    return call()


def _stow_spare(stored: Stored, haul: Haul, facts_for: Callable[..., Facts], ship: Hold) -> Stored:
    assert haul.damaged is not None
    parcel, content = haul.damaged
    facts = facts_for(parcel, haul.record, S.QUARANTINED)
    key = damaged_key(stored.key, facts.field_number, content.extension)
    return _put(key, parcel, content, facts, ship)


def _held(order: Order, key: str, parcel: Parcel) -> Stored | None:
    """The object that the item has already, when the file turns out to be the same as before."""
    held, sha256 = order.held
    if sha256 != parcel.sha256 or not (held == key or held.startswith(f"{stem_of(key)}~")):
        return None
    return Stored(held, parcel.size, sha256, existed=True)


def _put(key: str, parcel: Parcel, content: Content, facts: Facts, ship: Hold, *, look_first: bool = False) -> Stored:
    """Store a parcel. A borrowed file must still be the one that was digested, before and after.

    Bytes in memory are what was digested, whatever becomes of their file.
    """
    _unchanged(parcel, facts)

    def put() -> Stored:
        return ship.store.put(key, parcel.body, content_type=content.mime_type, facts=facts, look_first=look_first)

    stored = patiently(ship, put, facts.record_id)
    try:
        _unchanged(parcel, facts)
    except FileChanged:
        if not stored.existed:
            ship.store.delete(stored.key)
        raise
    return stored


class FileChanged(Transient):
    """A file of an export was changed while it was taken."""

    reason = "changing"


def _unchanged(parcel: Parcel, facts: Facts) -> None:
    if parcel.borrowed_at is None or parcel.held is not None:
        return
    try:
        status = parcel.path.stat()
    except OSError:
        status = None
    if status is None or (status.st_size, status.st_mtime_ns) != (parcel.size, parcel.borrowed_at):
        raise FileChanged(
            f"record {facts.record_id}: its file was changed while it was taken",
            remedy="Let the export come to its end, then run again.",
        )
