"""Ledgers to report about: rows as a run leaves them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import count as counter
from typing import Any, ClassVar

from unlade.importer import ContainerImport, DateField, Owner
from unlade.ledger.models import Item, Run, Source

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
_ids = counter(1)


class PlateImport(ContainerImport):
    """An import of nobody's: without a name it is not found by `declared()`."""

    layout = "API_Plates"
    identity = "id"
    containers: ClassVar[list[str]] = ["image_Full", "image_large", "image_small"]
    owner = Owner(field="id_Contact", model="patients.Patient", match="filemaker_id")
    taken_on = DateField("date")
    key = "plates/{owner}/{date}/{identity}{ext}"
    noun = ("plate", "plates")
    group_noun = "patient days"


def plates(name: str = "plates") -> PlateImport:
    """The declaration under a name."""
    importer = PlateImport()
    importer.name = name  # type: ignore[misc]
    return importer


def source(name: str = "plates", **values: Any) -> Source:
    """A source that was counted an hour ago."""
    values = {"layout": "API_Plates", "counted_at": NOW - timedelta(hours=1)} | values
    return Source.objects.create(name=name, **values)


def items(row: Source, state: str, how_many: int = 1, **values: Any) -> list[Item]:
    """Items of one state; owner and day differ from item to item unless given."""
    made = []
    for _ in range(how_many):
        number = next(_ids)
        filled = {
            "record_id": str(number),
            "identity": f"ID-{number}",
            "owner_key": f"OWNER-{number}",
            "day": date(2019, 4, 4),
            "seen_at": NOW - timedelta(hours=2),
        } | values
        made.append(Item(source=row, state=state, **filled))
    return Item.objects.bulk_create(made)


def run(row: Source, number: int, *, hours_ago: float = 24, minutes: float = 30, **values: Any) -> Run:
    """A finished run."""
    start = NOW - timedelta(hours=hours_ago)
    end = start + timedelta(minutes=minutes)
    values = {"finished_at": end, "heartbeat_at": end, "outcome": "done", "exit_code": 0} | values
    return Run.objects.create(source=row, number=number, started_at=start, **values)


def campaign() -> Source:
    """A migration half-way: every state, several runs, some trouble."""
    row = source(found=6664, total=6700, listing_complete=True, listed_through=6664)
    items(row, "imported", 300, field="image_Full", size=1_800_000)
    items(row, "imported", 40, field="image_large", size=400_000)
    items(row, "imported", 2, field="image_small", size=40_000, lesser_copy=True)
    items(row, "unlinked", 12, field="image_Full", size=900_000, reason="owner_missing")
    items(row, "unlinked", 1, field="image_Full", size=900_000, reason="ambiguous")
    items(row, "quarantined", 2, field="image_Full", size=900_000, reason="damaged")
    items(row, "failed", 5, reason="missing", final=True)
    items(row, "failed", 1, reason="reference_only", final=True)
    items(row, "failed", 3, reason="gateway", next_try_at=NOW + timedelta(hours=2))
    items(row, "empty", 3)
    items(row, "accepted", 1, reason="not_wanted")
    items(row, "imported", 2, field="image_Full", gone_at=NOW)
    for number in range(1, 5):
        run(
            row,
            number,
            hours_ago=24 * (14 - number),
            outcome="limit" if number < 4 else "paused",
            reason="" if number < 4 else "The host rests after three answers in a row of 502.",
            imported=80,
            unlinked=3,
            failed=2,
            container_bytes=160_000_000,
            api_bytes=400_000,
            header_bytes=90_000,
            kept_bytes=159_900_000,
            requests=90,
            logins=1,
        )
    return row
