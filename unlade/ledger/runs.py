"""One run in the ledger: opened under the lock, alive while it beats, closed with its figures."""

from __future__ import annotations

import os
import platform
from collections import Counter
from datetime import datetime
from typing import Any, Self

from django.db import transaction
from django.db.models import F, Max

from unlade.importer import ContainerImport
from unlade.ledger.models import Item, Run, Source
from unlade.owners import OwnerFinder
from unlade.states import ItemState, RunOutcome

S = ItemState


class RunBooks:
    """What every part of a run's books shares."""

    def __init__(self, importer: ContainerImport, source: Source, run: Run, owners: OwnerFinder, uploaded_by: str):
        self.importer = importer
        self.source = source
        self.run = run
        self.road = run.road
        self.owners = owners
        self.uploaded_by = uploaded_by
        self.skipped = 0
        self.new = 0  #: items that this run met first
        self.met_as: dict[int, str] = {}  #: by which record id of its file an item was met that has another one
        self.ids_taken: set[tuple[str, str]] = set()  #: (record id, slot) of the last page that other items have
        self.edited = 0  #: items whose record was edited since the last run
        self._ended: Counter[str] = Counter()  #: items that this run settled, by state
        self._failed: set[int] = set()  #: those of them that failed: a later try of the same run may change that

    @classmethod
    def open(
        cls,
        importer: ContainerImport,
        now: datetime,
        *,
        road: str,
        options: dict[str, Any],
        owners: OwnerFinder,
        uploaded_by: str,
        least: int = 0,
    ) -> Self:
        """Open the next run of `importer`; the lock is held, so a run that still says it is running has died.

        `least` is the lowest number the run may have.
        """
        with transaction.atomic():
            source, _ = Source.objects.get_or_create(name=importer.name, defaults={"layout": importer.layout})
            source.runs.filter(outcome=RunOutcome.RUNNING).update(
                outcome=RunOutcome.DIED, finished_at=F("heartbeat_at")
            )
            newest = source.runs.aggregate(newest=Max("number"))["newest"] or 0
            run = Run.objects.create(
                source=source,
                number=max(newest + 1, least),
                road=road,
                started_at=now,
                heartbeat_at=now,
                machine=platform.node()[:255],
                process=os.getpid(),
                options=options,
            )
        return cls(importer, source, run, owners, uploaded_by)

    @classmethod
    def by_hand(cls, importer: ContainerImport, source: Source, owners: OwnerFinder, uploaded_by: str) -> Self:
        """Books for what a person settles without a run; only `settle` may be asked of them."""
        no_run: Any = None
        books = cls(importer, source, Run(source=source), owners, uploaded_by)
        books.run = no_run
        return books

    def beat(self, now: datetime, **counters: int) -> None:
        """Say that the run is alive, and how far it is."""
        for name, value in {**self.this_run(), **counters}.items():
            setattr(self.run, name, value)
        self.run.heartbeat_at = now
        self.run.save()

    def close(
        self, outcome: str, now: datetime, *, reason: str, exit_code: int, retry_at: datetime | None, **counters: int
    ) -> None:
        """Close the run with its final figures; what is still in hand by it is let go."""
        with transaction.atomic():
            self.source.items.filter(in_hand=self.run).update(in_hand=None)
            self.run.outcome, self.run.reason = outcome, reason
            self.run.exit_code, self.run.retry_at, self.run.finished_at = exit_code, retry_at, now
            self.run.found = self.source.found
            self.beat(now, **counters)

    def this_run(self) -> dict[str, int]:
        """How many items ended in which state in this run; the fields of `Run`."""
        states = (S.IMPORTED, S.EMPTY, S.UNLINKED, S.QUARANTINED, S.FAILED)
        return {state.value: self._ended[state.value] for state in states} | {"skipped": self.skipped}

    def _ends(self, item: Item, state: str) -> None:
        if item.pk in self._failed:
            self._failed.discard(item.pk)
            self._ended[S.FAILED.value] -= 1
        if state == S.FAILED:
            self._failed.add(item.pk)
        self._ended[ItemState(state).value] += 1
