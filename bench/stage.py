"""The stage of a benchmark: a simulated host and a project of its own, each in processes of their own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from bench.measure import Measured, run

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Host:
    """A running simulator."""

    settings: dict[str, str]
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return self.settings["url"]

    def stats(self) -> dict[str, Any]:
        """What the host counted."""
        found: dict[str, Any] = json.loads(self._get("/-/stats"))
        return found

    def log(self) -> list[dict[str, Any]]:
        """Every request, in the order of arrival."""
        return [json.loads(line) for line in self._get("/-/log").splitlines()]

    def cpu(self) -> float:
        """CPU seconds of the simulator so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=60) as reply:
            text: str = reply.read().decode()
            return text


@contextmanager
def serving(data: Path, *options: str) -> Iterator[Host]:
    """The simulated host over a data set folder, for as long as the context lasts."""
    command = [sys.executable, "-m", "fmsim", "--dataset", str(data), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith("{"):
            raise RuntimeError("the simulator did not start")
        yield Host(json.loads(line), process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@dataclass
class Project:
    """The reference project with its own database, store and spool in `folder`."""

    folder: Path
    host: Host
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """What a user would put into the environment. Nothing of the caller's own settings gets in."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("UNLADE_", "FILEMAKER_", "DJANGO_", "AWS_"))}
        host = self.host.settings
        return {
            **kept,
            "FILEMAKER_URL": host["url"],
            "FILEMAKER_DATABASE": host["database"],
            "FILEMAKER_ACCOUNT": host["account"],
            "FILEMAKER_PASSWORD": host["password"],
            "DATABASE_URL": f"sqlite:///{(self.folder / 'db.sqlite3').as_posix()}",
            "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
            "DJANGO_SETTINGS_MODULE": "clinic.settings",
            "UNLADE_STORE": (self.folder / "store").as_uri(),
            "UNLADE_SPOOL": str(self.folder / "spool"),
            "UNLADE_PACE": "off",
            "UNLADE_ALLOWANCE": "144GB",
            "UNLADE_ALLOWANCE_RESET": "03-10",
            **self.settings,
        }

    def prepare(self, data: Path) -> None:
        """Tables, and the patients of the data set."""
        self.folder.mkdir(parents=True, exist_ok=True)
        load = f"from pathlib import Path; from clinic.patients.demo import load; load(Path({str(data)!r}))"
        for words in (["migrate", "-v0"], ["shell", "-v0", "-c", load]):
            subprocess.run(self._manage(*words), env=self.environ, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    def import_images(self, *words: str) -> tuple[Measured, dict[str, Any]]:
        """One run of the import; what it measured, and what it said in its last line."""
        measured = run(self._manage("import_filemaker_images", "--json", *words), self.environ, self.folder)
        lines = measured.out.strip().splitlines()
        if not lines or not lines[-1].startswith("{"):
            raise RuntimeError(f"the import said nothing (exit {measured.exit_code}):\n{measured.err[-2000:]}")
        return measured, json.loads(lines[-1])

    def manage(self, *words: str) -> str:
        """A command to its end; its standard output. Raises `RuntimeError` when it ends with anything but 0 or 3."""
        done = subprocess.run(self._manage(*words), env=self.environ, cwd=ROOT, capture_output=True, text=True)
        if done.returncode not in (0, 3):
            raise RuntimeError(f"{words[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout

    def _manage(self, *words: str) -> Sequence[str]:
        return [sys.executable, str(ROOT / "manage.py"), *words]


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one benchmark's files, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="unlade-bench-") as name:
        yield Path(name)


def finished_at(entry: Mapping[str, Any]) -> datetime:
    """When the answer to a request of the log had been sent."""
    return datetime.fromisoformat(entry["time"]) + timedelta(seconds=entry["seconds"] or 0)


def middle_rate(log: Sequence[Mapping[str, Any]]) -> float:
    """Complete downloads a second, the first and the last 5 % left out: no ramp, no tail."""
    ends = sorted(finished_at(entry) for entry in log if entry["kind"] == "container" and entry["complete"])
    cut = len(ends) // 20
    inner = ends[cut : len(ends) - cut]
    return (len(inner) - 1) / (inner[-1] - inner[0]).total_seconds()
