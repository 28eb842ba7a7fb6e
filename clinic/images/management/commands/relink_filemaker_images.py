"""Links images whose patient arrived after them."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from unlade.errors import UnladeError
from unlade.importer import get_import
from unlade.ledger.lock import source_lock
from unlade.linking import ROW_MISSING, RelinkReport, relink

#: What a person can do about each reason.
REMEDIES = {
    "owner_missing": "their patients are not here yet: add them and run this again",
    "ambiguous": "several patients fit: give all but one of them another id",
    "no_owner_reference": "the record names no patient: fill it in FileMaker, or assign them here",
    ROW_MISSING: "the image's row was deleted here",
}


class Command(BaseCommand):
    help = "Look again for the patients of imported images that have none. Nothing is fetched from FileMaker."
    source = "images"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be linked")
        parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            importer = get_import(self.source)
            with nullcontext() if options["dry_run"] else source_lock(importer.name):
                report = relink(importer, dry_run=options["dry_run"])
        except UnladeError as error:
            raise CommandError(f"{error} {error.remedy}".strip(), returncode=error.exit_code) from None
        exit_code = 1 if report.alone[ROW_MISSING] else 0
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json() | {"outcome": "done", "exit": exit_code}))
        else:
            self._say(report, importer.noun[1])
        if exit_code:
            raise CommandError(f"{report.alone[ROW_MISSING]} {importer.noun[1]} have no row.", returncode=exit_code)

    def _say(self, report: RelinkReport, noun: str) -> None:
        verb = "would be linked" if report.dry_run else "linked"
        self.stdout.write(f"{report.linked:,} of {report.looked:,} {noun} without a patient {verb}.")
        for reason, count in sorted(report.alone.items()):
            self.stdout.write(f"  {count:,} {reason.replace('_', ' ')}: {REMEDIES[reason]}.")
