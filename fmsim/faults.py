"""Fault plans (CONTRACT A5): which request is answered badly, and how. Pure: the clock's reading is passed in.

How it counts. Each rule has its own counter of the requests of its kind that fit its `match`; a download counts once, at its
first hop, and carries its number on to the hop that answers with the body. A rule *triggers* at a request whose number its `nth`
names (every request, without `nth`), at most `times` times. With `for_seconds` a trigger opens a window, and the rule holds for
every fitting request until it closes; what comes in the window does not trigger again. Counting starts with the simulator or
with a reset, also for a plan that was put later: requests from before it was put have their numbers too.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fmsim.ledger import KINDS, Entry

_ANSWERS = ("status", "body", "headers", "code", "message", "stale", "content_type")
_BREAKS = ("reset_after", "truncate", "delay", "where", "drop_session", "drop_all_sessions")
_CHANGES = ("add", "delete", "touch", "replace")
VERBS = frozenset((*_ANSWERS, *_BREAKS, *_CHANGES))
_MEMBERS = {"on", "nth", "match", "for_seconds", "times", "do", "hop", "comment"}


@dataclass(slots=True)
class Rule:
    """One line of a plan, with its counters."""

    index: int
    on: str
    do: dict[str, Any]
    first: int | None = None
    last: int | None = None
    every: int | None = None
    share: float | None = None
    record_id: str | None = None
    field: str | None = None
    path: re.Pattern[str] | None = None
    for_seconds: float = 0.0
    times: int | None = None
    hop: int | None = None
    seed: int = 0
    seen: int = 0
    fired: int = 0
    until: float = float("-inf")

    @classmethod
    def read(cls, index: int, given: Any, seed: int) -> Rule:
        """From a plan's JSON.

        Raises:
            ValueError: the rule is not understood; a plan that does nothing by mistake would prove nothing.
        """
        where = f"fault rule {index}"
        if not isinstance(given, Mapping) or not isinstance(given.get("do"), Mapping):
            raise ValueError(f"{where}: an object with `on` and `do` is needed")  # noqa: TRY004 -- a plan is input
        given = {**given, "nth": {"from": n, "to": n}} if isinstance(n := given.get("nth"), int) else given
        nth, match, do = given.get("nth") or {}, given.get("match") or {}, dict(given["do"])
        _only(where, given, _MEMBERS)
        _only(f"{where}, nth", nth, {"from", "to", "every", "share"})
        _only(f"{where}, match", match, {"recordId", "field", "path"})
        _only(f"{where}, do", do, VERBS | {"hop"})
        on = given.get("on", "any")
        if on != "any" and on not in KINDS:
            raise ValueError(f"{where}: `on` is one of {', '.join(KINDS)}, any; not {on!r}")
        hop = given.get("hop", do.pop("hop", None))
        if hop not in (None, 1, 2):
            raise ValueError(f"{where}: hop is 1 or 2")
        return cls(
            index, on, do, nth.get("from"), nth.get("to"), nth.get("every"), nth.get("share"),
            str(match["recordId"]) if "recordId" in match else None, match.get("field"),
            re.compile(match["path"]) if "path" in match else None,
            float(given.get("for_seconds") or 0), given.get("times"), hop, seed,
        )  # fmt: skip

    def fits(self, entry: Entry) -> bool:
        """Whether the request is of this rule's kind and fits its match."""
        if self.on not in ("any", entry.kind):
            return False
        if self.record_id is not None and entry.record_id != self.record_id:
            return False
        if self.field is not None and (
            entry.field is None or self.field not in (entry.field, entry.field.partition("(")[0])
        ):
            return False
        return self.path is None or bool(self.path.search(entry.target) or self.path.search(unquote(entry.target)))

    def due(self, number: int) -> bool:
        """Whether `nth` names the request of this number."""
        if self.first is not None and number < self.first:
            return False
        if self.last is not None and number > self.last:
            return False
        if self.every is not None and number % self.every:
            return False
        if self.share is not None:  # by number, not by a running generator: the order of threads changes nothing
            return random.Random(f"{self.seed}/{self.index}/{number}").random() < self.share
        return True

    def holds(self, number: int, now: float) -> bool:
        """Whether the rule acts on this request; a trigger is booked."""
        if now < self.until:
            return True
        if not self.due(number) or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        if self.for_seconds:
            self.until = now + self.for_seconds
        return True


def _only(where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    if unknown := set(given) - set(known):
        raise ValueError(f"{where}: {', '.join(sorted(unknown))}: unknown")


Tickets = list[tuple[Rule, int]]  #: the rules that a request fits, with its number in each


class Plan:
    """The rules in force.

    Args:
        rules: a plan's JSON.
        seed: for `share`.
        past: requests since start or reset, so that numbers go on from them.

    Raises:
        ValueError: a rule is not understood.
    """

    def __init__(self, rules: Iterable[Any] = (), seed: int = 0, past: Iterable[Entry] = ()) -> None:
        self.rules = [Rule.read(index, given, seed) for index, given in enumerate(rules)]
        for entry in past if self.rules else ():
            self.arrive(entry)

    def arrive(self, entry: Entry) -> Tickets:
        """Counts a request once; the tickets stay with it (with the download, for a container) until it is answered."""
        if not entry.first:
            return []
        tickets: Tickets = []
        for rule in self.rules:
            if rule.fits(entry):
                rule.seen += 1
                tickets.append((rule, rule.seen))
        return tickets

    def acting(self, tickets: Tickets, now: float, *, hop: int | None = None, final: bool = True) -> list[Rule]:
        """The rules that act on an answer.

        Args:
            tickets: of the request.
            now: the clock's reading.
            hop: of a download; None for other requests.
            final: this answer would carry the body (or says for good that there is none).
        """
        acting = []
        for rule, number in tickets:
            wanted = hop is None or (rule.hop == hop if rule.hop is not None else final)
            if wanted and rule.holds(number, now):
                acting.append(rule)
        return acting

    def reset(self) -> None:
        """Counters to zero; the plan stays."""
        for rule in self.rules:
            rule.seen, rule.fired, rule.until = 0, 0, float("-inf")
