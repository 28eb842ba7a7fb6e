"""`filemaker_verify`: do source, ledger, rows and store agree? Names what does not, and what to type for it."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from unlade.against import compare
from unlade.commands import UnladeCommand
from unlade.errors import UsageError
from unlade.fileroad import open_database
from unlade.importer import ContainerImport, get_any_import, get_import
from unlade.ledger.models import Source
from unlade.mending import mendings
from unlade.options import RunOptions
from unlade.records.declaring import RecordImport
from unlade.report.command import paper_options
from unlade.report.private import write_private
from unlade.report.tally import in_use
from unlade.store import Store
from unlade.verify.check import Verdict, check, stored_items
from unlade.verify.page import as_json, render
from unlade.verify.progress import ReadingShown
from unlade.verify.reading import Progress as Step
from unlade.verify.reading import read_all
from unlade.verify.records import check_records


class Command(UnladeCommand):
    help = (
        "Compares the source's count, the ledger, the rows and the store, by one listing; --read also reads every "
        "file again. Asks no FileMaker. Exit code 1 when something differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("names", nargs="*", metavar="NAME", help="declared imports; all of them by default")
        parser.add_argument("--read", action="store_true", help="read every object and compare its sha256")
        parser.add_argument("--again", action="store_true", help="with --read or --against: begin anew")
        parser.add_argument(
            "--against",
            type=Path,
            action="append",
            metavar="FILE.fmp12",
            help="prove one import by the database file: bytes, rows, owners; more than once for several files",
        )
        parser.add_argument("--yes", action="store_true", help="answer every question with yes, for scripts")
        parser.add_argument("--report", type=Path, metavar="FILE", help="write all findings to FILE (.json: as JSON)")

    def work(self, **options: Any) -> int:
        if options["again"] and not (options["read"] or options["against"]):
            raise UsageError("--again belongs to --read and --against")
        if options["against"]:
            return self._against(options)
        imports = {name: get_any_import(name) for name in options["names"]} or in_use()
        quiet = options["verbosity"] == 0
        verdicts: dict[str, Verdict] = {}
        with ExitStack() as stack:
            store: Store | None = None  # records have none
            for name, each in imports.items():
                if isinstance(each, RecordImport):
                    verdicts[name] = check_records(each)
                    continue
                store = store or stack.enter_context(closing(self.rigging.store()))
                verdicts[name] = self._verify(each, store, options, quiet)
        pages = {name: as_json(verdict) for name, verdict in verdicts.items()}
        code = max((verdict.exit_code for verdict in verdicts.values()), default=0)
        if options["report"]:
            path = write_private(options["report"], self._report(options["report"], imports, verdicts, pages))
            if not options["json"]:
                self.say(f"All findings: {path}\n")
        if options["json"]:
            outcome = "done" if code == 0 else "failed"
            one = next(iter(pages.items())) if len(pages) == 1 else None
            head = {"source": one[0], "outcome": outcome, **one[1]} if one else {"outcome": outcome, "exit": code}
            self.print_json(head if one else head | {"sources": pages})
        else:
            draw = paper_options(self.stdout, options)
            for name, verdict in verdicts.items():
                self.say(render(verdict, imports[name], zone=self.rigging.zone(), **draw).rstrip())
        return code

    def _against(self, options: dict[str, Any]) -> int:
        """Compare one import with a database file; nothing is asked of FileMaker."""
        paths: list[Path] = options["against"]
        if len(options["names"]) != 1 or options["read"] or not all(path.is_file() for path in paths):
            raise UsageError("--against takes one import and a file that is there; it reads everything anyway")
        importer = get_import(options["names"][0])
        with ExitStack() as stack:
            store = stack.enter_context(closing(self.rigging.store()))
            run = RunOptions(yes=options["yes"])
            files = [stack.enter_context(closing(open_database(path, importer, run))) for path in paths]
            shown = stack.enter_context(ReadingShown(self.console(), quiet=options["verbosity"] == 0))
            found = compare(
                importer,
                store,
                *files,
                again=options["again"],
                clock=self.rigging.clock,
                tick=lambda done, total, size: shown(Step(done, total, size)),
            )
        if options["report"]:
            write_private(options["report"], json.dumps(found.as_json(), ensure_ascii=False, indent=1) + "\n")
        if options["json"]:
            self.print_json(found.as_json())
        else:
            for one in found.findings[:50]:
                self.say(str(one))
            if len(found.findings) > 50:
                self.say(f"... and {len(found.findings) - 50:,} more; --report FILE has them all")
            self.say(found.line())
            told = ((one.kind, one.record_id, one.slot) for one in found.findings)
            for mending in mendings(importer.name, told, paths):
                first = "" if mending.many == 1 else f" (the first of {mending.many:,})"
                self.say("\n".join([f"\n{mending.sentence}{first}", *(f"    {line}" for line in mending.commands)]))
        return found.exit_code

    def _verify(self, importer: ContainerImport, store: Store, options: dict[str, Any], quiet: bool) -> Verdict:
        with ReadingShown(self.console(), quiet=quiet) as shown:
            verdict = check(importer, store, on_step=shown.step)
            source = Source.objects.filter(name=importer.name).first()
            if options["read"] and source is not None:
                verdict.reading = read_all(
                    stored_items(source),
                    source,
                    store,
                    again=options["again"],
                    skip=verdict.without_object,
                    clock=self.rigging.clock,
                    on_progress=shown,
                )
                verdict.findings += verdict.reading.findings
        return verdict

    def _report(
        self, path: Path, imports: dict[str, ContainerImport], verdicts: dict[str, Verdict], pages: dict[str, Any]
    ) -> str:
        if path.suffix.lower() == ".json":
            return json.dumps({"sources": pages}, ensure_ascii=False, indent=1) + "\n"
        zone = self.rigging.zone()
        return "\n".join(render(verdict, imports[name], zone=zone, most=None) for name, verdict in verdicts.items())
