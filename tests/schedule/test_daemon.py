"""The daemon: on its schedule and as the governor allows, one run at a time, and soon gone when told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.schedule.entries import DAILY, SIX_HOURS, every
from tests.voyage.harness import ROOT, Port, PortMaker, cargo
from unlade.ledger.management.commands.filemaker_daemon import known
from unlade.ledger.models import Run
from unlade.schedule.daemon import AFTER_LOCK, LAST_MERCY, MERCY, NAP, Came, Daemon, LastRun, Processes, told
from unlade.schedule.timing import Schedule

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class World:
    """Time that passes in naps and in runs, a ledger, and a daemon in it."""

    def __init__(
        self, schedule: Schedule, *names: str, until: timedelta = timedelta(days=2), **ledger: LastRun
    ) -> None:
        self.now, self.end = NOON, NOON + until
        self.starts: list[tuple[str, datetime]] = []
        self.said: list[str] = []
        self.ledger: dict[str, LastRun] = dict(ledger)
        self.come: Callable[[str], Came] = lambda _: Came(0, {"outcome": "done"})
        self.take = timedelta(minutes=10)
        self.running = 0
        self.leap: tuple[datetime, timedelta] | None = None
        self.daemon = Daemon(
            names or ("images",),
            schedule,
            run=self.run,
            last_run=self.ledger.get,
            say=self.said.append,
            clock=lambda: self.now,
            nap=self.nap,
        )

    def nap(self, seconds: float) -> None:
        assert 0 < seconds <= NAP
        # A long sleep in one step: what counts is only the wall clock after it.
        self.now += timedelta(minutes=1)
        if self.leap and self.now >= self.leap[0]:
            self.now, self.leap = self.now + self.leap[1], None
        if self.now >= self.end:
            self.daemon.stop()

    def run(self, name: str, stopping: Callable[[], bool]) -> Came:
        assert self.running == 0
        self.running += 1
        self.starts.append((name, self.now))
        self.now += self.take
        self.ledger[name] = LastRun(self.starts[-1][1])
        self.running -= 1
        return self.come(name)

    def hours(self) -> list[float]:
        """When runs started, in hours since noon."""
        self.daemon.serve()
        return [round((moment - NOON) / timedelta(hours=1), 1) for _, moment in self.starts]


def test_every_six_hours_from_start_to_start() -> None:
    assert World(SIX_HOURS).hours() == [0, 6, 12, 18, 24, 30, 36, 42]


def test_daily_waits_for_its_time() -> None:
    assert World(DAILY).hours() == [14, 38]


def test_a_restart_goes_on_from_the_ledger() -> None:
    assert World(SIX_HOURS, images=LastRun(NOON - timedelta(hours=4))).hours()[:2] == [2, 8]
    assert World(DAILY, images=LastRun(NOON - timedelta(hours=20))).hours()[:2] == [0, 14]  # 02:00 was missed


def test_a_restart_goes_on_with_what_was_broken_off_or_paused() -> None:
    before = NOON - timedelta(hours=4)
    assert World(SIX_HOURS, images=LastRun(before, before)).hours()[:2] == [0, 6]
    assert World(SIX_HOURS, images=LastRun(before, NOON + timedelta(hours=3))).hours()[:2] == [3, 9]


@pytest.mark.parametrize(
    ("outcome", "go_on"),
    [
        ("done", None),
        ("limit", None),
        ("failed", None),
        ("paused", "retry"),
        ("interrupted", "start"),
        ("died", "start"),
        ("running", "start"),
    ],
)
def test_how_a_last_run_is_seen(outcome: str, go_on: str | None) -> None:
    retry = NOON + timedelta(hours=1)
    run = Run(started_at=NOON, outcome=outcome, retry_at=retry)
    assert known(run) == LastRun(NOON, {"retry": retry, "start": NOON, None: None}[go_on])


def test_a_run_missed_in_sleep_starts_on_wake() -> None:
    world = World(DAILY)
    world.leap = (NOON + timedelta(hours=13), timedelta(hours=5))  # asleep from 01:00 to 06:00
    assert world.hours() == [18, 38]


def test_a_run_by_hand_counts() -> None:
    world = World(SIX_HOURS, until=timedelta(hours=20))
    by_hand = NOON + timedelta(hours=5)
    world.come = lambda name: world.ledger.update({name: LastRun(by_hand)}) or Came(0)
    assert world.hours()[:2] == [0, 11]


def test_a_paused_run_goes_on_when_it_may() -> None:
    world = World(SIX_HOURS, until=timedelta(hours=13))
    rests = iter([NOON + timedelta(minutes=75), NOON + timedelta(hours=9)])

    def come(_: str) -> Came:
        retry = next(rests, None)
        return Came(75 if retry else 0, {"outcome": "paused", "retry_at": retry.isoformat()} if retry else {})

    world.come = come
    assert world.hours() == [0, 1.2, 9]


def test_an_allowance_that_is_full_for_months_is_looked_at_once_a_day() -> None:
    world = World(SIX_HOURS, until=timedelta(days=3))
    world.come = lambda _: Came(75, {"retry_at": (NOON + timedelta(days=100)).isoformat()})
    assert world.hours() == [0, 24, 48]


def test_somebody_else_at_work_is_waited_for() -> None:
    world = World(SIX_HOURS, until=timedelta(hours=1))
    world.come = lambda _: Came(75, {"outcome": "paused", "reason": "Another process works on 'images'."})
    assert world.hours() == [0, 0.2, 0.5, 0.8]
    assert timedelta(minutes=5) == AFTER_LOCK


def test_failures_are_survived_and_tried_ever_later() -> None:
    world = World(SIX_HOURS, until=timedelta(hours=8))
    world.come = lambda _: Came(1)
    assert world.hours() == [0, 0.2, 0.9, 3.1, 5.2, 7.4]
    assert "failed" in " ".join(world.said)
    often = World(every(minutes=12), until=timedelta(minutes=30))
    often.come = lambda _: Came(-11)
    assert often.hours() == [0, 0.2, 0.4]  # never later than its schedule


def test_several_imports_one_at_a_time() -> None:
    world = World(SIX_HOURS, "images", "documents", until=timedelta(hours=7))
    world.daemon.serve()
    assert [name for name, _ in world.starts] == ["images", "documents", "images", "documents"]


def test_a_line_for_each_event_and_none_while_it_waits() -> None:
    world = World(SIX_HOURS, until=timedelta(hours=7))
    world.come = lambda _: Came(
        0, {"outcome": "limit", "this_run": {"imported": 100, "skipped": 3}, "totals": {"pending": 6464}}
    )
    world.daemon.serve()
    assert len(world.said) == 2 + 2 * 3
    assert "limit after 10 min (exit 0), 100 imported, 6,464 to go" in world.said[2]
    assert "next at 2026-11-25 18:00:00 UTC" in world.said[3]


def test_the_line_says_why() -> None:
    line = told(Came(75, {"outcome": "paused", "reason": "The host rests."}), timedelta(seconds=3))
    assert line == "paused after 3 s (exit 75): The host rests."
    assert told(Came(1), timedelta(seconds=3)) == "failed after 3 s (exit 1)"


def test_what_a_command_says_comes_back() -> None:
    script = "import json, sys; print('noise'); print(json.dumps({'outcome': 'done', 'retry_at': None})); sys.exit(3)"
    came = Processes(lambda _: (sys.executable, "-c", script), os.getcwd())("images", lambda: False)  # noqa: PTH109
    assert (came.exit_code, came.told["outcome"], came.retry_at) == (3, "done", None)
    silent = Processes(lambda _: (sys.executable, "-c", "print('not json')"), str(ROOT))("images", lambda: False)
    assert (silent.exit_code, dict(silent.told)) == (0, {})


def test_the_promise_of_two_seconds_holds_by_its_parts() -> None:
    assert NAP + MERCY + LAST_MERCY <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_run_that_does_not_listen_is_ended() -> None:
    deaf = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    stop = threading.Event()
    timer = threading.Timer(0.5, stop.set)
    timer.start()
    came = Processes(lambda _: (sys.executable, "-c", deaf), str(ROOT))("images", stop.is_set)
    assert came.exit_code == 1


# For real.


def start(port: Port, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    before = {key: value for key, value in os.environ.items() if not key.startswith(("FILEMAKER_", "UNLADE_"))}
    environ = {**before, **port.settings(**(env or {})), "DJANGO_DEBUG": "1"}
    command = [sys.executable, "manage.py", "filemaker_daemon", "images", "--json", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(check: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 90
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_daemon_imports_and_ends_when_told(make_port: PortMaker) -> None:
    with make_port(cargo(12)) as port:
        process = start(port, "--every", "2s", "--limit", "5")
        until(lambda: sum(port.downloads().values()) == 12)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
        ended = json.loads(out.splitlines()[-1])
        assert (ended["outcome"], ended["exit"]) == ("interrupted", 130) and ended["runs"] >= 3
        assert err.count("images: starting") == ended["runs"]
        port.until_done()
        port.check()
        assert not port.twice()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_the_middle_of_a_download_and_loses_nothing(make_port: PortMaker, number: int) -> None:
    slow = [{"on": "container", "nth": {"from": 3}, "times": 4, "do": {"delay": 120, "where": "body"}}]
    with make_port(cargo(8), faults=slow) as port:
        process = start(port, "--every", "1h")
        until(lambda: port.sim.stats()["requests"]["container"] >= 6 and sum(port.downloads().values()) == 2)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)  # the downloads would take two minutes
        assert process.returncode == 130, err
        assert "Stopped" in err and "Traceback" not in err
        port.sim.set_faults([])
        port.until_done()
        assert port.check(books="enough")["imported"] == 8
        assert not port.twice()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_source_that_is_down_and_a_database_that_is_away_are_survived(make_port: PortMaker) -> None:
    with make_port(cargo(2)) as port:
        process = start(port, "--every", "1s", env={"DATABASE_URL": f"sqlite:///{port.folder}/none/x.sqlite3"})
        lines: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if sum("images: failed" in each for each in lines) == 2:
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 130
        assert any("database cannot be asked" in line for line in lines)
