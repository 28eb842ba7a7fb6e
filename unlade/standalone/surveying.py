"""The verb `survey` of the command: of a database file, or of a hosted database over the Data API."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlade.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from unlade.fmp12 import DatabaseFile
    from unlade.standalone.survey import Survey
    from unlade.survey.page import Picture
    from unlade.survey.values import SurveyFound

SURVEY = """\
of a database file:
  unlade survey Clinic.fmp12
  unlade survey Clinic.fmp12 --html survey.html     names and counts on one page; no values, no pictures
  unlade survey Clinic.fmp12 --html survey.html --pictures 40
                                                    with sample pictures: for the owner's eyes alone
  unlade survey Clinic.fmp12 --objects --json       read every file too, against its digest

of a hosted database, over the Data API:
  unlade survey https://fm.example.com Clinic       every layout's containers, counted in a sample of the records
  unlade survey https://fm.example.com Clinic --full --layout Images --yes

No file is transferred. What the records cost is said first, and asked for where it is much. The account and its password
come from FILEMAKER_ACCOUNT and FILEMAKER_PASSWORD (or .env), or are asked for; never from the command line. What was
transferred is booked below ~/.unlade/hosts."""

#: Options that mean something for one of the two roads alone, by their names in a namespace.
_OF_A_HOST = (("full", "--full"), ("sample", "--sample"), ("layout", "--layout"))
_OF_A_FILE = (("objects", "--objects"), ("salvage", "--salvage"), ("outside", "--outside"))


def add_survey(verb: argparse.ArgumentParser) -> None:
    """The options of `survey`."""
    verb.add_argument("source", metavar="FILE.fmp12|URL", help="a closed database file, or the address of a host")
    verb.add_argument("database", nargs="?", default="", metavar="DATABASE", help="with a host: the hosted file's name")
    verb.add_argument("--yes", action="store_true", help="answer every question with yes, for scripts")
    verb.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    verb.add_argument("--html", type=Path, metavar="FILE", help="write it as one page, for its owner alone")
    verb.add_argument(
        "--pictures", nargs="?", const=-1, type=_count, metavar="N", help="with --html: sample pictures too (40)"
    )
    file = verb.add_argument_group("of a database file")
    file.add_argument("--objects", action="store_true", help="read every file too, and compare it with its digest")
    file.add_argument("--salvage", action="store_true", help="read on behind damage, and say exactly what is lost")
    file.add_argument("--outside", type=Path, action="append", default=[], metavar="DIR", help="open storage lies here")
    host = verb.add_argument_group("of a host")
    host.add_argument("--full", action="store_true", help="look at every record, not at a sample")
    host.add_argument("--sample", type=_count, metavar="N", help="records of a table that are looked at (200)")
    host.add_argument("--layout", action="append", default=[], metavar="NAME", help="just this layout; repeatable")
    host.add_argument("--state", type=Path, metavar="DIR", help="where what was transferred is booked")


def survey(given: argparse.Namespace, console: Console) -> int:
    """Look at a file or a host; returns the exit code."""
    over_the_api = "://" in given.source or bool(given.database)
    wrong = [option for name, option in (_OF_A_FILE if over_the_api else _OF_A_HOST) if getattr(given, name)]
    if wrong:
        what = "a host" if over_the_api else "a database file"
        raise UsageError(f"{', '.join(wrong)}: not with {what}", remedy="Leave it out.")
    if given.pictures and over_the_api:
        raise UsageError(
            "--pictures is for database files: over the API every picture would be paid for out of the allowance",
            remedy="Take a few first (unlade pull --url ... --limit 20); those are kept, and not fetched again.",
        )
    if given.pictures and given.html is None:
        raise UsageError("--pictures needs --html FILE", remedy="Say where the page is to be written.")
    return _of_host(given) if over_the_api else _of_file(given, console)


def _of_file(given: argparse.Namespace, console: Console) -> int:
    from unlade.standalone.common import Given
    from unlade.standalone.survey import survey as look
    from unlade.standalone.words import show_survey
    from unlade.survey.file import as_found

    asked = Given(Path(given.source), given.yes, given.salvage, tuple(given.outside))
    with asked.open() as database:
        found = look(database, objects=given.objects)
        if given.html is not None:
            pictures = _pictures(database, found, given.pictures) if given.pictures else []
            _write(given.html, as_found([found], datetime.now(UTC)), files=[found], pictures=pictures)
        if given.json:
            _print_json(found.as_json())
        else:
            show_survey(console, found)
    return found.exit_code


def _pictures(database: DatabaseFile, found: Survey, many: int) -> list[Picture]:
    from contextlib import closing

    from unlade.settings import Settings
    from unlade.standalone.lifting import Thumbnails
    from unlade.standalone.pictures import BOX, MANY, sample_pictures

    thumbnails = Thumbnails.by(Settings(dotenv=Path(".env")), BOX)
    with closing(thumbnails.decoders):
        return sample_pictures(database, found, MANY if many < 0 else many, thumbnails.decoders)


def _of_host(given: argparse.Namespace) -> int:
    from rich.console import Console as Screen

    from unlade.standalone.project import connect, host_folder

    url = given.source.rstrip("/")
    if not given.database:
        raise UsageError("The hosted database is not named", remedy=f"unlade survey {url} DATABASE")
    state = given.state or host_folder(url, given.database)
    kept: list[SurveyFound] = []
    with connect(state, {"FILEMAKER_URL": url, "FILEMAKER_DATABASE": given.database}) as rig:
        from unlade.survey.hosting import SAMPLE, Consent, speaking, survey_host
        from unlade.survey.keeping import keep

        host, only = rig.host(), tuple(dict.fromkeys(given.layout))
        with speaking(Screen(stderr=True)) as (say, tell):
            survey_host(
                rig,
                only=only,
                sample=given.sample or SAMPLE,
                full=given.full,
                agree=Consent(say, yes=given.yes),
                tell=tell,
                keep=lambda found: kept.append(keep(host, found, only=only)),
            )
    found = kept[-1]
    if given.html is not None:
        _write(given.html, found)
    if given.json:
        _print_json({"outcome": "done", **found.as_json(), "exit": 0})
    else:
        _show(found)
    return 0


def _show(found: SurveyFound) -> None:
    from unlade.report.paper import fancy_for
    from unlade.survey.covering import verdicts
    from unlade.survey.text import render

    fancy = fancy_for(sys.stdout)
    width = shutil.get_terminal_size((100, 24)).columns if fancy else 100
    text = render(found, verdicts(found, [], []), zone=UTC, judge=False, fancy=fancy, width=width)
    print(text.rstrip())


def _write(path: Path, found: SurveyFound, *, files: Sequence[Survey] = (), pictures: Sequence[Picture] = ()) -> None:
    """Write the page, readable by its owner alone, and say where it is; with pictures also how to be rid of it."""
    from unlade.report.private import write_private
    from unlade.survey.covering import verdicts
    from unlade.survey.page import survey_page

    text = survey_page(found, verdicts(found, [], []), zone=UTC, judge=False, files=files, pictures=pictures)
    written = write_private(path, text)
    print(f"The page: {written}", file=sys.stderr)
    if pictures:
        print("It may show real people, and is for its owner's eyes alone. To delete it:", file=sys.stderr)
        print(f"  {delete_command(written)}", file=sys.stderr)
        if os.name == "nt":
            print("Windows: who may read its folder may read it; keep it in a folder of your own.", file=sys.stderr)


def delete_command(path: Path, system: str = os.name) -> str:
    """What deletes a file at a prompt."""
    return f'del "{path}"' if system == "nt" else f"rm {shlex.quote(str(path))}"


def _print_json(data: dict[str, Any]) -> None:
    print(json.dumps(data, ensure_ascii=False, default=str))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)
