"""One item from fetch to store, top to bottom, in one worker thread (DESIGN 2)."""

from __future__ import annotations

from dataclasses import dataclass

from unlade.agenda import Order
from unlade.cargo import Facts, Outcome, Parcel, Road, SourceRecord, Stored, Wire
from unlade.errors import (
    Final,
    Interrupted,
    NotNow,
    ProtocolError,
    RecordGone,
    SourceError,
    StoreError,
    Transient,
    UnladeError,
)
from unlade.landing import Landing, landing_of
from unlade.ship import DownloadBooking, Ship
from unlade.states import ItemState
from unlade.stowing import stow
from unlade.waterfall import Fetcher, Haul

S = ItemState


@dataclass(frozen=True, slots=True)
class Carried:
    """What a worker brings back. `outcome` None: nothing was decided. `stop`: the run cannot go on as it is."""

    outcome: Outcome | None
    record: SourceRecord | None = None
    parcels: tuple[Parcel, ...] = ()
    stop: UnladeError | None = None
    known_size: int | None = None
    started: bool = False
    gone: bool = False


def carry(order: Order, ship: Ship, booking: DownloadBooking | None) -> Carried:
    """One item: read, fetch, inspect, store. The run loop records it.

    Never raises an `UnladeError`: what went wrong with the item is its outcome, what concerns the run is `stop`.
    """
    parcels = (*ship.take_aside(order.spool_key), *order.parcels)
    fetcher = Fetcher(ship, order.item_id, order.spool_key, order.prior, _by_field(parcels), booking)
    record = order.record
    try:
        if record is None or _too_old(record, ship):
            record = ship.source.read(order.record_id)
        if order.confirm_gone:
            return Carried(None, record)
        landing = landing_of(ship.importer, record, order.slot, order.owner_in_key)
        names = landing.names
        spare = None
        if not parcels and (kept := _in_store(order, landing, ship)):
            parcel, spare = kept
            names, fetcher.given = [parcel.field], {parcel.field: parcel}
        haul = fetcher.haul(record, names)
        record = haul.record
        if not haul.parcels:
            return Carried(_nothing(haul, fetcher), record, fetcher.parcels, started=fetcher.started)
        outcome = stow(order, haul, ship, spare, wire=fetcher.wire, started=fetcher.started)
        return Carried(outcome, record, fetcher.parcels, started=fetcher.started)
    except RecordGone:
        fetcher.throw_away()
        return Carried(None, record, gone=True)
    except Final as error:
        fetcher.throw_away()
        outcome = Outcome(S.FAILED, error.reason, str(error), final=True, wire=fetcher.wire)
        return Carried(outcome, record, started=fetcher.started)
    except Transient as error:
        fetcher.keep()
        outcome = Outcome(S.FAILED, error.reason, str(error), wire=fetcher.wire)
        return Carried(outcome, record, started=fetcher.started)
    except ProtocolError as error:
        # One record that the host cannot show must not keep all others from coming.
        fetcher.keep()
        outcome = Outcome(S.FAILED, "source_error", str(error), wire=fetcher.wire)
        return Carried(outcome, record, started=fetcher.started)
    except (NotNow, SourceError, StoreError, Interrupted) as error:
        fetcher.keep()
        return Carried(None, record, stop=error, started=fetcher.started, known_size=fetcher.known_size)
    finally:
        if fetcher.booking is not None:
            fetcher.booking.settle(Wire())


def _by_field(parcels: tuple[Parcel, ...]) -> dict[str, Parcel]:
    return {parcel.field: parcel for parcel in parcels}


def _too_old(record: SourceRecord, ship: Ship) -> bool:
    return (ship.clock() - record.read_at).total_seconds() > ship.link_age


def _in_store(order: Order, landing: Landing, ship: Ship) -> tuple[Parcel, Stored | None] | None:
    """The item's file as the store has it, read back into the spool, and its damaged better copy; None without one."""
    importer = ship.importer

    def ours(facts: Facts) -> bool:
        return (facts.source, facts.record_id, facts.slot) == (importer.name, order.record_id, order.slot)

    if not (order.stored_key or order.search_store):
        return None
    infos = list(ship.store.find(landing.stems, ours))
    if order.stored_key and all(info.key != order.stored_key for info in infos):
        # Stored when the record still had another owner or day.
        infos += filter(None, [ship.store.head(order.stored_key)])
    kept = [(info, info.facts) for info in infos if info.facts is not None and ours(info.facts)]
    if not kept:
        return None
    # Beside a lesser copy lies the damaged better one: what was taken is what is not damaged.
    kept.sort(key=lambda pair: (pair[1].state == S.QUARANTINED, -len(pair[1].mod_id)))
    info, facts = kept[0]
    spare = next((Stored(i.key, i.size, f.sha256, existed=True) for i, f in kept[1:] if f.state == S.QUARANTINED), None)
    taken = order.slot or importer.containers[facts.field_number]
    local = ship.source.road is not Road.API
    writer = ship.spool.begin(
        importer.name,
        f"lent {order.spool_key}" if local else order.spool_key,
        taken,
        record_id=order.record_id,
        mod_id=facts.mod_id,
        booking="",
        passing=local,
    )
    try:
        with ship.store.open(info.key) as chunks:
            for chunk in chunks:
                writer.write(chunk)
        name = landing.original_name or None
        return writer.finish(content_type=info.content_type, name=name, wire=Wire()), spare
    except BaseException:
        writer.abandon(keep_partial=False)
        raise


def _nothing(haul: Haul, fetcher: Fetcher) -> Outcome:
    """No field has bytes: empty, or failed for good with the best field's reason."""
    reasons = [attempt.result for attempt in haul.attempts if attempt.result != "empty"]
    attempts = tuple(haul.attempts)
    if not reasons:
        return Outcome(S.EMPTY, attempts=attempts, wire=fetcher.wire)
    detail = ", ".join(f"{attempt.field}: {attempt.result}" for attempt in attempts if attempt.result != "empty")
    return Outcome(S.FAILED, reasons[0], detail, final=True, attempts=attempts, wire=fetcher.wire)
