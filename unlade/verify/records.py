"""Imports of records: found in the source, in the ledger, and with their row here. No store is asked."""

from __future__ import annotations

from django.db.models import Q

from unlade.ledger.models import Item, Source
from unlade.owners import normalise_ref
from unlade.records.declaring import RecordImport
from unlade.report.tally import gone_of, totals_of
from unlade.states import ItemState
from unlade.verify.check import Verdict, slices
from unlade.verify.differences import Finding

S = ItemState


def check_records(importer: RecordImport) -> Verdict:
    """Every record that was written has its row, and the row has its FileMaker id."""
    verdict = Verdict(importer.name, carries="records")
    source = Source.objects.filter(name=importer.name).first()
    if source is None:
        return verdict
    verdict.found, verdict.count_is, verdict.counted_at = source.found, source.count_is, source.counted_at
    verdict.totals, verdict.gone = totals_of(source)[0], gone_of(source)
    written = Item.objects.filter(
        Q(state__in=[S.IMPORTED, S.UNLINKED]) | Q(state=S.ACCEPTED) & ~Q(row=""), source=source
    )
    verdict.rows = 0
    for batch in slices(written):
        ids = importer.model_class._base_manager.filter(pk__in=[item.row for item in batch if item.row])
        rows = {str(pk): normalise_ref(identity) for pk, identity in ids.values_list("pk", importer.match)}
        for item in batch:
            verdict.stored += 1
            verdict.gone_stored += item.gone_at is not None
            verdict.with_row += 1
            identity = rows.get(item.row)
            verdict.rows += identity is not None
            if identity is None:
                verdict.findings.append(_finding("record_missing", item))
            elif identity != item.identity_key and item.state != S.ACCEPTED:
                verdict.findings.append(_finding("record_id", item))
    return verdict


def _finding(kind: str, item: Item) -> Finding:
    return Finding(kind, item.source.name, item.record_id, row=item.row)
