"""Puts clinics away that have no patient left."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from clinic.patients.archiving import empty_clinics, put_away
from unlade.commands import UnladeCommand
from unlade.people import me
from unlade.report.words import plural

_NOUN = ("clinic", "clinics")


class Command(UnladeCommand):
    help = (
        "Archive clinics all of whose patients are archived. Clinics without patients stay. Taken back by `unarchive`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept with each clinic")
        parser.add_argument("--by", metavar="WHO", default="", help="who decides (default: your account's name)")
        parser.add_argument("--dry-run", action="store_true", help="say which would be archived; change nothing")

    def work(self, **options: Any) -> int:
        clinics, dry = empty_clinics(), bool(options["dry_run"])
        if not dry:
            put_away(clinics, self.rigging.clock(), options["by"] or me(), options["reason"].strip())
        if options["json"]:
            ids = [clinic.filemaker_id or f"pk:{clinic.pk}" for clinic in clinics]
            self.print_json({"outcome": "done", "dry_run": dry, "archived": len(clinics), "clinics": ids, "exit": 0})
            return 0
        self.say(f"{plural(len(clinics), _NOUN)} {'would be archived' if dry else 'archived'}.")
        for clinic in clinics:
            self.say(f"  {clinic}")
        return 0
