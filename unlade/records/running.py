"""Runs one import of records from the settings, or says what a run would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from unlade.errors import Transient
from unlade.importing import Ended, sail_and_close, unreadable
from unlade.ledger.lock import source_lock
from unlade.ledger.models import Source
from unlade.listing import Walk
from unlade.options import RunOptions
from unlade.owners import OwnerFinder
from unlade.progress import Reporter
from unlade.records.books import RecordBooks
from unlade.records.declaring import RecordImport
from unlade.records.judging import FAIL, LEAVE, PASS, SAME, WRITE, Judge, Verdict
from unlade.records.related import changes
from unlade.records.voyage import RecordVoyage
from unlade.rigging import Rigging
from unlade.roads import open_line
from unlade.schedule.quiet import curfew
from unlade.source import Source as Road


@dataclass(frozen=True, slots=True)
class RecordsEnded(Ended):
    """`misfits`: values that did not fit their columns in this run, by the source's field.

    `related`: rows of portals that were looked at, by portal and by what they came to.
    """

    misfits: Counter[str] = field(default_factory=Counter)
    related: dict[str, Counter[str]] = field(default_factory=dict)


def run_records(
    importer: RecordImport,
    rig: Rigging,
    options: RunOptions,
    reporter: Reporter,
    *,
    on_start: Callable[[RecordVoyage], None] | None = None,
) -> RecordsEnded:
    """One run of one import of records, from lock to closed books.

    Raises `SettingsError`, `UsageError`, `LockedElsewhere` before a run is opened; afterwards every error is the run's
    outcome.
    """
    with ExitStack() as stack:
        line = open_line(importer, rig, options)
        stack.enter_context(source_lock(importer.name))
        books = RecordBooks.open(
            importer,
            rig.clock(),
            road=line.source.road,
            options=options.to_json(),
            owners=OwnerFinder(None),
            uploaded_by="",
        )
        assert isinstance(books, RecordBooks)
        line.bind(books.run)
        voyage = RecordVoyage(
            books,
            line.source,
            line.gate,
            line.bridge,
            line.toll,
            options,
            reporter,
            clock=rig.clock,
            share_permits=line.share_permits,
            curfew=curfew(rig.quiet_hours(options.quiet_hours), rig.clock),
        )
        if on_start is not None:
            on_start(voyage)
        ended = sail_and_close(voyage, books, line, options, rig, reporter)
        return RecordsEnded(
            ended.books,
            ended.outcome,
            ended.exit_code,
            ended.error,
            ended.retry_at,
            misfits=voyage.misfits,
            related=books.related,
        )


@dataclass
class RecordForecast:
    """What a run would do: records by fate, and how many rows would change in which column."""

    found: int = 0
    read: int = 0
    would: Counter[str] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)
    misfits: Counter[str] = field(default_factory=Counter)
    related: dict[str, Counter[str]] = field(default_factory=dict)  #: rows of portals, by what would become of them
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values; names and counts only."""
        return {
            "found": self.found,
            "read": self.read,
            "would": dict(self.would),
            "columns": dict(self.columns),
            "misfits": dict(self.misfits),
            **({"related": {name: dict(counts) for name, counts in self.related.items()}} if self.related else {}),
        }

    def text(self, noun: str) -> str:
        """For a person."""
        lines = [f"Dry run: {self.read:,} of {self.found:,} {noun} were read; nothing was written."]
        lines += [f"  {count:>7,}  {what}" for what, count in self.would.most_common()]
        for title, counts in (
            ("rows would change in", self.columns),
            ("values do not fit (they would be kept) in", self.misfits),
            *((f"rows of the portal {name}", counts) for name, counts in self.related.items()),
        ):
            if counts:
                lines.append(f"  {title}")
                lines += [f"  {count:>7,}  {name}" for name, count in counts.most_common()]
        return "\n".join([*lines, *self.notes])

    def count(self, importer: RecordImport, verdict: Verdict) -> None:
        """Add one record."""
        fates = {
            FAIL: f"failed: {verdict.reason}",
            LEAVE: "left out by the declaration",
            SAME: "as it is",
            PASS: "not named by --only",
        }
        fate = fates.get(verdict.action)
        if fate is not None:
            self.would[fate] += 1
            return
        self.would["new" if verdict.row is None else "updated"] += 1
        self.would["with a link that is open"] += bool(verdict.reading.open_links)
        self.would += Counter()  # leaves zeros out
        self.misfits.update(misfit.field for misfit in verdict.reading.misfits)
        if verdict.row is not None:
            self.columns.update(
                name for name, value in verdict.reading.values.items() if getattr(verdict.row, name) != value
            )

    def count_related(self, importer: RecordImport, verdicts: Sequence[Verdict]) -> None:
        """Add the portal rows of these records."""
        for portal, rows in importer.portals.items():
            mine = [each for each in verdicts if each.action == WRITE and portal in each.reading.related]
            shown = [(each.row, each.reading.related[portal]) for each in mine]
            counts = self.related.setdefault(portal, Counter())
            counts.update(change.what for change in changes(rows, shown))


def dry_records(importer: RecordImport, rig: Rigging, options: RunOptions) -> RecordForecast:
    """Read the records and say what a run would do; writes nothing but the bookings of what the reading costs."""
    line = open_line(importer, rig, options)
    try:
        curfew(rig.quiet_hours(options.quiet_hours), rig.clock)()
        line.gate.check()
        forecast = _look_ahead(importer, line.source, options)
        forecast.notes = line.notes
        return forecast
    except Transient as error:
        raise unreadable(error, line.gate) from error
    finally:
        line.source.close()
        line.hang_up()


def _look_ahead(importer: RecordImport, road: Road, options: RunOptions) -> RecordForecast:
    forecast, met = RecordForecast(), set[str]()
    judge = Judge(importer, Source.objects.filter(name=importer.name).first(), options, road.road)
    walk = Walk("full", options.batch_size, lambda _ids: met)
    settles = 0
    while (options.limit is None or settles < options.limit) and (request := walk.request()):
        page = road.page(request.offset, request.limit)
        walk.took(request, page)
        forecast.found = page.count.found
        verdicts = [each for each in judge.page(page.records) if each.record.record_id not in met]
        for verdict in verdicts:
            met.add(verdict.record.record_id)
            forecast.count(importer, verdict)
            settles += verdict.settles
        forecast.count_related(importer, verdicts)
    forecast.read = len(met)
    return forecast


__all__ = ["RecordForecast", "RecordsEnded", "dry_records", "run_records"]
