"""How many objects of 100 KB does a store take in a second?

Set-up: `Store.put` with facts, as the import calls it (conditional, with the journal's sidecar and flushed to the disk
on a local folder, with metadata on S3), into a local folder by 1 and by 8 threads, and into a real S3 server
(SeaweedFS on this machine, without TLS) by the same.

Target: 120 a second by 8 threads, each: an image is two objects, its original and its thumbnail, and `bulk` wants 60
images a second. Why it is measured apart: a store that is slower than this is the first thing to look at.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.figures import Figure, at_least, told
from bench.stage import scratch
from tests.servers import start_seaweed
from unlade.cargo import Facts
from unlade.store import Store, open_store

SIZE = 100_000
OBJECTS = 1000


def run(scale: float) -> list[Figure]:
    count = max(50, int(OBJECTS * scale))
    figures = []
    with scratch() as folder:
        files = _files(folder / "spool", count)
        local = open_store((folder / "store").as_uri(), spool=folder / "spool")
        figures += _measured("local folder", local, files)
        server = start_seaweed(folder / "weed")
        try:
            remote = open_store(server.url("bench"), environ={**os.environ, **server.env})
            figures += _measured("SeaweedFS", remote, files)
        finally:
            server.stop()
    return figures


def _files(folder: Path, count: int) -> list[tuple[Path, Facts]]:
    folder.mkdir()
    block = random.Random(1).randbytes(SIZE - 8)
    made = []
    for number in range(count):
        data = number.to_bytes(8, "big") + block
        path = folder / f"{number}.body"
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        made.append((path, Facts("images", str(number), "1", f"ID-{number}", 0, digest, "imported")))
    return made


def _measured(name: str, store: Store, files: list[tuple[Path, Facts]]) -> list[Figure]:
    figures = []
    for threads in (1, 8):

        def put(pair: tuple[Path, Facts], threads: int = threads) -> None:
            path, facts = pair
            key = f"by-{threads}/{int(facts.record_id) // 50}/{facts.identity}.jpg"
            store.put(key, path, content_type="image/jpeg", facts=facts)

        began, used = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(put, files):
                pass
        rate = len(files) / (time.perf_counter() - began)
        cpu = 1000 * (time.process_time() - used) / len(files)
        title = f"{name}, {threads} thread{'s' if threads > 1 else ''}"
        figures.append(at_least(title, rate, 120, "/s") if threads > 1 else told(title, rate, "/s"))
        figures.append(told(f"{title}: CPU an object", cpu, "ms"))
    store.close()
    return figures
