"""What the gate keeps count of: permits that several processes may share, and the troubles of this run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class PermitSource(Protocol):
    """How many of the permits this process may use at the moment, when several processes share them.

    Asked often and under the gate's lock: it must answer from memory. Whoever lowers a share gives the difference to
    others only after `Governor.permits_in_use` has come down to it.
    """

    def share(self, most: int) -> int:
        """Permits for this process, 0 to `most`."""

    def may_try(self, openings: int) -> bool:
        """Whether it is this process that tries the host after the breaker's opening number `openings`."""


class AllPermits:
    """The only process: all permits are ours."""

    def share(self, most: int) -> int:
        """All of them."""
        return most

    def may_try(self, openings: int) -> bool:
        """Nobody else would."""
        return True


@dataclass(frozen=True, slots=True)
class TroubleSeen:
    """One trouble of this run: when, after how many good downloads since the start, and of which kind."""

    at: datetime
    downloads: int
    reason: str
