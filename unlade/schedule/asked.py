"""Options that `filemaker_schedule` and `filemaker_daemon` share, and the import command that they come to."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any, TypeVar

from django.core.management import get_commands

from unlade.errors import UsageError
from unlade.governor.quiet import parse_quiet_hours
from unlade.importer import get_any_import
from unlade.schedule.timing import Schedule, parse_daily
from unlade.units import parse_duration, parse_size

T = TypeVar("T")

#: In the place of a name: all declared imports in order, by `import_filemaker_all`.
ALL = "all"


def add_schedule(parser: argparse.ArgumentParser) -> None:
    """`--every` and `--daily`."""
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--every", type=_read(parse_duration), metavar="DURATION", help="time between two runs, 6h")
    when.add_argument("--daily", type=_read(parse_daily), metavar="TIME", help="a run each day at this time, 02:00")


def add_limits(parser: argparse.ArgumentParser) -> None:
    """The import command's limits."""
    parser.add_argument("--limit", type=int, metavar="N", help="start at most N downloads a run")
    parser.add_argument(
        "--max-bytes", type=_read(parse_size), metavar="SIZE", help="transfer at most this a run, 500MB"
    )
    parser.add_argument(
        "--max-time", type=_read(parse_duration), metavar="DURATION", help="at most this long a run, 2h"
    )
    parser.add_argument("--quiet-hours", type=_read(_quiet), metavar="FROM-TO", help="ask nothing then, 08:00-18:00")


def schedule_from(options: Mapping[str, Any]) -> Schedule:
    """The schedule that was asked for. Raises `UsageError`."""
    try:
        return Schedule(options["every"], options["daily"])
    except ValueError as error:
        raise UsageError(str(error), remedy="Say when: --every 6h, or --daily 02:00.") from None


def names_of(words: Sequence[str]) -> list[str]:
    """Declared imports, of files or of records, or `all`: every one of them in order, by one command.

    Raises `UsageError` for a name that is none.
    """
    return list(dict.fromkeys(ALL if word == ALL else get_any_import(word).name for word in words))


def import_words(name: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """The import's own command where there is one, with the limits that were given."""
    own = f"import_filemaker_{name}"
    words = [own] if own in get_commands() else ["import_filemaker", name]
    if options["limit"] is not None:
        words += ["--limit", str(options["limit"])]
    if options["max_bytes"] is not None:
        words += ["--max-bytes", str(options["max_bytes"])]
    if options["max_time"] is not None:
        words += ["--max-time", f"{options['max_time'].total_seconds():g}s"]
    if options["quiet_hours"]:
        words += ["--quiet-hours", options["quiet_hours"]]
    return tuple(words)


def _quiet(text: str) -> str:
    parse_quiet_hours(text, UTC)
    return text


def _read(parse: Callable[[str], T]) -> Callable[[str], T]:
    def typed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed
