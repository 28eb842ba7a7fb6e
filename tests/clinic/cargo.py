"""Consignments, contents and ledger items as the engine hands them over."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from clinic.images.imports import ImageImport
from unlade.cargo import Content, SourceRecord
from unlade.importer import Consignment
from unlade.ledger.models import Item, Source
from unlade.owners import normalise_ref

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = date(2016, 10, 18)


def content(text: str = "a", **changes: Any) -> Content:
    digest = hashlib.sha256(text.encode()).hexdigest()
    plain = Content("image/jpeg", ".jpg", size=len(text), sha256=digest, width=640, height=480)
    return replace(plain, **changes)


def consignment(number: int = 1, *, owner: Any = None, owner_ref: str = "P-1", **changes: Any) -> Consignment:
    fields = {"id": f"ID-{number}", "id_Contact": owner_ref, "Type": "Dorsal", "date": "10/18/2016"}
    record = SourceRecord(str(100 + number), "2", fields, {}, NOW)
    plain = Consignment(
        source="images",
        record=record,
        identity=f"ID-{number}",
        owner=owner,
        owner_ref=normalise_ref(owner_ref),
        day=DAY,
        raw_day="10/18/2016",
        category="Dorsal",
        original_name=f"IMG {number}.jpg",
        key=f"patients/filemaker-import/images/{owner_ref}/2016-10-18/ID-{number}.jpg",
        thumbnail_key=f"patients/filemaker-import/images/{owner_ref}/2016-10-18/ID-{number}.thumb.jpg",
        thumbnail_size=1234,
        field="image_Full",
        state="imported" if owner else "unlinked",
        reason="" if owner else "owner_missing",
        uploaded_by="images",
        metadata=dict(fields),
    )
    return replace(plain, **changes)


def record(number: int = 1, **changes: Any) -> Any:
    """Write one image as the engine does, outside of a run."""
    from django.db import transaction

    with transaction.atomic():
        return ImageImport().record(consignment(number, **changes), content(str(number)))


def settled(number: int, *, state: str | None = None, reason: str | None = None, **changes: Any) -> Item:
    """One image with its settled ledger item."""
    source, _ = Source.objects.get_or_create(name="images")
    item = consignment(number, **changes)
    row = record(number, **changes)
    return Item.objects.create(
        source=source,
        record_id=item.record.record_id,
        mod_id=item.record.mod_id,
        identity=item.identity,
        identity_key=item.identity,
        owner_ref=item.owner_ref,
        owner_key=item.owner_ref,
        day=item.day,
        state=state or item.state,
        reason=item.reason if reason is None else reason,
        key=item.key,
        row=str(row.pk),
        seen_at=NOW,
        settled_at=NOW,
    )
