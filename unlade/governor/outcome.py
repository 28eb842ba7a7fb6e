"""What one finished request changes: breaker and pace together, as a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from unlade.errors import AllowanceSpent, HostResting, PersonNeeded, SignInRefused, UnladeError
from unlade.governor import breaker
from unlade.governor import pace as pacing
from unlade.governor.breaker import BreakerState
from unlade.governor.pace import Pace
from unlade.governor.settings import GovernorSettings
from unlade.governor.verdicts import Judgement


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is over. `openings`: of the breaker when it began; `began`, `ended`: monotonic seconds."""

    download: bool
    openings: int
    began: float
    ended: float
    now: datetime


def learned(
    state: BreakerState, pace: Pace, request: Request, judgement: Judgement, settings: GovernorSettings
) -> tuple[BreakerState, Pace]:
    """State and pace after `request` came to `judgement`."""
    match judgement.says:
        case "good" | "answered":
            return _good(state, pace, request, settings, answered=judgement.says == "answered")
        case "trouble" | "weak" | "busy":
            return _bad(state, pace, request, judgement, settings)
        case "allowance":
            if not (state.phase == "open" and state.cause == "allowance"):
                state = breaker.allowance_spent(state, request.now, settings.allowance_until(request.now))
        case "sign_in":
            # Without a hash nobody could tell a new password from the refused one: then only this run ends.
            if settings.credential and not (state.phase == "open" and state.cause == "sign_in"):
                person = judgement.reason == "person"
                state = breaker.sign_in_refused(state, request.now, settings.credential, person=person)
        case "lost":
            state = breaker.lost_touch(state, openings=request.openings)
        case "silent":
            pass
    return state, pace


def _good(
    state: BreakerState, pace: Pace, request: Request, settings: GovernorSettings, *, answered: bool
) -> tuple[BreakerState, Pace]:
    after = breaker.good(
        state, download=request.download, openings=request.openings, rules=settings.breaker, answered=answered
    )
    if request.download and not answered and request.openings == state.openings and state.phase == "closed":
        pace = pacing.good(pace, settings.pace)
    return after, pace


def _bad(
    state: BreakerState, pace: Pace, request: Request, judgement: Judgement, settings: GovernorSettings
) -> tuple[BreakerState, Pace]:
    busy, weak = judgement.says == "busy", judgement.says == "weak"
    wait = breaker.host_wait(judgement.retry_after)
    long = wait is not None and wait > settings.breaker.patience
    # A busy host is helped by asking less at a time; only when there is nothing left to reduce is it trouble.
    if not busy or pace.permits == 1 or long or state.phase == "half_open":
        state = breaker.trouble(
            state,
            request.now,
            download=request.download,
            openings=request.openings,
            rules=settings.breaker,
            cause="busy" if busy else "gateway",
            weak=weak,
            retry_after=judgement.retry_after,
            detail=judgement.reason,
        )
    if weak:
        return state, pace
    pace = pacing.trouble(pace, request.ended, began=request.began)
    if busy and wait is None:
        pace = pacing.pause(pace, request.ended, settings.pace.busy_wait)
    elif wait is not None and not long:
        pace = pacing.pause(pace, request.ended, wait.total_seconds())
    return state, pace


def resting(state: BreakerState) -> UnladeError:
    """The error for a request that an open breaker holds back."""
    when = f"{state.retry_at:%Y-%m-%d %H:%M:%S} UTC" if state.retry_at else None
    if state.cause == "sign_in" and state.detail == breaker.PERSON:
        return PersonNeeded(
            "The Claris ID waits for a person to sign in; it was asked before, and is not asked again.",
            remedy="At a terminal: `python manage.py filemaker_login`; the next run goes on by itself.",
        )
    if state.cause == "sign_in":
        return SignInRefused(
            "The host refused this account or password before; it is not asked again with the same ones.",
            remedy="Correct FILEMAKER_ACCOUNT or FILEMAKER_PASSWORD; the next run signs in by itself.",
            code="212",
        )
    if state.cause == "allowance":
        return AllowanceSpent(
            "The host says that its allowance of data is used up (FileMaker 953).",
            remedy=f"The next try is due at {when}; a larger plan helps at once." if when
            else "Look up the reset date in the Admin Console and set UNLADE_ALLOWANCE_RESET.",
            retry_at=state.retry_at,
            by_host=True,
        )  # fmt: skip
    what = "has no place for us" if state.cause == "busy" else "struggles"
    detail = f" (last: {state.detail})" if state.detail else ""
    return HostResting(
        f"The host {what}{detail}; it is left alone until {when}.",
        remedy="Run the same command again then, or with --wait.",
        retry_at=state.retry_at,
    )
