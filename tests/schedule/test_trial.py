"""Waiting for an entry's heartbeat, what its end means, and what can be known before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.schedule.entries import entry
from unlade.schedule.surroundings import guarded, only_here, otherwise_there, sso_ends, warnings
from unlade.schedule.trial import Found, Trial, request_path, requested, verdict

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Machine:
    """Time that passes only in naps, and what happens meanwhile."""

    def __init__(self, events: dict[float, Callable[[], None]]) -> None:
        self.now, self.events = 1000.0, events

    def nap(self, seconds: float) -> None:
        self.now += seconds
        for moment in [each for each in self.events if self.now >= 1000 + each]:
            self.events.pop(moment)()


def told(**values: Any) -> dict[str, Any]:
    plain = {"process": 7, "user": "ada", "present": ["A"], "ended_at": None, "exit": None}
    return plain | values


def try_out(tmp_path: Path, events: dict[float, dict[str, Any] | str]) -> tuple[Found, Machine]:
    made = entry(folder=str(tmp_path))
    log = Path(made.log)

    def happens(what: dict[str, Any] | str) -> Callable[[], None]:
        def now() -> None:
            if isinstance(what, str):
                Path(made.output).write_text(what)
            else:
                values = {"token": requested(log, machine.now), **what}
                log.with_name("images.heartbeat.json").write_text(json.dumps(values))

        return now

    machine = Machine({moment: happens(what) for moment, what in events.items()})
    with Trial(made, lambda: machine.now, machine.nap) as trial:
        found = trial.wait(60, 30)
    assert not request_path(made.log).exists()
    return found, machine


def test_it_waits_for_the_start_and_for_the_end(tmp_path: Path) -> None:
    found, machine = try_out(tmp_path, {50: told(), 70: told(ended_at="then", exit=0)})
    assert (found.started, found.exit_code, machine.now) == (True, 0, 1070)


def test_a_run_that_goes_on_is_left_to_it(tmp_path: Path) -> None:
    found, machine = try_out(tmp_path, {10: told()})
    assert (found.started, found.exit_code, machine.now) == (True, None, 1040)
    assert verdict(found, ["A"], "cron", ())[0] == 0


def test_somebody_elses_heartbeat_is_none(tmp_path: Path) -> None:
    found, machine = try_out(tmp_path, {10: told(token="of last night"), 20: "/bin/sh: 1: cannot cd to /srv\n"})
    assert (found.started, machine.now) == (False, 1060)
    code, lines = verdict(found, [], "cron", ("Is cron running?",))
    assert code == 1
    assert lines == ["cron has not started it in time.", "It said: /bin/sh: 1: cannot cd to /srv", "Is cron running?"]


@pytest.mark.parametrize(
    ("exit_code", "code", "said"), [(0, 0, "went well"), (3, 0, "went well"), (75, 0, "now"), (1, 1, "failed")]
)
def test_what_the_end_means(exit_code: int, code: int, said: str) -> None:
    beat = told(ended_at="then", exit=exit_code, last=["Quiet hours"])
    got, lines = verdict(Found(beat), ["A"], "cron", ("hint",))
    assert got == code and said in " ".join(lines)
    assert ("    Quiet hours" in lines) == (exit_code in (1, 75))


@pytest.mark.parametrize(("exit_code", "code"), [(0, 0), (75, 1), (None, 1), (1, 1)])
def test_a_setting_that_only_this_shell_has_is_named(exit_code: int | None, code: int) -> None:
    beat = told(ended_at="then" if exit_code is not None else None, exit=exit_code)
    got, lines = verdict(Found(beat), ["A", "AWS_PROFILE"], "systemd", ())
    assert got == code  # unless the trial proved that it works without
    assert any("lacks AWS_PROFILE" in line for line in lines)


# Before anything is started


def test_variables_that_a_scheduler_lacks() -> None:
    shell = {
        "FILEMAKER_PASSWORD": "x",
        "AWS_PROFILE": "clinic",
        "PATH": "/bin",
        "UNLADE_PACE": "off",
        "DJANGO_SETTINGS_MODULE": "c.s",
    }
    assert only_here(shell, {"FILEMAKER_PASSWORD": "x"}) == ["AWS_PROFILE", "UNLADE_PACE"]
    assert otherwise_there(shell, {"FILEMAKER_PASSWORD": "y", "UNLADE_PACE": "off"}) == ["FILEMAKER_PASSWORD"]


def test_folders_that_macos_guards() -> None:
    inside = ["/Users/ada/Documents/clinic", "/Users/ada/Library/Mobile Documents/x"]
    assert guarded([*inside, "/Users/ada/clinic", "/Users/ada/Documents2/x"], "/Users/ada") == inside


CONFIG = """
[default]
region = eu-central-1
[profile clinic]
sso_session = work
[profile old]
sso_start_url = https://x.awsapps.com/start
[sso-session work]
sso_start_url = https://y.awsapps.com/start
"""


def aws(home: Path, name: str, expires: str) -> None:
    (home / ".aws" / "sso" / "cache").mkdir(parents=True, exist_ok=True)
    (home / ".aws" / "config").write_text(CONFIG)
    cache = home / ".aws" / "sso" / "cache" / f"{hashlib.sha1(name.encode()).hexdigest()}.json"
    cache.write_text(json.dumps({"expiresAt": expires}))


def test_a_sign_in_that_ends_tonight(tmp_path: Path) -> None:
    aws(tmp_path, "work", "2026-11-25T22:00:00Z")
    aws(tmp_path, "https://x.awsapps.com/start", "2026-11-25T21:00:00UTC")
    assert sso_ends({"AWS_PROFILE": "clinic"}, tmp_path) == NOW + timedelta(hours=10)
    assert sso_ends({"AWS_PROFILE": "old"}, tmp_path) == NOW + timedelta(hours=9)
    assert sso_ends({}, tmp_path) is None
    assert sso_ends({"AWS_PROFILE": "clinic", "AWS_ACCESS_KEY_ID": "x"}, tmp_path) is None
    (tmp_path / ".aws" / "config").write_text("[profile clinic")
    assert sso_ends({"AWS_PROFILE": "clinic"}, tmp_path) is None


def test_warnings_name_what_to_do_and_no_value(tmp_path: Path) -> None:
    aws(tmp_path, "work", "2026-11-25T22:00:00Z")
    said = warnings(
        {"AWS_PROFILE": "clinic", "FILEMAKER_PASSWORD": "s3cret"},
        {"FILEMAKER_PASSWORD": "0ther"},
        dotenv_path="/srv/.env",
        paths=[f"{tmp_path}/Desktop/clinic"],
        home=str(tmp_path),
        now=NOW,
        mac=True,
        store="s3://clinic",
    )
    assert len(said) == 4
    assert "AWS_PROFILE" in said[0] and "/srv/.env" in said[0]
    assert "FILEMAKER_PASSWORD" in said[1]
    assert "Full Disk Access" in said[2]
    assert "ends at 2026-11-25 22:00 UTC" in said[3]
    assert "s3cret" not in " ".join(said) and "0ther" not in " ".join(said)
