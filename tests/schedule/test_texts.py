"""systemd units, launch agents and Windows tasks: the texts that they are, read by the readers that there are."""

from __future__ import annotations

import ctypes
import plistlib
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.schedule.entries import DAILY, NASTY, PLACE, SIX_HOURS, WINDOWS, entry, every
from unlade.errors import UsageError
from unlade.schedule.entry import MARK, Place
from unlade.schedule.launchd import Launchd, agent, plist
from unlade.schedule.steps import Run, WriteFile, shown
from unlade.schedule.systemd import Systemd, exec_line, service, timer
from unlade.schedule.taskscheduler import TaskScheduler, xml
from unlade.schedule.timing import Schedule

NS = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


# systemd


def unsystemd(line: str) -> list[str]:
    """`ExecStart` as systemd.syntax(7) reads it: quotes, backslashes, then specifiers."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    return [re.sub(r"\\(.)", r"\1", word).replace("%%", "%") for word in words]


def test_exec_start_is_quoted_and_nothing_in_it_is_replaced() -> None:
    line = exec_line(("/usr/bin/python3", NASTY, "%h", "$HOME", ""))
    assert unsystemd(line) == [":/usr/bin/python3", NASTY, "%h", "$HOME", ""]
    assert re.fullmatch(r'("(?:[^"\\]|\\.)*" ?)+', line)


def test_service_counts_what_is_no_failure() -> None:
    text = service(entry())
    assert "SuccessExitStatus=3 75 130\n" in text
    assert "KillMode=mixed\n" in text
    assert text.startswith(f"# {MARK}")


@pytest.mark.parametrize(
    ("schedule", "lines"),
    [
        (DAILY, ["OnCalendar=*-*-* 02:00:00", "Persistent=true"]),
        (SIX_HOURS, [f"OnCalendar=*-*-* 00/6:{entry().offset:02d}:00", "Persistent=true"]),
        (every(days=1), [f"OnCalendar=*-*-* 00:{entry().offset:02d}:00", "Persistent=true"]),
        (every(minutes=15), [f"OnCalendar=*-*-* *:{entry().offset % 15:02d}/15:00", "Persistent=true"]),
        (every(hours=7), ["OnActiveSec=420min", "OnUnitActiveSec=420min"]),
    ],
)
def test_timer(schedule: Schedule, lines: list[str]) -> None:
    text = timer(entry(schedule)).split("[Timer]\n")[1].split("\nAccuracySec")[0]
    assert text.splitlines() == lines


def test_what_goes_unevenly_is_said() -> None:
    assert any("not made up for" in note for note in Systemd().notes(entry(every(hours=7)), PLACE))
    assert not any("not made up for" in note for note in Systemd().notes(entry(), PLACE))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("schedule", [DAILY, SIX_HOURS, every(minutes=15), every(hours=7)])
def test_systemd_itself_reads_the_units(tmp_path: Path, schedule: Schedule) -> None:
    folder = tmp_path / "100% it's"
    folder.mkdir()
    made = entry(
        schedule, folder=str(folder), command=(sys.executable, "-c", "pass", NASTY), log=f"{folder}/images.log"
    )
    paths = []
    for step in Systemd().install(made, Place(str(tmp_path), "ada", 1000)):
        if isinstance(step, WriteFile):
            path = tmp_path / Path(step.path).name
            path.write_text(step.text)
            paths.append(str(path))
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_runs_six_hours_apart() -> None:
    spec = re.search(r"OnCalendar=(.*)", timer(entry()))
    assert spec
    done = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=5", "--base-time=2026-03-28 12:00:00 UTC", spec[1]],
        capture_output=True,
        text=True,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
    )
    hours = [int(hour) for hour in re.findall(r" (\d\d):\d\d:00 UTC$", done.stdout, re.M)]
    assert len(hours) == 5
    assert {(later - earlier) % 24 for earlier, later in pairwise(hours)} == {6}


def test_a_path_that_a_unit_cannot_name() -> None:
    with pytest.raises(UsageError, match="cannot name the path"):
        service(entry(folder="/srv/clinic "))


def test_systemd_of_the_machine_and_of_an_account() -> None:
    root = Systemd().install(entry(), Place("/root", "root", 0, system=True))
    assert any(isinstance(step, WriteFile) and step.path.startswith("/etc/systemd/system/unlade-") for step in root)
    own = Systemd().install(entry(), PLACE)
    assert all(step.command[:2] == ("systemctl", "--user") for step in own if isinstance(step, Run))


# launchd


def test_agent_is_what_it_says_it_is() -> None:
    made = entry(DAILY, folder=NASTY)
    assert plistlib.loads(plist(made).encode()) == agent(made)
    read = plistlib.loads(plist(made).encode())
    assert read["ProgramArguments"] == list(made.command)
    assert read["WorkingDirectory"] == NASTY
    assert read["StartCalendarInterval"] == {"Hour": 2, "Minute": 0}
    assert MARK in plist(made)


def test_agent_goes_by_the_calendar_where_it_can() -> None:
    times = agent(entry())["StartCalendarInterval"]
    assert [each["Hour"] for each in times] == [0, 6, 12, 18]
    assert len({each["Minute"] for each in times}) == 1
    assert len(agent(entry(every(minutes=15)))["StartCalendarInterval"]) == 4
    assert agent(entry(every(hours=7)))["StartInterval"] == 7 * 3600
    assert any("left out" in note for note in Launchd().notes(entry(every(hours=7)), PLACE))


def test_launchctl_is_told_the_account() -> None:
    commands = [step.command for step in Launchd().install(entry(), PLACE) if isinstance(step, Run)]
    assert [command[1] for command in commands] == ["bootout", "bootstrap"]
    assert all("gui/1000" in " ".join(command) for command in commands)


# Task Scheduler


def test_task_is_xml_that_says_it() -> None:
    made = entry(
        folder=r"C:\clinic & <co>", command=(r"C:\clinic & <co>\python.exe", "manage.py", 'say "hi"', "a b"),
        log=r"C:\clinic & <co>\var\log\images.log",
    )  # fmt: skip
    (write,) = [step for step in TaskScheduler().install(made, WINDOWS) if isinstance(step, WriteFile)]
    root = ElementTree.fromstring(write.text.encode(write.encoding))
    assert root.findtext(f".//{NS}Command") == made.command[0]
    assert root.findtext(f".//{NS}Arguments") == r'manage.py "say \"hi\"" "a b"'
    assert root.findtext(f".//{NS}WorkingDirectory") == made.folder
    assert root.findtext(f".//{NS}UserId") == r"CLINIC\ada"
    assert root.findtext(f".//{NS}StartWhenAvailable") == "true"
    assert root.findtext(f".//{NS}MultipleInstancesPolicy") == "IgnoreNew"
    assert root.findtext(f".//{NS}Repetition/{NS}Interval") == "PT360M"


@pytest.mark.skipif(sys.platform != "win32", reason="Windows splits it")
def test_windows_splits_the_arguments_as_they_were() -> None:
    count = ctypes.c_int()
    root = ElementTree.fromstring(xml(entry(command=("p.exe", NASTY.replace("%", ""))), WINDOWS).encode("utf-16"))
    split = ctypes.windll.shell32.CommandLineToArgvW  # type: ignore[attr-defined,unused-ignore]
    split.restype = ctypes.POINTER(ctypes.c_wchar_p)
    got = split("p.exe " + (root.findtext(f".//{NS}Arguments") or ""), ctypes.byref(count))
    assert got[1 : count.value] == [NASTY.replace("%", "")]


def test_daily_task() -> None:
    root = ElementTree.fromstring(xml(entry(DAILY), WINDOWS).encode("utf-16"))
    assert (root.findtext(f".//{NS}CalendarTrigger/{NS}StartBoundary") or "").endswith("T02:00:00")
    assert root.findtext(f".//{NS}DaysInterval") == "1"


@pytest.mark.parametrize("folder", [r"C:\100%PATH%", r"C:\$(Arg0)"])
def test_what_a_task_would_replace_is_refused(folder: str) -> None:
    with pytest.raises(UsageError, match="knows no escape"):
        xml(entry(folder=folder), WINDOWS)


# All of them


@pytest.mark.parametrize("scheduler", [Systemd(), Launchd(), TaskScheduler()])
def test_parts_of_a_minute_are_refused_and_steps_can_be_read(scheduler: Systemd | Launchd | TaskScheduler) -> None:
    with pytest.raises(UsageError, match="minutes"):
        scheduler.install(entry(every(seconds=90)), PLACE)
    for step in (*scheduler.install(entry(), PLACE), *scheduler.remove("images-1", PLACE)):
        assert all(shown(step))
