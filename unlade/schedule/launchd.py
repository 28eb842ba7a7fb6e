"""An entry as a launch agent of macOS. Source: launchd.plist(5), launchctl(1).

`StartCalendarInterval` makes up for a run that fell into the machine's sleep, `StartInterval` does not.
"""

from __future__ import annotations

import plistlib
from datetime import datetime
from typing import Any

from unlade.errors import UsageError
from unlade.schedule.entry import MARK, Entry, Place
from unlade.schedule.steps import DeleteFile, MakeFolder, Run, Step, WriteFile


def label(ident: str) -> str:
    """The agent's name."""
    return f"org.unlade.{ident}"


def agent(entry: Entry) -> dict[str, Any]:
    """The agent's keys. Raises `UsageError` for parts of a minute."""
    return {
        "Label": label(entry.ident),
        "ProgramArguments": list(entry.command),
        "WorkingDirectory": entry.folder,
        **when(entry),
        "StandardOutPath": entry.output,
        "StandardErrorPath": entry.output,
        "ProcessType": "Background",
        "ExitTimeOut": 60,
        "Umask": 0o077,
    }


def when(entry: Entry) -> dict[str, Any]:
    """By the calendar where the schedule divides a day, else by an interval."""
    schedule, offset = entry.schedule, entry.offset
    if schedule.daily is not None:
        return {"StartCalendarInterval": {"Hour": schedule.daily.hour, "Minute": schedule.daily.minute}}
    minutes = schedule.minutes
    if not minutes:
        raise UsageError("--every must be a whole number of minutes here", remedy="filemaker_daemon takes seconds.")
    if minutes < 60 and 60 % minutes == 0:
        return {"StartCalendarInterval": [{"Minute": m} for m in range(offset % minutes, 60, minutes)]}
    if minutes % 60 == 0 and 24 % (minutes // 60) == 0:
        return {"StartCalendarInterval": [{"Hour": h, "Minute": offset} for h in range(0, 24, minutes // 60)]}
    return {"StartInterval": minutes * 60}


def plist(entry: Entry) -> str:
    """The property list, with our mark as a comment."""
    text = plistlib.dumps(agent(entry), sort_keys=False).decode()
    head, tag, rest = text.partition("<plist")
    return f"{head}<!-- {MARK}. `manage.py filemaker_schedule remove` takes it away. -->\n{tag}{rest}"


def _domain(place: Place) -> str:
    return f"gui/{place.uid}"


def _path(ident: str, place: Place) -> str:
    return f"{place.home}/Library/LaunchAgents/{label(ident)}.plist"


class Launchd:
    """See `scheduler.Scheduler`."""

    name = "launchd"
    hints = (
        "macOS keeps background programs out of Desktop, Documents, Downloads and iCloud Drive: move the project and its "
        "files elsewhere, or allow this Python in System Settings, Privacy & Security, Full Disk Access.",
        "What did launchd say? `launchctl print gui/$(id -u)/LABEL`.",
        "A key chain that is locked asks a person, and nobody sees the question.",
    )

    def install(self, entry: Entry, place: Place) -> tuple[Step, ...]:
        """What installing does."""
        path = _path(entry.ident, place)
        return (
            MakeFolder(entry.log.rpartition("/")[0] or "/"),
            WriteFile(path, plist(entry)),
            Run(("launchctl", "bootout", f"{_domain(place)}/{label(entry.ident)}"), optional=True),
            Run(("launchctl", "bootstrap", _domain(place), path)),
        )

    def remove(self, ident: str, place: Place) -> tuple[Step, ...]:
        """What removing does."""
        return (
            Run(("launchctl", "bootout", f"{_domain(place)}/{label(ident)}"), optional=True),
            DeleteFile(_path(ident, place)),
        )

    def start(self, entry: Entry, place: Place, local: datetime) -> tuple[Step, ...]:
        """Start it now."""
        return (Run(("launchctl", "kickstart", f"{_domain(place)}/{label(entry.ident)}")),)

    def started(self, entry: Entry, place: Place) -> tuple[Step, ...]:
        """Nothing is left to do after the trial."""
        return ()

    def notes(self, entry: Entry, place: Place) -> list[str]:
        """What a reader should know of this scheduler."""
        said = ["A launch agent runs while its account is signed in."]
        if "StartInterval" in when(entry):
            said.append(f"{entry.schedule} does not divide a day: a run that falls into the Mac's sleep is left out.")
        return said
