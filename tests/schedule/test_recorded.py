"""What a run leaves behind that nobody watches: a log that is rotated, and a heartbeat."""

from __future__ import annotations

import json
import logging
import re
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from unlade.commands import ImportCommand, UnladeCommand
from unlade.errors import SettingsError
from unlade.schedule import recorded as module
from unlade.schedule.recorded import recorded
from unlade.schedule.trial import request_path, requested
from unlade.settings import Settings


class Work(UnladeCommand):
    """A command that says things in every way."""

    def handle(self, *args: Any, **options: Any) -> None:
        with recorded(self, options, lambda: Settings({"FILEMAKER_PASSWORD": "s3cret", "UNLADE_PACE": "off"})):
            super().handle(*args, **options)

    def work(self, **options: Any) -> int:
        self.limit = options["limit"]
        self.say("said\n  and more")
        print("progress", file=sys.stderr)
        logging.getLogger("unlade.voyage").info("ours")
        logging.getLogger("httpx2").info("https://hooks.example.com/s3cret")
        logging.getLogger("elsewhere").warning("theirs")
        if options["json"]:
            self.print_json({"exit": 3})
        if "error" in options:
            raise options["error"]
        return 3


@pytest.fixture(autouse=True)
def no_handlers_left() -> Iterator[None]:
    before = (list(logging.getLogger().handlers), logging.getLogger("unlade").level, sys.stderr)
    yield
    assert (list(logging.getLogger().handlers), logging.getLogger("unlade").level, sys.stderr) == before


def work(log: Path | None, **options: Any) -> tuple[int, Work]:
    command = Work()
    code = 0
    try:
        command.handle(log=str(log) if log else None, limit=50, **{"json": False, **options})
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    return code, command


def beat(log: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(log.with_name("images.heartbeat.json").read_text())
    return told


def test_everything_goes_into_the_log_and_nothing_else_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log" / "images.log"
    code, command = work(log)
    assert code == 3
    lines = [re.fullmatch(r"[\d-]{10} [\d:]{8}Z \d+ [A-Z]+ +(\S.*)", line) for line in log.read_text().splitlines()]
    assert [line[1] for line in lines if line] == ["said", "and more", "progress", "ours", "theirs"]
    assert all(lines)
    assert capsys.readouterr() == ("", "")
    assert command.limit == 50
    told = beat(log)
    assert (told["exit"], told["token"], told["last"]) == (3, "", ["said", "and more", "progress"])
    assert {"FILEMAKER_PASSWORD", "UNLADE_PACE"} <= set(told["present"])
    assert "s3cret" not in log.read_text() + json.dumps(told)


def test_without_a_log_nothing_changes(capsys: pytest.CaptureFixture[str]) -> None:
    assert work(None)[0] == 3
    assert "progress" in capsys.readouterr().err


def test_json_still_goes_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work(tmp_path / "images.log", json=True)
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"exit": 3}


def test_what_was_wrong_stands_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "images.log"
    assert work(log, error=SettingsError("UNLADE_STORE is not set", remedy="Put it into .env."))[0] == 1
    assert beat(log)["last"][-2:] == ["UNLADE_STORE is not set", "Put it into .env."]
    with pytest.raises(ZeroDivisionError):
        work(log, error=ZeroDivisionError())
    assert "Traceback" in log.read_text()
    assert beat(log)["exit"] == 1


def test_the_log_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_SIZE", 200)
    log = tmp_path / "images.log"
    for _ in range(12):
        work(log)
    kept = sorted(tmp_path.glob("images.log*"))
    assert len(kept) == module.LOG_COUNT + 1
    assert all(path.stat().st_size <= 200 for path in kept)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_log_is_its_owners_alone(tmp_path: Path) -> None:
    log = tmp_path / "log" / "images.log"
    work(log)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.with_name("images.heartbeat.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be written"):
        work(tmp_path / "file" / "images.log")


def test_a_trial_fetches_no_file(tmp_path: Path) -> None:
    log = tmp_path / "images.log"
    ask = request_path(log)
    ask.write_text(json.dumps({"token": "abc", "until": time.time() + 60}))
    assert requested(log, time.time()) == "abc"
    assert work(log)[1].limit == 0
    assert beat(log)["token"] == "abc"
    ask.write_text(json.dumps({"token": "abc", "until": time.time() - 1}))  # forgotten by whoever asked
    assert work(log)[1].limit == 50
    for broken in ("", "[]", "{}", '{"token": 1, "until": "x"}'):
        ask.write_text(broken)
        assert requested(log, 0) == ""


def test_import_commands_take_the_option() -> None:
    parser = ImportCommand().create_parser("manage.py", "import_filemaker")
    options = parser.parse_args(["images", "--log", "x.log", "--quiet-hours", "08:00-18:00"])
    assert (options.log, options.quiet_hours) == ("x.log", "08:00-18:00")
