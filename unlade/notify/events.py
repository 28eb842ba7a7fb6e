"""What people are to be told after a run. Ids and counts only: no name, no field's value, no file's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from unlade.errors import SettingsError, SignInRefused, UnladeError
from unlade.governor.breaker import PERSON, BreakerState
from unlade.importing import Ended
from unlade.ledger.models import Host
from unlade.report.tally import open_of, totals_of
from unlade.report.words import clock
from unlade.rigging import Rigging
from unlade.units import format_count, format_size

#: Shares of the allowance that are worth a word, in percent.
SHARES = (90, 80, 50)

_WHY = {
    "gateway": "it answered 502, 503 or 504, or broke connections, several times in a row",
    "busy": "it had no place for another session or request",
    "allowance": "it says that the allowance is used up",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell once: `key` says what "once" means.

    With `standing` the key is one of a condition: it may be told again after the condition was over.
    """

    kind: str  #: completed | breaker | allowance | failed | person | sign_in
    key: str
    text: str
    standing: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """The events of a run, and the keys of conditions that are over."""

    events: tuple[Event, ...] = ()
    over: tuple[str, ...] = ()


def after(ended: Ended, rig: Rigging) -> Finding:
    """What a run that has ended gives to tell."""
    source, now = ended.books.source, rig.clock()
    name = source.name
    events: list[Event] = []
    over: list[str] = []
    totals, _ = totals_of(source)
    if source.found and source.counted_at and not totals["pending"] and ended.exit_code in (0, 3):
        rest = totals["failed"] + totals["quarantined"] + totals["unlinked"]
        text = f"The import of {name} is through: all {format_count(source.found)} are accounted for"
        text += f"; {format_count(rest)} of them are listed as open." if rest else "."
        events.append(Event("completed", f"completed:{name}", text))
    people = sum(line.count for line in open_of(source, totals, "") if line.person)
    if people:
        text = f"{name}: {format_count(people)} {'item needs' if people == 1 else 'items need'} a person."
        events.append(Event("person", f"person:{name}", text + " `filemaker_status` lists them.", standing=True))
    else:
        over.append(f"person:{name}")
    refused = isinstance(ended.error, SignInRefused)
    if ended.exit_code == 1 and not refused:
        events.append(_failed(name, ended.error))
    elif ended.exit_code in (0, 3):
        over.append(f"failed:{name}")
    for event, key in _host(rig, now, refused=refused):
        if event is not None:
            events.append(event)
        else:
            over.append(key)
    events += _allowance(rig, now)
    return Finding(tuple(events), tuple(over))


def failure(name: str, error: UnladeError) -> Finding:
    """What a run gives to tell that could not be opened."""
    return Finding((_failed(name, error),)) if error.exit_code == 1 else Finding()


def _failed(name: str, error: UnladeError | None) -> Event:
    text = f"The import of {name} failed: {error or 'the log has the reason'}"
    if error is not None and error.remedy:
        text += f" {error.remedy}"
    return Event("failed", f"failed:{name}", text, standing=True)


def _host(rig: Rigging, now: datetime, *, refused: bool) -> Iterator[tuple[Event | None, str]]:
    """Breaker and sign-in of the host: an event, or None when that is over."""
    try:
        host = Host.objects.filter(pk=rig.host().pk).first()
        state = BreakerState.from_json(host.breaker if host else {})
    except (SettingsError, ValueError):
        return
    assert host is not None
    sign_in, breaker = f"sign_in:{host.pk}", f"breaker:{host.pk}"
    resting = state.phase == "open" and state.cause != "sign_in"
    if refused or (state.phase == "open" and state.cause == "sign_in"):
        text = "The host refuses the sign-in: correct FILEMAKER_ACCOUNT or FILEMAKER_PASSWORD. Nothing runs until then."
        if state.detail == PERSON:
            text = "The Claris ID waits for a person: sign in at a terminal with `python manage.py filemaker_login`."
            text += " Nothing runs until then."
        yield Event("sign_in", sign_in, text, standing=True), sign_in
    elif state.phase == "closed":
        yield None, sign_in
    if resting:
        until = f"until {clock(state.retry_at, now, rig.zone())}" if state.retry_at else "until a person says go on"
        why = _WHY.get(state.cause, "it is in trouble")
        yield Event("breaker", breaker, f"The host rests {until}: {why}.", standing=True), breaker
    elif state.phase == "closed":
        yield None, breaker


def _allowance(rig: Rigging, now: datetime) -> Iterator[Event]:
    """Shares of what may be used this year, each once; where several are passed at once, the highest alone is told.

    Of what may be used, not of the whole: the reserve stays untouched, so a share of the whole might never be reached.
    """
    try:
        rooms = rig.budget().headroom(now)
    except SettingsError:
        return  # who imports from files alone has no host, and no allowance
    for room in rooms:
        limit = room.limit
        if limit.name != "year" or not limit.usable or room.resets_at is None:
            continue
        used = room.used + room.held
        passed = [share for share in SHARES if used * 100 >= limit.usable * share]
        kept = f"; {format_size(limit.reserve)} more are kept back" if limit.reserve else ""
        for place, share in enumerate(passed):
            text = (
                f"{share} % of this year's allowance is used: {format_size(used)} of {format_size(limit.usable)}{kept}."
            )
            key = f"allowance:{rig.host().pk}:{room.resets_at:%Y-%m-%d}:{share}"
            yield Event("allowance", key, "" if place else text)
