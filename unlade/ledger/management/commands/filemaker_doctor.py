"""`filemaker_doctor`: looks at everything that an import needs, and says what to do about what is wrong."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.consent import agree, is_database
from unlade.doctor.examine import examine, examine_road
from unlade.doctor.lines import Line, as_json, exit_code
from unlade.doctor.text import render
from unlade.errors import UsageError
from unlade.importer import ContainerImport, declared_all, get_any_import
from unlade.options import RunOptions
from unlade.report.advice import import_command
from unlade.report.command import paper_options
from unlade.store import iam_policy


class Command(UnladeCommand):
    help = (
        "Looks at settings, host, layouts, store and disk. Costs a sign-in, a few small pages and no file. With --from "
        "it looks at a database file or an export folder in place of the host. Example: filemaker_doctor images "
        "--expect 6664."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", nargs="?", metavar="NAME", help="a declared import; all of them by default")
        parser.add_argument(
            "--from", dest="from_path", default="", metavar="PATH", help="look at an export folder or a .fmp12 file"
        )
        parser.add_argument("--expect", type=int, metavar="N", help="records that FileMaker Pro shows with full access")
        parser.add_argument("--yes", action="store_true", help="answer every question with yes, for scripts")
        parser.add_argument("--iam-policy", action="store_true", help="print the least policy for the bucket, and end")

    def work(self, **options: Any) -> int:
        settings = self.settings
        if options["iam_policy"]:
            self.say(iam_policy(settings.need("UNLADE_STORE")))
            return 0
        imports = [get_any_import(options["name"])] if options["name"] else list(declared_all().values())
        if options["expect"] is not None and len(imports) != 1:
            raise UsageError("--expect speaks of one import", remedy="Name it: filemaker_doctor images --expect 6664.")
        lines = self._look(imports, options)
        code = exit_code(lines)
        if options["json"]:
            table = [
                {"name": r.setting.name, "value": r.shown or None, "origin": r.origin, "help": r.setting.help}
                for r in settings.all()
            ]
            self.print_json({"lines": as_json(lines), "settings": table, "exit": code})
        else:
            first = "--pilot 50" if imports and imports[0].carries == "files" else "--limit 20"
            more = f"--from {shlex.quote(options['from_path'])} " if options["from_path"] else ""
            command = f"{import_command(imports[0].name)} {more}{first}" if imports else ""
            self.say(render(lines, settings, next_command=command, **paper_options(self.stdout, options)).rstrip())
        return code

    def _look(self, imports: Sequence[ContainerImport], options: dict[str, Any]) -> list[Line]:
        if not options["from_path"]:
            return examine(imports, self.rigging, expect=options["expect"])
        path = Path(options["from_path"])
        if is_database(path):
            agree(path, yes=options["yes"])
        run = RunOptions(from_path=str(path), yes=options["yes"])
        return examine_road(imports, self.rigging, path, run, expect=options["expect"])
