"""Base of the `import_filemaker_..._metadata_only` commands."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from unlade.cargo import Wire
from unlade.commands import UnladeCommand
from unlade.errors import UsageError
from unlade.existing.listed import Listing, record_listed
from unlade.existing.reading import Read, read_listed
from unlade.importer import ContainerImport, declared, get_import
from unlade.importing import interruptible
from unlade.ledger.lock import source_lock
from unlade.options import RunOptions
from unlade.progress import PlainReporter, QuietReporter, Reporter
from unlade.progressbar import BarReporter
from unlade.units import format_count


class Stop:
    """What Ctrl-C sets; looked at between two portions of work."""

    def __init__(self) -> None:
        self.asked = False

    def interrupt(self) -> None:
        """End soon."""
        self.asked = True


class Shown:
    """Shows how far it is, with rate and time left: a bar that begins with the first portion."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._began = False

    def note(self, text: str) -> None:
        """A line for a person."""
        self._reporter.note(text)

    def __call__(self, done: int, whole: int) -> None:
        """So many of all are done."""
        if not self._began:
            self._began = True
            self._reporter.begin(whole, 0)
        self._reporter.progress(found=whole, settled=done, kept=0, wire=Wire(), in_hand=0)

    def end(self) -> None:
        """Take the bar away. May be called twice."""
        if self._began:
            self._began = False
            self._reporter.end()


class MetadataOnlyCommand(UnladeCommand):
    """`import_name` fixes the import; without it the command takes the name.

    Exit code 3 when items of this run failed or are quarantined.
    """

    import_name = ""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        if not self.import_name:
            parser.add_argument("name", help="which declared import's files")
        parser.add_argument("--from", dest="from_path", default="", metavar="DIR", help="the export's folder")
        parser.add_argument("--metadata", default="", metavar="FILE", help="the records, as FileMaker exported them")
        parser.add_argument("--prefix", default="", help="where in the store the files lie (default: all of it)")
        parser.add_argument("--match", choices=["record", "id", "path", "md5"], default="", help="what names tell")
        parser.add_argument(
            "--read",
            action="store_true",
            help="with --match md5: read objects whose MD5 the store's listing does not tell",
        )
        parser.add_argument("--columns", default="", metavar="A,B", help="the metadata's columns, without a header")
        parser.add_argument("--date-order", choices=["mdy", "dmy", "ymd"], default="", help="how dates are meant")
        parser.add_argument("--encoding", default="", help="of the metadata, where it cannot be told")
        parser.add_argument("--no-thumbnails", action="store_true", help="read no file; make_thumbnails does it later")
        parser.add_argument(
            "--copy-to-key", action="store_true", help="copy each file to its declared key, in the store"
        )
        parser.add_argument("--report", default="", metavar="FILE", help="write, row by row, what fits (CSV or JSON)")

    def work(self, **options: Any) -> int:
        """List, match, record; then read what was recorded, for thumbnails and digests."""
        if options["from_path"] and options["metadata"]:
            raise UsageError("--from and --metadata name two sources of the same rows", remedy="Give one of them.")
        importer = get_import(self.import_name or options["name"])
        rig, stop, shown = self.rigging, Stop(), self._shown(importer, options)
        store = rig.store()
        try:
            with source_lock(importer.name), interruptible(stop, lambda: None):
                shown.note(f"Listing {store.url} and matching what is there ...")
                listing = record_listed(
                    importer,
                    store,
                    self.run_options(options),
                    prefix=options["prefix"],
                    clock=rig.clock,
                    uploaded_by=rig.settings.text("UNLADE_UPLOADED_BY"),
                    stopped=lambda: stop.asked,
                    progress=shown,
                )
                shown.end()
                read = None
                if not options["no_thumbnails"] or options["copy_to_key"]:
                    read = read_listed(
                        *(importer, rig, store),
                        stopped=lambda: stop.asked,
                        copy=bool(options["copy_to_key"]),
                        progress=shown,
                    )
                    shown.end()
        finally:
            shown.end()
            store.close()
        return self.tell(importer, listing, read, options)

    def _shown(self, importer: ContainerImport, options: dict[str, Any]) -> Shown:
        noun = importer.noun[1]
        if options["verbosity"] == 0:
            return Shown(QuietReporter())
        console = self.console()
        return Shown(BarReporter(noun.capitalize(), console) if console.is_terminal else PlainReporter(noun))

    def run_options(self, options: dict[str, Any]) -> RunOptions:
        """The options that a listing shares with a run."""
        columns = tuple(name.strip() for name in options["columns"].split(",") if name.strip())
        names = ("from_path", "metadata", "match", "date_order", "encoding", "report")
        given = {name: options[name] for name in names}
        return RunOptions(columns=columns, read_objects=options["read"], **given)

    def tell(self, importer: ContainerImport, listing: Listing, read: Read | None, options: dict[str, Any]) -> int:
        """The result for a person, or for a program."""
        from unlade.report.runs import run_json

        run = listing.books.run
        bad = (
            listing.books.this_run()["failed"] + listing.books.this_run()["quarantined"] + (read.damaged if read else 0)
        )
        code = 3 if bad else 0
        if options["json"]:
            body = run_json(run) | {"exit": code, "proof": listing.proof, "findings": listing.findings}
            self.print_json(body | ({"read": read.as_json()} if read else {}))
            return code
        many = importer.noun[1]
        self.say(f"{format_count(listing.matched)} {many} were recorded from the listing; none was moved or copied.")
        for note in listing.notes:
            self.say(note)
        for what, count in listing.findings.items():
            self.say(f"  {format_count(count)}: {what.replace('_', ' ')}")
        if listing.findings and not options["report"]:
            self.say("--report FILE lists each of them.")
        if read is not None:
            self.say(read.text(many))
        else:
            self.say("Their bytes were not read: `make_thumbnails` does that, and proves them.")
        return code


class ThumbnailCommand(UnladeCommand):
    """`make_thumbnails [NAME ...]`. Exit code 3 when files turned out to be damaged, 1 when some could not be read."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("names", nargs="*", metavar="NAME", help="declared imports (default: all of them)")

    def work(self, **options: Any) -> int:
        """One import after the other, each under its lock."""
        importers = [get_import(name) for name in options["names"]] or list(declared().values())
        rig, stop, results = self.rigging, Stop(), {}
        store = rig.store()
        try:
            for importer in importers:
                with source_lock(importer.name), interruptible(stop, lambda: None):
                    results[importer.name] = read = read_listed(importer, rig, store, stopped=lambda: stop.asked)
                if not options["json"]:
                    self.say(read.text(importer.noun[1]))
        finally:
            store.close()
        left, damaged = sum(read.left for read in results.values()), sum(read.damaged for read in results.values())
        code = 1 if left else 3 if damaged else 0
        if options["json"]:
            sources = {name: read.as_json() for name, read in results.items()}
            self.print_json({"outcome": "done", "exit": code, "sources": sources})
        return code
