"""The same figures from an SQLite file and from PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path

from tests.report.ledgers import NOW, campaign, items, plates, run
from unlade.ledger.models import Run, Source
from unlade.report.allowance import gather_books
from unlade.report.runs import run_json
from unlade.report.status import gather
from unlade.report.status_json import status_json


def test_status_summary_and_allowance(database: str, tmp_path: Path) -> None:
    row = campaign()
    items(row, "imported", 3, owner_key="A")
    Source.objects.filter(pk=row.pk).update(found=row.items.filter(gone_at=None).count())
    run(row, 9, imported=1)
    status = gather({"plates": plates()}, NOW)
    assert json.loads(json.dumps(status_json(status)))["sources"]["plates"]["found"] == 373
    groups = status.sources[0].groups
    assert groups is not None
    assert (groups.complete, groups.total) == (344, 368)
    assert sum(run_json(Run.objects.get(number=9), NOW)["totals"].values()) == 373
    assert gather_books(NOW).runs == ()
