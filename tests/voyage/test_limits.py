"""Limits that a person asks for, and runs that do little: as asked, and no request more than that needs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.voyage.harness import FIELDS, FULL, MISSING, PortMaker, cargo, photo, record


def test_limit_counts_downloads_started_and_no_page_is_asked_for_then(make_port: PortMaker) -> None:
    special = {2: record(2, **{FULL: ""}), 3: record(3, **{FULL: MISSING})}
    with make_port(cargo(60, special=special)) as port:
        ended = port.run(limit=5, batch_size=10)
        assert (ended["outcome"], ended["exit"], ended["found"]) == ("limit", 3, 60)
        assert ended["this_run"]["imported"] == 4 and ended["this_run"]["failed"] == 1
        assert ended["this_run"]["empty"] == 1
        stats = port.sim.stats()["requests"]
        assert stats["records"] == 2  # the count, and one page with enough on it
        totals = port.check()
        assert totals["pending"] == 60 - 6


def test_limits_reach_everything_in_small_steps(make_port: PortMaker) -> None:
    with make_port(cargo(25)) as port:
        for done in (7, 14, 21):
            assert port.run(limit=7, batch_size=6)["totals"]["imported"] == done
            port.check()
        assert port.run(limit=7, batch_size=6)["outcome"] == "done"
        assert port.check()["imported"] == 25
        assert not port.twice()


def test_limit_of_nothing_downloads_nothing(make_port: PortMaker) -> None:
    with make_port(cargo(10)) as port:
        ended = port.run(limit=0)
        assert (ended["outcome"], ended["exit"]) == ("limit", 0)
        assert port.sim.stats()["requests"]["container"] == 0
        assert port.check() == {**dict.fromkeys(ended["totals"], 0), "pending": 10}


@pytest.mark.parametrize(("batch", "concurrency"), [(1, 1), (1, 4), (3, 1), (100, 4)])
def test_every_batch_size_and_concurrency(make_port: PortMaker, batch: int, concurrency: int) -> None:
    with make_port(cargo(23)) as port:
        ended = port.run(batch_size=batch, concurrency=concurrency)
        assert (ended["outcome"], ended["exit"], ended["totals"]["imported"]) == ("done", 0, 23)
        port.check()
        stats = port.sim.stats()
        assert stats["peak_concurrency"] <= concurrency
        assert (stats["logins"], stats["logouts"], stats["open_sessions"], stats["writes"]) == (1, 1, 0, 0)
        assert not port.twice()


def test_max_time(make_port: PortMaker) -> None:
    with make_port(cargo(200), latency=0.02) as port:
        ended = port.run(max_time=timedelta(seconds=0.4), concurrency=2)
        assert (ended["outcome"], ended["exit"]) == ("limit", 0)
        assert 0 < ended["totals"]["imported"] < 200
        port.check()


def test_a_run_with_nothing_to_do_costs_a_login_a_record_and_a_logout(any_port: PortMaker) -> None:
    with any_port(cargo(12)) as port:
        port.until_done()
        before = port.sim.stats()["requests"]
        ended = port.run()
        after = port.sim.stats()["requests"]
        spent = {kind: after[kind] - before[kind] for kind in after}
        assert spent == {**dict.fromkeys(after, 0), "session": 2, "records": 1}
        assert (ended["outcome"], ended["exit"], ended["logins"], ended["requests"]) == ("done", 0, 1, 3)
        port.check()


def test_final_failures_wait_for_retry_failed(make_port: PortMaker) -> None:
    with make_port(cargo(8, special={4: record(4, **{FULL: MISSING})})) as port:
        ended = port.run()
        assert (ended["exit"], ended["this_run"]["failed"]) == (3, 1)
        item = port.items()["4"]
        assert (item.state, item.reason, item.final) == ("failed", "missing", True)
        asked = port.sim.stats()["requests"]["container"]
        assert port.run()["exit"] == 0
        assert port.sim.stats()["requests"]["container"] == asked
        table = port.sim.host.tables.named("Images")
        table.change(table.get("4"), {FULL: photo("found again")})
        ended = port.run(retry_failed=True)
        assert (ended["exit"], ended["totals"]["imported"]) == (0, 8)
        port.check()


def test_dry_run_writes_nothing_but_its_bookings(make_port: PortMaker) -> None:
    from clinic.images.models import Image, ImageBatch
    from unlade.ledger.models import Item

    special = {2: record(2, **{FULL: ""}), 3: record(3, **{FULL: "", FIELDS[4]: photo("small")})}
    with make_port(cargo(50, special=special)) as port:
        code, said, err = port.command("--dry-run")
        assert code == 0, err
        assert said["exit"] == 0
        assert said["dry_run"]["found"] == said["dry_run"]["read"] == 50
        assert said["dry_run"]["would"] == {"fetched": 49, "empty": 1}
        assert said["dry_run"]["fields"] == {FULL: 48, FIELDS[4]: 1}
        stats = port.sim.stats()
        assert (stats["requests"]["container"], stats["open_sessions"], stats["writes"]) == (0, 0, 0)
        assert not Item.objects.exists() and not Image.objects.exists() and not ImageBatch.objects.exists()
        assert not [path for path in (port.folder / "store").rglob("*") if path.is_file()]
        booked = port.booked()
        assert {kind: booked[kind] for kind in stats["bytes"]} == stats["bytes"] and booked["open"] == 0
        assert port.run()["totals"]["imported"] == 49
        port.check()


def test_wait_sleeps_through_a_rest_and_goes_on(make_port: PortMaker) -> None:
    storm = [
        {"on": "container", "nth": {"from": 6}, "for_seconds": 0.3, "times": 1, "do": {"status": 502, "body": "html"}}
    ]
    with make_port(cargo(40), faults=storm, environ={"UNLADE_COOLDOWNS": "1s"}) as port:
        ended = port.run(wait=True)
        assert (ended["outcome"], ended["totals"]["imported"]) == ("done", 40)
        port.check(books="enough")
        assert port.sim.stats()["statuses"]["502"] <= 3 + 4
        assert port.sim.stats()["open_sessions"] == 0
        runs = list(port.ended.books.source.runs.values_list("number", flat=True))
        assert runs == [1]
