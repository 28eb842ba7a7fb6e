"""Killed at any moment, and run again: nothing fetched twice that was safe, nothing lost, nothing double (DESIGN 5.2, 5.3)."""

from __future__ import annotations

import random
import time

import pytest

from tests.voyage.harness import FULL, LESSER, Port, PortMaker, cargo, jpeg, photo, raw, record

#: One process after another dies at the next of these; each finds what the one before left.
SPOTS = (
    "unlade.store.local:LocalStore.delete@before",
    "unlade.store.base:Store.put_run_mark@after",
    "unlade.voyage:Voyage._page_came@before",
    "unlade.voyage:Voyage._page_came@after",
    "unlade.ledger.books:Books.in_hand@after#2",
    "unlade.spool:Spool.begin@after#3",
    "unlade.spool:SpoolWriter.finish@before#2",
    "unlade.spool:SpoolWriter.finish@after#4",
    "unlade.agenda:Agenda.__init__@before",
    "unlade.store.base:Store.put@before#3",
    "unlade.store.local:LocalStore._finish@before#2",
    "unlade.store.base:Store.put@after#2",
    "unlade.store.base:Store.put_thumbnail@after#3",
    "unlade.ledger.books:Books.settle@after#3",
    "unlade.voyage:Voyage._after_commit@before#2",
    "unlade.spool:Spool.discard@after#2",
    "unlade.filemaker.source:DataApiSource.close@before",
    "unlade.ledger.books:Books.close@before",
)


def _cargo(count: int) -> object:
    """Plain ones, a damaged best field above a good lesser one, duplicates and an empty record."""
    special = {}
    for number in range(5, count, 9):
        special[number] = record(
            number, **{FULL: raw(jpeg(f"cut {number}", 4000)[:-700]), LESSER: photo(f"good {number}")}
        )
    special[count] = record(count, **{FULL: ""})
    return cargo(count, special=special)


class Watch:
    """Remembers what must not be fetched again."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.safe: dict[tuple[str, str], int] = {}

    def look(self) -> None:
        """After a death: what is safe now; what was safe before was not fetched since."""
        downloads = self.port.downloads()
        for key, count in self.safe.items():
            assert downloads[key] == count, f"{key} was safe and was fetched again"
        self.safe |= {key: downloads[key] for key in self.port.safe()}


def _finish(port: Port, watch: Watch, count: int) -> None:
    last = port.until_done()
    watch.look()
    totals = port.check(books="enough")
    assert totals["imported"] == count - 1 and totals["empty"] == 1
    assert last["exit"] == 0
    again = port.run()
    assert (again["requests"], again["logins"], again["this_run"]["skipped"]) == (3, 1, 0)


@pytest.mark.slow
def test_killed_at_each_spot(make_port: PortMaker) -> None:
    count = 120
    with make_port(_cargo(count)) as port:
        watch, survived = Watch(port), []
        for spot in SPOTS:
            code, said, err = port.command("--limit", "4", crash=spot)
            if code != -9:
                survived.append((spot, code, said, err[-500:]))
            watch.look()
        assert survived == []
        _finish(port, watch, count)


BIG_SPOTS = (
    "unlade.voyage:Voyage._page_came@after",
    "unlade.spool:SpoolWriter.finish@after#4",
    "unlade.store.remote:RemoteStore._create@after#2",
    "unlade.store.base:Store.put_thumbnail@before#3",
    "unlade.ledger.books:Books.settle@after#3",
    "unlade.voyage:Voyage._after_commit@before#2",
)


@pytest.mark.slow
@pytest.mark.real
def test_killed_on_postgres_and_s3(make_big_port: PortMaker) -> None:
    count = 60
    with make_big_port(_cargo(count)) as port:
        watch = Watch(port)
        for spot in BIG_SPOTS:
            code, said, err = port.command("--limit", "6", crash=spot)
            assert code == -9, (spot, said, err)
            watch.look()
        _finish(port, watch, count)


@pytest.mark.slow
def test_killed_at_random(any_port: PortMaker) -> None:
    rng, count, kills = random.Random(1), 120, 0
    with any_port(_cargo(count), latency=0.03) as port:
        watch = Watch(port)
        for _ in range(8):
            process = port.start()
            time.sleep(0.7 + rng.uniform(0.05, 1.3))
            process.kill()
            process.communicate(timeout=60)
            watch.look()
            if process.returncode == 0:
                break
            kills += 1
        assert kills, "it was too fast to be killed"
        _finish(port, watch, count)
