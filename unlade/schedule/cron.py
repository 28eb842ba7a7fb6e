"""An entry as a block of the account's crontab. Source: crontab(5) of Debian's cron.

A `%` ends a crontab's command unless it is escaped; there is no catching up of missed runs and no time zone but the
machine's.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime, timedelta

from unlade.errors import UsageError
from unlade.schedule.entry import MARK, Entry, Place
from unlade.schedule.steps import EditCrontab, MakeFolder, Step
from unlade.schedule.timing import Schedule
from unlade.units import format_duration

#: The classic cron cuts a command off there (MAX_COMMAND).
_LONGEST = 998


def timing(schedule: Schedule, offset: int) -> str:
    """The five fields of a crontab line. Raises `UsageError` for what cron cannot say evenly."""
    if schedule.daily is not None:
        return f"{schedule.daily.minute} {schedule.daily.hour} * * *"
    minutes = schedule.minutes
    if minutes and 60 % minutes == 0 and minutes < 60:
        return f"{offset % minutes}-59/{minutes} * * * *" if minutes > 1 else "* * * * *"
    if minutes and minutes % 60 == 0 and 24 % (minutes // 60) == 0:
        hours = minutes // 60
        return f"{offset} {'*' if hours == 1 else '0' if hours == 24 else f'*/{hours}'} * * *"
    assert schedule.every is not None
    raise UsageError(
        f"cron cannot run something every {format_duration(schedule.every)}: its fields begin anew at every hour and "
        "every midnight, so only what divides an hour or a day comes out even",
        remedy=f"Take --every {_nearest(schedule.every)}, or --as systemd, or filemaker_daemon, which can.",
    )


def _nearest(every: timedelta) -> str:
    minutes = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30]
    hours = [1, 2, 3, 4, 6, 8, 12, 24]
    known = [(timedelta(minutes=m), f"{m}m") for m in minutes] + [(timedelta(hours=h), f"{h}h") for h in hours]
    return min(known, key=lambda pair: (abs(pair[0] - every), pair[0]))[1]


def command(entry: Entry) -> str:
    """The command field: a shell's line, quoted for /bin/sh and escaped for cron. Raises `UsageError` if too long."""
    words = " ".join(shlex.quote(word) for word in entry.command)
    line = f"(umask 077; cd {shlex.quote(entry.folder)} && exec {words}) >>{shlex.quote(entry.output)} 2>&1"
    line = line.replace("%", r"\%")
    if len(line.encode()) > _LONGEST:
        raise UsageError(
            f"the crontab line is {len(line.encode())} bytes long, and some crons cut it off after {_LONGEST}",
            remedy="Install the project under a shorter path, or use --as systemd.",
        )
    return line


def lines(entry: Entry) -> tuple[str, ...]:
    """The entry's block."""
    return (f"# {MARK}. {entry.title}", f"{timing(entry.schedule, entry.offset)} {command(entry)}")


def edited(table: str, ident: str, block: Sequence[str]) -> str:
    """A crontab with the block of `ident` replaced (at its place), added at the end, or (no lines) taken out.

    Every other line stays as it is. A block that lacks its end mark, because somebody cut it, is only its first line.
    """
    begin, end = f"# unlade begin {ident}", f"# unlade end {ident}"
    kept = table.splitlines()
    place = kept.index(begin) if begin in kept else len(kept)
    while begin in kept:
        first = kept.index(begin)
        last = kept.index(end, first) if end in kept[first:] else first
        del kept[first : last + 1]
    if block:
        kept[place:place] = [begin, *block, end]
    return "\n".join(kept) + "\n" if kept else ""


def _trial(ident: str) -> str:
    return f"{ident}-trial"


def _parent(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[0] or "/"


class Cron:
    """See `scheduler.Scheduler`."""

    name = "cron"
    hints = (
        "Is cron running? `service cron status`, or `systemctl status cron`.",
        "May this account use it? /etc/cron.allow and /etc/cron.deny say so.",
    )

    def install(self, entry: Entry, place: Place) -> tuple[Step, ...]:
        """What installing does."""
        return (MakeFolder(_parent(entry.log)), EditCrontab(entry.ident, lines(entry)))

    def remove(self, ident: str, place: Place) -> tuple[Step, ...]:
        """What removing does; a trial that was left behind goes too."""
        return (EditCrontab(ident), EditCrontab(_trial(ident)))

    def start(self, entry: Entry, place: Place, local: datetime) -> tuple[Step, ...]:
        """cron starts nothing on request: lines for the next minutes of this day, by the machine's own clock."""
        moments = [local + timedelta(minutes=ahead) for ahead in (1, 2, 3)]
        dated = [f"{m.minute} {m.hour} {m.day} {m.month} * {command(entry)}" for m in moments]
        return (EditCrontab(_trial(entry.ident), (f"# {MARK}. A trial; it goes in a moment.", *dated)),)

    def started(self, entry: Entry, place: Place) -> tuple[Step, ...]:
        """What is to be done after the trial."""
        return (EditCrontab(_trial(entry.ident)),)

    def notes(self, entry: Entry, place: Place) -> list[str]:
        """What this scheduler does not do."""
        return ["cron goes by the machine's clock, and a run that falls into its sleep is not made up for."]
