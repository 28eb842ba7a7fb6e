"""What a run would do, without doing it: reads the listing, writes nothing but the bookings of the bytes it costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from unlade.cargo import RefStatus, SourceRecord
from unlade.importer import ContainerImport
from unlade.ledger.models import Item, Source
from unlade.listing import Walk
from unlade.options import RunOptions
from unlade.owners import normalise_ref
from unlade.source import Source as Road


@dataclass
class Forecast:
    """Records by what would become of them; `fields` counts the field that would be tried first."""

    found: int = 0
    read: int = 0
    would: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"found": self.found, "read": self.read, "would": dict(self.would), "fields": dict(self.fields)}

    def text(self, noun: str) -> str:
        """For a person."""
        lines = [f"Dry run: {self.read:,} of {self.found:,} {noun} were listed; nothing was fetched or written."]
        lines += [f"  {count:>7,}  {what}" for what, count in self.would.most_common()]
        if self.fields:
            lines.append("  the best filled field is")
            lines += [f"  {count:>7,}  {name}" for name, count in self.fields.most_common()]
        return "\n".join([*lines, *self.notes])


def look_ahead(importer: ContainerImport, road: Road, options: RunOptions) -> Forecast:
    """List records until the limit would be met. Raises what `Source.page` raises."""
    forecast = Forecast()
    met: set[str] = set()
    settled = _settled(importer)
    walk = Walk("new", options.batch_size, lambda ids: met.intersection(ids))
    while request := walk.request():
        page = road.page(request.offset, request.limit)
        walk.took(request, page)
        forecast.found = page.count.found
        for record in page.records:
            if record.record_id not in met:
                met.add(record.record_id)
                _judge(importer, record, settled, forecast)
        if options.limit is not None and forecast.would["fetched"] >= options.limit:
            break
    forecast.read = len(met)
    return forecast


def _settled(importer: ContainerImport) -> set[str]:
    source = Source.objects.filter(name=importer.name).first()
    if source is None:
        return set()
    # By the identity too: what another road brought is not brought again.
    rows = Item.objects.filter(source=source).exclude(state="pending").exclude(state="failed", final=False)
    found: set[str] = set()
    for record_id, identity_key in rows.values_list("record_id", "identity_key").iterator(chunk_size=2000):
        found |= {record_id, f"identity {identity_key}"} if identity_key else {record_id}
    return found


def _judge(importer: ContainerImport, record: SourceRecord, settled: set[str], forecast: Forecast) -> None:
    refs = [(name, record.containers[name]) for name in importer.containers if name in record.containers]
    best = next((name for name, ref in refs if ref.status is RefStatus.FILE), None)
    if record.record_id in settled or f"identity {normalise_ref(importer.identity_of(record))}" in settled:
        forecast.would["settled already"] += 1
    elif not importer.wants(record):
        forecast.would["left out by the declaration"] += 1
    elif not importer.identity_of(record):
        forecast.would["failed: no identity"] += 1
    elif best is not None:
        forecast.would["fetched"] += 1
        forecast.fields[best] += 1
    elif all(ref.status is RefStatus.EMPTY for _, ref in refs):
        forecast.would["empty"] += 1
    else:
        forecast.would["failed: only a reference or no link"] += 1
