"""The `unlade` command: what can be done without a Django project of one's own."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from unlade import __version__
from unlade.errors import Interrupted, UnladeError
from unlade.standalone import pulling, surveying

if TYPE_CHECKING:
    from rich.console import Console

ABOUT = """\
Takes files out of FileMaker container fields, every one accounted for.

A FileMaker database file holds every picture and document that was put into it. `unlade` reads the closed file itself,
without FileMaker, and proves each file by the digest that the database keeps of it. Where only a host has the file, it
takes them over the Data API, within the host's allowance and at a pace that the host bears. No project to set up."""

EPILOG = """\
examples:
  unlade survey Clinic.fmp12                        what is in it: tables, container fields, files, bytes
  unlade survey https://fm.example.com Clinic       the same of a host: every layout's containers, how many are filled
  unlade pull Clinic.fmp12 --to files               every file into a folder, with a manifest and SHA256SUMS
  unlade pull Clinic.fmp12 Images.photo --to s3://bucket/clinic
  unlade pull --url https://fm.example.com --database Clinic --layout Images --to files
                                                    the same over the Data API, with allowance, breaker and resume
  unlade status files                               where such a pull stands
  unlade verify files/manifest.jsonl files          still there, and the same?
  unlade tables Clinic.fmp12 --to clinic.sqlite     everything else: every table with typed columns
  unlade demo                                       see an import from a (simulated) FileMaker host

exit codes:
  0 done   1 cannot be read or written, or a difference was found   2 wrong usage
  3 done, but some values gave no proven file   75 not now: host resting, allowance spent, somebody else at work
  130 interrupted: the same command goes on

Which way out of FileMaker is right for whom, and how to get a readable file: docs/roads.md"""

_VERIFY = """\
examples:
  unlade verify files/manifest.jsonl files
  unlade verify manifest.jsonl s3://bucket/clinic --json"""

_TABLES = """\
examples:
  unlade tables Clinic.fmp12 --to clinic.sqlite
  unlade tables Clinic.fmp12 --to folder            one JSON Lines file a table
  unlade tables Clinic.fmp12 --to clinic.sqlite --files files/manifest.jsonl

Numbers are numbers, dates are ISO. What was typed and is no date or number is NULL there, and stands as it was typed in
the column `name (as typed)`. Container columns hold the path of the pulled file with --files, else its name."""

_DATASET = """\
examples:
  unlade dataset Clinic.fmp12 host
  python -m fmsim --dataset host                    a Data API with the same records and files"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="unlade", description=ABOUT, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"unlade {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND")

    survey = _verb(verbs, "survey", "say what a database file, or a hosted database, holds", surveying.SURVEY)
    surveying.add_survey(survey)

    pull = _verb(verbs, "pull", "take the files out of a database file, or out of a hosted database", pulling.PULL)
    _of_a_file(pull, optional=True)
    pulling.add_pull(pull)

    status = _verb(verbs, "status", "say where a pull over the Data API stands", pulling.STATUS)
    pulling.add_status(status)

    verify = _verb(verbs, "verify", "prove that pulled files are still there and the same", _VERIFY)
    verify.add_argument("manifest", type=Path, metavar="MANIFEST", help="the manifest.jsonl of a pull")
    verify.add_argument("target", metavar="DIR|URL", help="where the files are")
    verify.add_argument("--json", action="store_true", help="print one JSON object as the last line")

    tables = _verb(verbs, "tables", "take all records out of a database file", _TABLES)
    _of_a_file(tables)
    tables.add_argument("--to", required=True, type=Path, metavar="FILE.sqlite|DIR", help="an SQLite file, or a folder")
    tables.add_argument("--csv", action="store_true", help="into a folder: CSV in place of JSON Lines")
    tables.add_argument("--files", type=Path, metavar="MANIFEST", help="the manifest of a pull of this file")

    dataset = _verb(verbs, "dataset", "write a database file as a folder that the simulator serves", _DATASET)
    _of_a_file(dataset)
    dataset.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")

    demo = verbs.add_parser("demo", help="import real files from a simulated FileMaker host and show the result")
    demo.add_argument("--images", type=int, default=24, metavar="N", help="how many records the host has (24)")
    demo.add_argument("--folder", type=Path, default=Path("unlade-demo"), help="where everything goes (unlade-demo)")
    return top


def _verb(verbs: Any, name: str, about: str, epilog: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return made


def _of_a_file(verb: argparse.ArgumentParser, *, optional: bool = False) -> None:
    nargs = "?" if optional else None
    verb.add_argument("file", type=Path, nargs=nargs, metavar="FILE.fmp12", help="a closed FileMaker database file")
    verb.add_argument("--yes", action="store_true", help="answer every question with yes, for scripts")
    verb.add_argument("--salvage", action="store_true", help="read on behind damage, and say exactly what is lost")
    verb.add_argument(
        "--outside", type=Path, action="append", default=[], metavar="DIR", help="look here too for open storage"
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code (CONTRACT A3)."""
    top = parser()
    given = top.parse_args(arguments)
    if given.verb is None:
        top.print_help()
        return 0
    before = signal.signal(signal.SIGTERM, _interrupt) if hasattr(signal, "SIGTERM") else None
    try:
        return _VERBS[given.verb](given)
    except UnladeError as error:
        return _complain(error, given)
    except KeyboardInterrupt:
        return _complain(Interrupted(), given)
    except OSError as error:
        return _complain(UnladeError(f"{error.filename or given.verb}: {error.strerror or error}."), given)
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _complain(error: UnladeError, given: argparse.Namespace) -> int:
    print(error, file=sys.stderr)
    if error.remedy:
        print(error.remedy, file=sys.stderr)
    if getattr(given, "json", False):
        outcome = {75: "paused", 130: "interrupted"}.get(error.exit_code, "failed")
        print(json.dumps({"outcome": outcome, "reason": str(error), "exit": error.exit_code}, ensure_ascii=False))
    return error.exit_code


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def _print_json(data: dict[str, Any]) -> None:
    print(json.dumps(data, ensure_ascii=False, default=str))


def _survey(given: argparse.Namespace) -> int:
    return surveying.survey(given, _console())


def _pull(given: argparse.Namespace) -> int:
    return pulling.pull(given, _console())


def _status(given: argparse.Namespace) -> int:
    return pulling.status(given, _console())


def _verify(given: argparse.Namespace) -> int:
    from unlade.standalone.targets import open_target
    from unlade.standalone.verify import verify
    from unlade.standalone.words import show_verified, watched

    target = open_target(given.target, write=False)
    try:
        with watched("Files") as tick:
            found = verify(given.manifest, target, tick=tick)
    finally:
        target.close()
    if given.json:
        _print_json(found.as_json())
    else:
        show_verified(_console(), found)
    return found.exit_code


def _tables(given: argparse.Namespace) -> int:
    from unlade.standalone.common import Given
    from unlade.standalone.tables import write_tables

    with Given(given.file, given.yes, given.salvage, tuple(given.outside)).open() as database:
        found = write_tables(database, given.to, manifest=given.files, as_csv=given.csv)
    if given.json:
        _print_json(found.as_json())
    else:
        _console().print(found.line())
    return found.exit_code


def _dataset(given: argparse.Namespace) -> int:
    from unlade.standalone.common import Given
    from unlade.standalone.dataset import write_dataset
    from unlade.standalone.words import watched

    with (
        Given(given.file, given.yes, given.salvage, tuple(given.outside)).open() as database,
        watched("Files") as tick,
    ):
        found = write_dataset(database, given.folder, tick=tick)
    if given.json:
        _print_json(found.as_json())
    else:
        _console().print(found.line())
    return found.exit_code


def _demo(given: argparse.Namespace) -> int:
    from unlade.standalone.demo import run_demo

    return run_demo(given.folder, given.images)


_VERBS = {
    "survey": _survey,
    "pull": _pull,
    "status": _status,
    "verify": _verify,
    "tables": _tables,
    "dataset": _dataset,
    "demo": _demo,
}


if __name__ == "__main__":
    sys.exit(main())
