"""Does the engine keep a far host's permits busy?

Set-up: 1,500 JPEGs of 90 to 110 KB in protected mode (two hops a download), 120 ms before every answer, 8 permits,
UNLADE_PACE=off, SQLite and a local folder. Eight permits over two hops of 120 ms are 33.3 downloads a second at the
very best; everything else that an item needs (booking, hashing, decoding, storing, its row) must happen beside that.

Targets: at least 90 % of 8 / (2 x latency) after ramp-up, by the host's own log; container bytes at most 1.01 x what is
kept; pages, logins and heads at most 4 KB a record on the lean layout; one login; never more downloads at once than
permits. Why: over a slow line the host is the bottleneck, and it should be the only one.
"""

from __future__ import annotations

from bench import dataset
from bench.figures import Figure, at_least, at_most, exactly, told
from bench.stage import Project, middle_rate, scratch, serving

LATENCY = 0.120
PERMITS = 8


def run(scale: float) -> list[Figure]:
    images = max(100, int(1500 * scale))
    with scratch() as folder:
        dataset.clinic(folder / "data", images, 90_000, 110_000)
        with serving(folder / "data", "--latency", f"{LATENCY * 1000:.0f}ms", "--streaming", "protected") as host:
            project = Project(folder / "project", host)
            project.prepare(folder / "data")
            measured, said = project.import_images("--concurrency", str(PERMITS))
            stats, log = host.stats(), host.log()
    best = PERMITS / (2 * LATENCY)
    sent, kept = stats["bytes"], said["bytes"]["kept"]
    rate = middle_rate(log)
    return [
        exactly("imported", said["totals"]["imported"], images, "images"),
        at_least("downloads after ramp-up", rate, 0.9 * best, "/s"),
        told("of what the permits allow", 100 * rate / best, "%"),
        at_most("container bytes / bytes kept", sent["container"] / kept, 1.01),
        at_most("pages, logins and heads a record", (sent["api"] + sent["headers"]) / images, 4000, "B"),
        exactly("logins", stats["logins"], 1),
        at_most("downloads at once", stats["peak_concurrency"], PERMITS),
        told("CPU of the main process an image", 1000 * measured.cpu / images, "ms"),
        told("whole run", measured.wall, "s"),
    ]
