"""`filemaker_survey`: every container of the database, how many records fill it, and what no declaration takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.errors import UsageError
from unlade.ledger.models import Host
from unlade.report.advice import MANAGE
from unlade.report.command import paper_options
from unlade.survey.covering import Verdict
from unlade.survey.files import survey_files
from unlade.survey.hosting import SAMPLE, Consent, speaking, survey_host
from unlade.survey.keeping import host_for, judged, keep, last_survey, unwaive, waive
from unlade.survey.page import survey_page
from unlade.survey.text import render
from unlade.survey.values import SurveyFound


class Command(UnladeCommand):
    help = (
        "Lists every container field of the database, how many records fill it, and what no declaration takes. "
        "Reads layouts and some records, and no file; says first what that costs. "
        "Example: filemaker_survey --sample 500. Of a database file: filemaker_survey --from Clinic.fmp12."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--full", action="store_true", help="look at every record, not at a sample")
        parser.add_argument("--sample", type=int, default=SAMPLE, metavar="N", help=f"records of a table ({SAMPLE})")
        parser.add_argument(
            "--layout", action="append", default=[], metavar="NAME", help="just this layout; repeatable"
        )
        parser.add_argument(
            "--from", dest="from_path", action="append", default=[], metavar="FILE.fmp12", help="a file; repeatable"
        )
        parser.add_argument("--last", action="store_true", help="show the last survey again; asks nobody")
        parser.add_argument("--html", type=Path, metavar="FILE", help="also write it as one page, for its owner alone")
        parser.add_argument("--waive", default="", metavar="TABLE::FIELD", help="leave this behind, for a --reason")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why it may stay")
        parser.add_argument("--unwaive", default="", metavar="TABLE::FIELD", help="take that back")
        parser.add_argument("--yes", action="store_true", help="answer every question with yes, for scripts")

    def work(self, **options: Any) -> int:
        if options["waive"] or options["unwaive"]:
            return self._decide(options)
        if options["reason"]:
            raise UsageError("--reason belongs to --waive")
        if options["sample"] < 1:
            raise UsageError("--sample must be 1 or more")
        if options["from_path"] and (options["layout"] or options["full"]):
            raise UsageError("--layout and --full speak of a host; a file is always looked at whole")
        host, found = self._found(options)
        return self._show(host, found, options)

    def _found(self, options: dict[str, Any]) -> tuple[Host, SurveyFound]:
        rig = self.rigging
        if options["last"]:
            host = self._host()
            found = last_survey(host)
            if found is None:
                raise UsageError("No survey was made yet", remedy=f"Make one: {MANAGE} filemaker_survey")
            return host, found
        if options["from_path"]:
            found = survey_files([Path(path) for path in options["from_path"]], yes=options["yes"], now=rig.clock())
            host = host_for(rig, found.place)
            return host, keep(host, found)
        return self._ask_host(options)

    def _ask_host(self, options: dict[str, Any]) -> tuple[Host, SurveyFound]:
        rig = self.rigging
        host, only = rig.host(), tuple(dict.fromkeys(options["layout"]))
        kept: list[SurveyFound] = []
        with speaking(self.console(), quiet=options["verbosity"] == 0) as (say, tell):
            survey_host(
                rig,
                only=only,
                sample=options["sample"],
                full=options["full"],
                agree=Consent(say, yes=options["yes"]),
                tell=tell,
                keep=lambda found: kept.append(keep(host, found, only=only)),
            )
        return host, kept[-1]

    def _show(self, host: Host, found: SurveyFound, options: dict[str, Any]) -> int:
        verdicts = judged(host, found)
        command = f"{MANAGE} filemaker_survey"
        if options["html"]:
            from unlade.report.private import write_private

            path = write_private(options["html"], survey_page(found, verdicts, zone=self.rigging.zone()))
            if not options["json"]:
                self.say(f"The page: {path}\n")
        if not options["json"]:
            draw = paper_options(self.stdout, options)
            self.say(render(found, verdicts, zone=self.rigging.zone(), command=command, **draw).rstrip())
        else:
            self.print_json(_as_json(found, verdicts))
        return 0 if found.complete else 1

    def _decide(self, options: dict[str, Any]) -> int:
        host = self._host()
        if options["waive"]:
            waived = waive(host, options["waive"], options["reason"], self.rigging.clock())
            said = f'Waived: {options["waive"]} stays behind ({waived.reason}). Back: --unwaive "{options["waive"]}"'
        else:
            unwaive(host, options["unwaive"])
            said = f"No longer waived: {options['unwaive']}."
        found = last_survey(host)
        left = [v for v in judged(host, found) if v.state == "not covered"] if found else []
        if options["json"]:
            answer = {"outcome": "done", "not_covered": [verdict.as_json() for verdict in left], "exit": 0}
            self.print_json(answer)
        else:
            self.say(said)
            self.say(f"Not covered now: {', '.join(v.name for v in left) or 'nothing'}.")
        return 0

    def _host(self) -> Host:
        """The host that the settings name; without one, that of the last survey."""
        rig = self.rigging
        if rig.settings.text("FILEMAKER_URL") and rig.settings.text("FILEMAKER_DATABASE"):
            return rig.host()
        host = Host.objects.exclude(surveyed_at=None).order_by("-surveyed_at").first()
        return host if host is not None else rig.host()


def _as_json(found: SurveyFound, verdicts: list[Verdict]) -> dict[str, Any]:
    """One object: the survey with a verdict on every field, and apart what is not covered."""
    return {
        "outcome": "done",
        **found.as_json(),
        "fields": [verdict.as_json() for verdict in verdicts],
        "not_covered": [verdict.as_json() for verdict in verdicts if verdict.state == "not covered"],
        "exit": 0 if found.complete else 1,
    }
