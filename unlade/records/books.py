"""The ledger of a run over records: a page is one transaction, all of it or nothing."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from unlade.cargo import Count, Road, SourceRecord
from unlade.errors import UnladeError
from unlade.ledger.books import Books, metadata_of
from unlade.ledger.events import note_all, settled_detail
from unlade.ledger.models import Item, Run, Source
from unlade.owners import OwnerFinder, normalise_ref
from unlade.records import related
from unlade.records.converting import plain
from unlade.records.declaring import RecordImport
from unlade.records.judging import FAIL, LEAVE, PASS, WRITE, Verdict
from unlade.signals import item_settled, send
from unlade.states import ItemState

log = logging.getLogger(__name__)

S = ItemState


class RowRefused(UnladeError):
    """A record's row could not be written, so nothing of its page was."""


class RecordBooks(Books):
    """The ledger of one run of one import of records."""

    importer: RecordImport

    def __init__(self, importer: RecordImport, source: Source, run: Run, owners: OwnerFinder, uploaded_by: str):
        super().__init__(importer, source, run, owners, uploaded_by)
        #: Rows of portals that this run has looked at, by portal and by what they came to.
        self.related: dict[str, Counter[str]] = {name: Counter() for name in importer.portals}

    def counted(self, count: Count, now: datetime) -> None:
        """Keep the source's own count; what an export holds is the run's alone where a table was counted before."""
        if self.road == Road.FOLDER and self.source.runs.exclude(road=Road.FOLDER).exclude(found=None).exists():
            return
        super().counted(count, now)

    def write_page(self, verdicts: Sequence[Verdict], now: datetime, learning: Sequence[Verdict] = ()) -> None:
        """Write rows and items of one page. Raises `RowRefused`; then nothing of it is written.

        `learning` are verdicts whose item stays as it is, but for this road's ids and what it was written from.
        """
        with transaction.atomic():
            rows = self._locked(verdicts)
            written = {
                verdict.record.record_id: self._write_row(verdict, rows)
                for verdict in verdicts
                if verdict.action == WRITE
            }
            notes, counts = self._write_related(verdicts, written, now)
            fresh: list[Item] = []
            known: list[Item] = []
            rows_of: list[tuple[Item, Any]] = []
            for verdict in verdicts:
                if not verdict.settles:
                    continue
                row = written.get(verdict.record.record_id)
                item = self._settled_item(verdict, row, now)
                said = notes.get(verdict.record.record_id, [])
                item.notes += said
                item.detail = "; ".join(filter(None, [item.detail, *said]))
                (fresh if item.pk is None else known).append(item)
                rows_of.append((item, row))
            Item.objects.bulk_create(fresh)
            Item.objects.bulk_update(known, _FIELDS, batch_size=100)
            same = [each.item.pk for each in verdicts if each.item is not None and not each.settles]
            self.source.items.filter(pk__in=same).update(seen_at=now, gone_at=None)
            Item.objects.bulk_update([self._learnt(each) for each in learning], _LEARNT, batch_size=100)
            items = [*fresh, *known]
            for state in {item.state for item in items}:
                told = [(item, settled_detail(item)) for item in items if item.state == state]
                note_all(told, state, now, self.run)
            for verdict in verdicts:
                if verdict.action == WRITE:
                    row = written[verdict.record.record_id]
                    transaction.on_commit(partial(self._after_commit, row, verdict.record))
            for item, row in rows_of:
                send(item_settled, self.importer, item=item, row=row, consignment=None)
        for item in items:
            self._ends(item, item.state)
        for portal, came in counts.items():
            self.related[portal] += came
        self.new += len(fresh)
        self.edited += len(known)

    def _write_related(
        self, verdicts: Sequence[Verdict], written: dict[str, Any], now: datetime
    ) -> tuple[dict[str, list[str]], dict[str, Counter[str]]]:
        """Rows of portals; notes by the record's id, and counts by the portal."""
        notes: dict[str, list[str]] = {}
        counts: dict[str, Counter[str]] = {}
        for portal in self.importer.portals:
            mine = [each for each in verdicts if each.action == WRITE and portal in each.reading.related]
            if not mine:
                continue
            shown = [(written[each.record.record_id], each.reading.related[portal]) for each in mine]
            try:
                told = related.write(self.importer, portal, shown, now)
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:
                log.exception("rows of the portal %s could not be written", portal)
                raise RowRefused(
                    f"Rows of the portal {portal} could not be written ({type(error).__name__}), of one of the records "
                    f"{mine[0].record.record_id} to {mine[-1].record.record_id}; nothing of their page was.",
                    remedy="Correct the declaration or the record (the log has the trace), then run it again.",
                ) from error
            counts[portal] = told.counts
            for each in mine:
                notes.setdefault(each.record.record_id, []).extend(told.notes(portal, written[each.record.record_id]))
        return notes, counts

    def _learnt(self, verdict: Verdict) -> Item:
        item = verdict.item
        assert item is not None
        if self.road == Road.API:
            item.record_id, item.mod_id, item.road = verdict.record.record_id, verdict.record.mod_id, self.road
        item.digests = {**item.digests, **verdict.reading.digests}
        return item

    def _after_commit(self, row: Any, record: SourceRecord) -> None:
        try:
            self.importer.after_commit(row, record)
        except Exception:
            log.exception("record %s: after_commit failed; its row is written", record.record_id)

    def passed_over(self, verdicts: Sequence[Verdict], counted: set[str]) -> None:
        """Count the records that stay as they are; `counted` are those that this run has met before."""
        self.skipped += sum(
            not each.settles and each.action != PASS and each.record.record_id not in counted for each in verdicts
        )

    def _locked(self, verdicts: Sequence[Verdict]) -> dict[Any, Any]:
        """The rows that will be written, as they are now, and nobody else's until the page is written."""
        pks = [each.row.pk for each in verdicts if each.action == WRITE and each.row is not None]
        found = self.importer.model_class._base_manager.select_for_update().filter(pk__in=pks)
        return {row.pk: row for row in found}

    def _write_row(self, verdict: Verdict, rows: dict[Any, Any]) -> Any:
        importer, record = self.importer, verdict.record
        row = rows.get(verdict.row.pk) if verdict.row is not None else None
        try:
            if row is None:
                row = importer.model_class(**{importer.match: verdict.identity})
            for name, value in verdict.reading.values.items():
                setattr(row, name, value)
            if importer.metadata:
                kept = getattr(row, importer.metadata) or {}
                raw = {plain(name): plain(value) for name, value in metadata_of(record).items()}
                setattr(row, importer.metadata, {**kept, **raw})
            importer.record(row, record)
            row.save()
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            log.exception("record %s: its row could not be written", record.record_id)
            raise RowRefused(
                f"Record {record.record_id}: its row could not be written ({type(error).__name__}); nothing of its "
                "page was.",
                remedy="Correct the declaration or the record (the log has the trace), then run it again: it goes on "
                "with this page.",
            ) from error
        return row

    def _settled_item(self, verdict: Verdict, row: Any, now: datetime) -> Item:
        record = verdict.record
        item = verdict.item or Item(source=self.source, record_id=record.record_id, road=self.road)
        if item.road == self.road or self.road == Road.API:
            item.mod_id = record.mod_id
            if item.road != self.road:  # an item that another road brought is one with this record (CONTRACT B5)
                item.record_id, item.road = record.record_id, self.road
        else:
            item.mod_id = ""  # its row is no longer what the other road's id stood for
        item.seen_at, item.gone_at = now, None
        item.digests = {**item.digests, **verdict.reading.digests}
        self._describe(item, record)
        item.identity_key = normalise_ref(item.identity)[:255]
        item.settled_at, item.settled_in, item.next_try_at = now, self.run, None
        item.tries += 1
        item.notes, item.detail, item.reason = [], verdict.detail, verdict.reason
        if verdict.action == LEAVE:
            self._settled(item, S.ACCEPTED, "not_wanted", now)
            item.accepted_by, item.accepted_why = self.importer.name, "the declaration leaves this record out"
        elif verdict.action == FAIL:
            item.move(S.FAILED)
            item.final = verdict.reason in ("no_identity", "duplicate_identity")
        else:
            self._written(item, verdict, row)
        return item

    def _written(self, item: Item, verdict: Verdict, row: Any) -> None:
        reading = verdict.reading
        match = next(iter(reading.open_links), None)
        item.move(S.UNLINKED if match else S.IMPORTED)
        item.final, item.row = False, str(row.pk)
        item.accepted_by, item.accepted_why = "", ""
        item.reason = match.reason if match else ""
        details = [match.detail] if match else []
        details += [f"{misfit.field}: {misfit.why}; the value is kept" for misfit in reading.misfits]
        item.detail = "; ".join(details)
        if not self.importer.metadata:
            item.notes = [f"{misfit.field} ({misfit.why}): {misfit.raw}" for misfit in reading.misfits]


_FIELDS = [
    *("record_id", "road", "mod_id", "digests", "seen_at", "gone_at", "identity", "identity_key", "owner_ref"),
    *("owner_key", "day", "category"),
    *("settled_at", "settled_in", "next_try_at", "tries", "notes", "detail", "reason", "state", "final", "row"),
    *("accepted_by", "accepted_why"),
]

#: What an item that stays as it is may learn from another road.
_LEARNT = ["record_id", "road", "mod_id", "digests"]
