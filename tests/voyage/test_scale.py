"""What an item costs does not grow with how many there are: queries and memory (DESIGN 5.6)."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.voyage.harness import FULL, Port, PortMaker, cargo, record

_FRAME = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")


def _queries(port: Port, **options: int) -> float:
    """Statements for each image of a run."""
    before = port.sim.stats()["requests"]["container"]
    with CaptureQueriesContext(connection) as queries:
        port.run(batch_size=50, **options)
    asked = [query for query in queries if not query["sql"].startswith(_FRAME)]
    return len(asked) / (port.sim.stats()["requests"]["container"] - before)


@pytest.mark.slow
def test_queries_for_an_image_do_not_grow(make_port: PortMaker) -> None:
    with make_port(cargo(300)) as port:
        few = _queries(port, limit=60)
        many = _queries(port)
        assert port.check()["imported"] == 300
        assert many < few < 30


def _peak(make_port: PortMaker, count: int) -> int:
    """Most memory, in bytes, that listing so many records took. The records have no files: the host in this process
    would remember each request."""
    from unlade.ledger.models import Source

    data = cargo(count, special={number: record(number, **{FULL: ""}) for number in range(1, count + 1)})
    with make_port(data, patients=False) as port:
        Source.objects.all().delete()
        gc.collect()
        tracemalloc.start()
        try:
            assert port.run(batch_size=50)["totals"]["empty"] == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_records(make_port: PortMaker) -> None:
    _peak(make_port, 100)  # what is imported and cached once
    few = _peak(make_port, 400)
    assert _peak(make_port, 1600) < few * 1.4
