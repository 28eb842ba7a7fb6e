"""What the ledger of a pull over the API knows, as lines of a manifest and as figures (CONTRACT A4, B1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Sum

from unlade.ledger.models import Item, Source
from unlade.report.tally import gone_of, totals_of
from unlade.standalone.layoutfields import GLOBAL
from unlade.standalone.layouts import LayoutImport
from unlade.standalone.manifest import Line
from unlade.states import STORED, ItemState


def lines_of(importers: Iterable[LayoutImport]) -> Iterator[Line]:
    """A line for every filled container value that is known; those that are gone from the source keep their files."""
    for importer in importers:
        items = Item.objects.filter(source__name=importer.name).exclude(slot="").order_by("pk")
        for item in items.iterator(chunk_size=2000):
            if item.gone_at is None or item.state in STORED:
                yield _line(importer, item)


def _line(importer: LayoutImport, item: Item) -> Line:
    name, repetition = importer.asked.value_of(item.slot)
    stored = item.state in STORED
    return Line(
        table=importer.layout,
        record=item.record_id,
        modification=None if item.record_id == GLOBAL else item.mod_id,
        field=name,
        repetition=repetition,
        file=item.key if stored else None,
        original_name=item.original_name or None,
        mime_type=item.mime_type or None if stored else None,
        size=item.size if stored else None,
        sha256=item.sha256 if stored else None,
        proof="none",
        state=item.state,
        thumbnail=item.thumbnail_key or None,
        thumbnail_error=item.thumbnail_error or None,
        reason=item.reason or None,
    )


@dataclass
class Standing:
    """How far a pull is. `found` counts values, of records that were not listed yet one each; `bytes` are of files."""

    found: int = 0
    totals: Counter[str] = field(default_factory=Counter)
    gone: int = 0
    bytes: int = 0
    thumbnails: int = 0
    trouble: list[str] = field(default_factory=list)  #: values without a good file, at most 20 by name

    @property
    def files(self) -> int:
        return self.totals[ItemState.IMPORTED] + self.totals[ItemState.QUARANTINED]

    def as_json(self) -> dict[str, Any]:
        return {
            "found": self.found,
            "totals": {state.value: self.totals[state] for state in ItemState},
            "gone": self.gone,
            "files": self.files,
            "file_bytes": self.bytes,
            **({"thumbnails": self.thumbnails} if self.thumbnails else {}),
        }


def standing_of(importers: Iterable[LayoutImport]) -> Standing:
    """How far it is, by the ledger alone."""
    standing = Standing()
    for importer in importers:
        source = Source.objects.filter(name=importer.name).first()
        if source is None:
            continue
        totals, _ = totals_of(source)
        standing.found += sum(totals.values())
        standing.totals.update(totals)
        standing.gone += gone_of(source)
        stored = source.items.filter(state__in=list(STORED), gone_at=None)
        standing.bytes += stored.aggregate(total=Sum("size"))["total"] or 0
        standing.thumbnails += stored.exclude(thumbnail_key="").count()
        bad = source.items.filter(state__in=[ItemState.FAILED, ItemState.QUARANTINED], gone_at=None).order_by("pk")
        for item in bad[: 20 - len(standing.trouble)]:
            what = (
                f"{importer.layout}, record {item.record_id}, {item.slot}" if item.slot else f"record {item.record_id}"
            )
            standing.trouble.append(f"{what}: {item.state} ({item.reason or 'damaged'})")
    return standing
