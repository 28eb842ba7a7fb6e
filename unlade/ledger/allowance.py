"""The books of wire bytes: reservations as rows, what is left as a budget that is always derived from the rows.

The rule is CONTRACT B4's: a reservation is committed before a byte is asked for and counts as spent until it is
settled; one that its process could not settle stays spent. Used by the run loop's thread only, inside its
transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import F, Sum

from unlade.cargo import Wire
from unlade.governor import budget as rules
from unlade.ledger.models import Host, Run, TransferUsage
from unlade.source import RequestKind

#: How long what other processes settled may go unseen; what they book is seen at once.
_FRESH = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Ticket:
    """One open reservation: the row's primary key and what it holds."""

    pk: int
    kind: RequestKind
    reserved: int


class Allowance:
    """Reserves and settles wire bytes for one run against the limits of one host."""

    def __init__(
        self,
        host: Host,
        limits: Sequence[rules.Limit],
        *,
        run: Run | None,
        clock: Callable[[], datetime],
        others: int = 0,
    ) -> None:
        self._host = host
        self._limits = tuple(limits)
        self.run = run
        self._clock = clock
        self._others = {limit.name: others for limit in limits if limit.name == "year"}
        self._budget = rules.opened(self._limits, clock())
        self._refreshed = datetime.min.replace(tzinfo=UTC)
        self._booked = -1
        self._open: dict[int, int] = {}

    def budget(self) -> rules.Budget:
        """The budget as the rows have it now."""
        self._refresh()
        return self._budget

    def reserve(self, kind: RequestKind, expected: int, item_id: int | None = None) -> Ticket:
        """Book `expected` bytes. Raises `AllowanceSpent` or `LimitReached`, and books nothing then."""
        self._check("new", expected)
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
        self._budget, _ = rules.reserve(self._budget, str(row.pk), Wire(api=expected), now)
        self._open[row.pk] = expected
        return Ticket(row.pk, kind, expected)

    def raise_to(self, ticket: Ticket, total: int) -> Ticket:
        """Book `total` bytes instead. Raises `AllowanceSpent` or `LimitReached`; the old booking stays."""
        if total <= ticket.reserved:
            return ticket
        self._check(str(ticket.pk), total)
        self._budget, _ = rules.reserve(self._budget, str(ticket.pk), Wire(api=total), self._clock())
        TransferUsage.objects.filter(pk=ticket.pk).update(reserved=total, charged=total)
        self._open[ticket.pk] = total
        return Ticket(ticket.pk, ticket.kind, total)

    def settle(self, ticket: Ticket, wire: Wire) -> None:
        """Book what really came in place of the reservation."""
        settle_row(ticket.pk, wire, self._clock())
        if str(ticket.pk) in self._budget.holds:
            self._budget = rules.settle(self._budget, str(ticket.pk), wire, self._clock())
        self._open.pop(ticket.pk, None)

    def _check(self, ticket: str, wanted: int) -> None:
        age = self._clock() - self._refreshed
        if self._others_booked() or age > _FRESH or age < timedelta(0) or not self._budget.knows(self._clock()):
            self._refresh()
        _, verdict = rules.reserve(self._budget, ticket, Wire(api=wanted), self._clock())
        if not verdict.ok:
            self._refresh()
            _, verdict = rules.reserve(self._budget, ticket, Wire(api=wanted), self._clock())
        if not verdict.ok:
            raise verdict.error()

    def _others_booked(self) -> bool:
        """Whether another process booked since we last looked. Holds the host's row until the commit.

        So bookings of all processes follow one another, and each is made in sight of all before it.
        """
        Host.objects.filter(pk=self._host.pk).update(booked=F("booked") + 1)
        booked = Host.objects.values_list("booked", flat=True).get(pk=self._host.pk)
        expected, self._booked = self._booked + 1, booked
        return booked != expected

    def _refresh(self) -> None:
        """Derive the budget from the rows again: other processes book too."""
        now = self._clock()
        used = {}
        for limit in self._limits:
            rows = TransferUsage.objects.filter(host=self._host).exclude(pk__in=list(self._open))
            if limit.period.kind == "run":
                rows = rows.filter(run=self.run)
            else:
                rows = rows.filter(opened_at__gte=limit.period.window(now).start)
            used[limit.name] = Wire(api=rows.aggregate(total=Sum("charged"))["total"] or 0)
        self._budget = rules.opened(self._limits, now, used=used, others=self._others)
        for pk, reserved in self._open.items():
            self._budget = _held(self._budget, str(pk), reserved)
        self._refreshed = now


def _held(budget: rules.Budget, ticket: str, reserved: int) -> rules.Budget:
    return rules.Budget(
        budget.limits, budget.container_factor, budget.buckets, {**budget.holds, ticket: Wire(api=reserved)}
    )


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
