"""The end of a run: CONTRACT A4's object for scripts, a few lines for people, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from django.db.models import Count
from rich.text import Text

from unlade.governor.budget import Budget
from unlade.importer import ContainerImport
from unlade.ledger.models import Run
from unlade.report.figures import RunFigures
from unlade.report.paper import STYLES, WIDTH, Paper, grid
from unlade.report.reasons import reason
from unlade.report.runs import run_figures
from unlade.report.status import gather
from unlade.report.status_text import breaker_line, limit_line
from unlade.report.words import headline
from unlade.states import ItemState
from unlade.units import format_count, format_duration, format_size

#: Where several hold, the first of these is the exit code (CONTRACT A3).
EXIT_ORDER = (2, 1, 130, 75, 3, 0)

_OUTCOME_ORDER = ("failed", "died", "interrupted", "paused", "running", "limit", "done", "skipped")

_SAID = {
    "done": "done",
    "limit": "the limit is reached",
    "paused": "paused",
    "interrupted": "interrupted; the next run goes on from here",
    "failed": "failed",
    "died": "ended without a word",
    "running": "is under way",
}


def runs_json(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several sources' objects as one: the exit code and outcome that matter most, then each by its name."""
    return {
        "outcome": worst_outcome([str(entry["outcome"]) for entry in objects]),
        "exit": worst_exit([entry["exit"] for entry in objects if entry["exit"] is not None]),
        "sources": {str(entry["source"]): dict(entry) for entry in objects},
    }


def worst_exit(codes: Sequence[int]) -> int:
    """The code that a command over several sources ends with; 1 for any that CONTRACT A3 does not name."""
    known = [code if code in EXIT_ORDER else 1 for code in codes]
    return min(known, key=EXIT_ORDER.index, default=0)


def worst_outcome(outcomes: Sequence[str]) -> str:
    """The outcome that matters most."""
    return min(outcomes, key=_OUTCOME_ORDER.index, default="done")


def run_text(
    run: Run,
    importer: ContainerImport,
    now: datetime,
    *,
    budget: Budget | None = None,
    host_key: str | None = None,
    zone: tzinfo = UTC,
    fancy: bool = False,
    width: int = WIDTH,
) -> str:
    """What a person reads when a run has ended: what it did, how far all is, what to do next."""
    paper = Paper(fancy=fancy, width=width)
    figures = run_figures(run, now)
    status = gather({importer.name: importer}, now, budget=budget, host_key=host_key, zone=zone)
    said = _SAID.get(figures.outcome, figures.outcome)
    title = Text.assemble(
        (f"{figures.source}, run {figures.number}: ", "bold"), (said, f"bold {STYLES.get(figures.outcome, '')}".strip())
    )
    title.append(f" after {format_duration(figures.seconds)}")
    paper.put(title)
    if figures.reason:
        paper.put(figures.reason, indent=2)
    paper.put(_this_run(figures), indent=2)
    _troubled(paper, run)
    paper.put(_transferred(figures), style="dim", indent=2)
    for source in status.sources:
        paper.put("")
        paper.put(headline(source, now, zone), style="bold")
    for note in (breaker_line(status.breaker, now, zone), *status.warnings, status.left_behind.note):
        if note:
            paper.put(note, style="yellow")
    if status.allowance.year:
        paper.put(f"Allowance: {limit_line(status.allowance.year, now, zone)}", style="dim")
    paper.put("")
    paper.put(Text.assemble(("Next: ", "bold"), status.next_step))
    if status.next_command:
        paper.command(status.next_command)
    return paper.text()


def _this_run(figures: RunFigures) -> Text:
    parts = [(state, count) for state, count in figures.this_run.items() if count and state != "skipped"]
    if not parts:
        return Text("nothing new and nothing due")
    line = Text()
    for number, (state, count) in enumerate(parts):
        line.append(", " if number else "")
        line.append(f"{format_count(count)} {state}", style=STYLES.get(state, ""))
    return line


def _troubled(paper: Paper, run: Run) -> None:
    """This run's failed and damaged items by reason."""
    groups: Any = (
        run.settled.filter(state__in=[ItemState.FAILED, ItemState.QUARANTINED], gone_at=None)
        .values("state", "reason")
        .annotate(count=Count("pk"))
        .order_by("-count", "reason")
    )
    table = grid("r", "w")
    for group in groups[:8]:
        text = Text.assemble((f"{group['reason'] or group['state']}  ", STYLES[group["state"]]))
        table.add_row(format_count(group["count"]), text.append(reason(group["reason"]).sentence))
    if table.row_count:
        paper.put(table, indent=4)


def _transferred(figures: RunFigures) -> str:
    requests = f"{format_count(figures.requests)} {'request' if figures.requests == 1 else 'requests'}"
    logins = f"{figures.logins} {'login' if figures.logins == 1 else 'logins'}"
    kept = f", {format_size(figures.kept)} kept" if figures.kept else ""
    return f"{requests}, {logins}; {format_size(figures.wire.total)} over the wire{kept}"
