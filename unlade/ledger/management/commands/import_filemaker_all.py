"""`import_filemaker_all`: every declared import, one after the other, as one command with one answer."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import ImportCommand, ended_json, outcome_word
from unlade.errors import UnladeError, UsageError
from unlade.importer import ContainerImport, declared_all
from unlade.ledger.models import Run
from unlade.notify import after_error, after_run
from unlade.options import RunOptions
from unlade.places import NothingThere, settle_place
from unlade.report.summary import runs_json

#: Options that speak of one import's records or files.
_OF_ONE = ("only", "pilot", "expect", "metadata", "columns", "match", "report")


@dataclass
class Room:
    """What the limits of the command leave to the import whose turn it is."""

    asked: RunOptions
    clock: Callable[[], datetime]
    started: datetime
    downloads: int = 0
    bytes: int = 0

    def book(self, run: Run) -> None:
        """Take off what a run has used."""
        self.downloads += run.downloads
        self.bytes += run.api_bytes + run.container_bytes + run.header_bytes

    def left(self) -> RunOptions | None:
        """The options of the next run; None when bytes or time are used up.

        Without a download left an import still counts its records and settles those that need none.
        """
        limit, max_bytes, max_time = self.asked.limit, self.asked.max_bytes, self.asked.max_time
        if limit is not None:
            limit = max(0, limit - self.downloads)
        if max_bytes is not None and self.bytes:
            max_bytes -= self.bytes
            if max_bytes <= 0:
                return None
        if max_time is not None:
            max_time -= self.clock() - self.started
            if max_time <= timedelta(0):
                return None
        return replace(self.asked, limit=limit, max_bytes=max_bytes, max_time=max_time)


class Command(ImportCommand):
    """Runs every declared import: records first, then files, each in the order of INSTALLED_APPS.

    Run it again to go on: each import knows where. One that fails, rests or is locked does not keep the next from its
    turn; Ctrl-C ends all. The limits hold for all of them together; `--limit` is of downloads, records do not count.
    With `--from` each finds its table among the database files, or the folder or file of its name among the exports;
    one that has nothing there is skipped, and why is said.
    Exit code: the one of CONTRACT A3 that goes before the others'.
    """

    import_name = "all"
    help = "Run all declared imports, one after the other. Limits hold for all of them together."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options of CONTRACT A2; those that speak of one import are refused, and not shown."""
        super().add_arguments(parser)
        for action in parser._actions:
            if action.dest in _OF_ONE:
                action.help = argparse.SUPPRESS

    def work(self, **options: Any) -> int:
        """Run them all; the last line of `--json` is one object for all (CONTRACT A4)."""
        if given := [name for name in _OF_ONE if options[name] not in (None, "")]:
            raise UsageError(
                f"--{given[0]} speaks of one import.", remedy=f"Use it with `import_filemaker NAME --{given[0]} ...`."
            )
        clock = self.rigging.clock
        room = Room(self.run_options(options), clock, clock())
        told: list[dict[str, Any]] = []
        for importer in declared_all().values():
            if any(entry["exit"] == 130 for entry in told):
                told.append(_without_a_run(importer, "interrupted", "Interrupted before its turn.", 130))
            elif (run_options := room.left()) is None:
                told.append(_without_a_run(importer, "limit", "A limit was reached before its turn.", 0))
                if not options["json"]:
                    self.say(f"{importer.name}: {told[-1]['reason']}")
            else:
                told.append(self._one(importer, run_options, room, options))
        answer = runs_json(told)
        if told and all(entry["outcome"] == "skipped" for entry in told):
            raise UsageError(
                f"--from: nothing there belongs to a declared import. {told[0]['reason']}",
                remedy="Name a database file, or a folder with a folder or file for each import, called like it.",
            )
        if options["json"]:
            self.print_json(answer)
        return int(answer["exit"])

    def _one(
        self, importer: ContainerImport, run_options: RunOptions, room: Room, options: dict[str, Any]
    ) -> dict[str, Any]:
        """One import, from its lock to its notices; CONTRACT A4's object."""
        if importer.carries == "records":
            run_options = replace(run_options, limit=None)  # a limit is of downloads, and records have none
        try:
            run_options = settle_place(importer, run_options, by_name=True)
            if run_options.dry_run:
                forecast = self.look_ahead(importer, run_options)
                if not options["json"]:
                    self.say(forecast.text(importer.noun[1]))
                return _without_a_run(importer, "done", None, 0) | {"dry_run": forecast.as_json()}
            ended = self.sail(importer, run_options, self.reporter(importer, options))
        except NothingThere as error:
            if not options["json"]:
                self.say(f"{importer.name}: skipped. {error}")
            return _without_a_run(importer, "skipped", str(error), 0)
        except UnladeError as error:
            if not run_options.dry_run:
                after_error(importer.name, error, self.rigging)
            return _without_a_run(importer, outcome_word(error), str(error), self.complain(error))
        room.book(ended.books.run)
        # The one JSON object comes at the end, and prose does not stand beside it.
        quiet = {"json": False, "verbosity": 0 if options["json"] else options["verbosity"]}
        self.summarise(importer, ended, run_options, options | quiet)
        after_run(ended, self.rigging)
        return ended_json(ended)


def _without_a_run(importer: ContainerImport, outcome: str, reason: str | None, code: int) -> dict[str, Any]:
    """CONTRACT A4's object of an import that has no run in the ledger to tell of."""
    return {"source": importer.name, "run": None, "outcome": outcome, "reason": reason, "exit": code}
