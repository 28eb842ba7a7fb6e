"""Steps that are really done: files, programs, a crontab kept by a program of our own."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.schedule.entries import PLACE, entry
from unlade.errors import SettingsError
from unlade.schedule.cron import Cron
from unlade.schedule.doing import Doer, is_ours, machine_time
from unlade.schedule.entry import MARK, program
from unlade.schedule.steps import DeleteFile, MakeFolder, Run, WriteFile, as_json, shown

posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for crontab")

CRONTAB = """#!/bin/sh
table="{table}"
case "$1" in
  -l) [ -f "$table" ] && cat "$table" && exit 0; echo "no crontab for ada" >&2; exit 1 ;;
  -r) rm "$table" ;;
  -) cat > "$table" ;;
esac
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "table"


@pytest.fixture
def environ(tmp_path: Path, table: Path) -> Mapping[str, str]:
    """An environment whose `crontab` keeps its table in a file."""
    return fake_crontab(tmp_path / "bin", table)


def fake_crontab(folder: Path, table: Path, script: str = CRONTAB) -> dict[str, str]:
    folder.mkdir()
    path = folder / "crontab"
    path.write_text(script.format(table=table))
    path.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture
def doer(environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Doer:
    monkeypatch.setenv("PATH", environ["PATH"])  # by which programs are found
    return Doer()


@posix
@pytest.mark.parametrize(
    ("second", "waits"), [(0.0, [3.0]), (1.9, [1.1]), (2.99, [0.01]), (3.0, []), (30.0, []), (58.9, []), (59.5, [3.5])]
)
def test_nothing_is_written_in_the_second_in_which_cron_looks(
    doer: Doer, table: Path, tmp_path: Path, second: float, waits: list[float]
) -> None:
    slept: list[float] = []

    def nap(seconds: float) -> None:
        assert not table.exists()
        slept.append(round(seconds, 6))

    careful = Doer(now=lambda: 1_800_000_000.0 // 60 * 60 + second, nap=nap)
    careful.do(Cron().install(entry(folder=str(tmp_path)), PLACE))
    assert slept == waits
    assert table.exists()


@posix
def test_install_twice_is_install_once_and_remove_takes_only_ours(doer: Doer, table: Path, tmp_path: Path) -> None:
    theirs = "MAILTO=ada\n# unlade is not ours here\n0 4 * * * /usr/bin/backup 100\\%\n"
    table.write_text(theirs)
    made = entry(folder=str(tmp_path))
    steps = Cron().install(made, PLACE)
    doer.do(steps)
    once = table.read_text()
    assert once.startswith(theirs) and f"# unlade begin {made.ident}" in once
    doer.do(steps)
    assert table.read_text() == once
    doer.do(Cron().install(entry(folder=str(tmp_path / "other")), PLACE))
    doer.do(Cron().remove(made.ident, PLACE))
    assert made.ident not in table.read_text() and str(tmp_path / "other") in table.read_text()
    doer.do(Cron().remove(entry(folder=str(tmp_path / "other")).ident, PLACE))
    assert table.read_text() == theirs


@posix
def test_the_first_entry_makes_a_crontab_and_the_last_one_takes_it_away(
    doer: Doer, table: Path, tmp_path: Path
) -> None:
    made = entry(folder=str(tmp_path))
    doer.do(Cron().remove(made.ident, PLACE))
    assert not table.exists()
    doer.do(Cron().install(made, PLACE))
    assert (tmp_path / "var" / "log").is_dir()
    doer.do(Cron().remove(made.ident, PLACE))
    assert not table.exists()


@posix
def test_a_crontab_that_may_not_be_read_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "#!/bin/sh\n[ \"$1\" = -l ] || touch {table}\necho 'You (ada) are not allowed to use this program' >&2\nexit 1\n"
    monkeypatch.setenv("PATH", fake_crontab(tmp_path / "bin", tmp_path / "written", script)["PATH"])
    with pytest.raises(SettingsError, match="not allowed") as caught:
        Doer().do(Cron().install(entry(folder=str(tmp_path)), PLACE))
    assert "cron.allow" in caught.value.remedy
    assert not (tmp_path / "written").exists()


def test_a_scheduler_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SettingsError, match="no schtasks-of-nobody"):
        Doer().do([Run(("schtasks-of-nobody", "/Run"))])


def test_a_program_that_fails() -> None:
    failing = (sys.executable, "-c", "import sys; sys.exit('Unit not found')")
    Doer().do([Run(failing, optional=True)])
    with pytest.raises(SettingsError, match="Unit not found"):
        Doer().do([Run(failing)])


def test_only_our_files_are_written_over_and_removed(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "a" / "ours.timer", tmp_path / "theirs.timer"
    theirs.write_text("[Timer]\n")
    for encoding in ("utf-8", "utf-16"):
        Doer().do([WriteFile(str(ours), f"# {MARK}. 1", encoding), WriteFile(str(ours), f"# {MARK}. 2", encoding)])
        assert ours.read_text(encoding) == f"# {MARK}. 2"
        assert is_ours(ours)
    with pytest.raises(SettingsError, match="not ours"):
        Doer().do([WriteFile(str(theirs), f"# {MARK}")])
    Doer().do([DeleteFile(str(theirs)), DeleteFile(str(ours)), DeleteFile(str(ours))])
    assert theirs.read_text() == "[Timer]\n" and not ours.exists()


@posix
def test_folders_are_their_owners_alone(tmp_path: Path) -> None:
    Doer().do([MakeFolder(str(tmp_path / "var" / "log"))])
    assert stat.S_IMODE((tmp_path / "var" / "log").stat().st_mode) == 0o700


def test_what_is_shown_is_what_is_done() -> None:
    for step in Cron().install(entry(), PLACE):
        told = as_json(step)
        assert told["do"] == type(step).__name__
        assert shown(step)
    (text,) = [line for step in Cron().install(entry(), PLACE) for line in shown(step) if "* * *" in line]
    assert entry().command[0] in text


@posix
def test_the_machines_clock_is_not_this_shells(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        if not Path("/etc/localtime").exists():
            pytest.skip("this machine says nothing of its zone")
        assert machine_time().tzname() != time.tzname[0]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_program_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    python = str(Path(sys.executable))
    assert program(["manage.py", "x"], python) == (python, str(tmp_path / "manage.py"))
    assert program(["/usr/bin/django-admin"], python) == (python, "-m", "django")
    assert program(["/x/django/__main__.py"], python) == (python, "-m", "django")
