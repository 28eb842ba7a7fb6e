"""`filemaker_allowance`: what was transferred, what is reserved, what is left, and when it is reset."""

from __future__ import annotations

from typing import Any

from unlade.commands import UnladeCommand
from unlade.report.allowance import as_json, gather_books, render
from unlade.report.command import known_host, paper_options


class Command(UnladeCommand):
    help = "Shows the allowance: used, reserved and left for every limit, and the last runs' books. Asks no host."

    def work(self, **options: Any) -> int:
        rig = self.rigging
        budget, host_key = known_host(rig)
        books = gather_books(rig.clock(), budget=budget, host_key=host_key)
        if options["json"]:
            self.print_json(as_json(books))
        else:
            self.say(render(books, rig.clock(), rig.zone(), **paper_options(self.stdout, options)).rstrip())
        return 0
