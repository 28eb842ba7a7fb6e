"""Entries to schedule, with every character that some format takes for its own."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

from unlade.schedule.entry import Entry, Place, ident_of
from unlade.schedule.timing import Schedule

PLACE = Place("/home/ada", "ada", 1000)
WINDOWS = Place(r"C:\Users\ada", r"CLINIC\ada")

NASTY = """/srv/100% sure/it's "here" $HOME `id` \\ & <b>"""

DAILY = Schedule(daily=time(2, 0))
SIX_HOURS = Schedule(every=timedelta(hours=6))


def entry(schedule: Schedule = SIX_HOURS, *, folder: str = "/srv/clinic", **changes: Any) -> Entry:
    command = (
        f"{folder}/.venv/bin/python", f"{folder}/manage.py", "import_filemaker_images", "--limit", "100",
        "--log", f"{folder}/var/log/images.log",
    )  # fmt: skip
    values = {"command": command, "folder": folder, "log": f"{folder}/var/log/images.log"} | changes
    return Entry("images", ident_of("images", folder), schedule, **values)


def every(**span: int) -> Schedule:
    return Schedule(every=timedelta(**span))
