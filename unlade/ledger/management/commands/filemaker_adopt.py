"""`filemaker_adopt NAME`: rows and objects that an earlier script left enter the ledger, without a fetch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.existing.adopting import adopt
from unlade.existing.command import Stop
from unlade.importer import get_import
from unlade.importing import interruptible
from unlade.ledger.lock import source_lock
from unlade.options import RunOptions
from unlade.units import format_count

_WORDS = {
    "row_without_object": "rows point to an object that is not in the store",
    "row_unmatched": "rows do not tell which record they are",
    "two_rows": "rows claim a record that another row has",
    "object_unmatched": "objects do not tell which record they are",
    "two_objects": "objects claim a record that has another file, or more than one claim it",
}


class Command(UnladeCommand):
    """Exit code 3 when something could not be matched."""

    help = "Enter what an earlier script left, its rows and its objects, into the ledger. Asks nothing of FileMaker."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="which declared import the files belong to")
        parser.add_argument("--prefix", default="", help="where in the store they lie (default: all of it)")
        parser.add_argument(
            "--from", dest="from_path", default="", metavar="DIR", help="an export, to match by MD5 too"
        )
        parser.add_argument("--metadata", default="", metavar="FILE", help="the records, as FileMaker exported them")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be adopted")
        parser.add_argument("--report", default="", metavar="FILE", help="write what was matched and what was not")

    def work(self, **options: Any) -> int:
        """Adopt under the source's lock."""
        importer, rig = get_import(options["name"]), self.rigging
        names = ("from_path", "metadata", "dry_run", "report")
        run_options = RunOptions(**{name: options[name] for name in names})
        store, stop = rig.store(), Stop()
        try:
            with source_lock(importer.name), interruptible(stop, lambda: None):
                result = adopt(
                    importer,
                    store,
                    run_options,
                    prefix=options["prefix"],
                    clock=rig.clock,
                    uploaded_by=rig.settings.text("UNLADE_UPLOADED_BY"),
                    stopped=lambda: stop.asked,
                )
        finally:
            store.close()
        code = 3 if result.open else 0
        if options["json"]:
            self.print_json({"source": importer.name, "outcome": "done", **asdict(result), "exit": code})
            return code
        verb = "would be adopted" if result.dry_run else "were adopted"
        self.say(f"{format_count(result.rows)} rows and {format_count(result.objects)} objects {verb}.")
        self.say(f"{format_count(result.known)} rows were in the ledger already.")
        for what, words in _WORDS.items():
            if count := result.findings.get(what, 0):
                self.say(f"  {format_count(count)} {words}.")
        if result.open and not options["report"]:
            self.say("--report FILE lists each of them.")
        return code
