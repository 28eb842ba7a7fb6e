"""What the ledger learnt about the host: after how many downloads, or at which hours, trouble came."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import tzinfo

from unlade.governor.learning import PastRun, after_downloads, hint
from unlade.ledger.models import Host, Run
from unlade.states import RunOutcome

#: So many runs are looked at; a host that was repaired must not be judged by last year's.
_LAST = 30

_LIMIT = re.compile(r"--limit (\d+)")


def past_runs(host: Host | None) -> list[PastRun]:
    """The last runs over the network that downloaded something or met trouble, newest first."""
    rows = Run.objects.filter(road="api").exclude(outcome=RunOutcome.RUNNING).order_by("-started_at")
    if host is not None:
        # Runs of a ledger that is older than this column name no host.
        rows = rows.filter(host=host) | rows.filter(host=None)
    return [_past(run) for run in rows[:_LAST] if run.downloads or run.troubles]


def trouble_line(host: Host | None, zone: tzinfo) -> str:
    """ "502s and the like began after 50-100 downloads in 6 of 7 runs: run with --limit 45", or ""."""
    return hint(past_runs(host), zone) or ""


def safe_limit(runs: Iterable[PastRun]) -> int | None:
    """So many downloads in a row went well before; None when the host shows no such pattern."""
    line = after_downloads(list(runs))
    match = _LIMIT.search(line) if line else None
    return int(match[1]) if match else None


def _past(run: Run) -> PastRun:
    first = run.troubles[0] if run.troubles else None
    # Of the moment only this is known: a run that paused ended soon after its trouble.
    paused = first is not None and run.outcome == RunOutcome.PAUSED
    return PastRun(
        downloads=run.downloads,
        trouble_after=first,
        trouble_at=run.finished_at if paused else None,
        started_at=run.started_at,
    )
