"""After a crash: the next run finds its place from what is durable (DESIGN 5.2, CONTRACT B3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from unlade.agenda import Order, order_for
from unlade.cargo import Parcel, Road
from unlade.ledger.allowance import settle_left
from unlade.ledger.books import Books
from unlade.ledger.models import Item
from unlade.ship import Ship
from unlade.states import ItemState

S = ItemState


def left_by_dead_runs(books: Books, ship: Ship, now: datetime) -> tuple[list[tuple[Item, Order]], set[int]]:
    """What dead runs left: complete files in the spool, and items that they may have stored; and of an export folder
    just which items these are, for their files are read again.

    Settles what those downloads cost, in the caller's transaction. Partial downloads are kept for their continuation.
    """
    parcels: dict[str, list[Parcel]] = {}
    slots: dict[str, str] = {}
    ship.spool.clean(books.importer.name)
    for leftover in ship.spool.left(books.importer.name):
        mark = leftover.mark
        if leftover.parcel is not None:
            if mark.booking.isdigit():
                settle_left(int(mark.booking), books.run, mark.wire, now)
            if books.road != Road.API:
                # Its name is a record id of the host, which may mean another record here: it waits for the next run
                # over the API, unless nothing was paid for it.
                if not mark.booking:
                    ship.spool.discard(leftover)
                continue
            parcels.setdefault(mark.item_key, []).append(leftover.parcel)
            slots[mark.item_key] = mark.record_id
        elif books.road != Road.API:
            continue  # the next run over the API goes on with it
        elif leftover.resumable:
            # What it cost stays booked as it was reserved: nobody can tell what the host had sent.
            ship.partials[mark.item_key, mark.field] = leftover
        else:
            ship.spool.discard(leftover)
    work, taken = [], set()
    for item in books.by_record(slots.values()):
        if item.road != books.road:
            continue
        order = order_for(item, None)
        found = parcels.pop(order.spool_key, None)
        if found is None:
            continue
        if item.state in (S.PENDING, S.FAILED) and item.gone_at is None:
            taken.add(item.pk)
            work.append((item, replace(order, parcels=tuple(found))))
        else:
            for parcel in found:
                ship.spool.discard(parcel)
    for key, found in parcels.items():
        # A ledger that was restored does not know these yet; their records may still be listed.
        ship.set_aside(key, found)
    left = set()
    for item in books.left_in_hand():
        if books.road == Road.FOLDER:
            books.let_go(item)  # its file lies where it lay, and may be another one by now: it is read again
            left.add(item.pk)
        elif item.road != books.road:
            books.let_go(item)  # its ids mean nothing on this road; the listing knows it by its identity
        elif item.pk not in taken:
            work.append((item, order_for(item, None, search_store=True)))
    return work, left
