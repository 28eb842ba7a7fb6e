"""What reports are made of: plain frozen values, gathered once and rendered as text, Markdown, JSON or HTML.

Nothing here names a patient or holds a field value. Sizes are bytes, times aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from unlade.cargo import Wire
from unlade.governor.forecast import Range


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One run as reports tell it. `settled` counts what it brought to an end, by state (CONTRACT A4 `this_run`)."""

    source: str
    number: int
    road: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    reason: str
    exit_code: int | None
    retry_at: datetime | None
    this_run: Mapping[str, int]
    wire: Wire
    kept: int
    requests: int
    logins: int
    seconds: float
    alive: bool = False  #: it is running now

    @property
    def settled(self) -> int:
        """Items that this run brought to an end, good or bad."""
        return sum(count for state, count in self.this_run.items() if state not in ("skipped", "failed"))


@dataclass(frozen=True, slots=True)
class OpenFigures:
    """Items of one state that share a reason. `state` is failed, quarantined or unlinked."""

    state: str
    reason: str
    count: int
    sentence: str
    remedy: str
    person: bool
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """Owners' days: how many there are, and of how many every file is here and linked."""

    complete: int
    total: int


@dataclass(frozen=True, slots=True)
class Expectation:
    """When a source will be done, if its runs go on as the last ones: a moment, or only a number of further runs.

    `done` is early, middle, late; `bytes` what will come over the wire; `left` what is then left of the contract year.
    """

    at: datetime | None = None
    runs: int | None = None
    done: tuple[datetime, datetime, datetime] | None = None
    bytes: Range | None = None
    left: int | None = None


@dataclass(frozen=True, slots=True)
class UncoveredFigures:
    """A container that no declaration covers, by the last survey. `name` is what it is waived by; `filled` in words.

    `reason`, `by`, `at` are those of a waiver. `facts` are plain values for JSON.
    """

    name: str
    table: str
    layouts: tuple[str, ...]
    filled: str
    repetitions: tuple[int, ...] = ()
    reason: str = ""
    by: str = ""
    at: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name, with the repetitions that nobody takes where the first is taken."""
        numbers = ", ".join(f"({number})" for number in self.repetitions if number > 1)
        return f"{self.name} {numbers}" if numbers and 1 not in self.repetitions else self.name


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What the last survey met and nobody takes. `surveyed_at` None: there was no survey."""

    surveyed_at: datetime | None = None
    exact: bool = False
    fields: tuple[UncoveredFigures, ...] = ()
    waived: tuple[UncoveredFigures, ...] = ()

    @property
    def note(self) -> str:
        """A sentence, or "" when nothing is left behind."""
        if not self.fields:
            return ""
        names = ", ".join(one.title for one in self.fields[:4]) + (" ..." if len(self.fields) > 4 else "")
        many = len(self.fields) > 1
        what = f"{len(self.fields)} container fields hold" if many else "1 container field holds"
        return f"{what} files that no declaration takes: {names}. Declare or waive {'them' if many else 'it'}."


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """One declared import. `totals` adds up to `found` as soon as the source was counted (CONTRACT B1)."""

    name: str
    noun: tuple[str, str]
    group_noun: str
    owner_noun: str
    layout: str
    found: int | None
    total: int | None
    count_is: str
    counted_at: datetime | None
    totals: Mapping[str, int]
    gone: int
    vanished: int  #: of `gone`: known to be fewer by the source's count, not yet known which
    by_field: Mapping[str, int]
    open: tuple[OpenFigures, ...]
    lesser_copies: int
    no_thumbnail: int
    stored_bytes: int
    groups: Groups | None
    last_runs: tuple[RunFigures, ...]
    expectation: Expectation
    command: str  #: what to type to go on
    edited_since: int = 0  #: stored files whose record was edited after they were fetched
    relink: str = ""  #: what to type to link files to owners that arrived, "" where there is no such command
    not_covered: tuple[UncoveredFigures, ...] = ()  #: on the layout or of the table that it reads
    by_road: Mapping[str, int] = field(default_factory=dict)  #: stored ones by the road that they came by

    @property
    def here(self) -> int:
        """Files that are here and sound, their owner linked or not."""
        return self.totals["imported"] + self.totals["unlinked"]

    @property
    def retriable(self) -> int:
        """Failed items that a later run tries again by itself."""
        return sum(line.count for line in self.open if line.state == "failed" and not line.person)

    @property
    def remaining(self) -> int:
        """Items on which a run still has something to do."""
        return self.totals["pending"] + self.retriable

    @property
    def need_person(self) -> int:
        """Items that no run brings to an end by itself."""
        return sum(line.count for line in self.open if line.person)

    @property
    def waiting_for_owner(self) -> int:
        """Stored files whose owner is not here yet."""
        return sum(line.count for line in self.open if line.state == "unlinked" and not line.person)

    @property
    def complete(self) -> bool:
        """Everything the source has is imported, empty or closed."""
        settled = self.totals["imported"] + self.totals["empty"] + self.totals["accepted"]
        return self.found is not None and settled == self.found

    @property
    def sees_all(self) -> bool:
        """Whether this account sees as many records as there are, as far as known."""
        return self.total is None or self.found is None or self.count_is != "records" or self.found == self.total


@dataclass(frozen=True, slots=True)
class LimitFigures:
    """One limit of the allowance. `size` includes `reserve`, which stays untouched; `left` does not."""

    name: str
    size: int
    reserve: int
    used: int
    held: int
    left: int
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class AllowanceFigures:
    """All limits, and what was ever booked for this host."""

    limits: tuple[LimitFigures, ...] = ()
    booked: int = 0

    @property
    def year(self) -> LimitFigures | None:
        """The contract year's limit, None when none is set."""
        return next((limit for limit in self.limits if limit.name == "year"), None)

    @property
    def full(self) -> LimitFigures | None:
        """Of the limits that have nothing left, the one that lasts longest."""
        spent = [limit for limit in self.limits if limit.left <= 0 and limit.resets_at is not None]
        return max(spent, key=lambda limit: limit.resets_at.timestamp() if limit.resets_at else 0.0, default=None)


@dataclass(frozen=True, slots=True)
class BreakerFigures:
    """Whether the host rests. `phase` is closed, open or half_open."""

    phase: str = "closed"
    cause: str = ""
    opened_at: datetime | None = None
    retry_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The whole page. `next_step` is a sentence, `next_command` what to type (may be "")."""

    generated_at: datetime
    sources: tuple[SourceFigures, ...]
    allowance: AllowanceFigures
    breaker: BreakerFigures
    zone: tzinfo
    next_step: str = ""
    next_command: str = ""
    warnings: tuple[str, ...] = field(default=())
    left_behind: LeftBehind = LeftBehind()

    @property
    def next(self) -> str:
        """Both in one line."""
        return f"{self.next_step} {self.next_command}".strip()
