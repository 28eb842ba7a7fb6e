"""An entry as a timer and a service. Sources: systemd.unit(5), systemd.service(5), systemd.timer(5), systemd.syntax(7)."""

from __future__ import annotations

from datetime import datetime

from unlade.errors import UsageError
from unlade.schedule.entry import MARK, Entry, Place
from unlade.schedule.steps import DeleteFile, MakeFolder, Run, Step, WriteFile


def service(entry: Entry) -> str:
    """The service unit.

    3 (some items failed), 75 (not now) and 130 (interrupted) are no failures of the service (CONTRACT A3). Only the
    main process is told to end: it closes its decoders itself.
    """
    return f"""\
# {MARK}. `manage.py filemaker_schedule remove` takes it away.
[Unit]
Description={_value(entry.title)}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={_path(entry.folder)}
ExecStart={exec_line(entry.command)}
StandardOutput=append:{_path(entry.output)}
StandardError=append:{_path(entry.output)}
SuccessExitStatus=3 75 130
KillMode=mixed
UMask=0077
"""


def timer(entry: Entry) -> str:
    """The timer unit. What divides a day goes by the calendar, so that a missed run is made up for (Persistent)."""
    return f"""\
# {MARK}. `manage.py filemaker_schedule remove` takes it away.
[Unit]
Description={_value(entry.title)}

[Timer]
{when(entry)}
AccuracySec=1min

[Install]
WantedBy=timers.target
"""


def when(entry: Entry) -> str:
    """The lines of [Timer] that say when. Raises `UsageError` for parts of a minute."""
    schedule, offset = entry.schedule, entry.offset
    if schedule.daily is not None:
        return f"OnCalendar=*-*-* {schedule.daily:%H:%M}:00\nPersistent=true"
    minutes = schedule.minutes
    if not minutes:
        raise UsageError("--every must be a whole number of minutes here", remedy="filemaker_daemon takes seconds.")
    if minutes < 60 and 60 % minutes == 0:
        return f"OnCalendar=*-*-* *:{offset % minutes:02d}/{minutes}:00\nPersistent=true"
    if minutes % 60 == 0 and 24 % (minutes // 60) == 0:
        hours = minutes // 60
        every = "00" if hours == 24 else f"00/{hours}"
        return f"OnCalendar=*-*-* {every}:{offset:02d}:00\nPersistent=true"
    return f"OnActiveSec={minutes}min\nOnUnitActiveSec={minutes}min"


def exec_line(command: tuple[str, ...]) -> str:
    """A command as `ExecStart` reads it: quoted, specifiers doubled, and (`:`) no variables replaced."""
    first, *rest = command
    return " ".join(_word(word) for word in (f":{first}", *rest))


def _units(place: Place) -> str:
    return "/etc/systemd/system" if place.system else f"{place.home}/.config/systemd/user"


def _ctl(place: Place) -> tuple[str, ...]:
    return ("systemctl",) if place.system else ("systemctl", "--user")


def _word(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def _value(text: str) -> str:
    return text.replace("%", "%%")


def _path(text: str) -> str:
    """A path that takes the rest of its line: neither quotes nor escapes there, only specifiers.

    Raises `UsageError` for what such a line cannot hold.
    """
    if text != text.strip() or text.endswith("\\"):
        raise UsageError(f"a systemd unit cannot name the path {text!r}", remedy="Rename the folder.")
    return text.replace("%", "%%")


class Systemd:
    """See `scheduler.Scheduler`."""

    name = "systemd"
    hints = (
        "What did systemd say? `systemctl --user status UNIT` (root: without --user), `journalctl --user -u UNIT`.",
        "Units of an account run only while it is signed in, unless `loginctl enable-linger` was called for it.",
        "A key ring that is unlocked by signing in is locked for a service.",
    )

    def install(self, entry: Entry, place: Place) -> tuple[Step, ...]:
        """What installing does."""
        folder, name = _units(place), f"unlade-{entry.ident}"
        return (
            MakeFolder(entry.log.rpartition("/")[0] or "/"),
            WriteFile(f"{folder}/{name}.service", service(entry)),
            WriteFile(f"{folder}/{name}.timer", timer(entry)),
            Run((*_ctl(place), "daemon-reload")),
            Run((*_ctl(place), "enable", f"{name}.timer")),
            # `restart`, so that a timer that runs already goes by the new times.
            Run((*_ctl(place), "restart", f"{name}.timer")),
        )

    def remove(self, ident: str, place: Place) -> tuple[Step, ...]:
        """What removing does; a run that is under way is left to end."""
        folder, name = _units(place), f"unlade-{ident}"
        return (
            Run((*_ctl(place), "disable", "--now", f"{name}.timer"), optional=True),
            DeleteFile(f"{folder}/{name}.timer"),
            DeleteFile(f"{folder}/{name}.service"),
            Run((*_ctl(place), "daemon-reload"), optional=True),
        )

    def start(self, entry: Entry, place: Place, local: datetime) -> tuple[Step, ...]:
        """Start it now."""
        return (Run((*_ctl(place), "start", "--no-block", f"unlade-{entry.ident}.service")),)

    def started(self, entry: Entry, place: Place) -> tuple[Step, ...]:
        """Nothing is left to do after the trial."""
        return ()

    def notes(self, entry: Entry, place: Place) -> list[str]:
        """What a reader should know of this scheduler."""
        said = []
        if not place.system:
            said.append(
                f"Timers of an account stop when it signs out; `loginctl enable-linger {place.user}` lets them go on."
            )
        if when(entry).startswith("OnActiveSec"):
            said.append(
                f"{entry.schedule} does not divide a day: the timer counts from the last start, and a run that was missed "
                "while the machine was off is not made up for."
            )
        return said
