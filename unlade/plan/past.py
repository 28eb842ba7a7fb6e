"""What was used so far in the present contract year, for a plot."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Sum
from django.db.models.functions import TruncDate

from unlade.governor.budget import Budget
from unlade.governor.forecast import Point
from unlade.governor.periods import Period
from unlade.ledger.models import Host, TransferUsage

#: Without a contract year so many bookings' days are looked at.
_CALENDAR = Period("year")


def used_so_far(host: Host | None, budget: Budget, now: datetime) -> tuple[Point, ...]:
    """Bytes used at the end of each day of this contract year, by others and by us, up to `now`.

    What others used is only known as a sum: it is there from the first point on.
    """
    room = next((room for room in budget.headroom(now) if room.limit.name == "year"), None)
    start = (room.limit.period if room else _CALENDAR).window(now).start
    rows = TransferUsage.objects.filter(opened_at__gte=start)
    if host is not None:
        rows = rows.filter(host=host)
    days = rows.annotate(day=TruncDate("opened_at")).values("day").annotate(sum=Sum("charged")).order_by("day")
    ours = [(row["day"], row["sum"]) for row in days]
    total = sum(size for _, size in ours)
    used = room.used + room.held if room else total
    spent = max(0, used - total)
    points = []
    for day, size in ours:
        spent += size
        points.append(Point(datetime.combine(day, datetime.max.time(), now.tzinfo), spent))
    return (*(point for point in points if point.at < now), Point(now, used))
