"""Makes patients from a data set of the simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clinic.patients.demo import load
from unlade.errors import UnladeError


class Command(BaseCommand):
    help = "Make clinics and patients from a data set folder that `python -m fmsim write FOLDER` wrote."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            loaded = load(options["folder"])
        except UnladeError as error:
            raise CommandError(f"{error}. {error.remedy}", returncode=error.exit_code) from None
        self.stdout.write(f"{loaded.patients:,} patients and {loaded.clinics:,} clinics are here.")
