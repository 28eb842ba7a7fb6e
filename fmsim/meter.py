"""The allowance: bytes that the host has sent to clients, against a limit (FILEMAKER.md 6)."""

from __future__ import annotations

from collections import deque

from fmsim.errors import MESSAGES, OLD_953, HostError
from fmsim.switches import Switches

_FREE = frozenset({"product_info", "log_out", "databases", "unknown", "wrong_verb"})


class Meter:
    """Counts response bodies.

    Args:
        limit: bytes; None: no limit.
        switches: what counts and what stops.
        version: of the product, for the wording.
    """

    def __init__(self, limit: int | None, switches: Switches, version: tuple[int, int]) -> None:
        self.limit, self._switches = limit, switches
        self._wording = MESSAGES[953] if version >= (19, 1) else OLD_953
        self.used = 0
        self._late: deque[tuple[float, int]] = deque()

    def count(self, size: int, container: bool, now: float) -> None:
        if container and not self._switches.meter_counts_containers:
            return
        if self._switches.meter_lag_minutes:
            self._late.append((now + self._switches.meter_lag_minutes * 60, size))
        else:
            self.used += size

    def check(self, action: str, now: float) -> None:
        """Refuses what the limit forbids.

        Args:
            action: a call's, or `container`.
            now: the clock's reading.

        Raises:
            HostError: 953.
        """
        while self._late and self._late[0][0] <= now:
            self.used += self._late.popleft()[1]
        if self.limit is None or self.used < self.limit or action in _FREE:
            return
        if action == "container" and not (
            self._switches.meter_stops_containers and self._switches.meter_counts_containers
        ):
            return
        if action in ("log_in", "validate") and not self._switches.meter_stops_login:
            return
        raise HostError(953, self._wording)

    def reset(self) -> None:
        self.used = 0
        self._late.clear()
