"""Base of the `relink_filemaker_...` commands."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.importer import get_import
from unlade.ledger.lock import source_lock
from unlade.linking import ROW_MISSING, RelinkReport, relink
from unlade.units import format_count

#: What a person can do about each reason.
REMEDIES = {
    "owner_missing": "the patient is not here yet; add the patients, then run this again",
    "ambiguous": "two or more patients fit; give all but one of them another FileMaker id",
    "no_owner_reference": "FileMaker names no patient; fill the field there",
    "chosen_missing": "the patient that a person chose was deleted; choose another one with reassign",
    ROW_MISSING: "the row was deleted here, the file is still stored",
}


class RelinkCommand(UnladeCommand):
    """Subclasses set `import_name`. Exit code 1 when a row is missing that the ledger knows, else 0."""

    import_name = ""

    def add_arguments(self, parser: CommandParser) -> None:
        """`--dry-run`, beside what every command has."""
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would be linked")

    def work(self, **options: Any) -> int:
        """Relink under the source's lock; a dry run needs none."""
        importer = get_import(self.import_name)
        dry_run = bool(options["dry_run"])
        with nullcontext() if dry_run else source_lock(importer.name):
            report = relink(importer, dry_run=dry_run)
        code = 1 if report.alone[ROW_MISSING] else 0
        if options["json"]:
            self.print_json(report.as_json() | {"outcome": "done", "exit": code})
        else:
            self._tell(report, importer.noun[1])
        return code

    def _tell(self, report: RelinkReport, noun: str) -> None:
        verb = "would be linked" if report.dry_run else "linked"
        self.say(f"{format_count(report.linked)} of {format_count(report.looked)} {noun} without a patient {verb}.")
        if report.quarantined:
            self.say(f"  {format_count(report.quarantined)} of them are damaged and stay quarantined.")
        for reason, count in sorted(report.alone.items()):
            self.say(f"  {format_count(count)}: {REMEDIES[reason]}.")
