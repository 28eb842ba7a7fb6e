"""Does memory depend on the size of a file?

Set-up: one record with a file of 1 GB, made by the simulated host while it sends it, through the same path as every
image: spool, digests, sniffing, store (a local folder).

Targets: the main process never holds 300 MB, as in `bulk`; the file arrives whole. Why: promise 6 of the design. The
throughput is told without a target: most of it is the disk's.
"""

from __future__ import annotations

from bench import dataset
from bench.bulk import MEMORY
from bench.figures import Figure, at_most, exactly, told
from bench.stage import Project, scratch, serving


def run(scale: float) -> list[Figure]:
    size = int(1e9 * scale)
    with scratch() as folder:
        dataset.one_large(folder / "data", size)
        with serving(folder / "data", "--streaming", "open") as host:
            project = Project(folder / "project", host)
            project.prepare(folder / "data")
            measured, said = project.import_images("--concurrency", "8")
            host_cpu = host.cpu()
    return [
        exactly("imported", said["totals"]["imported"], 1, "file"),
        exactly("bytes kept", said["bytes"]["kept"], size, "B"),
        at_most("peak memory of the main process", measured.peak_rss / 1e6, MEMORY / 1e6, "MB"),
        told("throughput of the run", size / 1e6 / said["seconds"], "MB/s"),
        told("CPU of the main process", measured.cpu, "s"),
        told("CPU of the simulated host", host_cpu, "s"),
        told("whole run", measured.wall, "s"),
    ]
