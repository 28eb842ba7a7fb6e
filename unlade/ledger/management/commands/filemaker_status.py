"""`filemaker_status`: how far every import is, what needs a person, what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.errors import UsageError
from unlade.importer import ContainerImport, get_any_import
from unlade.report import status_markdown, status_text
from unlade.report.command import known_host, paper_options
from unlade.report.sheet import write_sheet
from unlade.report.status import gather
from unlade.report.status_json import status_json
from unlade.report.tally import in_use


class Command(UnladeCommand):
    help = "Shows how far every import is, what needs a person, and what to do next. Asks no host."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("names", nargs="*", metavar="NAME", help="declared imports; all of them by default")
        parser.add_argument("--markdown", action="store_true", help="print it for pasting into a message")
        parser.add_argument("--sheet", type=Path, metavar="FILE", help="also write a contact sheet of one import, HTML")
        parser.add_argument("--sheet-limit", type=int, default=200, metavar="N", help="pictures on the sheet (200)")

    def work(self, **options: Any) -> int:
        imports = {name: get_any_import(name) for name in options["names"]} or in_use()
        rig = self.rigging
        budget, host_key = known_host(rig)
        status = gather(
            imports, rig.clock(), budget=budget, host_key=host_key, zone=rig.zone(), notes=rig.terms().conflicts()
        )
        if options["markdown"]:
            self.say(status_markdown.render(status).rstrip())
        elif not options["json"]:
            self.say(status_text.render(status, **paper_options(self.stdout, options)).rstrip())
        if options["sheet"]:
            self._sheet(imports, options["sheet"], options["sheet_limit"], quiet=options["json"])
        if options["json"]:
            self.print_json(status_json(status))
        return 0

    def _sheet(self, imports: dict[str, ContainerImport], path: Path, limit: int, *, quiet: bool) -> None:
        if len(imports) != 1:
            names = ", ".join(imports)
            raise UsageError("a contact sheet shows one import", remedy=f"Name it: {names}.")
        store = self.rigging.store()
        try:
            sheet = write_sheet(next(iter(imports.values())), store, path, limit, zone=self.rigging.zone())
        finally:
            store.close()
        if not quiet:
            self.say(f"Contact sheet of {sheet.shown} of {sheet.total}: {sheet.path.absolute()}")
