"""An entry as a task of Windows. Source: the Task Scheduler schema (learn.microsoft.com, "Task Scheduler Schema"), schtasks.

`StartWhenAvailable` makes up for a run that was missed. The file is UTF-16, as `schtasks /Create /XML` wants it.
"""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from xml.etree import ElementTree

from unlade.errors import UsageError
from unlade.schedule.entry import MARK, Entry, Place, beside
from unlade.schedule.steps import DeleteFile, MakeFolder, Run, Step, WriteFile

_NS = "http://schemas.microsoft.com/windows/2004/02/mit/task"


def task_name(ident: str) -> str:
    """The task's place and name."""
    return rf"\unlade\{ident}"


def xml(entry: Entry, place: Place) -> str:
    """The task. Raises `UsageError` for what a task cannot hold."""
    for text in (*entry.command, entry.folder):
        if "%" in text or "$(" in text:
            raise UsageError(
                f"the Task Scheduler reads % and $( as variables and knows no escape: {text!r}",
                remedy="Move the project to a path without them.",
            )
    ElementTree.register_namespace("", _NS)
    task = ElementTree.Element(f"{{{_NS}}}Task", {"version": "1.2"})
    about = _add(task, "RegistrationInfo")
    _add(about, "Description", f"{MARK}. {entry.title}")
    _add(about, "URI", task_name(entry.ident))
    _trigger(_add(task, "Triggers"), entry)
    principal = _add(_add(task, "Principals"), "Principal", id="Author")
    if place.user:
        _add(principal, "UserId", place.user)
    _add(principal, "LogonType", "InteractiveToken")
    _add(principal, "RunLevel", "LeastPrivilege")
    settings = _add(task, "Settings")
    for name, value in (
        ("MultipleInstancesPolicy", "IgnoreNew"),
        ("DisallowStartIfOnBatteries", "false"),
        ("StopIfGoingOnBatteries", "false"),
        ("StartWhenAvailable", "true"),
        ("RunOnlyIfNetworkAvailable", "true"),
        ("ExecutionTimeLimit", "PT0S"),
    ):
        _add(settings, name, value)
    action = _add(_add(task, "Actions", Context="Author"), "Exec")
    _add(action, "Command", entry.command[0])
    _add(action, "Arguments", subprocess.list2cmdline(entry.command[1:]))
    _add(action, "WorkingDirectory", entry.folder)
    ElementTree.indent(task)
    return '<?xml version="1.0" encoding="UTF-16"?>\n' + ElementTree.tostring(task, encoding="unicode") + "\n"


def _trigger(triggers: ElementTree.Element, entry: Entry) -> None:
    schedule = entry.schedule
    if schedule.daily is not None:
        trigger = _add(triggers, "CalendarTrigger")
        _add(trigger, "StartBoundary", f"2026-01-01T{schedule.daily:%H:%M}:00")
        _add(trigger, "Enabled", "true")
        _add(_add(trigger, "ScheduleByDay"), "DaysInterval", "1")
        return
    minutes = schedule.minutes
    if not minutes or timedelta(minutes=minutes) > timedelta(days=31):
        raise UsageError("--every must be whole minutes, 31 days at the most", remedy="Or use filemaker_daemon.")
    trigger = _add(triggers, "TimeTrigger")
    _add(_add(trigger, "Repetition"), "Interval", f"PT{minutes}M")
    _add(trigger, "StartBoundary", f"2026-01-01T00:{entry.offset:02d}:00")
    _add(trigger, "Enabled", "true")


def _add(parent: ElementTree.Element, name: str, text: str = "", **attributes: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, f"{{{_NS}}}{name}", attributes)
    if text:
        child.text = text
    return child


class TaskScheduler:
    """See `scheduler.Scheduler`."""

    name = "taskscheduler"
    hints = (
        "What did Windows say? Task Scheduler, folder unlade: the column Last Run Result.",
        "The task runs only while this account is signed in.",
    )

    def install(self, entry: Entry, place: Place) -> tuple[Step, ...]:
        """What installing does."""
        path = beside(entry.log, ".task.xml")
        return (
            MakeFolder(entry.log.replace("/", "\\").rpartition("\\")[0]),
            WriteFile(path, xml(entry, place), encoding="utf-16"),
            Run(("schtasks", "/Create", "/TN", task_name(entry.ident), "/XML", path, "/F")),
            DeleteFile(path),
        )

    def remove(self, ident: str, place: Place) -> tuple[Step, ...]:
        """What removing does."""
        return (Run(("schtasks", "/Delete", "/TN", task_name(ident), "/F"), optional=True),)

    def start(self, entry: Entry, place: Place, local: datetime) -> tuple[Step, ...]:
        """Start it now."""
        return (Run(("schtasks", "/Run", "/TN", task_name(entry.ident))),)

    def started(self, entry: Entry, place: Place) -> tuple[Step, ...]:
        """Nothing is left to do after the trial."""
        return ()

    def notes(self, entry: Entry, place: Place) -> list[str]:
        """What a reader should know of this scheduler."""
        return ["The task runs while this account is signed in, with a console window."]
