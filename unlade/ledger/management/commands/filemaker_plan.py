"""`filemaker_plan`: every way to get the rest, with its date, bytes and price, and which one to take."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand, size_argument
from unlade.errors import SettingsError
from unlade.governor.budget import Budget, opened
from unlade.importer import get_any_import
from unlade.ledger.models import Host
from unlade.plan import markdown, text
from unlade.plan.as_json import plan_json
from unlade.plan.compare import compare
from unlade.plan.next import command_for
from unlade.plan.past import used_so_far
from unlade.plan.plot import write_plot
from unlade.plan.roads import Market, Speeds
from unlade.plan.stock import file_rates, upload_speed
from unlade.report.command import paper_options
from unlade.report.tally import in_use
from unlade.rigging import Rigging


def speed_argument(value: str) -> int:
    """Bytes a second for argparse, `20MB/s`."""
    amount = size_argument(value.strip().removesuffix("/s"))
    if amount <= 0:
        raise argparse.ArgumentTypeError(f"{value!r} is no speed; write it like 20MB/s")
    return amount


def price_argument(value: str) -> Decimal:
    """An amount of money for argparse, `60` or `59.90`."""
    try:
        price = Decimal(value)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{value!r} is no price; write it like 60 or 59.90") from None
    if not price.is_finite() or price < 0:
        raise argparse.ArgumentTypeError(f"{value!r} is no price; write it like 60 or 59.90")
    return price


def block_argument(value: str) -> int:
    """A block of allowance for argparse, `24GB`."""
    size = size_argument(value)
    if size <= 0:
        raise argparse.ArgumentTypeError("a block of nothing helps nobody; write it like 24GB")
    return size


class Command(UnladeCommand):
    help = (
        "Compares the ways to get the rest: by hand, scheduled, at once, by export, with a larger plan. Asks no host."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("names", nargs="*", metavar="NAME", help="declared imports; all of them by default")
        parser.add_argument("--markdown", action="store_true", help="print it for pasting into a message")
        parser.add_argument(
            "--plot", type=Path, metavar="FILE", help="also draw it: FILE.png or FILE.svg (unlade[plot])"
        )
        parser.add_argument("--upload-speed", type=speed_argument, metavar="SPEED", help="to the store, 20MB/s")
        parser.add_argument("--disk-speed", type=speed_argument, metavar="SPEED", help="of an export by hand, 50MB/s")
        parser.add_argument(
            "--block-price", type=price_argument, metavar="MONEY", help="of a block of allowance a year"
        )
        parser.add_argument("--block-size", type=block_argument, metavar="SIZE", help="that a block is, 24GB")

    def work(self, **options: Any) -> int:
        imports = {name: get_any_import(name) for name in options["names"]} or in_use()
        rig = self.rigging
        budget, host = _host(rig)
        found = compare(
            imports,
            budget,
            rig.clock(),
            rig.zone(),
            host=host,
            speeds=_speeds(imports, options),
            market=_market(rig, options),
            quiet=rig.quiet_hours(),
        )
        command = command_for(found)
        if options["plot"]:
            write_plot(found, options["plot"], used_so_far(host, budget, found.now))
            self.stderr.write(f"Drawn: {options['plot'].absolute()}")
        if options["json"]:
            self.print_json(plan_json(found, command))
        elif options["markdown"]:
            self.say(markdown.render(found, command).rstrip())
        else:
            self.say(text.render(found, command, **paper_options(self.stdout, options)).rstrip())
        return 0


def _host(rig: Rigging) -> tuple[Budget, Host | None]:
    """The books; a budget without limits while nobody has said which host it is."""
    try:
        return rig.budget(), rig.host()
    except SettingsError:
        if rig.settings.text("FILEMAKER_URL") and rig.settings.text("FILEMAKER_DATABASE"):
            raise
        return opened(rig.limits(), rig.clock()), None


def _speeds(imports: Any, options: dict[str, Any]) -> Speeds:
    upload, disk = options["upload_speed"], options["disk_speed"]
    speeds = Speeds()
    measured, learnt = upload_speed(imports), file_rates(imports)
    return Speeds(
        file=learnt or speeds.file,
        file_from="as in the last imports from one" if learnt else "assumed",
        upload=(upload, upload)
        if upload
        else (measured, max(measured, speeds.upload[1]))
        if measured
        else speeds.upload,
        disk=(disk, disk) if disk else speeds.disk,
        upload_from="given" if upload else "at least, by the last runs" if measured else "assumed",
        disk_from="given" if disk else "assumed",
    )


def _market(rig: Rigging, options: dict[str, Any]) -> Market:
    price, size = options["block_price"], options["block_size"]
    return Market(
        size=size or rig.settings["UNLADE_BLOCK_SIZE"],
        price=rig.settings["UNLADE_BLOCK_PRICE"] if price is None else price,
    )
