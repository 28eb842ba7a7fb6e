"""Tells each event once, and again at the next run where nobody took it. Never fails a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from unlade.errors import UnladeError
from unlade.importing import Ended
from unlade.ledger.models import Notice
from unlade.notify import events
from unlade.notify.channels import PATIENCE, Channel, NotTaken, ask, channels
from unlade.notify.events import Event, Finding
from unlade.report.runs import run_json
from unlade.rigging import Rigging

log = logging.getLogger(__name__)

#: A process that began to send a notice and died over it had it for so long.
_CLAIM = timedelta(minutes=5)

#: Notices that are sent after one run, at the most.
_AT_ONCE = 20

_SUBJECTS = {
    "completed": "import complete",
    "breaker": "the host rests",
    "allowance": "allowance",
    "failed": "a run failed",
    "person": "a person is needed",
    "sign_in": "the sign-in is refused",
}


def after_run(ended: Ended, rig: Rigging) -> None:
    """Tell what is to be told about a run that has ended, and let the outside monitor know. Raises nothing."""

    def tell() -> None:
        told = run_json(ended.books.run, rig.clock())
        _note(events.after(ended, rig), told, rig)

    # A person who pressed Ctrl-C does not wait for somebody's web server.
    _telling(tell, rig, patience=1.0 if ended.exit_code == 130 else PATIENCE)


def after_error(name: str, error: UnladeError, rig: Rigging) -> None:
    """Tell about a run of the import `name` that could not be opened. Raises nothing."""
    if error.exit_code == 1:
        told = {"source": name, "run": None, "outcome": "failed", "exit": 1}
        _telling(lambda: _note(events.failure(name, error), told, rig), rig, patience=PATIENCE)


def _telling(tell: Callable[[], None], rig: Rigging, *, patience: float) -> None:
    try:
        ways = channels(rig.settings)
        tell()
        deliver(ways, rig.clock())
    except UnladeError as error:
        log.error("notices could not be told: %s %s", error, error.remedy)
    except Exception:
        log.exception("notices could not be told; the next run tries again")
    try:
        if url := rig.settings["UNLADE_HEARTBEAT_URL"]:
            ask("GET", url, patience=patience)
    except (NotTaken, UnladeError) as error:
        log.warning("the heartbeat was not taken: %s", error)


def _note(finding: Finding, told: Mapping[str, Any], rig: Rigging) -> None:
    """Write down what is new. What nobody is set up to hear counts as told, so that it does not come up later."""
    now, ways = rig.clock(), list(channels(rig.settings))
    for key in finding.over:
        # The row stays, under another key, and is still sent if it was not yet.
        for pk in Notice.objects.filter(key=key).values_list("pk", flat=True):
            Notice.objects.filter(pk=pk).update(key=f"{key}:over:{pk}"[:255])
    for event in finding.events:
        if Notice.objects.filter(key=event.key).exists():
            continue
        silent = not ways or not event.text
        try:
            with transaction.atomic():
                Notice.objects.create(
                    kind=event.kind,
                    key=event.key,
                    text=event.text,
                    payload=_payload(event, told, now),
                    created_at=now,
                    waits_for=[] if silent else ways,
                    sent_at=now if silent else None,
                )
        except IntegrityError:
            continue  # another run noted it in this moment


def _payload(event: Event, told: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    names = ("source", "run", "outcome", "exit", "found", "totals", "retry_at")
    return {
        "event": event.kind,
        "text": event.text,
        "at": now.isoformat(),
        **{name: told[name] for name in names if name in told},
    }


def deliver(ways: Mapping[str, Channel], now: datetime) -> None:
    """Send what waits. A channel that fails once is left alone until the next run."""
    ways = dict(ways)
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - _CLAIM)
    for notice in Notice.objects.filter(free, sent_at=None)[:_AT_ONCE]:
        if not Notice.objects.filter(free, pk=notice.pk, sent_at=None).update(claimed_at=now):
            continue  # another process sends it
        waiting, trouble = [], ""
        for name in notice.waits_for:
            try:
                if name in ways:
                    ways[name](subject(notice), notice.text, notice.payload)
            except NotTaken as error:
                trouble = str(error)[:200]
                log.warning("notice %s: %s; the next run tries again", notice.key, error)
                waiting.append(name)
                ways[name] = _refused
        Notice.objects.filter(pk=notice.pk).update(
            waits_for=waiting,
            sent_at=None if waiting else now,
            claimed_at=None,
            tries=F("tries") + 1,
            last_error=trouble,
        )


def subject(notice: Notice) -> str:
    """The mail's subject."""
    source = notice.payload.get("source") or "FileMaker"
    return f"[unlade] {source}: {_SUBJECTS.get(notice.kind, notice.kind)}"


def _refused(*_: object) -> None:
    raise NotTaken("not tried again in this run")
