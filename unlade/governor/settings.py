"""What the governor is told at the start."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from unlade.governor import pace as pacing
from unlade.governor.breaker import DEFAULT_RULES, BreakerRules
from unlade.governor.pace import PaceRules
from unlade.governor.periods import Period


def never(_now: datetime) -> datetime | None:
    """No reset date is known: a spent allowance waits for a person."""
    return None


@dataclass(frozen=True, slots=True)
class GovernorSettings:
    """`credential`: a salted hash of account and password, so that a refused one is not tried again ("": unknown).

    `allowance_until` gives the moment from which the host may be asked again after it said 953. A request during
    which wall and monotonic clock drifted apart by more than `drift` ran while this machine slept: its failure is not
    the host's. Windows' monotonic clock runs on in sleep: there `Governor.beat`, silent for `beat_gap`, tells of it.
    """

    pace: PaceRules = field(default_factory=pacing.gentle)
    breaker: BreakerRules = DEFAULT_RULES
    credential: str = ""
    allowance_until: Callable[[datetime], datetime | None] = never
    drift: timedelta = timedelta(seconds=5)
    beat_gap: timedelta | None = timedelta(seconds=20) if sys.platform == "win32" else None


def settings_for(
    *,
    pace: str = "gentle",
    concurrency: int | None = None,
    cool_downs: Sequence[timedelta] | None = None,
    threshold: int | None = None,
    credential: str = "",
    year: Period | None = None,
) -> GovernorSettings:
    """From the values of UNLADE_PACE, UNLADE_CONCURRENCY, UNLADE_COOLDOWNS and UNLADE_BREAKER_THRESHOLD.

    `year` is the contract year of the allowance. Raises `ValueError` for values that do not fit together.
    """
    if pace not in ("gentle", "off"):
        raise ValueError(f"pace {pace!r} is not known: gentle or off")
    rules = pacing.off(concurrency or 4) if pace == "off" else pacing.gentle(concurrency)
    breaker = DEFAULT_RULES
    if cool_downs:
        breaker = replace(breaker, cool_downs=tuple(cool_downs))
    if threshold is not None:
        of = max(threshold, breaker.share_of)
        breaker = replace(breaker, threshold=threshold, share_of=of, share_window=max(4 * of, breaker.share_window))
    until = after_reset(year) if year else never
    return GovernorSettings(rules, breaker, credential=credential, allowance_until=until)


def after_reset(year: Period) -> Callable[[datetime], datetime | None]:
    """When to ask again after 953: at the next reset, or in two hours if the last one is less than two days ago.

    A host's meter may lag by a day (FILEMAKER.md 6.1) and its date may be of another zone: right after a reset one
    refusal must not cost a whole year.
    """

    def until(now: datetime) -> datetime:
        window = year.window(now)
        if now - window.start < timedelta(days=2):
            return now + timedelta(hours=2)
        return window.end

    return until
