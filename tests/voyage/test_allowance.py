"""What may be transferred: never passed by the host's own count, and booked to the byte."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.voyage.harness import FULL, Port, PortMaker, cargo, photo, record

pytestmark = pytest.mark.slow


def _sent(port: Port) -> int:
    return sum(port.sim.stats()["bytes"].values())


@pytest.mark.parametrize("limit", [60_000, 200_000, 500_000])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_max_bytes_is_never_passed(make_port: PortMaker, limit: int, concurrency: int) -> None:
    with make_port(cargo(100, size=12_000)) as port:
        ended = port.run(max_bytes=limit, concurrency=concurrency, batch_size=10)
        assert (ended["outcome"], ended["exit"]) == ("limit", 0)
        assert _sent(port) <= limit
        assert ended["totals"]["pending"] > 0
        port.check(books="enough")


def test_max_bytes_is_used_well(make_port: PortMaker) -> None:
    with make_port(cargo(120, size=50_000)) as port:
        port.run(max_bytes=3_000_000)
        assert _sent(port) > 0.8 * 3_000_000
        port.check(books="enough")


def test_a_file_larger_than_what_is_left_lets_smaller_ones_pass(make_port: PortMaker) -> None:
    # What is on its way when a connection is closed counts as spent, up to some megabytes.
    size, limit = 30_000_000, 19_000_000
    with make_port(cargo(30, special={2: record(2, **{FULL: photo("huge", size)})}), bandwidth=30e6) as port:
        ended = port.run(max_bytes=limit, concurrency=2)
        assert _sent(port) <= limit
        assert ended["totals"]["imported"] == 29
        assert (port.items()["2"].known_size or 0) > size - 1000
        port.check(books="enough", spool_empty=False)
        again = port.run(max_bytes=limit)  # its size is known now: it is not even asked for
        assert (again["outcome"], again["bytes"]["container"]) == ("limit", 0)
        port.until_done()
        assert port.check(books="enough")["imported"] == 30


def test_books_agree_with_the_host_to_the_byte(any_port: PortMaker) -> None:
    with any_port(cargo(40, size=20_000)) as port:
        ended = port.run()
        assert {kind: ended["bytes"][kind] for kind in ("api", "container", "headers")} == port.sim.stats()["bytes"]
        assert ended["bytes"]["container"] <= 1.01 * ended["bytes"]["kept"]
        port.check()


def test_books_are_never_below_the_host_whatever_breaks(make_port: PortMaker) -> None:
    faults = [
        {"on": "container", "nth": {"every": 5}, "do": {"truncate": 9_000}},
        {"on": "container", "nth": {"every": 7}, "do": {"reset_after": 30_000}},
        {"on": "container", "nth": {"every": 11}, "do": {"status": 502, "body": "html"}},
        {"on": "records", "nth": {"every": 3}, "do": {"reset_after": 2_000}},
    ]
    environ = {"UNLADE_COOLDOWNS": "1ms", "UNLADE_BREAKER_THRESHOLD": "50"}
    with make_port(cargo(60, size=60_000), faults=faults, environ=environ) as port:
        for _ in range(3):
            port.run()
            port.check(books="enough", spool_empty=False)


def test_a_spent_year_waits_for_the_reset_and_asks_nothing(make_port: PortMaker) -> None:
    year = {"UNLADE_ALLOWANCE": "1MB", "UNLADE_ALLOWANCE_RESET": "03-10", "UNLADE_ALLOWANCE_RESERVE": "10%"}
    with make_port(cargo(120, size=30_000), environ=year) as port:
        ended = port.run()
        assert (ended["outcome"], ended["exit"]) == ("paused", 75)
        today = datetime.now(UTC)
        reset = datetime(today.year + ((today.month, today.day) >= (3, 10)), 3, 10, tzinfo=UTC)
        assert datetime.fromisoformat(ended["retry_at"]) == reset
        assert 500_000 < _sent(port) <= 900_000
        port.check(books="enough")
        before = port.sim.stats()["requests"]["container"]
        again = port.run()
        assert (again["exit"], again["retry_at"]) == (75, ended["retry_at"])
        assert port.sim.stats()["requests"]["container"] == before
        assert _sent(port) <= 900_000


def test_the_hosts_own_word_that_its_allowance_is_spent(make_port: PortMaker) -> None:
    with make_port(
        cargo(80, size=30_000),
        meter_limit=900_000,
        environ={"UNLADE_ALLOWANCE": "144GB", "UNLADE_ALLOWANCE_RESET": "03-10"},
    ) as port:
        ended = port.run()
        assert (ended["outcome"], ended["exit"]) == ("paused", 75)
        assert ended["retry_at"]
        assert 0 < ended["totals"]["imported"] < 80 and ended["totals"]["failed"] == 0
        port.check(books="enough")
        before = len(port.sim.log())
        again = port.run()
        assert (again["exit"], again["retry_at"]) == (75, ended["retry_at"])
        assert len(port.sim.log()) == before


def test_hourly_cap(make_port: PortMaker) -> None:
    with make_port(cargo(60, size=30_000), environ={"UNLADE_MAX_BYTES_HOUR": "600KB"}) as port:
        ended = port.run()
        assert (ended["exit"], ended["outcome"]) == (75, "paused")
        assert ended["retry_at"] > datetime.now(UTC).isoformat()
        assert _sent(port) <= 600_000
        port.check(books="enough")
