"""The seam between a schedule and what keeps it: four schedulers say in steps what is to be done; `doing` does it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from unlade.schedule.entry import Entry, Place
from unlade.schedule.steps import Step


class Scheduler(Protocol):
    """Pure: everything it knows is passed in. Methods raise `UsageError` for an entry that it cannot hold."""

    @property
    def name(self) -> str: ...

    @property
    def hints(self) -> tuple[str, ...]:
        """What to look at when it does not start what it was given."""
        ...

    def install(self, entry: Entry, place: Place) -> tuple[Step, ...]:
        """What installing does; done twice it changes nothing."""
        ...

    def remove(self, ident: str, place: Place) -> tuple[Step, ...]:
        """What removing does, whether or not there is something to remove; only what is ours goes."""
        ...

    def start(self, entry: Entry, place: Place, local: datetime) -> tuple[Step, ...]:
        """Have it started now; `local` is the time by the machine's own clock."""
        ...

    def started(self, entry: Entry, place: Place) -> tuple[Step, ...]:
        """What is to be done once it has started."""
        ...

    def notes(self, entry: Entry, place: Place) -> list[str]:
        """What a reader should know of this scheduler."""
        ...
