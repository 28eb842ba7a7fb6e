"""Ledgers to plan from: imports half-way through, with the runs that brought them there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.report.ledgers import PlateImport
from unlade.ledger.models import Host, Item, Run, Source, TransferUsage

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MB, GB = 10**6, 10**9
KEY = "https://fm.example.com Clinic"


def importer(name: str, noun: tuple[str, str] = ("plate", "plates")) -> PlateImport:
    """A declaration that is not found by `declared()`."""
    made = PlateImport()
    made.name, made.noun = name, noun  # type: ignore[misc]
    return made


def host() -> Host:
    """The host of `KEY`."""
    return Host.objects.get_or_create(key=KEY)[0]


def half_way(
    name: str, found: int, runs: int, *, per_run: int = 100, size: int = MB, every: timedelta = timedelta(hours=6),
    now: datetime = NOW, **values: Any,
) -> Source:  # fmt: skip
    """`runs` runs of 100 s each brought `per_run` files; sizes lie evenly around `size`; books are settled."""
    row = Source.objects.create(
        name=name, layout="API", found=found, total=found, counted_at=now, listed_through=runs * per_run
    )
    for number in range(runs):
        start = now - every * (runs - number)
        sizes = [size * (50 + place % 101) // 100 for place in range(per_run)]
        facts = {
            "outcome": "limit", "exit_code": 0, "finished_at": start + timedelta(seconds=100), "heartbeat_at": start,
            "imported": per_run, "downloads": per_run, "requests": per_run + 6, "container_bytes": sum(sizes),
            "api_bytes": per_run * 1000, "header_bytes": per_run * 500, "kept_bytes": sum(sizes),
            "options": {"limit": per_run},
        } | values  # fmt: skip
        run = Run.objects.create(source=row, host=host(), number=number + 1, started_at=start, **facts)
        Item.objects.bulk_create(
            Item(source=row, record_id=f"{number}-{place}", state="imported", size=size, field="image_Full", seen_at=start,
                 settled_at=start)
            for place, size in enumerate(sizes)
        )  # fmt: skip
        TransferUsage.objects.create(
            host=host(), run=run, kind="container", settled=True, reserved=sum(sizes), charged=sum(sizes) + 1500 * per_run,
            container_bytes=sum(sizes), api_bytes=1000 * per_run, header_bytes=500 * per_run, opened_at=start,
            settled_at=start,
        )  # fmt: skip
    return row
