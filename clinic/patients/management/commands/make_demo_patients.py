"""Makes patients from a data set of the simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from clinic.patients.demo import load
from unlade.commands import UnladeCommand
from unlade.units import format_count


class Command(UnladeCommand):
    help = "Make clinics and patients from a data set folder that `python -m fmsim write FOLDER` wrote."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("folder", type=Path)

    def work(self, **options: Any) -> int:
        loaded = load(options["folder"])
        if options["json"]:
            counts = {"patients": loaded.patients, "clinics": loaded.clinics}
            self.print_json(counts | {"outcome": "done", "exit": 0})
        else:
            self.say(f"{format_count(loaded.patients)} patients and {format_count(loaded.clinics)} clinics are here.")
        return 0
