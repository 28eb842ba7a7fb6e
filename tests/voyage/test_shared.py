"""Two imports at once, in processes of their own, on one database: one allowance, one set of permits, one breaker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from fmsim import clinic
from tests.voyage.harness import ROOT, Port, PortMaker
from unlade.ledger.models import Host

pytestmark = pytest.mark.slow


def _start(port: Port, name: str, *arguments: str, **more: str) -> subprocess.Popen[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("FILEMAKER_", "UNLADE_"))}
    environ = {**clean, **port.settings(**more), "DJANGO_DEBUG": "1"}
    command = [sys.executable, "manage.py", f"import_filemaker_{name}", "--json", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _both(port: Port, *arguments: str, **more: str) -> list[dict[str, Any]]:
    """Images and documents side by side; their JSON objects."""
    running = [_start(port, name, *arguments, **more) for name in ("images", "documents")]
    ended = [process.communicate(timeout=120) for process in running]
    assert all(out.strip() for out, _ in ended), ended
    return [json.loads(out.strip().splitlines()[-1]) for out, _ in ended]


def test_permits_together_are_never_more_than_the_maximum(any_port: PortMaker) -> None:
    data = clinic.build(images=60, documents=60)
    with any_port(data, latency=0.04, streaming="open") as port:
        ended = _both(port, UNLADE_CONCURRENCY="4")
        assert [each["outcome"] for each in ended] == ["done", "done"]
        assert all(each["totals"]["pending"] == 0 for each in ended)
        assert 2 <= port.sim.stats()["peak_concurrency"] <= 4
        assert port.sim.stats()["open_sessions"] == 0


def test_together_they_never_pass_a_limit(any_port: PortMaker) -> None:
    data = clinic.build(images=60, documents=60)
    with any_port(data, latency=0.01, streaming="open") as port:
        limit = 3_000_000
        ended = _both(port, UNLADE_MAX_BYTES_DAY=str(limit))
        stopped = [each for each in ended if each["exit"] == 75]  # the small one may be done before
        assert stopped and all(each["retry_at"] for each in stopped)
        sent = port.sim.stats()["bytes"]
        assert 0.4 * limit < sum(sent.values()) <= limit
        assert port.booked()["charged"] <= limit


def test_what_one_learns_of_the_host_the_other_heeds(any_port: PortMaker) -> None:
    data = clinic.build(images=60, documents=60)
    storm = [
        {
            "on": "any",
            "nth": {"from": 60, "to": 60},
            "for_seconds": 60,
            "times": 1,
            "do": {"status": 502, "body": "html"},
        }
    ]
    with any_port(data, latency=0.02, faults=storm) as port:
        ended = _both(port, UNLADE_COOLDOWNS="30s,5m")
        assert {each["exit"] for each in ended} == {75}
        bad = port.sim.stats()["statuses"].get("502", 0)
        # Each has a threshold of three and at most four downloads in flight; the second learns within a second or so.
        assert bad <= 2 * (3 + 4)
        before = len(port.sim.log())
        assert {each["exit"] for each in _both(port, UNLADE_COOLDOWNS="30s,5m")} == {75}
        assert len(port.sim.log()) == before, "while it rests nobody asks the host anything"


def test_after_a_rest_one_of_them_tries_the_host(any_port: PortMaker) -> None:
    data = clinic.build(images=20, documents=20)
    storm = [{"on": "any", "nth": {"from": 12, "to": 12}, "for_seconds": 600, "times": 1, "do": {"status": 502}}]
    with any_port(data, faults=storm) as port:
        assert {each["exit"] for each in _both(port, UNLADE_COOLDOWNS="10m")} == {75}
        host = Host.objects.get()
        host.breaker["retry_at"] = host.breaker["last_trouble_at"]  # the rest is over
        host.save()
        before = len(port.sim.log())
        assert {each["exit"] for each in _both(port, UNLADE_COOLDOWNS="10m")} == {75}
        asked = [line["status"] for line in port.sim.log()[before:]]
        assert asked == [502], "the other one waits for what the first finds"
