"""`filemaker_status`: how far every import is, what needs a person, what to do next."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from unlade.importer import declared, get_import
from unlade.report import status_markdown, status_text
from unlade.report.paper import fancy_for
from unlade.report.status import gather
from unlade.report.status_json import status_json


class Command(BaseCommand):
    help = "Shows how far every import is, what needs a person, and what to do next. Asks no host."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="declared imports; all of them by default")
        parser.add_argument("--json", action="store_true", help="one JSON object")
        parser.add_argument("--markdown", action="store_true", help="for pasting into a message")

    def handle(self, *args: Any, **options: Any) -> None:
        imports = {name: get_import(name) for name in options["names"]} or declared()
        status = gather(imports, datetime.now(UTC))
        if options["json"]:
            self.stdout.write(json.dumps(status_json(status)))
        elif options["markdown"]:
            self.stdout.write(status_markdown.render(status))
        else:
            fancy = fancy_for(self.stdout, no_color=options["no_color"]) or options["force_color"]
            width = shutil.get_terminal_size((80, 24)).columns if fancy else 80
            self.stdout.write(status_text.render(status, fancy=fancy, width=width))
