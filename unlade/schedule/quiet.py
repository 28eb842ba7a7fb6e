"""Quiet hours: none of a run's requests reach the host in them. The arithmetic is `governor.quiet`'s."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from unlade.errors import NotNow
from unlade.governor.quiet import QuietHours


def curfew(quiet: QuietHours | None, clock: Callable[[], datetime]) -> Callable[[], None]:
    """A check that raises `NotNow`, with `retry_at` at their end, while quiet hours hold.

    A run asks it before its first request and, while it is under way, before it takes anything more in hand.
    """

    def check() -> None:
        until = quiet.until(clock()) if quiet is not None else None
        if quiet is not None and until is not None:
            local = until.astimezone(quiet.zone)
            raise NotNow(
                f"Quiet hours: nothing is asked of the host until {local:%Y-%m-%d %H:%M} {local.tzname()}.",
                remedy="Run it again then; --quiet-hours and UNLADE_QUIET_HOURS set them.",
                retry_at=until,
            )

    return check
