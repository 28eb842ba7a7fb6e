"""Records that come, go, and are edited while a run is under way and between runs: nothing lost, nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.voyage.harness import Port, PortMaker, cargo

pytestmark = pytest.mark.slow


def _rows(port: Port) -> set[str]:
    return {row.record_id for row in port.sim.host.tables.named("Images").rows}


def _settled_like_the_host(port: Port) -> None:
    """Every record of the host is imported here exactly once; the others are gone and keep their files."""
    items = port.items()
    alive = {rid for rid, item in items.items() if item.gone_at is None}
    assert alive == _rows(port)
    assert {items[rid].state for rid in alive} == {"imported"}
    assert not port.twice()


FAULTS: dict[str, list[dict[str, Any]]] = {
    "added while pages are read": [{"on": "records", "nth": {"from": 3, "to": 4}, "do": {"add": 7}}],
    "added while files are fetched": [{"on": "container", "nth": {"every": 20}, "times": 4, "do": {"add": 3}}],
    "deleted behind the listing": [{"on": "records", "nth": {"from": 4, "to": 4}, "do": {"delete": 3}}],
    "deleted again and again": [{"on": "records", "nth": {"every": 2}, "times": 4, "do": {"delete": 2}}],
    "deleted before their turn": [{"on": "records", "nth": {"from": 2, "to": 2}, "do": {"delete": 5}}],
    "deleted while files are fetched": [{"on": "container", "nth": {"every": 9}, "times": 5, "do": {"delete": 2}}],
    "touched": [{"on": "container", "nth": {"every": 10}, "times": 6, "do": {"touch": 4}}],
    "all of it": [
        {"on": "records", "nth": {"every": 3}, "times": 6, "do": {"delete": 1, "add": 2}},
        {"on": "container", "nth": {"every": 11}, "times": 6, "do": {"touch": 2, "add": 1}},
        {"on": "container", "nth": {"every": 17}, "times": 4, "do": {"delete": 1}},
    ],
}


@pytest.mark.parametrize(("what", "batch"), [(what, 10) for what in FAULTS] + [(what, 1) for what in list(FAULTS)[2:6]])
def test_changes_while_a_run_is_under_way(make_port: PortMaker, what: str, batch: int) -> None:
    with make_port(cargo(90), faults=FAULTS[what]) as port:
        port.run(batch_size=batch)
        port.check()
        port.sim.set_faults([])
        port.until_done(batch_size=batch)
        port.check()
        _settled_like_the_host(port)
        assert port.run()["requests"] == 3


@pytest.mark.parametrize("seed", range(4))
def test_changes_between_and_during_many_short_runs(make_port: PortMaker, seed: int) -> None:
    import random

    rng = random.Random(seed)
    with make_port(cargo(60)) as port:
        for _ in range(8):
            port.sim.set_faults([
                {"on": rng.choice(["records", "container"]), "nth": {"every": rng.randint(2, 5)}, "times": 2,
                 "do": {rng.choice(["add", "delete", "touch"]): rng.randint(1, 4)}}
                for _ in range(2)
            ])  # fmt: skip
            port.run(limit=rng.choice([3, 10, None]), batch_size=rng.choice([2, 7, 20]))
            port.check()
        port.sim.set_faults([])
        port.until_done()
        totals = port.check()
        _settled_like_the_host(port)
        assert totals["imported"] == len(_rows(port))


def test_deleted_between_runs_leaves_the_totals_and_keeps_its_file(make_port: PortMaker) -> None:
    with make_port(cargo(40)) as port:
        port.until_done()
        table = port.sim.host.tables.named("Images")
        for rid in ("3", "17", "40"):
            table.remove(table.get(rid))
        ended = port.run()
        assert (ended["found"], ended["totals"]["imported"], ended["gone"], ended["exit"]) == (37, 37, 3, 0)
        assert len(port.stored()) == 40
        port.check()


def test_most_of_the_records_deleted(make_port: PortMaker) -> None:
    with make_port(cargo(60)) as port:
        port.run(limit=10)
        table = port.sim.host.tables.named("Images")
        for row in list(table.rows)[5:55]:
            table.remove(row)
        ended = port.until_done()
        assert (ended["found"], ended["totals"]["imported"]) == (10, 10)
        port.check()
        _settled_like_the_host(port)


def test_all_records_deleted_is_no_error_and_they_may_come_back(make_port: PortMaker) -> None:
    with make_port(cargo(12)) as port:
        port.until_done()
        table = port.sim.host.tables.named("Images")
        rows = list(table.rows)
        for row in rows:
            table.remove(row)
        ended = port.run()
        assert (ended["found"], sum(ended["totals"].values()), ended["gone"], ended["exit"]) == (0, 0, 12, 0)
        port.sim.reset()
        ended = port.until_done()
        assert (ended["found"], ended["totals"]["imported"], ended["gone"]) == (12, 12, 0)
        assert sum(port.downloads().values()) == 0


def test_two_records_with_one_identity(make_port: PortMaker) -> None:
    data = cargo(10)
    data.tables["Images"][7].values["id"] = data.tables["Images"][2].values["id"].lower()
    with make_port(data) as port:
        ended = port.run()
        assert (ended["totals"]["imported"], ended["totals"]["failed"], ended["exit"]) == (9, 1, 3)
        assert port.items()["8"].reason == "duplicate_identity"
        port.check()
        assert port.run(retry_failed=True)["totals"]["failed"] == 1
