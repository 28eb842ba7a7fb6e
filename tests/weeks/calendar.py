"""A migration over simulated weeks: nights that import, days on which the clinic goes on working in FileMaker.

The calendar ends today, so that commands which look at the real clock see nothing that lies ahead of them.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command

from clinic.images.models import Image
from fmsim import Record
from fmsim.tables import Table
from tests.voyage.harness import FULL, HandClock, Port, name_of, photo, record
from unlade.importer import get_any_import
from unlade.ledger.models import Item
from unlade.notify import after_run
from unlade.options import RunOptions
from unlade.progress import QuietReporter
from unlade.records import RecordImport
from unlade.records.running import run_records
from unlade.report.runs import run_json

#: States of items that have a file in the store.
STORED = ("imported", "unlinked", "quarantined")


@dataclass
class Migration:
    """One clinic under way; `environ` is what its schedule is given, `today` the day of the calendar."""

    port: Port
    clock: HandClock
    monkeypatch: pytest.MonkeyPatch
    days: int
    environ: dict[str, str] = field(default_factory=dict)
    today: int = 0
    nights: int = 0

    def __post_init__(self) -> None:
        self.clock.ahead = timedelta(days=-self.days)
        self.port.sim.advance(-self.days * 86_400)
        self.port.clock = self.clock

    # Days.

    def morning(self, day: int) -> None:
        """Go on to a day; the host's sessions are long over."""
        step = day - self.today
        assert step >= 0
        self.today = day
        self.clock.ahead += timedelta(days=step)
        self.port.sim.advance(step * 86_400)

    @property
    def images(self) -> Table:
        return self.port.sim.host.tables.named("Images")

    @property
    def patients(self) -> Table:
        return self.port.sim.host.tables.named("Patients")

    def new_image(self, number: int, **more: Any) -> Record:
        """Somebody takes a picture."""
        return self.images.add(record(number, **more).values)

    def new_patient(self, number: int) -> Record:
        return self.patients.add({"id": name_of("patient", number), "First name": "C", "Last name": "D"})

    def replace(self, record_id: str, note: str) -> None:
        """Somebody puts another picture into the same record."""
        row = self.images.get(record_id)
        assert row is not None
        self.images.change(row, {FULL: photo(note, 4000)})

    # Nights.

    def bring_patients(self) -> dict[str, Any]:
        importer = get_any_import("patients")
        assert isinstance(importer, RecordImport)
        ended = run_records(importer, self.port.rigging(**self.environ), RunOptions(batch_size=50), QuietReporter())
        after_run(ended, self.port.rigging(**self.environ))
        return run_json(ended.books.run)

    def night(self, **options: Any) -> dict[str, Any]:
        """What the schedule does: patients, then images; every number is checked before anything else is."""
        self.bring_patients()
        ended = self.port.run(env=self.environ, **options)
        after_run(self.port.ended, self.port.rigging(**self.environ))
        self.nights += 1
        self.adds_up(ended)
        return ended

    # Commands.

    def command(self, *words: str) -> tuple[int, str]:
        """A command as a person types it that day; exit code and standard output."""
        out, code = io.StringIO(), 0
        with self.monkeypatch.context() as patch:
            for name, value in self.port.settings(**self.environ).items():
                patch.setenv(name, value)
            try:
                call_command(*words, stdout=out, stderr=io.StringIO())
            except SystemExit as end:
                code = int(end.code or 0)
        return code, out.getvalue()

    def asked(self, *words: str) -> dict[str, Any]:
        """The command's JSON object; its exit code is the process's."""
        code, out = self.command(*words, "--json")
        told: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        assert told["exit"] == code
        return told

    # What must hold after every night.

    def adds_up(self, ended: dict[str, Any]) -> None:
        """The run, the status, the worklist, the books and the host tell one and the same story."""
        totals = self.port.check(books="enough", spool_empty=False)
        assert ended["totals"] == totals
        assert sum(totals.values()) == ended["found"]
        if ended["outcome"] == "done":
            assert ended["found"] == len(self.images.rows)
        _, out = self.command("filemaker_status", "images", "--json")
        status = json.loads(out.strip().splitlines()[-1])
        told = status["sources"]["images"]
        assert told["totals"] == totals and told["gone"] == ended["gone"]
        assert sum(told["by_field"].values()) == sum(totals[state] for state in STORED)
        assert sum(line["count"] for line in told["failures"]) == totals["failed"]
        assert sum(line["count"] for line in told["open"]) == sum(
            totals[state] for state in ("failed", "quarantined", "unlinked")
        )
        assert told["last_runs"][0]["run"] == ended["run"]
        listed = self.asked("filemaker_worklist", "images")
        assert listed["need_person"] == told["need_person"] == sum(each["needs_person"] for each in listed["items"])
        every = self.asked("filemaker_worklist", "images", "--all")
        states = Counter(Item.objects.filter(source__name="images", gone_at=None).values_list("state", flat=True))
        assert every["open"] == states["failed"] + states["quarantined"] + states["unlinked"]
        # Gone records keep their rows, and so does what was accepted as it is.
        assert Image.objects.count() == Item.objects.filter(source__name="images").exclude(row="").count()
