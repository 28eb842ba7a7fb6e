"""`filemaker_schedule` as a person calls it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.schedule.projects import manage, project
from tests.schedule.test_doing import fake_crontab
from tests.voyage.harness import PortMaker, cargo

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for crontab"),
]


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    path = fake_crontab(tmp_path / "bin", tmp_path / "table")["PATH"]
    return {"PATH": path}


def test_show_changes_nothing_and_install_does_what_was_shown(
    make_port: PortMaker, tmp_path: Path, environ: Mapping[str, str]
) -> None:
    with make_port(cargo(1)) as port:
        folder = project(tmp_path / "clinic", port)
        words = ("images", "--as", "cron", "--every", "6h", "--limit", "100", "--max-bytes", "500MB")
        more = ("--quiet-hours", "08:00-18:00")
        with_secret = {**environ, "AWS_PROFILE": "clinic-s3cret"}
        shown = manage(folder, "filemaker_schedule", "show", *words, *more, environ=with_secret)
        assert shown.returncode == 0, shown.stderr
        assert not (tmp_path / "table").exists() and not (folder / "var" / "log").exists()
        assert "Only this shell has AWS_PROFILE" in shown.stdout and "s3cret" not in shown.stdout
        assert f"put them into {folder}/.env" in shown.stdout
        installed = manage(folder, "filemaker_schedule", "install", *words, *more, "--no-trial", environ=environ)
        assert installed.returncode == 0, installed.stderr
        (line,) = [
            each for each in (tmp_path / "table").read_text().splitlines() if "manage.py" in each and "#" not in each
        ]
        assert line in shown.stdout
        assert "import_filemaker_images --limit 100 --max-bytes 500000000 --quiet-hours 08:00-18:00" in line
        assert f"--settings here --log {folder}/var/log/images.log" in line
        removed = manage(folder, "filemaker_schedule", "remove", "--as", "cron", environ=environ)
        assert (removed.returncode, (tmp_path / "table").exists()) == (0, False), removed.stderr


def test_a_trial_that_nothing_starts_says_so_and_leaves_no_trace(
    make_port: PortMaker, tmp_path: Path, environ: Mapping[str, str]
) -> None:
    with make_port(cargo(1)) as port:
        folder = project(tmp_path / "clinic", port)
        done = manage(
            folder, "filemaker_schedule", "install", "images", "--as", "cron", "--daily", "02:00", "--wait-for", "1s",
            "--json", environ=environ,
        )  # fmt: skip
        told = json.loads(done.stdout.splitlines()[-1])
        assert (done.returncode, told["exit"]) == (1, 1)
        assert "cron has not started it in time." in told["notes"]
        assert "Is cron running?" in " ".join(told["notes"])
        table = (tmp_path / "table").read_text()
        assert "0 2 * * *" in table and "A trial" not in table
        assert not list((folder / "var" / "log").glob("*.trial.json"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["install", "images"], 2, "either --every or --daily"),
        (["show", "images", "--as", "cron", "--every", "7h"], 2, "cron cannot run something every 7 h"),
        (["show", "images", "--every", "6"], 2, "no duration"),
        (["show", "images", "--every", "6h", "--quiet-hours", "8-18"], 2, "no quiet hours"),
        (["show", "nothing", "--every", "6h"], 2, "nothing"),
    ],
)
def test_wrong_usage(make_port: PortMaker, tmp_path: Path, words: list[str], code: int, said: str) -> None:
    with make_port(cargo(1)) as port:
        folder = project(tmp_path / "clinic", port)
        done = manage(folder, "filemaker_schedule", *words)
        assert said in done.stderr, done.stdout
        assert done.returncode == code
