"""Any mixture of passing troubles ends as the truth says: nothing lost, nothing worse, nothing fetched twice.

`UNLADE_SOAK=200` tries so many mixtures instead of a handful.
"""

from __future__ import annotations

import os
import random
from datetime import timedelta
from typing import Any

import pytest

from fmsim import clinic
from tests.voyage.harness import HandClock, Port, PortMaker

pytestmark = pytest.mark.slow

IMAGES = 40
SEEDS = range(int(os.environ.get("UNLADE_SOAK", "5")))

#: What a host may do for a while; none of it says anything about a file.
TROUBLES: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("container", "records", "session", "any"), {"status": 502, "body": "html"}),
    (("container", "records", "any"), {"status": 503}),
    (("container", "records"), {"status": 504}),
    (("records", "session"), {"status": 500}),
    (("container",), {"status": 401}),
    (("container",), {"stale": True}),
    (("container", "records"), {"drop_session": True}),
    (("records",), {"code": 952}),
    (("session",), {"code": 812}),
    (("container",), {"reset_after": 500}),
    (("container", "records"), {"reset_after": 0}),
    (("container",), {"delay": 0.05, "where": "body"}),
    (("container",), {"content_type": "text/html"}),
]
#: What a host does to one download; twice in a row it would be the file's own fault (CONTRACT B2).
ONCE: list[dict[str, Any]] = [{"truncate": 700}, {"status": 200, "body": "html"}, {"status": 404}]


def plan(rng: random.Random) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    for _ in range(rng.randint(1, 4)):
        kinds, do = rng.choice(TROUBLES)
        nth = rng.choice(
            [{"every": rng.randint(2, 9)}, {"share": rng.choice([0.1, 0.3])}, {"from": rng.randint(3, 30)}]
        )
        rule = {"on": rng.choice(kinds), "nth": nth, "do": dict(do), "times": rng.randint(1, 25)}
        if rng.random() < 0.3 and rule["on"] == "container":
            rule["hop"] = 1
        rules.append(rule)
    if rng.random() < 0.6:
        nth = rng.randint(5, 40)
        rules.append({"on": "container", "nth": {"from": nth, "to": nth}, "times": 1, "do": rng.choice(ONCE)})
    return rules


@pytest.mark.parametrize("seed", SEEDS)
def test_any_mixture_of_troubles(make_port: PortMaker, seed: int) -> None:
    rng = random.Random(seed)
    data, truth = clinic.build(images=IMAGES, patients=6), clinic.truth(images=IMAGES, patients=6)
    faults, clock = plan(rng), HandClock()
    streaming = rng.choice(["open", "protected", "bearer", "first-hit"])
    environ = {"UNLADE_COOLDOWNS": "1m,5m"}
    with make_port(data, faults=faults, streaming=streaming, environ=environ) as port:
        port.clock = clock
        for _ in range(rng.randint(1, 4)):
            port.run(limit=rng.choice([None, 7, 15]), batch_size=rng.choice([5, 20, 50]))
            port.check(books="enough", spool_empty=False)
            clock.ahead += timedelta(minutes=rng.choice([1, 10, 600]))
            port.sim.advance(rng.choice([0, 60, 1000]))
        port.sim.set_faults([])
        for _ in range(8):
            clock.ahead += timedelta(hours=25)
            port.sim.advance(90_000)
            ended = port.run()
            port.check(books="enough", spool_empty=False)
            if ended["outcome"] == "done" and not _waiting(port):
                break
        port.check(books="enough")
        _as_the_truth_says(port, truth, faults)


def _waiting(port: Port) -> bool:
    return any(item.state == "pending" or (item.state == "failed" and not item.final) for item in port.items().values())


def _as_the_truth_says(port: Port, truth: dict[str, clinic.Expected], faults: list[dict[str, Any]]) -> None:
    items = port.items()
    assert len(items) == len(truth)
    for identity, fate in truth.items():
        item = items[fate.record_id]
        found = (item.state, item.field or None, item.sha256 or None)
        assert found == (fate.state, fate.field, fate.sha256), (identity, fate.case, item.reason, item.attempts, faults)
    sound = {(fate.record_id, fate.field) for fate in truth.values() if fate.state == "imported"}
    spoilt = sum(rule["do"] in ONCE for rule in faults)
    again = [key for key in port.twice() if key in sound]
    assert len(again) <= spoilt, (again, faults)
