"""Downloads at once, shared by all processes that work on one host (CONTRACT B4).

Each run says in its row how many permits it holds. A run that sees others takes no more than its part; one that has to
give some up keeps them in its row until its downloads have come down to that, so that all together never hold more
than the maximum.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from unlade.ledger.models import Host, Run
from unlade.states import RunOutcome

#: A run that has given no sign for so long holds nothing any more.
SILENT = timedelta(seconds=60)


class SharedPermits:
    """A `governor.PermitSource` over the ledger. `refresh` belongs to the run loop's thread, `share` to any."""

    def __init__(self, run: Run, host: Host, most: int, clock: Callable[[], datetime]) -> None:
        self._run, self._host, self._most, self._clock = run, host, most, clock
        self._share = 0

    def share(self, most: int) -> int:
        """See `governor.PermitSource`; answers from memory."""
        return min(most, self._share)

    def refresh(self, in_use: Callable[[], int]) -> None:
        """Look at the others and say what we hold; in a transaction. `in_use` tells our downloads in progress."""
        # The host's row first: processes that share out the permits do it one after the other.
        Host.objects.select_for_update().get(pk=self._host.pk)
        others = list(
            Run.objects.filter(host=self._host, outcome=RunOutcome.RUNNING, heartbeat_at__gte=self._clock() - SILENT)
            .exclude(pk=self._run.pk)
            .values_list("permits", flat=True)
        )
        fair = max(1, self._most // (len(others) + 1))
        free = max(0, self._most - sum(others))
        self._share = min(fair, free)
        # Only after the share has come down can the number in use be trusted not to rise above it.
        self._run.permits = max(self._share, in_use())
        self._run.heartbeat_at = self._clock()
        self._run.save(update_fields=["permits", "heartbeat_at"])
