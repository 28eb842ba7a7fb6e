"""`filemaker_doctor`: looks at everything that an import needs, and says what to do about what is wrong."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.doctor.examine import examine
from unlade.doctor.lines import as_json, exit_code
from unlade.doctor.text import render
from unlade.importer import declared_all, get_any_import
from unlade.report.advice import import_command
from unlade.report.command import paper_options
from unlade.store import iam_policy


class Command(UnladeCommand):
    help = "Looks at settings, host, layouts, store and disk. Costs a sign-in, a few small pages and no file."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", nargs="?", metavar="NAME", help="a declared import; all of them by default")
        parser.add_argument("--iam-policy", action="store_true", help="print the least policy for the bucket, and end")

    def work(self, **options: Any) -> int:
        settings = self.settings
        if options["iam_policy"]:
            self.say(iam_policy(settings.need("UNLADE_STORE")))
            return 0
        imports = [get_any_import(options["name"])] if options["name"] else list(declared_all().values())
        lines = examine(imports, self.rigging)
        code = exit_code(lines)
        if options["json"]:
            table = [
                {"name": r.setting.name, "value": r.shown or None, "origin": r.origin, "help": r.setting.help}
                for r in settings.all()
            ]
            self.print_json({"lines": as_json(lines), "settings": table, "exit": code})
        else:
            command = f"{import_command(imports[0].name)} --limit 20" if imports else ""
            self.say(render(lines, settings, next_command=command, **paper_options(self.stdout, options)).rstrip())
        return code
