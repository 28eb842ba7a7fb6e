"""One run as reports tell it, from its ledger row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from unlade.cargo import Wire
from unlade.ledger.models import Run
from unlade.report.figures import RunFigures
from unlade.report.tally import by_field_of, gone_of, totals_of
from unlade.states import RunOutcome

#: A run that has not given a sign for so long is taken for dead in reports; the next run decides it by the lock.
SILENCE = timedelta(minutes=5)

SETTLED_KEYS = ("imported", "empty", "unlinked", "quarantined", "failed", "skipped")


def run_figures(run: Run, now: datetime) -> RunFigures:
    """The figures of `run`; a silent one that claims to run is shown as died."""
    silent = run.outcome == RunOutcome.RUNNING and now - run.heartbeat_at > SILENCE
    end = run.finished_at or (run.heartbeat_at if silent or run.outcome != RunOutcome.RUNNING else now)
    return RunFigures(
        source=run.source.name,
        number=run.number,
        road=run.road,
        started_at=run.started_at,
        finished_at=run.finished_at or (run.heartbeat_at if silent else None),
        outcome=RunOutcome.DIED.value if silent else str(run.outcome),
        reason=run.reason,
        exit_code=run.exit_code,
        retry_at=run.retry_at,
        this_run={name: getattr(run, name) for name in SETTLED_KEYS},
        wire=Wire(run.api_bytes, run.container_bytes, run.header_bytes),
        kept=run.kept_bytes,
        requests=run.requests,
        logins=run.logins,
        seconds=max(0.0, (end - run.started_at).total_seconds()),
        alive=run.outcome == RunOutcome.RUNNING and not silent,
    )


def iso(moment: datetime | None) -> str | None:
    """A time as JSON holds it."""
    return moment.isoformat() if moment else None


def as_json(run: RunFigures) -> dict[str, Any]:
    """The part of CONTRACT A4's object that concerns the run alone."""
    return {
        "run": run.number,
        "outcome": run.outcome,
        "reason": run.reason or None,
        "this_run": dict(run.this_run),
        "bytes": {
            "api": run.wire.api,
            "container": run.wire.container,
            "headers": run.wire.headers,
            "kept": run.kept,
        },
        "requests": run.requests,
        "logins": run.logins,
        "seconds": round(run.seconds, 1),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "retry_at": iso(run.retry_at),
        "exit": run.exit_code,
    }


def run_json(run: Run, now: datetime | None = None) -> dict[str, Any]:
    """CONTRACT A4's object for one run; the totals are the ledger's at this moment.

    `found` is the source's own count as last heard, null when it was never read.
    """
    source = run.source
    totals, _ = totals_of(source)
    figures = run_figures(run, now or datetime.now(UTC))
    return {
        "source": source.name,
        **{key: value for key, value in as_json(figures).items() if key in ("run", "outcome", "reason")},
        "found": source.found,
        "count_is": source.count_is,
        "this_run": dict(figures.this_run),
        "totals": totals,
        "gone": gone_of(source),
        "by_field": by_field_of(source, totals),
        **{key: value for key, value in as_json(figures).items() if key in ("bytes", "requests", "logins", "seconds")},
        "started_at": figures.started_at.isoformat(),
        "finished_at": figures.finished_at.isoformat() if figures.finished_at else None,
        "retry_at": figures.retry_at.isoformat() if figures.retry_at else None,
        "exit": figures.exit_code,
    }
