"""The books of wire bytes: reservations as rows, what is left as a budget that is always derived from the rows.

The rule is CONTRACT B4's: a reservation is committed before a byte is asked for and counts as spent until it is
settled; one that its process could not settle stays spent. Used by the run loop's thread only, inside its
transactions. API and container bytes are kept apart, so that the host's own meter may weigh them differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum

from unlade.cargo import Wire
from unlade.governor import budget as rules
from unlade.ledger.meter import Meter
from unlade.ledger.models import Host, Run, TransferUsage
from unlade.source import RequestKind

#: How long what other processes settled may go unseen; what they book is seen at once.
_FRESH = timedelta(seconds=20)

#: What the heads of one download may take at the most; of a reservation so much is never weighed as a file's bytes.
_HEADS = 4000

_HOSTS = Host._meta.db_table


@dataclass(frozen=True, slots=True)
class Ticket:
    """One open reservation: the row's primary key and what it holds."""

    pk: int
    kind: RequestKind
    reserved: int


class Allowance:
    """Reserves and settles wire bytes for one run against the limits of one host.

    `others` tells what the host's meter counted beyond our books: its `Meter`, or a fixed number of bytes.
    """

    def __init__(
        self,
        host: Host,
        limits: Sequence[rules.Limit],
        *,
        run: Run | None,
        clock: Callable[[], datetime],
        others: Meter | int = 0,
    ) -> None:
        self._host = host
        self._limits = tuple(limits)
        self.run = run
        self._clock = clock
        self._meter = others if isinstance(others, Meter) else None
        self._others = 0 if isinstance(others, Meter) else others
        self._budget = rules.opened(self._limits, clock())
        self._refreshed = datetime.min.replace(tzinfo=UTC)
        self._booked = -1
        self._open: dict[int, Wire] = {}

    def budget(self) -> rules.Budget:
        """The budget as the rows have it now."""
        self._refresh()
        return self._budget

    def reserve(self, kind: RequestKind, expected: int, item_id: int | None = None) -> Ticket:
        """Book `expected` bytes. Raises `AllowanceSpent` or `LimitReached`, and books nothing then."""
        want = _wire(kind, expected)
        self._check("new", want)
        now = self._clock()
        row = TransferUsage.objects.create(
            host=self._host,
            run=self.run,
            item_id=item_id,
            kind=kind,
            reserved=expected,
            charged=expected,
            opened_at=now,
        )
        self._budget, _ = rules.reserve(self._budget, str(row.pk), want, now)
        self._open[row.pk] = want
        return Ticket(row.pk, kind, expected)

    def raise_to(self, ticket: Ticket, total: int) -> Ticket:
        """Book `total` bytes instead. Raises `AllowanceSpent` or `LimitReached`; the old booking stays."""
        if total <= ticket.reserved:
            return ticket
        want = _wire(ticket.kind, total)
        self._check(str(ticket.pk), want)
        self._budget, _ = rules.reserve(self._budget, str(ticket.pk), want, self._clock())
        TransferUsage.objects.filter(pk=ticket.pk).update(reserved=total, charged=total)
        self._open[ticket.pk] = want
        return Ticket(ticket.pk, ticket.kind, total)

    def settle(self, ticket: Ticket, wire: Wire) -> None:
        """Book what really came in place of the reservation."""
        settle_row(ticket.pk, wire, self._clock())
        if str(ticket.pk) in self._budget.holds:
            self._budget = rules.settle(self._budget, str(ticket.pk), wire, self._clock())
        self._open.pop(ticket.pk, None)

    def _check(self, ticket: str, wanted: Wire) -> None:
        age = self._clock() - self._refreshed
        if self._others_booked() or age > _FRESH or age < timedelta(0) or not self._budget.knows(self._clock()):
            self._refresh()
        _, verdict = rules.reserve(self._budget, ticket, wanted, self._clock())
        if not verdict.ok:
            self._refresh()
            _, verdict = rules.reserve(self._budget, ticket, wanted, self._clock())
        if not verdict.ok:
            raise verdict.error()

    def _others_booked(self) -> bool:
        """Whether another process booked since we last looked. Holds the host's row until the commit.

        So bookings of all processes follow one another, and each is made in sight of all before it.
        """
        # Twice for each download: put together by hand, since building these two costs ten times their execution.
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {_HOSTS} SET booked = booked + 1 WHERE id = %s", [self._host.pk])
            cursor.execute(f"SELECT booked FROM {_HOSTS} WHERE id = %s", [self._host.pk])
            (booked,) = cursor.fetchone()
        expected, self._booked = self._booked + 1, booked
        return bool(booked != expected)

    def _refresh(self) -> None:
        """Derive the budget from the rows again: other processes book too."""
        now = self._clock()
        factor = self._meter.factor(now) if self._meter else Decimal(1)
        used, others = {}, {}
        for limit in self._limits:
            rows = TransferUsage.objects.filter(host=self._host).exclude(pk__in=list(self._open))
            if limit.period.kind == "run":
                rows = rows.filter(run=self.run)
            else:
                rows = rows.filter(opened_at__gte=limit.period.window(now).start)
            used[limit.name] = _sum(rows, apart=limit.as_host_counts and factor != 1)
            if limit.as_host_counts:
                others[limit.name] = self._by_others(limit, now)
        budget = rules.opened(self._limits, now, used=used, others=others, container_factor=factor)
        self._budget = replace(budget, holds={str(pk): wire for pk, wire in self._open.items()})
        self._refreshed = now

    def _by_others(self, limit: rules.Limit, now: datetime) -> int:
        if self._meter is None:
            return self._others
        return self._meter.others(limit.period.window(now), now)


def share_used(budget: rules.Budget, now: datetime) -> float:
    """How much of the contract year's size is used or reserved, by us and by others: 0.0 to above 1.0.

    The reserve belongs to the size. 0.0 where no annual allowance is set.
    """
    for room in budget.headroom(now):
        if room.limit.name == "year" and room.limit.size:
            return (room.used + room.held) / room.limit.size
    return 0.0


def _wire(kind: str, size: int) -> Wire:
    """A reservation by what will come: heads always weigh in full, only a file's bytes may weigh less."""
    if kind != "container":
        return Wire(api=size)
    heads = min(size, _HEADS)
    return Wire(container=size - heads, headers=heads)


def _sum(rows: QuerySet[TransferUsage], *, apart: bool) -> Wire:
    """What `rows` are charged with, in all; `apart`: by kind, which an index alone does not tell."""
    if not apart:
        return Wire(api=rows.aggregate(total=Sum("charged"))["total"] or 0)
    unsettled = Q(settled=False, kind="container")
    sums = rows.aggregate(
        charged_sum=Sum("charged"),
        files=Sum("container_bytes"),
        heads=Sum("header_bytes"),
        held=Sum("charged", filter=unsettled),
        holds=Count("pk", filter=unsettled),
    )
    held = sums["held"] or 0
    heads = (sums["heads"] or 0) + min(held, sums["holds"] * _HEADS)
    files = (sums["files"] or 0) + held - min(held, sums["holds"] * _HEADS)
    # What is charged beyond both is API; so the parts add up to what is charged whatever the rows say.
    return Wire(api=max(0, (sums["charged_sum"] or 0) - files - heads), container=files, headers=heads)


def settle_row(pk: int, wire: Wire, now: datetime) -> None:
    """Settle a booking by its primary key."""
    TransferUsage.objects.filter(pk=pk, settled=False).update(
        settled=True,
        charged=wire.total,
        api_bytes=wire.api,
        container_bytes=wire.container,
        header_bytes=wire.headers,
        settled_at=now,
    )


def settle_left(pk: int, run: Run, wire: Wire, now: datetime) -> None:
    """Settle a download that a process before `run` left open; of a restored ledger the number may be another's."""
    if TransferUsage.objects.filter(pk=pk, kind="container").exclude(run=run).exists():
        settle_row(pk, wire, now)
