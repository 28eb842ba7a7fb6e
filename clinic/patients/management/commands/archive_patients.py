"""Puts inactive patients away once everything of theirs is moved and proven."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from datetime import date
from typing import Any

from django.core.management.base import CommandParser

from clinic.patients.archiving import Sorted, put_away, sort_out
from clinic.patients.models import Patient
from unlade.clearance import OPEN, Clearance, clearance_of, held, imports_of, open_of
from unlade.commands import UnladeCommand
from unlade.errors import UsageError
from unlade.people import me
from unlade.report.advice import MANAGE
from unlade.report.words import plural
from unlade.units import format_count

_NOUN = ("patient", "patients")


def day_argument(text: str) -> date:
    """A day for argparse, `2019-12-31`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write it as 2019-12-31") from None


class Command(UnladeCommand):
    help = (
        "Archive patients without an image, a document or a change of their record in FileMaker since a day. They "
        "vanish from lists and pickers, not from a search by id; their files stay. Who has a file that is pending, "
        "failed, not linked, or not read again by `filemaker_verify --read` is left alone. Taken back by `unarchive`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--inactive-since",
            type=day_argument,
            required=True,
            metavar="DATE",
            help="nothing of theirs from 2019-12-31 on",
        )
        parser.add_argument("--force", action="store_true", help="also those who have something open or unproven")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept with each patient")
        parser.add_argument("--by", metavar="WHO", default="", help="who decides (default: your account's name)")
        parser.add_argument("--yes", action="store_true", help="answer every question with yes, for scripts")
        parser.add_argument("--dry-run", action="store_true", help="say who would be archived; change nothing")

    def work(self, **options: Any) -> int:
        """Sort patients out and archive; the imports' locks are held meanwhile."""
        imports, dry = imports_of(Patient), bool(options["dry_run"])
        if not (dry or options["yes"] or sys.stdin.isatty()):
            raise UsageError("archiving is asked about first", remedy="Say --yes in a script, or --dry-run to look.")
        with nullcontext() if dry else held(imports):
            clearance = clearance_of(imports)
            found = sort_out(options["inactive_since"], clearance)
            forced = [each.patient for each in found.held_back] if options["force"] else []
            whom = [*found.ready, *forced]
            agreed = dry or not whom or options["yes"] or self._ask(len(whom), len(forced))
            if agreed and not dry:
                forced_pks = [patient.pk for patient in forced]
                put_away(whom, self.rigging.clock(), options["by"] or me(), options["reason"].strip(), forced_pks)
        done = len(whom) if agreed else 0
        code = 0 if agreed and (options["force"] or not found.held_back) else 1
        if options["json"]:
            self.print_json(_as_json(found, clearance, done, forced=len(forced), dry=dry, code=code))
        else:
            self._tell(found, clearance, done, forced=len(forced), dry=dry)
        return code

    def _ask(self, count: int, forced: int) -> bool:
        more = f", {format_count(forced)} of them with something open or unproven" if forced else ""
        self.stderr.write(f"Archive {plural(count, _NOUN)}{more}? [y/N] ", self.style.NOTICE, ending="")
        self.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _tell(self, found: Sorted, clearance: Clearance, done: int, *, forced: int, dry: bool) -> None:
        verb = "would be archived" if dry else "archived"
        self.say(f"{plural(done, _NOUN)} {verb}; their files stay where they are.")
        if forced and done:
            self.say(f"  {format_count(forced)} of them although something of theirs is open or unproven.")
        self.say(f"  {format_count(found.active)} are active and stay.")
        if found.undated:
            self.say(f"  {format_count(found.undated)} tell no day at all, neither record nor files: they stay.")
        if found.held_back and not forced:
            self._tell_held_back(found, clearance)

    def _tell_held_back(self, found: Sorted, clearance: Clearance) -> None:
        self.say(f"{plural(len(found.held_back), _NOUN)} are inactive, but not done (--force archives them too):")
        for name in clearance.unlisted:
            self.say(f"  {name} was not listed to its end: nobody knows what it holds for whom")
        counts = open_of([each.standing for each in found.held_back])
        for key, words in OPEN.items():
            if counts[key]:
                self.say(f"  {format_count(counts[key])} with something {words}")
        for each in [each for each in found.held_back if not each.standing.clear][:5]:
            self.say(f"  patient {each.patient.pk} ({each.patient.filemaker_id}): {each.standing}")
        if len(found.held_back) > 5:
            self.say("  --json names all of them.")
        self.say("What is open, and what proves it:")
        self.say(f"  {MANAGE} filemaker_worklist\n  {MANAGE} filemaker_verify --read")


def _as_json(found: Sorted, clearance: Clearance, done: int, *, forced: int, dry: bool, code: int) -> dict[str, Any]:
    return {
        "outcome": "done" if code == 0 else "failed",
        "dry_run": dry,
        "archived": done,
        "forced": forced,
        "active": found.active,
        "undated": found.undated,
        "held_back": [
            {"pk": each.patient.pk, "id": each.patient.filemaker_id, "open": dict(each.standing.open)}
            for each in found.held_back
        ],
        "unlisted": clearance.unlisted,
        "exit": code,
    }
