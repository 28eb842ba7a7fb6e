"""Base of the `relink_filemaker_...` commands."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.importer import ContainerImport, get_import
from unlade.ledger.lock import source_lock
from unlade.linking import ROW_MISSING, RelinkReport, relink
from unlade.units import format_count

#: What a person can do about each reason.
REMEDIES = {
    "owner_missing": "the {noun} is not here yet; bring it, then run this again",
    "ambiguous": "two or more {nouns} fit; give all but one of them another FileMaker id, or reassign the files",
    "no_owner_reference": "FileMaker names no {noun}; fill the field there, or reassign the files",
    "chosen_missing": "the {noun} that a person chose was deleted; bring it back, or reassign the files",
    ROW_MISSING: "the row was deleted here, the file is still stored",
}


class RelinkCommand(UnladeCommand):
    """Subclasses set `import_name`; without it the command takes the import's name.

    Exit code 1 when a row is missing that the ledger knows, else 0.
    """

    import_name: str = ""
    help = "Look again for the owners of imported files that have none. Nothing is fetched from FileMaker."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--dry-run`, beside what every command has."""
        super().add_arguments(parser)
        if not self.import_name:
            parser.add_argument("name", metavar="NAME", help="a declared import")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be linked")

    def work(self, **options: Any) -> int:
        """Relink under the source's lock; a dry run needs none."""
        importer = get_import(self.import_name or options["name"])
        dry_run = bool(options["dry_run"])
        with nullcontext() if dry_run else source_lock(importer.name):
            report = relink(importer, dry_run=dry_run)
        code = 1 if report.alone[ROW_MISSING] else 0
        if options["json"]:
            self.print_json(report.as_json() | {"outcome": "done", "exit": code})
        else:
            self._tell(report, importer)
        return code

    def _tell(self, report: RelinkReport, importer: ContainerImport) -> None:
        noun, nouns = "owner", "owners"
        if importer.owner is not None:
            options = importer.owner.model_class._meta
            noun, nouns = str(options.verbose_name), str(options.verbose_name_plural)
        verb = "would be linked" if report.dry_run else "linked"
        counts = f"{format_count(report.linked)} of {format_count(report.looked)}"
        self.say(f"{counts} {importer.noun[1]} without a {noun} {verb}.")
        if report.quarantined:
            self.say(f"  {format_count(report.quarantined)} of them are damaged and stay quarantined.")
        for reason, count in sorted(report.alone.items()):
            self.say(f"  {format_count(count)}: {REMEDIES[reason].format(noun=noun, nouns=nouns)}.")
