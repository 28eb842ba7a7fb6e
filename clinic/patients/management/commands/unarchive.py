"""Takes patients or clinics out of the archive."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from clinic.patients.archiving import named, take_out
from clinic.patients.models import Clinic, Patient
from unlade.commands import UnladeCommand
from unlade.ledger.finding import ids_of
from unlade.people import me
from unlade.report.words import plural


class Command(UnladeCommand):
    help = (
        "Take patients (or, with --clinics, clinics) out of the archive. A patient's clinic comes out with the patient."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "ids", nargs="+", metavar="ID", help="FileMaker's ids; several, ID,ID or @FILE; our primary key as pk:17"
        )
        parser.add_argument("--clinics", action="store_true", help="the ids are of clinics")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept with each")
        parser.add_argument("--by", metavar="WHO", default="", help="who decides (default: your account's name)")

    def work(self, **options: Any) -> int:
        model: type[Patient] | type[Clinic] = Clinic if options["clinics"] else Patient
        rows = named(model, ids_of(options["ids"]))
        done = take_out(rows, self.rigging.clock(), options["by"] or me(), options["reason"].strip())
        if options["json"]:
            self.print_json({"outcome": "done", "asked": len(rows), "taken_out": done, "exit": 0})
            return 0
        noun = (str(model._meta.verbose_name), str(model._meta.verbose_name_plural))
        self.say(f"{plural(done, noun)} taken out of the archive.")
        if done < len(rows):
            self.say(f"  {len(rows) - done:,} were not archived.")
        return 0
