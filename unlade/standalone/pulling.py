"""The verbs `pull` and `status` of the command: their options, and what they do with them."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlade.errors import UsageError
from unlade.units import parse_duration, parse_size

if TYPE_CHECKING:
    from rich.console import Console

    from unlade.progress import Reporter
    from unlade.standalone.hostrequest import Request

PULL = """\
from a database file:
  unlade pull Clinic.fmp12 --to files
  unlade pull Clinic.fmp12 Images --to files --key "{table}/{record}-{field}{ext}"
  unlade pull Clinic.fmp12 Images.photo Documents.scan --to s3://bucket/clinic --yes --json
  unlade pull Clinic.fmp12 --to files --thumbnails 400x400

from a host, over the Data API:
  unlade pull --url https://fm.example.com --database Clinic --layout Images --to files
  unlade pull --url https://fm.example.com --database Clinic --layout Images,Documents photo scan --to s3://bucket/clinic
  unlade pull --url https://fm.example.com --database Clinic --layout Images --to files --limit 20
  unlade pull --to files --allowance 144GB --reset 03-10 --wait

The account and its password come from FILEMAKER_ACCOUNT and FILEMAKER_PASSWORD (or .env), or are asked for; never from
the command line. Every setting of the environment holds (UNLADE_PACE, UNLADE_ALLOWANCE ...). A ledger beside the files
(FOLDER/.unlade/state, for a bucket below ~/.unlade) knows what is here and what it cost. Allowance and breaker are
known for each ledger by itself: what others use of the year is said in UNLADE_ALLOWANCE_USED.

placeholders of --key: {table} {record} {field} {ext}, of a database file {name} too. {table} is the layout over the
API, {field} is `photo(2)` from the second repetition on, {record} of a global value is `global`, {name} the name the
file had. The same command goes on where it was stopped; nothing is fetched or written twice, and no file that is
there is ever replaced. manifest.jsonl and SHA256SUMS lie beside the files; thumbnails are called NAME.thumb.jpg and
stand in the manifest alone, since they can be made again."""

STATUS = """\
examples:
  unlade status files
  unlade status s3://bucket/clinic --json

Nothing is asked of the host."""

#: Options that mean something over the API alone, by their names in a namespace.
_OF_A_HOST = (
    ("url", "--url"),
    ("database", "--database"),
    ("layout", "--layout"),
    ("allowance", "--allowance"),
    ("reset", "--reset"),
    ("limit", "--limit"),
    ("max_bytes", "--max-bytes"),
    ("max_time", "--max-time"),
    ("concurrency", "--concurrency"),
    ("retry_failed", "--retry-failed"),
    ("changed", "--changed"),
    ("wait", "--wait"),
    ("dry_run", "--dry-run"),
)


def add_pull(verb: argparse.ArgumentParser) -> None:
    """The options of `pull` beside those of every verb that reads a file."""
    verb.add_argument(
        "fields", nargs="*", metavar="FIELD", help="just these: TABLE or TABLE.FIELD; LAYOUT.FIELD or FIELD"
    )
    verb.add_argument("--to", required=True, metavar="DIR|URL", help="a folder, or s3://bucket/prefix")
    verb.add_argument("--key", metavar="PATTERN", help="how files are called ({table}/{record}/{field}{ext})")
    verb.add_argument(
        "--thumbnails",
        nargs="?",
        const=(300, 300),
        type=box_argument,
        metavar="WxH",
        help="make thumbnails too, beside the files as NAME.thumb.jpg (300x300)",
    )
    verb.add_argument("--state", type=Path, metavar="DIR", help="where what is known of the pull lies (see below)")
    host = verb.add_argument_group("from a host")
    host.add_argument("--url", default="", metavar="URL", help="address of the host (FILEMAKER_URL)")
    host.add_argument("--database", default="", metavar="NAME", help="the hosted file (FILEMAKER_DATABASE)")
    host.add_argument(
        "--layout", action="append", default=[], metavar="NAME,NAME", help="layouts that show the container fields"
    )
    host.add_argument("--allowance", default="", metavar="SIZE", help="bytes a year allows, 144GB (UNLADE_ALLOWANCE)")
    host.add_argument("--reset", default="", metavar="MM-DD", help="when that year begins (UNLADE_ALLOWANCE_RESET)")
    host.add_argument("--limit", type=_count, metavar="N", help="start at most N downloads")
    host.add_argument("--max-bytes", type=_size, metavar="SIZE", help="transfer at most this, 500MB")
    host.add_argument("--max-time", type=_duration, metavar="DURATION", help="work at most this long, 2h")
    host.add_argument("--concurrency", type=_count, metavar="N", help="downloads at once (UNLADE_CONCURRENCY)")
    host.add_argument("--retry-failed", action="store_true", help="try failures again that are final too")
    host.add_argument("--changed", action="store_true", help="look for edited records too, and fetch their files again")
    host.add_argument("--wait", action="store_true", help="when the host rests, wait and go on instead of ending")
    host.add_argument("--dry-run", action="store_true", help="list and report; fetch and write nothing")


def add_status(verb: argparse.ArgumentParser) -> None:
    """The options of `status`."""
    verb.add_argument("to", metavar="DIR|URL", help="where the files of a pull over the API go")
    verb.add_argument("--state", type=Path, metavar="DIR", help="the pull's --state, where it had one")
    verb.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def pull(given: argparse.Namespace, console: Console) -> int:
    """Pull from a file or from a host; returns the exit code."""
    if given.file is not None and given.file.suffix.lower() in (".fmp12", ".fp7"):
        wrong = [option for name, option in _OF_A_HOST if getattr(given, name)]
        if wrong:
            raise UsageError(f"{', '.join(wrong)}: not with a database file", remedy="Leave out either of them.")
        return _pull_file(given, console)
    if given.url or given.database or given.layout or given.file is None:
        return _pull_host(given, console)
    return _pull_file(given, console)


def _pull_file(given: argparse.Namespace, console: Console) -> int:
    from unlade.settings import Settings
    from unlade.standalone.common import Given, choose
    from unlade.standalone.lifting import Thumbnails
    from unlade.standalone.manifest import made_over_the_api
    from unlade.standalone.pull import PATTERN, Pull, check_key
    from unlade.standalone.pullplan import PLAN
    from unlade.standalone.targets import open_target, state_of
    from unlade.standalone.words import show_pull, watched

    with Given(given.file, given.yes, given.salvage, tuple(given.outside)).open() as database, ExitStack() as stack:
        chosen, pattern = choose(database, given.fields), given.key or PATTERN
        check_key(pattern, chosen)
        if ((given.state or state_of(given.to)) / PLAN).is_file():
            raise UsageError(f"{given.to} holds what was pulled from a host.", remedy="Name another place with --to.")
        target = stack.enter_context(closing(open_target(given.to, write=True, state=given.state)))
        if made_over_the_api(target.manifest):
            raise UsageError(f"{target.url} holds what was pulled from a host.", remedy="Name another place with --to.")
        thumbnails = None
        if given.thumbnails:
            thumbnails = Thumbnails.by(Settings(dotenv=Path(".env")), given.thumbnails)
            stack.callback(thumbnails.decoders.close)
        tick = stack.enter_context(watched("Files"))
        found = Pull(database, target, chosen, pattern=pattern, thumbnails=thumbnails, tick=tick).run()
    if given.json:
        _print_json(
            {**found.as_json(), "file": given.file.name, "target": target.url, "manifest": str(target.manifest)}
        )
    else:
        show_pull(console, found, target.url)
    return found.exit_code


def _pull_host(given: argparse.Namespace, console: Console) -> int:
    from unlade.standalone.hosted import opened
    from unlade.standalone.hostwords import show_host_pull

    request = _request(given)
    with opened(request, known=bool(given.url or given.layout)) as host_pull:
        from unlade.commands import ExitLater

        with ExitLater() as later:
            pulled = host_pull.run(_reporter, on_start=later.bind)
        if given.json:
            _print_json({**pulled.as_json(), **host_pull.places()})
        else:
            show_host_pull(console, pulled, host_pull)
    return pulled.exit_code


def status(given: argparse.Namespace, console: Console) -> int:
    """Say where a pull over the API stands; returns the exit code."""
    from unlade.standalone.hosted import opened
    from unlade.standalone.hostrequest import HostPulled, Request
    from unlade.standalone.hostwords import show_host_pull

    with opened(Request(given.to, state=given.state), known=False, write=False) as host_pull:
        pulled = HostPulled(host_pull.standing())
        if given.json:
            _print_json({"outcome": "done", **pulled.standing.as_json(), **host_pull.places(), "exit": 0})
        else:
            show_host_pull(console, pulled, host_pull)
    return 0


def _request(given: argparse.Namespace) -> Request:
    from unlade.standalone.hostrequest import Request

    for name in ("outside", "salvage"):
        if getattr(given, name):
            raise UsageError(f"--{name} belongs to a database file", remedy="Leave it out.")
    fields = [str(given.file), *given.fields] if given.file is not None else given.fields
    layouts = [part.strip() for text in given.layout for part in text.split(",") if part.strip()]
    return Request(
        to=given.to,
        url=given.url,
        database=given.database,
        layouts=tuple(dict.fromkeys(layouts)),
        fields=tuple(fields),
        key=given.key or "",
        state=given.state,
        thumbnails=given.thumbnails,
        allowance=given.allowance,
        reset=given.reset,
        limit=given.limit,
        max_bytes=given.max_bytes,
        max_time=given.max_time,
        concurrency=given.concurrency,
        retry_failed=given.retry_failed,
        changed=given.changed,
        wait=given.wait,
        dry_run=given.dry_run,
    )


def _reporter(layout: str) -> Reporter:
    from rich.console import Console

    from unlade.progress import PlainReporter
    from unlade.progressbar import BarReporter

    console = Console(stderr=True)
    noun = f"files of {layout}"
    return BarReporter(noun, console) if console.is_terminal else PlainReporter(noun)


def _print_json(data: dict[str, Any]) -> None:
    print(json.dumps(data, ensure_ascii=False, default=str))


def box_argument(text: str) -> tuple[int, int]:
    """A box in pixels for argparse, `300x300`."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and 0 < int(width) <= 10_000 and 0 < int(height) <= 10_000):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write 300x300, or name fields before --thumbnails")
    return int(width), int(height)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
