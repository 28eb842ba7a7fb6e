"""`filemaker_worklist`: every open item, what to do about it, and what to type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.importer import get_any_import
from unlade.report.command import paper_options
from unlade.report.private import write_private
from unlade.worklist.page import as_csv, render
from unlade.worklist.tasks import tasks, waiting_for_owner


class Command(UnladeCommand):
    help = "Lists every open item of an import: record, find text, owner, reason, what to do. Asks no host."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME", help="a declared import")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="write it as a table")
        parser.add_argument("--all", action="store_true", help="also files that wait for an owner who is not here yet")

    def work(self, **options: Any) -> int:
        importer = get_any_import(options["name"])
        everyone = bool(options["all"])
        waiting = waiting_for_owner(importer)
        listed = tasks(importer, waiting_for_owner=everyone)
        if options["csv"]:
            # The mark at the beginning tells spreadsheets that it is UTF-8.
            path = write_private(options["csv"], "\ufeff" + as_csv(listed))
            if not options["json"]:
                self.say(f"Worklist of {importer.name}: {path}")
        elif not options["json"]:
            draw = paper_options(self.stdout, options)
            left = 0 if everyone else waiting
            rig = self.rigging
            self.say(render(importer, listed, rig.clock(), waiting=left, zone=rig.zone(), **draw).rstrip())
        if options["json"]:
            items = [task.as_json() for task in tasks(importer, waiting_for_owner=everyone)]
            self.print_json(
                {
                    "source": importer.name,
                    "outcome": "done",
                    "open": len(items),
                    "need_person": sum(item["needs_person"] for item in items),
                    "waiting_for_owner": waiting,
                    "items": items,
                    "exit": 0,
                }
            )
        return 0
