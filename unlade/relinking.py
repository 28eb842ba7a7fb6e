"""Base of the commands that link files to owners who came after them."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.importer import get_import
from unlade.ledger.lock import source_lock
from unlade.linking import ROW_MISSING, RelinkReport, relink
from unlade.units import format_count


class RelinkCommand(UnladeCommand):
    """Subclasses may set `import_name`, and the words for one owner and for many. Exit code 1 when a row is missing that
    the ledger knows, else 0."""

    import_name = ""
    owner_nouns = ("owner", "owners")
    help = "Look again for the owners of imported files that have none. Nothing is fetched from FileMaker."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--dry-run`, beside what every command has."""
        super().add_arguments(parser)
        if not self.import_name:
            parser.add_argument("name", help="which declared import's files to link")
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
            self._tell(report, importer.noun[1])
        return code

    def remedies(self) -> dict[str, str]:
        """What a person can do about each reason why a file has no owner."""
        one, many = self.owner_nouns
        return {
            "owner_missing": f"the {one} is not here yet; add the {many}, then run this again",
            "ambiguous": f"two or more {many} fit; give all but one of them another FileMaker id",
            "no_owner_reference": f"FileMaker names no {one}; fill the field there",
            "chosen_missing": f"the {one} that a person chose was deleted; choose another one",
            ROW_MISSING: "the row was deleted here, the file is still stored",
        }

    def _tell(self, report: RelinkReport, noun: str) -> None:
        verb = "would be linked" if report.dry_run else "linked"
        without = f"{noun} without {_article(self.owner_nouns[0])}"
        self.say(f"{format_count(report.linked)} of {format_count(report.looked)} {without} {verb}.")
        if report.quarantined:
            self.say(f"  {format_count(report.quarantined)} of them are damaged and stay quarantined.")
        for reason, count in sorted(report.alone.items()):
            self.say(f"  {format_count(count)}: {self.remedies().get(reason, reason)}.")


def _article(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeio' else 'a'} {noun}"


__all__ = ["RelinkCommand"]
