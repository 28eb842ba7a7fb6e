"""The one thing to do next, and what to type for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from django.core.management import get_commands

from unlade.governor.breaker import PERSON
from unlade.report.figures import AllowanceFigures, BreakerFigures, SourceFigures
from unlade.report.words import clock, plural
from unlade.units import format_count

MANAGE = "python manage.py"


def import_command(name: str) -> str:
    """What runs the import `name`: its own command where there is one."""
    own = f"import_filemaker_{name}"
    return f"{MANAGE} {own}" if own in get_commands() else f"{MANAGE} import_filemaker {name}"


def existing(command: str, name: str) -> str:
    """The import's own `command` where the project has one, else the one that takes its name; "" without either."""
    full, known = f"{command}_{name}", get_commands()
    if full in known:
        return f"{MANAGE} {full}"
    return f"{MANAGE} {command} {name}" if command in known else ""


def next_step(
    sources: Sequence[SourceFigures],
    allowance: AllowanceFigures,
    breaker: BreakerFigures,
    now: datetime,
    zone: tzinfo,
    *,
    left: int = 0,
) -> tuple[str, str]:
    """A sentence and a command ("" when there is nothing to type). `left`: containers that nobody takes."""
    if not sources:
        return "No import is declared: write a ContainerImport into a module `imports` of one of your apps.", ""
    running = next((s for s in sources if s.last_runs and s.last_runs[0].alive), None)
    if running:
        return f"Run {running.last_runs[0].number} of {running.name} is under way; nothing to do.", ""
    unfinished = [source for source in sources if source.found is None or source.remaining]
    if unfinished:
        return _go_on(unfinished[0], allowance, breaker, now, zone)
    failed = next((s for s in sources if s.last_runs and s.last_runs[0].outcome == "failed"), None)
    if failed:
        return f"The last run of {failed.name} failed. Find out why:", f"{MANAGE} filemaker_doctor"
    for source in sources:
        if source.waiting_for_owner and source.relink:
            waiting = plural(source.waiting_for_owner, source.noun)
            return f"Once the missing owners are here, link {waiting}:", source.relink
    for source in sources:
        if source.need_person:
            count = format_count(source.need_person)
            return (
                f"{count} of {source.name} {'needs' if source.need_person == 1 else 'need'} a person (listed above); "
                "what was put right is tried again by:",
                f"{source.command} --retry-failed",
            )
    for source in sources:
        if source.waiting_for_owner:
            return f"Import the owners that {plural(source.waiting_for_owner, source.noun)} wait for.", ""
    if left:
        what = plural(left, ("container field holds", "container fields hold"))
        return f"All that is declared is here, but {what} files that nobody takes:", f"{MANAGE} filemaker_survey --last"
    return "Nothing: everything that the source has is accounted for.", ""


def _go_on(
    source: SourceFigures, allowance: AllowanceFigures, breaker: BreakerFigures, now: datetime, zone: tzinfo
) -> tuple[str, str]:
    if breaker.phase == "open" and breaker.cause == "sign_in" and breaker.detail == PERSON:
        return "The Claris ID waits for a person; sign in at a terminal:", f"{MANAGE} filemaker_login"
    if breaker.phase == "open" and breaker.cause == "sign_in":
        return "Correct FILEMAKER_ACCOUNT or FILEMAKER_PASSWORD; what the host says then:", f"{MANAGE} filemaker_doctor"
    if breaker.phase == "open" and breaker.retry_at and breaker.retry_at > now:
        return f"The host rests; go on after {clock(breaker.retry_at, now, zone)}:", source.command
    full = allowance.full
    if full and full.resets_at:
        when = clock(full.resets_at, now, zone)
        return f"The limit of the {full.name} is used up; go on after {when}:", source.command
    last = source.last_runs[0] if source.last_runs else None
    if last and last.outcome == "paused" and last.retry_at and last.retry_at > now:
        return f"Go on after {clock(last.retry_at, now, zone)}:", source.command
    if source.found is None:
        if not source.last_runs:
            return (
                "Nothing was imported yet. See whether all is well, then import a few:",
                f"{source.command} --limit 20",
            )
        return "The last run could not read the source. Find out why:", f"{MANAGE} filemaker_doctor"
    if last and last.retry_at and last.retry_at > now:
        return f"Go on after {clock(last.retry_at, now, zone)}:", source.command
    if last and last.outcome == "failed":
        return "The last run failed. Find out why:", f"{MANAGE} filemaker_doctor"
    due = min((line.next_try_at for line in source.open if line.next_try_at), default=None)
    if not source.totals["pending"] and due and due > now:
        one = source.retriable == 1
        return (
            f"{plural(source.retriable, source.noun)} {'is' if one else 'are'} due again at {clock(due, now, zone)}:",
            source.command,
        )
    return "Go on with:", source.command
