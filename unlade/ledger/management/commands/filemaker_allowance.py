"""`filemaker_allowance`: what was transferred, what is reserved, what is left, and when it is reset; sets it too."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand, size_argument
from unlade.errors import UsageError
from unlade.governor.periods import parse_reset
from unlade.ledger.agreed import CAN_UNSET, Entered, choose_factor, enter_reading, set_terms, unset_terms
from unlade.report.allowance import as_json, gather_books, render
from unlade.report.command import known_host, paper_options
from unlade.report.words import stamp
from unlade.rigging import Rigging
from unlade.units import format_size


def _reset(text: str) -> str:
    try:
        month, day = parse_reset(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return f"{month:02}-{day:02}"


def _share(text: str) -> Decimal:
    try:
        share = Decimal(text.rstrip("% ")) / 100
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; write it like 10%") from None
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be from 0 % to below 100 %")
    return share


def _factor(text: str) -> Decimal | None:
    if text == "auto":
        return None
    try:
        factor = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is no factor; write auto, 0, 1 or a number between") from None
    if not 0 <= factor <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be from 0 to 1")
    return factor


class Command(UnladeCommand):
    help = (
        "Shows and sets the allowance: used, reserved and left for every limit, and the last runs' books. Asks no host."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        actions = parser.add_subparsers(dest="action", metavar="show|set|unset|console|factor")
        names = ("show", "set", "unset", "console", "factor")
        show, set_, unset, console, factor = (actions.add_parser(name, help=_HELP[name]) for name in names)
        for sub in (show, set_, unset, console, factor):
            sub.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
        set_.add_argument(
            "--annual", type=size_argument, metavar="SIZE", help="bytes that a contract year allows, 144GB"
        )
        set_.add_argument("--reset", type=_reset, metavar="MM-DD", help="when the contract year begins, 03-10")
        set_.add_argument("--reserve", type=_share, metavar="SHARE", help="share of the year that is kept back, 10%%")
        for period in ("month", "day", "hour"):
            set_.add_argument(f"--{period}", type=size_argument, metavar="SIZE", help=f"most bytes in one {period}")
        set_.add_argument("--used", type=size_argument, metavar="SIZE", help="what the Admin Console shows now, '2 GB'")
        unset.add_argument("names", nargs="+", choices=CAN_UNSET, metavar="NAME", help=", ".join(CAN_UNSET))
        console.add_argument("used", type=size_argument, metavar="SIZE", help="'2.4 GB': total of all hosts")
        console.add_argument(
            "--at", metavar="TIME", help="when it was read, '2026-11-25 09:00' (UNLADE_TIME_ZONE); now"
        )
        factor.add_argument("factor", type=_factor, metavar="auto|0|1", help="what a container byte weighs")

    def work(self, **options: Any) -> int:
        rig, action = self.rigging, options["action"]
        if action not in (None, "show"):
            getattr(self, f"_{action}")(rig, options)
        budget, host_key = known_host(rig)
        books = gather_books(rig.clock(), budget=budget, host_key=host_key, terms=rig.terms())
        if options["json"]:
            self.print_json(as_json(books))
        else:
            self.say(render(books, rig.clock(), rig.zone(), **paper_options(self.stdout, options)).rstrip())
        return 0

    def _set(self, rig: Rigging, options: dict[str, Any]) -> None:
        names = ("annual", "reset", "reserve", "month", "day", "hour")
        values = {name: options[name] for name in names}
        if options["used"] is None or any(value is not None for value in values.values()):
            set_terms(rig.host(), values)
        if options["used"] is not None:
            self._enter(rig, options["used"], rig.clock())
        terms = rig.terms()
        if terms.annual.value is not None and terms.reset.origin == "default":
            self.stderr.write("The contract year is taken to begin on 1 January: --reset 03-10 says otherwise.")

    def _unset(self, rig: Rigging, options: dict[str, Any]) -> None:
        unset_terms(rig.host(), options["names"])

    def _console(self, rig: Rigging, options: dict[str, Any]) -> None:
        self._enter(rig, options["used"], _moment(rig, options["at"]) if options["at"] else rig.clock())

    def _factor(self, rig: Rigging, options: dict[str, Any]) -> None:
        choose_factor(rig.host(), options["factor"])

    def _enter(self, rig: Rigging, used: int, at: datetime) -> None:
        entered: Entered = enter_reading(rig.host(), used, at, rig.clock(), rig.year().window(at))
        if entered.fell_from is not None:
            self.stderr.write(
                f"{format_size(used)} at {stamp(at, rig.zone())} is less than the {format_size(entered.fell_from)} "
                f"read before it. Was the meter reset? Then correct `set --reset` (now {rig.terms().reset.value})."
            )


_HELP = {
    "show": "show it (also without a word)",
    "set": "set limits; they go before UNLADE_ALLOWANCE and its like",
    "unset": "let the settings speak again",
    "console": "enter what the Admin Console shows",
    "factor": "say whether container bytes count: 1 they do, 0 they do not, auto as the readings show",
}


def _moment(rig: Rigging, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is no time", remedy="Write it like '2026-11-25 09:00'.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=rig.zone())).astimezone(UTC)
