"""How many downloads at once, and how long between two requests.

Permits for downloads grow by one after `grow_after` good ones for each permit there is, and are halved by trouble,
once for each burst. Gaps hold for every request. The default is for the host that answered 502 after 50 to 100
downloads of 2 to 3 MB in a row: what worked there was 1 to 3 downloads at once with 0.2 to 0.5 s between requests
(FILEMAKER.md 6.4). So it begins with one, comes to two after 10 downloads, to three after 30, to four after 60.

Times here are seconds of a monotonic clock: a pace lives as long as its process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Permits that the gentle pace starts with, and its maximum where none was asked for.
_GENTLE_START, _GENTLE_MOST = 1, 3


@dataclass(frozen=True, slots=True)
class PaceRules:
    """`gap_min` to `gap_max` seconds between the starts of two requests (a random place between them is taken).

    `per_minute`: most requests in any 60 seconds, 0 for no limit. `rest_after` downloads in a row all downloads wait
    `rest_for` seconds (0: never). `busy_wait`: the pause when the host says that it has no place and names no time.
    """

    most: int = _GENTLE_MOST
    start: int = _GENTLE_START
    grow_after: int = 10
    gap_min: float = 0.2
    gap_max: float = 0.5
    per_minute: int = 120
    rest_after: int = 0
    rest_for: float = 60.0
    busy_wait: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.start <= self.most or self.grow_after < 1:
            raise ValueError("1 <= start <= most and grow_after >= 1 must hold")
        if not 0 <= self.gap_min <= self.gap_max or self.per_minute < 0 or self.rest_after < 0:
            raise ValueError("gaps and rates cannot be negative, and gap_min <= gap_max must hold")


def gentle(most: int | None = None) -> PaceRules:
    """The default: one download at first, at most `most` (3 if nobody said)."""
    return PaceRules(most=most or _GENTLE_MOST)


def off(most: int) -> PaceRules:
    """No gaps, no ramp: all permits at once. Trouble still halves them; each good round gives one back."""
    return PaceRules(most=most, start=most, grow_after=1, gap_min=0, gap_max=0, per_minute=0)


@dataclass(frozen=True, slots=True)
class Pace:
    """Permits that may be held now, and the moments that the next request must wait for."""

    permits: int
    goods: int = 0
    next_start: float = float("-inf")
    not_before: float = float("-inf")  #: the host asked for a pause until then
    download_not_before: float = float("-inf")
    reduced_at: float = float("-inf")
    starts: tuple[float, ...] = ()  #: the last `per_minute` requests
    in_a_row: int = 0


def begin(rules: PaceRules) -> Pace:
    """The pace of a fresh start."""
    return Pace(permits=rules.start)


def due(pace: Pace, rules: PaceRules, *, download: bool) -> float:
    """The moment from which the next request may start."""
    moment = max(pace.next_start, pace.not_before)
    if download:
        moment = max(moment, pace.download_not_before)
    if rules.per_minute and len(pace.starts) >= rules.per_minute:
        moment = max(moment, pace.starts[-rules.per_minute] + 60)
    return moment


def started(pace: Pace, now: float, rules: PaceRules, *, download: bool, chance: float) -> Pace:
    """A request starts now. `chance` from 0 to 1 places the next gap between its bounds."""
    gap = rules.gap_min + (rules.gap_max - rules.gap_min) * chance
    starts = (*pace.starts, now)[-rules.per_minute :] if rules.per_minute else ()
    pace = replace(pace, next_start=now + gap, starts=starts)
    if not download or not rules.rest_after:
        return pace
    if pace.in_a_row + 1 < rules.rest_after:
        return replace(pace, in_a_row=pace.in_a_row + 1)
    return replace(pace, in_a_row=0, download_not_before=now + rules.rest_for)


def good(pace: Pace, rules: PaceRules) -> Pace:
    """A download came through."""
    if pace.permits >= rules.most:
        return pace
    if pace.goods + 1 < rules.grow_after * pace.permits:
        return replace(pace, goods=pace.goods + 1)
    return replace(pace, goods=0, permits=pace.permits + 1)


def trouble(pace: Pace, now: float, *, began: float) -> Pace:
    """A request that started at `began` met trouble: halve the permits, once for all that were under way together."""
    if began <= pace.reduced_at:
        return pace
    return replace(pace, permits=max(1, pace.permits // 2), goods=0, reduced_at=now)


def pause(pace: Pace, now: float, seconds: float) -> Pace:
    """Let nothing start for `seconds`."""
    return replace(pace, not_before=max(pace.not_before, now + seconds))


def again(pace: Pace) -> Pace:
    """After the breaker was open: ramp up from one permit, whatever the profile."""
    return replace(pace, permits=1, goods=0, in_a_row=0)
