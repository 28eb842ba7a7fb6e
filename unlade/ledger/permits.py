"""Downloads at once, shared by all processes that work on one host (CONTRACT B4).

Each run says in its row how many permits it holds. A run that sees others takes no more than its part; one that has to
give some up keeps them in its row until its downloads have come down to that, so that all together never hold more
than the maximum.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import QuerySet

from unlade.governor.breaker import BreakerState
from unlade.ledger.models import Host, Run
from unlade.states import RunOutcome

#: A run that has given no sign for so long holds nothing any more.
SILENT = timedelta(seconds=60)
_ASK_AGAIN = 1.0  #: seconds between two questions to the ledger, whether the trial has become free
_PATIENCE = 10.0  #: seconds without any answer of the run loop


class SharedPermits:
    """A `governor.PermitSource` over the ledger. `refresh` belongs to the run loop's thread, `share` to any."""

    def __init__(
        self,
        run: Run,
        host: Host,
        most: int,
        clock: Callable[[], datetime],
        *,
        post: Callable[[Callable[[], None]], None],
        adopt: Callable[[BreakerState], None],
    ) -> None:
        """`post` has the run loop's thread do something, at once if it is the caller.

        `adopt` takes what the ledger says of the breaker.
        """
        self._run, self._host, self._most, self._clock = run, host, most, clock
        self._post, self._adopt = post, adopt
        self._share = 0
        self._ours = -1  #: opening after which the trial is ours
        self._asked: tuple[int, float] | None = None  #: opening, and when the ledger was first asked about it
        self._ask_at = 0.0

    def share(self, most: int) -> int:
        """See `governor.PermitSource`; answers from memory."""
        return min(most, self._share)

    def may_try(self, openings: int) -> bool:
        """See `governor.PermitSource`. The first run that asks after a rest has it; the others wait for what it finds.

        A run loop that does not answer (it is ending) keeps nobody waiting for long.
        """
        if self._ours == openings:
            return True
        now = time.monotonic()
        if self._asked is None or self._asked[0] != openings:
            self._asked, self._ask_at = (openings, now), 0.0
        if now >= self._ask_at:
            self._ask_at = now + _ASK_AGAIN
            self._post(lambda: self._claim(openings))
        return self._ours == openings or now - self._asked[1] > _PATIENCE

    def _claim(self, openings: int) -> None:
        """Take the trial unless a living run has it."""
        host = Host.objects.select_for_update().get(pk=self._host.pk)
        self._asked = (openings, time.monotonic())
        seen = BreakerState.from_json(host.breaker or {})
        self._adopt(seen)
        if seen.openings > openings or (seen.openings == openings and seen.phase == "closed"):
            return  # it was tried meanwhile
        holder = host.trial.get("run") if host.trial.get("openings") == openings else None
        if holder not in (None, self._run.pk) and self._living().filter(pk=holder).exists():
            return
        Host.objects.filter(pk=host.pk).update(trial={"run": self._run.pk, "openings": openings})
        self._ours = openings
        self._adopt(seen)  # wakes those who wait

    def _living(self) -> QuerySet[Run]:
        """Runs on this host that give signs of life."""
        return Run.objects.filter(host=self._host, outcome=RunOutcome.RUNNING, heartbeat_at__gte=self._clock() - SILENT)

    def refresh(self, in_use: Callable[[], int]) -> None:
        """Look at the others and say what we hold; in a transaction. `in_use` tells our downloads in progress."""
        # The host's row first: processes that share out the permits do it one after the other.
        Host.objects.select_for_update().get(pk=self._host.pk)
        others = list(self._living().exclude(pk=self._run.pk).values_list("permits", flat=True))
        fair = max(1, self._most // (len(others) + 1))
        free = max(0, self._most - sum(others))
        self._share = min(fair, free)
        # Only after the share has come down can the number in use be trusted not to rise above it.
        self._run.permits = max(self._share, in_use())
        self._run.heartbeat_at = self._clock()
        self._run.save(update_fields=["permits", "heartbeat_at"])
