"""Base of all management commands: settings, errors to exit codes, `--json`, progress, signals.

A command parses, calls one function and maps what comes back to an exit code (CONTRACT A3). An `UnladeError` is shown
as a message and a remedy, never as a traceback.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, ProgrammingError

from unlade.dryrun import Forecast
from unlade.errors import Interrupted, SettingsError, UnladeError, UsageError
from unlade.importer import ContainerImport, declared, get_any_import
from unlade.importing import Ended, Interruptible, interruptible, run_dry, run_import
from unlade.options import RunOptions
from unlade.progress import PlainReporter, QuietReporter, Reporter
from unlade.records.declaring import RecordImport
from unlade.records.running import RecordForecast, RecordsEnded, dry_records, run_records
from unlade.rigging import Rigging, load_settings
from unlade.schedule.recorded import recorded
from unlade.settings import Settings
from unlade.units import format_size, parse_duration, parse_size

if TYPE_CHECKING:
    from rich.console import Console

    from unlade.progressbar import BarReporter


def size_argument(text: str) -> int:
    """A size for argparse, `500MB`."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def duration_argument(text: str) -> timedelta:
    """A duration for argparse, `90s`, `6h`."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


class UnladeCommand(BaseCommand):
    """Subclasses write `work(**options) -> int`, the exit code; `self.settings` and `self.say` are there for them."""

    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Options that every command has."""
        parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return load_settings()

    @property
    def rigging(self) -> Rigging:
        """What builds the parts."""
        return Rigging(self.settings)

    def say(self, message: str) -> None:
        """A line for a person, on standard output."""
        self.stdout.write(message)

    def print_json(self, data: Any) -> None:
        """The one JSON object, as the last line of standard output."""
        self.stdout.write(json.dumps(data, default=str, ensure_ascii=False))

    def console(self) -> Console:
        """For progress and colour: standard error, so that standard output stays clean."""
        from rich.console import Console

        return Console(stderr=True)

    def work(self, **options: Any) -> int:
        """Do the command's work; returns its exit code."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        """Map errors to messages and exit codes."""
        try:
            code = self.work(**options)
        except UnladeError as error:
            code = self.complain(error)
            if options.get("json"):
                self.print_json({"outcome": outcome_word(error), "reason": str(error), "exit": code})
        except (OperationalError, ProgrammingError) as error:
            text = str(error).splitlines()[0]
            if "no such table" not in text and "does not exist" not in text:
                raise
            code = self.complain(SettingsError("The database has no tables yet.", remedy="Run `manage.py migrate`."))
        except KeyboardInterrupt:
            code = self.complain(Interrupted())
        if code:
            sys.exit(code)

    def complain(self, error: UnladeError) -> int:
        """Show an error and what to do about it; returns its exit code."""
        self.stderr.write(self.style.ERROR(str(error)))
        if error.remedy:
            self.stderr.write(error.remedy)
        return error.exit_code


def outcome_word(error: UnladeError) -> str:
    """The outcome of a run that ended with `error` before it had a place in the ledger."""
    return {75: "paused", 130: "interrupted", 0: "limit"}.get(error.exit_code, "failed")


#: Words of `--order` and what they mean to a declaration.
ORDERS = {"host": "host", "newest": "newest first", "owners": "owners first"}


class ImportCommand(UnladeCommand):
    """Base of `import_filemaker_...`. `import_name` fixes the import; without it the command takes the name."""

    import_name: str = ""
    help = "Bring files from FileMaker into the store and the database."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options of CONTRACT A2."""
        super().add_arguments(parser)
        if not self.import_name:
            parser.add_argument("name", help="which declared import to run")
        parser.add_argument(
            "--limit", type=int, metavar="N", help="start at most N downloads; of records, write at most N"
        )
        parser.add_argument(
            "--pilot", type=int, metavar="N", help="first take N that differ as much as the listing shows, and learn"
        )
        parser.add_argument("--batch-size", type=int, metavar="N", help="records in one request (UNLADE_BATCH_SIZE)")
        parser.add_argument("--concurrency", type=int, metavar="N", help="downloads at once (UNLADE_CONCURRENCY)")
        parser.add_argument("--max-bytes", type=size_argument, metavar="SIZE", help="transfer at most this, 500MB")
        parser.add_argument("--max-time", type=duration_argument, metavar="DURATION", help="work at most this long, 2h")
        parser.add_argument("--only", default="", metavar="ID,ID|@FILE", help="just these, by record id or identity")
        parser.add_argument("--expect", type=int, metavar="N", help="fail unless the source has N records")
        parser.add_argument(
            "--changed", action="store_true", help="look for edited records too, and refresh their rows"
        )
        parser.add_argument(
            "--refetch-changed", action="store_true", help="and fetch the files of edited records again"
        )
        parser.add_argument(
            "--final", action="store_true", help="the last pass: 0 only when nothing is new, edited or open"
        )
        parser.add_argument(
            "--from",
            dest="from_path",
            action="append",
            default=[],
            metavar="PATH",
            help="take an export folder, a .fmp12 file or exported records instead; again for a solution's other files",
        )
        parser.add_argument("--yes", action="store_true", help="answer every question with yes, for scripts")
        parser.add_argument(
            "--metadata", default="", metavar="FILE", help="with --from: the records, as FileMaker exported them"
        )
        parser.add_argument(
            "--columns", default="", metavar="A,B", help="with --metadata: its columns, where it has no header"
        )
        parser.add_argument(
            "--date-order",
            choices=["mdy", "dmy", "ymd"],
            default="",
            help="with --from: how dates that read two ways are meant",
        )
        parser.add_argument("--encoding", default="", help="with --metadata: its encoding, where it cannot be told")
        parser.add_argument(
            "--match",
            choices=["record", "id", "path", "md5"],
            default="",
            help="with --metadata: what a file's name (or its bytes) tells, where both would fit",
        )
        parser.add_argument(
            "--max-rate", type=size_argument, metavar="SIZE", help="with --from: take at most so much a second, 5MB"
        )
        parser.add_argument(
            "--no-thumbnails",
            action="store_true",
            help="store and record only; make_thumbnails decodes pictures later, and finds damage",
        )
        parser.add_argument(
            "--report", default="", metavar="FILE", help="with --from: write, row by row, what fits and what does not"
        )
        parser.add_argument("--retry-failed", action="store_true", help="try failures again that are final too")
        parser.add_argument("--dry-run", action="store_true", help="list and report; fetch and write nothing")
        parser.add_argument(
            "--order", choices=list(ORDERS), default="", help="in which order the host lists (default: as declared)"
        )
        parser.add_argument(
            "--quiet-hours", metavar="FROM-TO", default="", help="ask nothing of the host then, 08:00-18:00"
        )
        parser.add_argument(
            "--log", metavar="FILE", help="write into FILE, rotated, what would be shown (for schedules)"
        )
        parser.add_argument("--wait", action="store_true", help="when the host rests, wait and go on instead of ending")

    def handle(self, *args: Any, **options: Any) -> None:
        """With `--log`, leave a log and a heartbeat behind."""
        with recorded(self, options, lambda: self.settings):
            super().handle(*args, **options)

    def work(self, **options: Any) -> int:
        """Run the import, then say how it ended, here and to whoever is to be told."""
        importer = get_any_import(self.import_name or options["name"])
        run_options = self.run_options(options)
        if run_options.pilot and isinstance(importer, RecordImport):
            raise UsageError(
                "--pilot is for files; records without files are imported whole", remedy="Take a few with --limit N."
            )
        if run_options.dry_run:
            forecast = self.look_ahead(importer, run_options)
            if options["json"]:
                self.print_json({"source": importer.name, "outcome": "done", "dry_run": forecast.as_json(), "exit": 0})
            else:
                self.say(forecast.text(importer.noun[1]))
            return 0
        try:
            ended = self.sail(importer, run_options, self.reporter(importer, options))
        except UnladeError as error:
            from unlade.notify import after_error

            after_error(importer.name, error, self.rigging)
            raise
        from unlade.notify import after_run

        code = self.summarise(importer, ended, run_options, options)
        after_run(ended, self.rigging)
        return code

    def look_ahead(self, importer: ContainerImport, run_options: RunOptions) -> Forecast | RecordForecast:
        """What a run would do, without doing it."""
        if isinstance(importer, RecordImport):
            return dry_records(importer, self.rigging, run_options)
        return run_dry(importer, self.rigging, run_options)

    def run_options(self, options: dict[str, Any]) -> RunOptions:
        """The run's options, with settings where the command line says nothing."""
        settings = self.settings
        places = [options["from_path"]] if isinstance(options["from_path"], str) else options["from_path"] or [""]
        return RunOptions(
            limit=options["limit"],
            pilot=options["pilot"],
            batch_size=_given(options["batch_size"], settings["UNLADE_BATCH_SIZE"]),
            concurrency=_given(options["concurrency"], settings["UNLADE_CONCURRENCY"]),
            max_bytes=options["max_bytes"],
            max_time=options["max_time"],
            retry_failed=options["retry_failed"],
            dry_run=options["dry_run"],
            wait=options["wait"],
            quiet_hours=options["quiet_hours"],
            only=only_of(options["only"]),
            expect=options["expect"],
            changed=options["changed"] or options["refetch_changed"] or options["final"],
            refetch_changed=options["refetch_changed"],
            final=options["final"],
            from_path=places[0],
            beside=tuple(places[1:]),
            metadata=options["metadata"],
            columns=tuple(name.strip() for name in options["columns"].split(",") if name.strip()),
            date_order=options["date_order"],
            encoding=options["encoding"],
            match=options["match"],
            report=options["report"],
            max_rate=options["max_rate"],
            no_thumbnails=options["no_thumbnails"],
            yes=options["yes"],
            order=ORDERS.get(options["order"], ""),
            write_marker=bool(settings["UNLADE_WRITE_MARKER"]),
        )

    def reporter(self, importer: ContainerImport, options: dict[str, Any]) -> Reporter:
        """A bar on a terminal, plain lines elsewhere."""
        if options["verbosity"] == 0:
            return QuietReporter()
        console = self.console()
        if console.is_terminal:
            return self._bar(importer, options, console)
        return PlainReporter(importer.noun[1])

    def _bar(self, importer: ContainerImport, options: dict[str, Any], console: Console) -> BarReporter:
        from unlade.progressbar import BarReporter

        noun = importer.noun[1].capitalize()
        if options["from_path"]:
            return BarReporter(noun, console)
        from unlade.plan.bar import time_left_of

        rig = self.rigging
        return BarReporter(noun, console, time_left_of(importer, rig), allowance_left(rig))

    def sail(self, importer: ContainerImport, run_options: RunOptions, reporter: Reporter) -> Ended:
        """Run the import with Ctrl-C and SIGTERM bound to it."""
        with ExitLater() as later:
            if isinstance(importer, RecordImport):
                return run_records(importer, self.rigging, run_options, reporter, on_start=later.bind)
            return run_import(importer, self.rigging, run_options, reporter, on_start=later.bind)

    def _pilot_page(self, importer: ContainerImport, ended: Ended, options: dict[str, Any]) -> int:
        """What a pilot learnt, in place of the summary."""
        from unlade.pilot import page, text
        from unlade.pilot.ending import learnt
        from unlade.report.command import paper_options

        if ended.error is not None and ended.exit_code not in (0, 3, 75, 130):
            self.complain(ended.error)
        rig = self.rigging
        found = learnt(importer, ended, rig)
        if options["verbosity"] > 0 and not options["json"]:
            draw = paper_options(self.stdout, options)
            self.say(text.render(found, rig.clock(), zone=rig.zone(), **draw).rstrip())
        if options["json"]:
            self.print_json(ended_json(ended) | {"pilot": page.as_json(found)})
        return ended.exit_code

    def summarise(
        self, importer: ContainerImport, ended: Ended, run_options: RunOptions, options: dict[str, Any]
    ) -> int:
        """The summary for a person, and the JSON object for a program."""
        if run_options.pilot:
            return self._pilot_page(importer, ended, options)
        if ended.error is not None and ended.exit_code not in (0, 3, 75, 130):
            self.complain(ended.error)
        if options["verbosity"] > 0 and not options["json"]:
            from unlade.report.command import known_host
            from unlade.report.summary import run_text

            fancy = self.stdout.isatty() and not os.environ.get("NO_COLOR")
            rig = self.rigging
            budget, host_key = known_host(rig)  # who imports from a file alone has no host
            text = run_text(
                ended.books.run,
                importer,
                rig.clock(),
                budget=budget,
                host_key=host_key,
                zone=rig.zone(),
                fancy=fancy,
            )
            self.say(text)
        if options["json"]:
            self.print_json(ended_json(ended))
        return ended.exit_code


def ended_json(ended: Ended) -> dict[str, Any]:
    """CONTRACT A4's object; records' values that did not fit their columns are counted by field in `misfits`,
    rows of their portals by what they came to in `related`."""
    from unlade.report.runs import run_json

    more: dict[str, Any] = {}
    if isinstance(ended, RecordsEnded):
        more["misfits"] = dict(ended.misfits)
        if ended.related:
            more["related"] = {name: dict(counts) for name, counts in ended.related.items()}
    return run_json(ended.books.run) | more


def allowance_left(rig: Rigging) -> Callable[[], str]:
    """What the tightest limit still leaves, for a bar; looked up every few seconds."""
    seen: list[Any] = [0.0, ""]

    def left() -> str:
        now = time.monotonic()
        if now - seen[0] > 5:
            room = rig.budget().room(rig.clock())
            seen[:] = [now, "" if room is None else f"{format_size(room)} allowed"]
        return str(seen[1])

    return left


def only_of(text: str) -> tuple[str, ...]:
    """The ids of `--only`: `A,B`, or `@FILE` with one on each line. Raises `UsageError`."""
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--only {text}: {error}") from None
    words = text.replace("\r", "\n").replace(",", "\n").split("\n")
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


class ExitLater:
    """Binds signals to a voyage as soon as there is one."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> ExitLater:
        return self

    def bind(self, voyage: Interruptible) -> None:
        """From now on Ctrl-C ends this voyage in order."""
        self._stack.enter_context(interruptible(voyage, _last_words))

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()


def _last_words() -> None:
    # The bar hides the cursor of a terminal.
    cursor = b"\x1b[?25h" if sys.stderr.isatty() else b""
    os.write(2, cursor + b"\nStopped at once; run it again to go on.\n")


def _given(value: Any, default: Any) -> Any:
    return default if value is None else value


__all__ = ["ImportCommand", "UnladeCommand", "declared", "duration_argument", "size_argument"]
