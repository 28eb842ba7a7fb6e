"""Ctrl-C, two runs at once, and what the next run finds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from tests.voyage.harness import Port, PortMaker, cargo

pytestmark = pytest.mark.slow


def _until(port: Port, downloads: int) -> None:
    while port.sim.stats()["requests"]["container"] < downloads:
        time.sleep(0.01)


def _said(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.skipif(sys.platform == "win32", reason="a console event reaches the whole group there")
def test_ctrl_c_finishes_what_is_in_hand(any_port: PortMaker) -> None:
    _ends_in_order(any_port, signal.SIGINT)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal there")
def test_sigterm_is_ctrl_c(make_port: PortMaker) -> None:
    _ends_in_order(make_port, signal.SIGTERM)


def _ends_in_order(make: PortMaker, number: int) -> None:
    with make(cargo(100), latency=0.05) as port:
        process = port.start()
        _until(port, 20)
        process.send_signal(number)
        code, out, err = _said(process)
        assert code == 130, err
        ended = json.loads(out.splitlines()[-1])
        assert (ended["outcome"], ended["exit"]) == ("interrupted", 130)
        stats = port.sim.stats()
        complete = sum(port.downloads().values())
        assert (stats["open_sessions"], stats["logouts"]) == (0, 1)
        assert complete == stats["requests"]["container"] == ended["this_run"]["imported"]
        assert complete < 100
        port.check()
        port.until_done()
        assert port.check()["imported"] == 100
        assert not port.twice()


@pytest.mark.skipif(sys.platform == "win32", reason="a console event reaches the whole group there")
def test_a_second_signal_stops_at_once(make_port: PortMaker) -> None:
    slow = [{"on": "container", "nth": {"from": 10}, "do": {"delay": 30, "where": "body"}}]
    with make_port(cargo(60), faults=slow) as port:
        process = port.start()
        _until(port, 12)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        code, _, err = _said(process)
        assert code == 130
        assert "run it again" in err
        safe = port.safe()
        before = port.downloads()
        port.sim.set_faults([])
        port.until_done()
        assert {key: port.downloads()[key] for key in safe} == {key: before[key] for key in safe}
        assert port.check(books="enough")["imported"] == 60


def test_the_second_of_two_runs_ends_and_says_who_is_at_work(any_port: PortMaker) -> None:
    with any_port(cargo(60), latency=0.06) as port:
        first = port.start("--concurrency", "2")
        _until(port, 4)
        asked = port.sim.stats()["logins"]
        code, said, err = port.command()
        assert code == 75, err
        assert (said["outcome"], said["exit"]) == ("paused", 75)
        assert "Run 1" in err and str(first.pid) in err
        assert port.sim.stats()["logins"] == asked
        first.kill()
        first.communicate(timeout=30)
        code, said, err = port.command("--limit", "3")  # a lock dies with its holder
        assert code == 0, err
        assert said["run"] == 2
        port.until_done()
        assert port.check(books="enough")["imported"] == 60
