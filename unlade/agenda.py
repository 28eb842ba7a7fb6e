"""What a run does next: what a dead run left, what is listed but open, what is new, then failures that are due.

The agenda asks for pages only while somebody needs what is on them (LESSONS 4), and it decides from the ledger alone,
so that every run finds its place by itself. Used by the run loop's thread only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from unlade.cargo import Attempt, Page, Parcel, Road, SourceRecord
from unlade.ledger.books import Books, Changed, Listed
from unlade.ledger.models import Item
from unlade.listing import PageRequest, Walk, windows
from unlade.options import RunOptions
from unlade.owners import OwnerMatch, normalise_refs
from unlade.pilot.gathering import Gathering

#: Up to so many records that a full pass did not meet are asked for one by one before they count as gone.
_CONFIRM = 25

#: Failures that are due are taken from the ledger in portions.
_PORTION = 50


#: Records in a page of our own disk: each costs the same few queries. The first is short, so that work begins at once.
_LOCAL_PAGE = 500
_FIRST_PAGE = 60


@dataclass(frozen=True, slots=True)
class Order:
    """One item to carry, as a worker needs it: plain values, no database row.

    `record` is None when it must be read first. `parcels` are files of it that lie in the spool; `stored_key` an object
    that is known to hold its file; `search_store` says that a dead run may have stored it.
    """

    item_id: int
    record_id: str
    slot: str
    record: SourceRecord | None
    expected: int | None = None
    prior: tuple[Attempt, ...] = ()
    parcels: tuple[Parcel, ...] = ()
    stored_key: str = ""
    search_store: bool = False
    look_first: bool = False  #: a dead run had it in hand: its file lies here, and may be stored already
    confirm_gone: bool = False
    refetch: bool = False
    held: tuple[str, str] = ("", "")  #: key and sha256 of the file that it has, when a new one is looked for
    owner_in_key: str = ""  #: instead of the record's, where a person had the file moved

    @property
    def spool_key(self) -> str:
        """The item's name in the spool: by the record, since a ledger that was restored numbers its items anew."""
        return f"{self.record_id} {self.slot}" if self.slot else self.record_id

    @property
    def fetches(self) -> bool:
        """Whether a download from the host is to be expected."""
        return not (self.parcels or self.stored_key or self.confirm_gone)


def order_for(item: Item, record: SourceRecord | None, **more: Any) -> Order:
    """The order for an item of the ledger."""
    prior = tuple(
        Attempt(entry["field"], entry["result"], entry.get("detail", ""), entry.get("size")) for entry in item.attempts
    )
    if more.get("refetch"):
        more["held"] = (item.key, item.sha256)
        prior = ()  # what was known of the old files says nothing of the new ones
    stored_key = item.key if item.key and item.state in ("pending", "failed") else ""
    # Of an item that came by another road, the record in hand knows its id on this one.
    record_id = record.record_id if record is not None else item.record_id
    more = {"stored_key": stored_key, "owner_in_key": item.owner_in_key} | more
    return Order(item.pk, record_id, item.slot, record, item.known_size, prior, **more)


class Agenda:
    """The work of one run, in order."""

    def __init__(
        self,
        books: Books,
        options: RunOptions,
        now: datetime,
        recovered: list[tuple[Item, Order]],
        *,
        found: int | None = None,
        pilot: Gathering | None = None,
        left: Container[int] = (),
    ) -> None:
        """`recovered` is what dead runs left; `left` are items that they had in hand, whose files lie on our own disk."""
        self._books = books
        self._left = left
        self._options = options
        self._pass_began = now
        self.ready: deque[tuple[Item, Order]] = deque(recovered)
        self._changed = Changed(options.refetch_changed) if options.changed else None
        self._local = books.road != Road.API
        self._last_page: set[str] = set()  #: record ids of the page that came last
        places = [] if self._local else books.pending_places()
        self._windows = deque(windows(places, options.batch_size))
        source = books.source
        # A folder is walked whole: it has no order that another day's run could go on in.
        start = 0 if self._local else source.listed_through
        batch = _LOCAL_PAGE if self._local else options.batch_size
        self._walk: Walk | None = Walk("new", batch, self._in_ledger, start=start)
        self._full: Walk | None = None
        if options.only and not self._local:
            self._windows.clear()
            self._walk = None
            self.ready.extend((item, order_for(item, None)) for item in books.only(options.only))
        elif options.changed and not self._local:
            # One pass over everything shows what is new, edited and gone.
            self._windows.clear()
            self._walk = None
            self._full = Walk("full", options.batch_size, self._met_in_this_pass)
        self._seen_failures: set[int] = set()
        #: Of a pilot: its candidates, until all its pages are here. `found` is the source's count by this road.
        self.pilot: Gathering | None = None
        self._sampled: deque[tuple[int, int]] = deque()
        if options.pilot:
            self._begin_pilot(options.pilot, found or 0, pilot)

    def _begin_pilot(self, number: int, found: int, before: Gathering | None) -> None:
        """Places of the listing to read first; after a wait, go on with the sample that was chosen `before` it."""
        self._windows.clear()
        if before is not None and before.choice is not None:
            self.pilot, self._walk = before, None
            have = {order.item_id for _, order in self.ready}
            left = self._books.still_open(before.items)
            self.ready.extend((item, order_for(item, None)) for item in left if item.pk not in have)
            return
        self.pilot = Gathering(self._books.importer, number)
        pages = self.pilot.pages(found, self._options.batch_size)
        if pages is not None:
            self._walk, self._sampled = None, deque(pages)
        elif not self._local:
            self._walk = Walk("new", self._options.batch_size, self._in_ledger)

    # Pages.

    def next_page(self, wanted: int | None) -> PageRequest | None:
        """The page to ask for now, with about `wanted` records; None when no page is needed any more."""
        if self._sampled:
            offset, limit = self._sampled[0]
            return PageRequest("pilot", offset, limit)
        if self._windows:
            offset, limit = self._windows[0]
            return PageRequest("open", offset, limit)
        if self._walk is not None:
            if self._local and not self._walk.reached:
                wanted = min(wanted or _FIRST_PAGE, _FIRST_PAGE)
            return self._walk.request(wanted)
        if self._full is not None:
            return self._full.request()
        return None

    def arrived(self, request: PageRequest, page: Page, now: datetime) -> None:
        """Take a page into the ledger and its open records onto the list."""
        books = self._books
        books.counted(page.count, now)
        walk = {"new": self._walk, "full": self._full}.get(request.part)
        in_order = walk.took(request, page) if walk is not None else True
        offset = page.offset if in_order else None
        self._last_page = {record.record_id for record in page.records}
        listed = books.take_page(page.records, offset, now, changed=self._changed) if page.records else []
        if self._options.only:
            listed = [entry for entry in listed if books.is_meant(entry.item, self._options.only)]
        if books.importer.each:
            books.counted(page.count, now)  # what a page holds in values is known only now
        matches = books.owners.find(books.importer.owner_refs_of(entry.record) for entry in listed)
        if self.pilot is not None:
            self._gather(self.pilot, listed, matches, len(page.records))
            listed = []
        have = {order.item_id for _, order in self.ready}
        self.ready.extend(
            (
                entry.item,
                order_for(entry.item, entry.record, refetch=entry.refetch, look_first=entry.item.pk in self._left),
            )
            for entry in listed
            if entry.item.pk not in have
        )
        if request.part == "pilot":
            self._sampled.popleft()
        elif request.part == "open":
            self._close_window(request, listed)
        elif request.part == "new":
            self._walked(page, now)
        elif self._full is not None and self._full.complete:
            self._listed_all(page)
            self._full = None
            self._look_for_gone()
        if self.pilot is not None and not self.listing and self.pilot.choice is None:
            self.ready.extend((entry.item, order_for(entry.item, entry.record)) for entry in self.pilot.take())

    def _gather(self, pilot: Gathering, listed: list[Listed], matches: dict[Any, OwnerMatch], records: int) -> None:
        """Candidates of a pilot; nothing is carried before the last of its pages is here."""
        pilot.listed += records
        recovered = {order.item_id for _, order in self.ready}
        for entry in listed:
            if entry.item.pk not in recovered:
                ref = normalise_refs(self._books.importer.owner_refs_of(entry.record))
                pilot.add(entry, matches.get(ref))

    def _close_window(self, request: PageRequest, listed: list[Listed]) -> None:
        """What a window should have shown and did not has moved or vanished: read it by its id."""
        self._windows.popleft()
        met = {entry.item.pk for entry in listed}
        last = request.offset + request.limit - 1
        missed = self._books.source.items.filter(
            state="pending", gone_at=None, in_hand=None, position__range=(request.offset, last)
        ).exclude(pk__in=met)
        self.ready.extend((item, order_for(item, None)) for item in missed)

    def _walked(self, page: Page, now: datetime) -> None:
        walk = self._walk
        assert walk is not None
        if self._local:
            self._walk = None if walk.complete else walk
            if walk.complete:
                self._books.files_gone(self._pass_began)
            return
        anchor = page.records[-1].record_id if page.records else self._books.source.anchor
        self._books.listed_through(walk.reached, anchor, walk.complete)
        if walk.complete:
            self._walk = None
            if self._books.alive() != page.count.found:
                # Records vanished, or some were missed while the order shifted: only a full pass can tell which.
                # What this run saw before may have vanished since, so the pass counts from here.
                self._pass_began = now
                self._full = Walk("full", self._options.batch_size, self._met_in_this_pass)

    def _listed_all(self, page: Page) -> None:
        """A full pass has met every record; a listing that was not complete is so now."""
        walk = self._full
        if walk is not None and page.records:
            self._books.listed_through(walk.reached, page.records[-1].record_id, True)

    def _in_ledger(self, record_ids: list[str]) -> Container[str]:
        """Which of these were met. A file that is joined by identity alone may have ids that the ledger never hears of."""
        return self._last_page if self._local else self._books.known(record_ids)

    def _met_in_this_pass(self, record_ids: list[str]) -> Container[str]:
        return self._books.known(record_ids, since=self._pass_began)

    def _look_for_gone(self) -> None:
        missing = self._books.missing_since(self._pass_began)
        if missing.count() <= _CONFIRM:
            self.ready.extend((item, order_for(item, None, confirm_gone=True)) for item in missing)
        else:
            for item in missing.iterator(chunk_size=500):
                self._books.gone(item, self._pass_began)

    # Items.

    @property
    def listing(self) -> bool:
        """Whether pages are still to come."""
        return bool(self._windows or self._walk or self._full or self._sampled)

    def next(self, now: datetime, *, smallest: bool = False) -> tuple[Item, Order] | None:
        """The next item, or None when none is ready. `smallest`: of those that are ready the one that costs least."""
        if not self.ready and not self.listing:
            self._take_failures(now)
        if not self.ready:
            return None
        if smallest:
            best = min(range(len(self.ready)), key=lambda place: self.ready[place][1].expected or 10**12)
            self.ready.rotate(-best)
        return self.ready.popleft()

    def put_back(self, item: Item, order: Order) -> None:
        """This one could not go out now; it stays first."""
        self.ready.appendleft((item, order))

    def _take_failures(self, now: datetime) -> None:
        if self._local or self._options.only or self._options.pilot:
            return
        due = self._books.due(now, also_final=self._options.retry_failed).exclude(pk__in=self._seen_failures)
        for item in due[:_PORTION]:
            self._seen_failures.add(item.pk)
            self.ready.append((item, order_for(item, None)))


def anything_to_do(books: Books, found: int, now: datetime, options: RunOptions) -> bool:
    """Whether a run has more to do than to say hello (DESIGN 5.4)."""
    source = books.source
    if books.road != Road.API or options.only or options.changed or options.pilot:
        return True
    return (
        not source.listing_complete
        or books.alive() != found
        or bool(books.left_in_hand())
        or books.source.items.filter(state="pending", gone_at=None).exists()
        or books.due(now, also_final=options.retry_failed).exists()
        or (options.write_marker and books.unmarked().exists())
    )
