"""`filemaker_daemon`: stays and runs imports on a schedule, for containers and services."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser
from django.db import DatabaseError, connection

from unlade.commands import UnladeCommand
from unlade.importer import declared_all
from unlade.ledger.models import Run
from unlade.schedule.asked import ALL, add_limits, add_schedule, import_words, names_of, schedule_from
from unlade.schedule.daemon import Daemon, LastRun, Processes, until_told
from unlade.schedule.entry import program
from unlade.states import RunOutcome


class Command(UnladeCommand):
    help = "Stays and runs imports on a schedule, one at a time, as the governor allows. Ctrl-C or SIGTERM ends it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "names", nargs="+", metavar="NAME", help="declared imports, or `all`: all in order, by one command"
        )
        add_schedule(parser)
        add_limits(parser)

    def work(self, **options: Any) -> int:
        """Until somebody says stop."""
        names = names_of(options["names"])
        rig, base = self.rigging, program(sys.argv, sys.executable)
        module = os.environ.get("DJANGO_SETTINGS_MODULE")
        tail = ("--json", *(("--settings", module) if module else ()))

        def say(line: str) -> None:
            local = rig.clock().astimezone(rig.zone())
            print(f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()} {line}", file=sys.stderr, flush=True)

        def last_run(name: str) -> LastRun | None:
            try:
                return _last_of(list(declared_all()) if name == ALL else [name])
            except DatabaseError as error:
                say(f"{name}: the database cannot be asked for the last run: {str(error).splitlines()[0]}")
                return None
            finally:
                connection.close()  # it would only grow old until the next look

        daemon = Daemon(
            names,
            schedule_from(options),
            run=Processes(lambda name: (*base, *import_words(name, options), *tail), os.getcwd()),  # noqa: PTH109
            last_run=last_run,
            say=say,
            clock=rig.clock,
            zone=rig.zone(),
        )
        with until_told(daemon.stop):
            daemon.serve()
        if options["json"]:
            self.print_json({"outcome": "interrupted", "runs": daemon.runs, "exit": 130})
        return 130


def _last_of(names: Sequence[str]) -> LastRun | None:
    """The last run of one import; of several, the last run of each as one that ran as long ago as the oldest."""
    newest = (Run.objects.filter(source__name=name).order_by("-number").first() for name in names)
    runs = [known(run) for run in newest if run is not None]
    if not runs:
        return None
    waits = [run.go_on_at for run in runs if run.go_on_at is not None]
    return LastRun(min(run.started_at for run in runs), min(waits, default=None))


def known(run: Run) -> LastRun:
    """The last run as the daemon sees it: one that was broken off goes on at once, a paused one when it may."""
    if run.outcome in (RunOutcome.INTERRUPTED, RunOutcome.DIED, RunOutcome.RUNNING):
        return LastRun(run.started_at, run.started_at)
    return LastRun(run.started_at, run.retry_at if run.outcome == RunOutcome.PAUSED else None)
