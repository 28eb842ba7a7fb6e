"""The gate that every request to the host passes: pace and breaker, applied to real threads.

All decisions are made by the pure rules in `breaker` and `pace`; here is only the lock, the waiting and the counting.
A thread that waits holds nothing. The run loop persists `state` after each change (`on_change`, or `version`).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from unlade.errors import HostTrouble, Interrupted, OwnNetworkDown, UnladeError
from unlade.governor import breaker
from unlade.governor import pace as pacing
from unlade.governor.breaker import BreakerState
from unlade.governor.outcome import Request, learned, resting
from unlade.governor.permits import AllPermits, PermitSource, TroubleSeen
from unlade.governor.settings import GovernorSettings
from unlade.governor.verdicts import Judgement, judge
from unlade.source import RequestKind

#: Longest sleep without a look around, in seconds: bounds how late a stop is seen.
_GLANCE = 0.2


@dataclass(slots=True, eq=False)
class _Ticket:
    owner: int
    kind: RequestKind
    openings: int
    began: float
    wall: datetime
    permit: bool
    trial: bool


def _now() -> datetime:
    return datetime.now(UTC)


def _wait(condition: threading.Condition, seconds: float) -> None:
    condition.wait(seconds)


class Governor:
    """A `Gate` (unlade.source) over one host for all threads of this process.

    `probe` is called by the first thread that comes after a rest: one cheap request (productInfo), which passes this
    gate itself. Without it that thread's own request is the trial. `on_change(state)` is called without the lock, from
    whichever thread changed the state, must not raise, and may come late: `state` is what holds.
    """

    def __init__(
        self,
        settings: GovernorSettings,
        state: BreakerState | None = None,
        *,
        clock: Callable[[], datetime] = _now,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Condition, float], None] = _wait,
        rng: random.Random | None = None,
        on_change: Callable[[BreakerState], None] | None = None,
        permits: PermitSource | None = None,
        probe: Callable[[], object] | None = None,
    ) -> None:
        self.settings = settings
        self.probe = probe
        self._clock, self._monotonic, self._wait = clock, monotonic, wait
        self._rng = rng or random.Random()
        self._on_change = on_change
        self._permits = permits or AllPermits()
        # Reentrant, because `stop` is called from signal handlers, which may interrupt a holder of the lock.
        self._turn = threading.Condition(threading.RLock())
        state = state or BreakerState()
        # A trial that another process did not finish begins anew, with the probe.
        self._state = replace(state, stage="probe") if state.phase == "half_open" else state
        self._announced = self._state.version
        self._pace = pacing.begin(settings.pace)
        self._stopping = False
        self._in_use = self._peak = self._trials = self._downloads = 0
        self._holders: dict[int, list[_Ticket]] = {}
        self._prober: int | None = None
        self._last_beat: float | None = None
        self._beater: int | None = None
        self._slept_at = float("-inf")
        self._troubles: list[TroubleSeen] = []

    # What the run loop and the status ask.

    @property
    def state(self) -> BreakerState:
        """The breaker's state, to be persisted."""
        with self._turn:
            return self._state

    @property
    def version(self) -> int:
        """Grows with every change of `state` that must be persisted."""
        return self.state.version

    @property
    def permits(self) -> int:
        """Downloads that the pace allows at once now."""
        with self._turn:
            return min(self._pace.permits, self._permits.share(self.settings.pace.most))

    @property
    def permits_in_use(self) -> int:
        """Downloads in progress."""
        with self._turn:
            return self._in_use

    @property
    def peak(self) -> int:
        """Most downloads that were in progress at once."""
        with self._turn:
            return self._peak

    @property
    def downloads(self) -> int:
        """Good downloads since the start."""
        with self._turn:
            return self._downloads

    @property
    def troubles(self) -> tuple[TroubleSeen, ...]:
        """The troubles of this run, for the ledger to learn from; at most a thousand."""
        with self._turn:
            return tuple(self._troubles)

    @property
    def on_trial(self) -> bool:
        """The host is being tried after a rest: take the smallest item that is due."""
        with self._turn:
            self._refresh()
            return self._state.phase == "half_open"

    def check(self) -> None:
        """Raise what `passage` would raise at once (`HostResting`, `AllowanceSpent`, `SignInRefused`, `Interrupted`)."""
        try:
            with self._turn:
                self._refuse()
        finally:
            self._announce()

    # What changes it from outside.

    def stop(self) -> None:
        """Wake all who wait, with `Interrupted`; those inside may finish. May be called from a signal handler."""
        self._stopping = True
        with self._turn:
            self._turn.notify_all()

    def beat(self) -> None:
        """To be called every second or so by the run loop: where `beat_gap` is set, a long silence tells of sleep."""
        with self._turn:
            now = self._monotonic()
            if not self._beating(now):
                self._slept_at = now
            self._last_beat, self._beater = now, threading.get_ident()

    def adopt(self, state: BreakerState) -> None:
        """Another process changed the state; the newer one holds."""
        with self._turn:
            chosen = breaker.newer(self._state, state)
            if chosen is not self._state:
                self._move(chosen)
                self._announced = max(self._announced, chosen.version)
            self._turn.notify_all()

    def clear(self) -> None:
        """A person says: go on, whatever was remembered."""
        with self._turn:
            self._move(breaker.cleared(self._state))
            self._turn.notify_all()
        self._announce()

    def note(self, error: UnladeError) -> None:
        """Learn from an error that was understood only after its passage: the host's 953, a refused sign-in.

        Everything else is ignored, and so is what was learnt already: a run may hand over whatever ended it.
        """
        judgement = judge(error)
        if judgement.says not in ("allowance", "sign_in"):
            return
        with self._turn:
            now = self._monotonic()
            request = Request(False, self._state.openings, now, now, self._clock())
            state, self._pace = learned(self._state, self._pace, request, judgement, self.settings)
            self._move(state)
            self._turn.notify_all()
        self._announce()

    # The gate.

    def passage(self, kind: RequestKind) -> AbstractContextManager[None]:
        """See `unlade.source.Gate`. A `HostTrouble` during which this machine slept leaves as `OwnNetworkDown`."""
        return self._passage(kind)

    @contextmanager
    def _passage(self, kind: RequestKind) -> Iterator[None]:
        ticket = self._enter(kind)
        try:
            yield
        except HostTrouble as error:
            if self._leave(ticket, error):
                raise OwnNetworkDown(
                    "This machine slept, or its clock was set, during the request.", wire=error.wire
                ) from error
            raise
        except BaseException as error:
            self._leave(ticket, error)
            raise
        else:
            self._leave(ticket, None)

    def _enter(self, kind: RequestKind) -> _Ticket:
        try:
            while True:
                with self._turn:
                    self._refuse()
                    pause = self._obstacle(kind)
                    if pause is None:
                        return self._admit(kind)
                    if pause:
                        self._wait(self._turn, min(pause, _GLANCE))
                        continue
                    self._prober = threading.get_ident()
                self._run_probe()
        finally:
            self._announce()

    def _refuse(self) -> None:
        """Raise when nothing may pass now, for a reason that waiting here does not cure."""
        if self._stopping:
            raise Interrupted()
        self._refresh()
        if self._state.phase == "open":
            raise resting(self._state)

    def _obstacle(self, kind: RequestKind) -> float | None:
        """Seconds to wait before looking again; 0: send the probe first; None: the way is free."""
        me = threading.get_ident()
        held = self._holders.get(me, ())
        if self._state.phase == "half_open" and not held and self._prober != me:
            if self._trials or self._prober is not None or not self._permits.may_try(self._state.openings):
                return _GLANCE
            if self._state.stage == "probe" and kind != "probe" and self.probe is not None:
                return 0.0
        download = kind == "container" and not any(ticket.permit for ticket in held)
        if download and self._in_use >= self.permits:
            return _GLANCE
        pause = pacing.due(self._pace, self.settings.pace, download=download) - self._monotonic()
        return pause if pause > 0 else None

    def _admit(self, kind: RequestKind) -> _Ticket:
        me, began = threading.get_ident(), self._monotonic()
        mine = self._holders.setdefault(me, [])
        permit = kind == "container" and not any(ticket.permit for ticket in mine)
        trial = self._state.phase == "half_open"
        ticket = _Ticket(me, kind, self._state.openings, began, self._clock(), permit, trial)
        mine.append(ticket)
        self._in_use += permit
        self._trials += trial
        self._peak = max(self._peak, self._in_use)
        self._pace = pacing.started(self._pace, began, self.settings.pace, download=permit, chance=self._rng.random())
        return ticket

    def _run_probe(self) -> None:
        before = self.state
        try:
            assert self.probe is not None
            self.probe()
            with self._turn:
                if self._state is before:
                    # The probe did not pass this gate, but it came back: an answer, else we would probe for ever.
                    self._move(breaker.good(before, download=False, openings=before.openings))
        except HostTrouble:
            if self.state.phase != "open":
                raise
        finally:
            with self._turn:
                self._prober = None
                self._turn.notify_all()

    def _leave(self, ticket: _Ticket, error: BaseException | None) -> bool:
        """Give the permit back, learn from what came; true if `error` is our own sleep's fault."""
        judgement = judge(error)
        with self._turn:
            self._holders[ticket.owner].remove(ticket)
            if not self._holders[ticket.owner]:
                del self._holders[ticket.owner]
            self._in_use -= ticket.permit
            self._trials -= ticket.trial
            excused = judgement.says in ("trouble", "busy") and self._slept_during(ticket)
            self._learn(ticket, Judgement("lost") if excused else judgement)
            self._turn.notify_all()
        self._announce()
        return excused

    def _slept_during(self, ticket: _Ticket) -> bool:
        by_wall = (self._clock() - ticket.wall).total_seconds()
        drift = abs(by_wall - (self._monotonic() - ticket.began))
        # The failure may be noticed before the first beat after waking; who beats cannot while it waits for an answer.
        silent = ticket.owner != self._beater and self._beating(ticket.began) and not self._beating(self._monotonic())
        return drift > self.settings.drift.total_seconds() or ticket.began < self._slept_at or silent

    def _beating(self, now: float) -> bool:
        gap = self.settings.beat_gap
        return self._last_beat is None or gap is None or now - self._last_beat <= gap.total_seconds()

    def _learn(self, ticket: _Ticket, judgement: Judgement) -> None:
        now, download = self._clock(), ticket.kind == "container"
        if judgement.says in ("trouble", "busy") and len(self._troubles) < 1000:
            self._troubles.append(TroubleSeen(now, self._downloads, judgement.reason))
        self._downloads += download and judgement.says == "good"
        request = Request(download, ticket.openings, ticket.began, self._monotonic(), now)
        state, self._pace = learned(self._state, self._pace, request, judgement, self.settings)
        self._move(state)

    def _refresh(self) -> None:
        self._move(breaker.tick(self._state, self._clock(), self.settings.breaker, self.settings.credential))

    def _move(self, state: BreakerState) -> None:
        if state.phase != self._state.phase and state.phase != "open":
            self._pace = pacing.again(self._pace)
        self._state = state

    def _announce(self) -> None:
        with self._turn:
            state = self._state
            if state.version <= self._announced:
                return
            self._announced = state.version
        if self._on_change is not None:
            self._on_change(state)
