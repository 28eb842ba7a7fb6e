"""The simulator's own time: the system's, plus what a test added, so that idle expiry needs no waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Seconds since the epoch, movable.

    Args:
        source: gives seconds since the epoch; the system's clock by default.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._ahead = 0.0

    def now(self) -> float:
        return self._source() + self._ahead

    def advance(self, seconds: float) -> None:
        """Moves the clock by `seconds`; sessions, tokens, links and fault windows age with it."""
        self._ahead += seconds

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)
