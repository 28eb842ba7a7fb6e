"""`filemaker_schedule`: shows, installs and removes the scheduler's entries that run imports by themselves."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.core.management.base import CommandParser
from dotenv import dotenv_values

from unlade.commands import UnladeCommand, duration_argument
from unlade.errors import UsageError
from unlade.report.tally import in_use
from unlade.schedule import surroundings
from unlade.schedule.asked import add_limits, add_schedule, import_words, names_of, schedule_from
from unlade.schedule.cron import Cron
from unlade.schedule.doing import Doer, machine_time
from unlade.schedule.entry import Entry, Place, ident_of, program
from unlade.schedule.launchd import Launchd
from unlade.schedule.scheduler import Scheduler
from unlade.schedule.steps import Step, as_json, shown
from unlade.schedule.systemd import Systemd
from unlade.schedule.taskscheduler import TaskScheduler
from unlade.schedule.trial import Trial, verdict

SCHEDULERS: dict[str, Scheduler] = {each.name: each for each in (Cron(), Systemd(), Launchd(), TaskScheduler())}

#: Seconds that a trial may take to start, and to end; cron looks at its tables once a minute.
TO_START, TO_END = 150.0, 120.0


class Command(UnladeCommand):
    help = "Shows, installs or removes the entries that run imports by themselves: cron, systemd, launchd, Windows."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=["show", "install", "remove"])
        parser.add_argument(
            "names", nargs="*", metavar="NAME", help="declared imports, or `all`: all in order, by one entry"
        )
        parser.add_argument(
            "--as", dest="scheduler", choices=sorted(SCHEDULERS), help="the scheduler (this machine's usual one)"
        )
        add_schedule(parser)
        add_limits(parser)
        parser.add_argument("--no-trial", action="store_true", help="do not start it once after installing")
        parser.add_argument(
            "--wait-for", type=duration_argument, metavar="DURATION", help="how long a trial may take to start (150s)"
        )

    def work(self, **options: Any) -> int:
        """Show, do, try out."""
        names = names_of(options["names"]) or list(in_use())
        if not names:
            raise UsageError("no import is declared")
        scheduler = SCHEDULERS[options["scheduler"] or usual()]
        place = this_place()
        if options["action"] == "remove":
            steps = [step for name in names for step in scheduler.remove(ident_of(name, folder()), place)]
            self._show(steps, options)
            Doer().do(steps)
            self._said(options, f"Removed from {scheduler.name}: {', '.join(names)}.")
            return self._end(0, scheduler, steps, [], options)
        entries = [self._entry(name, options) for name in names]
        steps = [step for entry in entries for step in scheduler.install(entry, place)]
        notes = [*self._warnings(entries), *_once(n for entry in entries for n in scheduler.notes(entry, place))]
        self._show(steps, options, notes)
        if options["action"] == "show":
            return self._end(0, scheduler, steps, notes, options)
        Doer().do(steps)
        self._said(options, f"Installed in {scheduler.name}: {', '.join(names)}, {entries[0].schedule}.")
        code = 0
        if not options["no_trial"]:
            for entry in entries:
                code = max(code, self._try_out(entry, scheduler, place, options, notes))
        return self._end(code, scheduler, steps, notes, options)

    def _entry(self, name: str, options: dict[str, Any]) -> Entry:
        schedule = schedule_from(options)
        log = str(self.rigging.log_folder() / f"{name}.log")
        words = import_words(name, options)
        settings_module = os.environ.get("DJANGO_SETTINGS_MODULE")
        command = (
            *program(sys.argv, sys.executable),
            *words,
            *(("--settings", settings_module) if settings_module else ()),
            "--log",
            log,
        )
        return Entry(name, ident_of(name, folder()), schedule, command, str(folder()), log)

    def _warnings(self, entries: list[Entry]) -> list[str]:
        settings = self.settings
        dotenv = Path(getattr(django_settings, "UNLADE_DOTENV", None) or folder() / ".env")
        spool = settings.text("UNLADE_SPOOL")
        said = surroundings.warnings(
            os.environ,
            dotenv_values(dotenv) if dotenv.is_file() else {},
            dotenv_path=str(dotenv),
            paths=[sys.executable, str(folder()), entries[0].log, *([spool] if spool else [])],
            home=str(Path.home()),
            now=self.rigging.clock(),
            mac=sys.platform == "darwin",
            store=settings.text("UNLADE_STORE"),
        )
        local, zone = machine_time(), self.rigging.zone()
        if entries[0].schedule.daily and local.utcoffset() != local.astimezone(zone).utcoffset():
            said.append(
                f"--daily goes by the machine's clock ({local:%H:%M} {local.tzname()} now), not by UNLADE_TIME_ZONE "
                f"({local.astimezone(zone):%H:%M} {local.astimezone(zone).tzname()} now)."
            )
        return said

    def _try_out(
        self, entry: Entry, scheduler: Scheduler, place: Place, options: dict[str, Any], notes: list[str]
    ) -> int:
        """Start the entry once, through its scheduler, and tell what came of it."""
        to_start = options["wait_for"].total_seconds() if options["wait_for"] else TO_START
        self._said(options, f"Trying out {entry.name}: waiting for {scheduler.name} to start it ...")
        doer = Doer()
        with Trial(entry, time.time, time.sleep) as trial:
            try:
                doer.do(scheduler.start(entry, place, machine_time()))
                found = trial.wait(to_start, 0)
            finally:
                doer.do(scheduler.started(entry, place))
            if found.started:
                found = trial.wait(0, TO_END)
        names = [each.setting.name for each in self.settings.all() if each.origin != "default"]
        code, lines = verdict(found, surroundings.present(names, os.environ), scheduler.name, scheduler.hints)
        notes += lines
        for line in lines:
            self._said(options, line)
        if code:
            self._said(options, "It stays installed; `filemaker_schedule remove` takes it away.")
        return code

    def _show(self, steps: list[Step], options: dict[str, Any], notes: list[str] | None = None) -> None:
        for step in steps:
            for line in shown(step):
                self._said(options, line)
        for note in notes or []:
            self._said(options, f"Note: {note}")

    def _said(self, options: dict[str, Any], line: str) -> None:
        if not options["json"]:
            self.say(line)

    def _end(
        self, code: int, scheduler: Scheduler, steps: list[Step], notes: list[str], options: dict[str, Any]
    ) -> int:
        if options["json"]:
            done = [as_json(step) for step in steps]
            self.print_json({"scheduler": scheduler.name, "steps": done, "notes": notes, "exit": code})
        return code


def usual() -> str:
    """The scheduler that this kind of machine has."""
    if sys.platform == "darwin":
        return "launchd"
    if sys.platform == "win32":
        return "taskscheduler"
    return "cron" if shutil.which("crontab") or not shutil.which("systemctl") else "systemd"


def this_place() -> Place:
    """The account that this runs in."""
    uid = os.getuid() if hasattr(os, "getuid") else 0
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = ""
    if sys.platform == "win32" and os.environ.get("USERDOMAIN"):
        user = f"{os.environ['USERDOMAIN']}\\{user}"
    return Place(str(Path.home()), user, uid, system=uid == 0 and sys.platform != "win32")


def folder() -> Path:
    """The project's folder: where manage.py lies, else where the command was called."""
    script = Path(sys.argv[0]).absolute() if sys.argv and sys.argv[0] else None
    return script.parent if script is not None and script.name == "manage.py" else Path.cwd()


def _once(lines: Any) -> list[str]:
    return list(dict.fromkeys(lines))
