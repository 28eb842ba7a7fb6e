"""A long download that broke is continued where the host can do that, and begun anew where it cannot."""

from __future__ import annotations

import hashlib

import pytest

from fmsim import ContainerValue, GeneratedBlob
from tests.voyage.harness import FULL, PortMaker, cargo, record

SIZE = 24_000_000


@pytest.mark.parametrize("ranges", ["on", "off"])
def test_a_broken_long_download_is_continued(make_port: PortMaker, ranges: str) -> None:
    blob = GeneratedBlob(SIZE, seed=3)
    digest = hashlib.sha256(b"".join(blob.chunks())).hexdigest()
    special = {2: record(2, **{FULL: ContainerValue(blob, "scan.bin", "application/octet-stream")})}
    faults = [
        {"on": "container", "match": {"recordId": "2"}, "nth": {"from": 1, "to": 1}, "do": {"reset_after": 15_000_000}}
    ]
    with make_port(cargo(3, special=special), faults=faults, switches={"range": ranges}) as port:
        result = port.run()
        assert result["exit"] == 0 and result["totals"]["imported"] == 3
        item = port.items()["2"]
        assert item.sha256 == digest == port.store.sha256(item.key) and item.size == SIZE
        sent = port.sim.stats()["bytes"]["container"]
        if ranges == "on":
            assert sent < SIZE + 8_000_000, "what had come was not sent again"
        else:
            assert sent > SIZE + 10_000_000
        port.check(books="enough")
