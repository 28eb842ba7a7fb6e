"""The circuit breaker: when to leave the host alone, for how long, and how to come back.

    closed     requests pass. A burst of trouble opens it.
    open       nothing passes until `retry_at`.
    half_open  one request at a time: first the cheap probe, then one item (the smallest that is due). If the item
               comes through, the breaker closes and the pace ramps up from one permit; if anything on the way
               fails, it opens again, for longer.

It opens on `threshold` troubles in a row (downloads and other requests are counted apart, since a host whose files
fail may well go on answering its API; the two counts are added), or on `share_of` troubles among the last
`share_window` answers. So at most `threshold` plus the requests in flight are answered badly before it opens, and one
per cool-down afterwards. Requests that were under way when it opened belong to the same burst: their answers count
for nothing, good or bad.

A state is a frozen value that can be written as JSON and is shared by all processes; functions take a state, what
happened and the time, and give the next state. Sources: CONTRACT B4; FILEMAKER.md 6.3 and 6.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Literal

Phase = Literal["closed", "open", "half_open"]
Cause = Literal["", "gateway", "busy", "allowance", "sign_in"]
Stage = Literal["", "probe", "item"]

#: Causes that time heals by a cool-down; the others wait for a date, a new password or a person.
RESTING = ("gateway", "busy")


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """`cool_downs` follow each other while the host does not recover.

    `forgive_after`: so many good downloads in a row take one step off the level; `forget_after`: so long without
    trouble takes all of it. `patience`: a Retry-After up to this is waited for, a longer one opens the breaker.
    """

    cool_downs: tuple[timedelta, ...] = (
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=24),
    )
    threshold: int = 3
    share_of: int = 5
    share_window: int = 20
    streak_life: timedelta = timedelta(hours=1)
    forgive_after: int = 25
    forget_after: timedelta = timedelta(hours=24)
    patience: timedelta = timedelta(seconds=60)

    def __post_init__(self) -> None:
        if not self.cool_downs or min(self.cool_downs) < timedelta(0):
            raise ValueError("the breaker needs at least one cool-down, none below zero")
        if self.threshold < 1 or self.share_of < self.threshold or self.share_window < self.share_of:
            raise ValueError("1 <= threshold <= share_of <= share_window must hold")

    def cool_down(self, level: int) -> timedelta:
        """The pause of `level` (from 1); the last one repeats."""
        return self.cool_downs[min(max(level, 1), len(self.cool_downs)) - 1]


DEFAULT_RULES = BreakerRules()


@dataclass(frozen=True, slots=True)
class BreakerState:
    """What is known of the host's health.

    `openings` counts how often it ever opened: requests remember it to know whether their answer is still news.
    `version` grows with every change that another process must hear of. `level` is the number of the last cool-down,
    0 when all is forgiven. `retry_at` None while open: only a person (or a new password) ends it.
    """

    phase: Phase = "closed"
    cause: Cause = ""
    stage: Stage = ""
    level: int = 0
    opened_at: datetime | None = None
    retry_at: datetime | None = None
    last_trouble_at: datetime | None = None
    download_streak: int = 0
    other_streak: int = 0
    recent: str = ""  #: the last answers, oldest first: `.` good, `x` trouble
    good_downloads: int = 0  #: in a row
    openings: int = 0
    version: int = 0
    credential: str = ""  #: salted hash of the account and password that were refused
    detail: str = ""  #: the last trouble in a few words, without anything from the host's answer

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; times in ISO format."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BreakerState:
        """The state that `to_json` wrote. Members it does not know are ignored, missing ones take their default.

        Raises `ValueError` when a time cannot be read or the phase is unknown.
        """
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        for name in ("opened_at", "retry_at", "last_trouble_at"):
            if values.get(name) is not None:
                values[name] = datetime.fromisoformat(values[name])
        if values.get("phase", "closed") not in ("closed", "open", "half_open"):
            raise ValueError(f"unknown phase of the breaker: {values['phase']!r}")
        return cls(**values)


def tick(state: BreakerState, now: datetime, rules: BreakerRules = DEFAULT_RULES, credential: str = "") -> BreakerState:
    """What time alone, or another password, does to a state; nearly always nothing."""
    if state.phase == "half_open" and state.retry_at and now - state.retry_at >= rules.forget_after:
        # Nobody had a file to try it with, and the trouble is long ago.
        return cleared(state)
    if state.phase != "open":
        return state
    if state.cause == "sign_in":
        return state if state.credential == credential else cleared(state)
    if state.retry_at is None:
        return state
    if state.cause in RESTING and state.opened_at and now < state.opened_at - timedelta(minutes=1):
        # The clock was set back: the pause counts from now, else it could last for years.
        return _changed(state, opened_at=now, retry_at=now + (state.retry_at - state.opened_at))
    if now < state.retry_at:
        return state
    return _changed(state, phase="half_open", stage="probe")


def trouble(
    state: BreakerState,
    now: datetime,
    *,
    download: bool,
    openings: int,
    rules: BreakerRules = DEFAULT_RULES,
    cause: Cause = "gateway",
    weak: bool = False,
    retry_after: float | None = None,
    detail: str = "",
) -> BreakerState:
    """The host answered badly or not at all to a request that began when `state.openings` was `openings`.

    `weak` trouble (a body that ended early, which may be the file's own fault) counts among the last answers, not in
    a row. `retry_after` are the seconds that the host named.
    """
    if state.phase == "open" or openings != state.openings:
        return state
    wait = host_wait(retry_after)
    if state.phase == "half_open":
        return state if weak else _opened(state, now, rules, cause, wait, detail)
    if state.last_trouble_at and abs(now - state.last_trouble_at) > rules.streak_life:
        state = replace(state, download_streak=0, other_streak=0)
    step = 0 if weak else 1
    state = _changed(
        state,
        download_streak=state.download_streak + (step if download else 0),
        other_streak=state.other_streak + (0 if download else step),
        recent=(state.recent + "x")[-rules.share_window :],
        good_downloads=0,
        last_trouble_at=now,
        level=0 if _long_quiet(state, now, rules) else state.level,
        detail=detail,
    )
    in_a_row = state.download_streak + state.other_streak >= rules.threshold
    if in_a_row or state.recent.count("x") >= rules.share_of or (wait and wait > rules.patience):
        return _opened(state, now, rules, cause, wait, detail)
    return state


def good(
    state: BreakerState, *, download: bool, openings: int, rules: BreakerRules = DEFAULT_RULES, answered: bool = False
) -> BreakerState:
    """The host answered well; `answered`: it answered, though not with what was wanted (a missing file, say)."""
    if state.phase == "open" or openings != state.openings:
        return state
    if state.phase == "half_open":
        if state.stage == "probe":
            return _changed(state, stage="item")
        if not download or answered:
            return state
        return _changed(
            state, phase="closed", stage="", cause="", retry_at=None, download_streak=0, other_streak=0, recent="."
        )
    if answered:
        return state
    recent = (state.recent + ".")[-rules.share_window :]
    if not download:
        return replace(state, other_streak=0, recent=recent)
    state = replace(state, download_streak=0, recent=recent, good_downloads=state.good_downloads + 1)
    if state.level and state.good_downloads >= rules.forgive_after:
        return _changed(state, level=state.level - 1, good_downloads=0)
    return state


def lost_touch(state: BreakerState, *, openings: int) -> BreakerState:
    """Our own network broke, or this machine slept: nothing is held against the host, but a trial starts again."""
    if state.phase == "half_open" and state.stage == "item" and openings == state.openings:
        return _changed(state, stage="probe")
    return state


def allowance_spent(state: BreakerState, now: datetime, until: datetime | None) -> BreakerState:
    """The host says that the allowance is used up (FileMaker 953): open until the reset date, or until told."""
    return _stopped(state, now, "allowance", until, "FileMaker 953")


#: `BreakerState.detail` where a Claris ID wants a person; a plain refusal has another.
PERSON = "a person must sign in"


def sign_in_refused(state: BreakerState, now: datetime, credential: str, *, person: bool = False) -> BreakerState:
    """The host refuses this account or password (FileMaker 212): open until `credential` differs, or until told.

    `person`: a Claris ID wants one at a terminal.
    """
    detail = PERSON if person else "sign-in refused"
    return replace(_stopped(state, now, "sign_in", None, detail), credential=credential)


def cleared(state: BreakerState) -> BreakerState:
    """A person says: go on. All is forgotten but the counters."""
    return BreakerState(openings=state.openings, version=state.version + 1)


def newer(ours: BreakerState, theirs: BreakerState) -> BreakerState:
    """Which of two states holds when two processes changed it: the later version, of equal ones the stricter."""
    if ours.version != theirs.version:
        return max(ours, theirs, key=lambda state: state.version)
    return max(ours, theirs, key=lambda state: (state.openings, state.phase == "open", state.phase == "half_open"))


def host_wait(retry_after: float | None) -> timedelta | None:
    """A host's Retry-After as a pause of at most a day; None when it names none or nonsense."""
    if retry_after is None or not math.isfinite(retry_after) or retry_after <= 0:
        return None
    return timedelta(seconds=min(retry_after, 86_400))


def _opened(
    state: BreakerState, now: datetime, rules: BreakerRules, cause: Cause, wait: timedelta | None, detail: str
) -> BreakerState:
    level = min(state.level + 1, len(rules.cool_downs))
    pause = max(rules.cool_down(level), wait or timedelta(0))
    return replace(
        _stopped(state, now, cause, now + pause, detail), level=level, download_streak=0, other_streak=0, recent=""
    )


def _stopped(state: BreakerState, now: datetime, cause: Cause, until: datetime | None, detail: str) -> BreakerState:
    return _changed(
        state,
        phase="open",
        cause=cause,
        stage="",
        opened_at=now,
        retry_at=until,
        last_trouble_at=now,
        good_downloads=0,
        openings=state.openings + 1,
        detail=detail,
        credential="",
    )


def _long_quiet(state: BreakerState, now: datetime, rules: BreakerRules) -> bool:
    return state.last_trouble_at is not None and now - state.last_trouble_at >= rules.forget_after


def _changed(state: BreakerState, **changes: Any) -> BreakerState:
    return replace(state, version=state.version + 1, **changes)
