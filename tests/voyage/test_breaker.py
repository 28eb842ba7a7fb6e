"""A host that struggles is left alone, across processes; a refused password is not tried again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.voyage.harness import FULL, LESSER, HandClock, PortMaker, cargo, photo, record
from unlade.ledger.models import Item

pytestmark = pytest.mark.slow


STORM = {"status": 502, "body": "html"}


def _three_fields(count: int) -> dict[int, object]:
    return {n: record(n, **{FULL: photo(f"full {n}"), LESSER: photo(f"lesser {n}")}) for n in range(1, count + 1)}


def test_a_storm_opens_the_breaker_and_the_pause_is_kept(any_port: PortMaker) -> None:
    storm = [{"on": "container", "nth": {"from": 11}, "do": STORM}]
    clock = HandClock()
    with any_port(cargo(40, special=_three_fields(40)), faults=storm, environ={"UNLADE_COOLDOWNS": "5m,30m"}) as port:
        port.clock = clock
        ended = port.run()
        assert (ended["outcome"], ended["exit"]) == ("paused", 75)
        first = datetime.fromisoformat(ended["retry_at"])
        assert timedelta(minutes=4) < first - clock() <= timedelta(minutes=5)
        assert port.sim.stats()["statuses"]["502"] <= 3 + 4
        assert ended["totals"]["imported"] == 10
        port.check(books="enough")

        asked = len(port.sim.log())
        again = port.run()
        assert (again["exit"], again["retry_at"]) == (75, ended["retry_at"])
        assert len(port.sim.log()) == asked

        clock.ahead = timedelta(minutes=6)
        third = port.run()
        new = port.sim.log()[asked:]
        assert third["exit"] == 75
        assert new[0]["kind"] == "metadata"  # productInfo: the cheapest there is
        assert sum(line["status"] == 502 for line in new) == 1
        assert datetime.fromisoformat(third["retry_at"]) - clock() > timedelta(minutes=25)

        port.sim.set_faults([])
        clock.ahead = timedelta(minutes=40)
        Item.objects.filter(state="failed").update(next_try_at=clock())
        last = port.run()
        assert (last["outcome"], last["exit"]) == ("done", 0)
        assert {item.field for item in port.items().values()} == {FULL}
        assert port.check(books="enough")["imported"] == 40
        assert not port.twice()


def test_a_host_that_fails_before_anything_was_listed(make_port: PortMaker) -> None:
    with make_port(cargo(5), faults=[{"on": "any", "do": STORM}], environ={"UNLADE_COOLDOWNS": "5m"}) as port:
        ended = port.run()
        assert ended["exit"] == 75 and ended["retry_at"]
        assert ended["found"] is None
        assert len(port.sim.log()) <= 4


def test_an_empty_answer_is_told_from_a_host_that_fails(make_port: PortMaker) -> None:
    """A 502 on the second page is no end of the list (LESSONS 3)."""
    page = [{"on": "records", "nth": {"from": 3, "to": 30}, "do": STORM}]
    with make_port(cargo(60), faults=page) as port:
        ended = port.run()
        assert ended["exit"] in (1, 75) and ended["outcome"] in ("failed", "paused")
        assert (ended["found"], sum(ended["totals"].values())) == (60, 60)
        port.check(books="enough")
        port.sim.set_faults([])
        port.clock = HandClock(timedelta(days=2))
        port.until_done()
        assert port.check(books="enough")["imported"] == 60


def test_a_wrong_password_is_tried_once_until_it_changes(any_port: PortMaker) -> None:
    with any_port(cargo(5)) as port:
        for _ in range(3):
            ended = port.run(env={"FILEMAKER_PASSWORD": "hunter-2"})
            assert (ended["outcome"], ended["exit"]) == ("failed", 1)
            assert "hunter-2" not in str(ended)
        assert port.sim.stats()["requests"]["session"] == 1
        port.run(env={"FILEMAKER_PASSWORD": "hunter-3"})
        assert port.sim.stats()["requests"]["session"] == 2
        ended = port.run()
        assert (ended["exit"], ended["totals"]["imported"]) == (0, 5)


def test_a_refused_password_ends_with_one_and_says_what_to_do(make_port: PortMaker) -> None:
    with make_port(cargo(5)) as port:
        code, said, err = port.command(env={"FILEMAKER_PASSWORD": "hunter-2"})
        assert (code, said["exit"], said["outcome"]) == (1, 1, "failed")
        assert "FILEMAKER_PASSWORD" in err and "Traceback" not in err


def test_a_run_that_the_breaker_refuses_says_so_at_once(make_port: PortMaker) -> None:
    storm = [{"on": "container", "nth": {"from": 3}, "do": STORM}]
    with make_port(cargo(20), faults=storm, environ={"UNLADE_COOLDOWNS": "5m"}) as port:
        port.run()
        asked = len(port.sim.log())
        code, said, _ = port.command()
        assert (code, said["outcome"]) == (75, "paused")
        assert said["retry_at"] and len(port.sim.log()) == asked


def test_one_bad_answer_only_slows_a_run_down(make_port: PortMaker) -> None:
    with make_port(cargo(40), faults=[{"on": "container", "nth": {"every": 12}, "do": STORM}]) as port:
        ended = port.run()
        assert (ended["outcome"], ended["totals"]["imported"], ended["exit"]) == ("done", 40, 0)
        port.check(books="enough")
        assert not port.twice()
