"""What an error that leaves a request says about the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unlade.errors import (
    AllowanceSpent,
    HostBusy,
    HostTrouble,
    Interrupted,
    ItemError,
    NotNow,
    OwnNetworkDown,
    PersonNeeded,
    SignInRefused,
    SourceError,
    Truncated,
    UnladeError,
)

#: good       a good answer
#: answered   the host is there, but this was not to be had (a missing file, a refused privilege)
#: trouble    counts for the breaker
#: weak       counts a little: a body that ended early may be the file's own fault, or the host's
#: busy       wait, and ask less at a time
#: allowance  the host says that its allowance is spent
#: sign_in    the host refuses this account or password
#: lost       our own network, or our own sleep
#: silent     says nothing about the host (interrupt, our own limits, store, disk, a bug)
Says = Literal["good", "answered", "trouble", "weak", "busy", "allowance", "sign_in", "lost", "silent"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a request, as far as the host is concerned. `retry_after` in seconds when the host named them."""

    says: Says
    reason: str = ""
    retry_after: float | None = None


def judge(error: BaseException | None) -> Judgement:
    """What `error`, or its absence, says about the host.

    `AllowanceSpent` is the host's word only when its `by_host` is true: our own budget raises it too.
    """
    match error:
        case None:
            return Judgement("good")
        case HostBusy():
            return Judgement("busy", error.reason, error.retry_after)
        case HostTrouble():
            return Judgement("trouble", error.reason, error.retry_after)
        case Truncated():
            return Judgement("weak", error.reason)
        case OwnNetworkDown():
            return Judgement("lost", error.reason)
        case PersonNeeded():
            return Judgement("sign_in", "person")
        case SignInRefused():
            return Judgement("sign_in", "sign_in")
        case AllowanceSpent() if error.by_host:
            return Judgement("allowance", "allowance")
        case NotNow() | Interrupted():
            return Judgement("silent")
        case ItemError() | SourceError():
            return Judgement("answered")
        case UnladeError():
            return Judgement("silent")
    return Judgement("silent")
