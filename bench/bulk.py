"""How fast can it go when the host is not what it waits for, and how much memory does it take?

Set-up: 6,664 JPEGs of 50 to 130 KB (1100 x 825 pixels, each file with bytes of its own), no latency, one hop a
download, 8 permits, two decoders, SQLite and a local folder that is flushed as always.

Targets: at least 60 files a second with thumbnails, over the whole run from the start of the process to its end; the
main process never holds 300 MB; every record is imported. Why: a clinic's whole estate in two minutes means that the
host, the line and the allowance set the pace, never this program; and memory must not grow with the estate.
"""

from __future__ import annotations

from bench import dataset
from bench.figures import Figure, at_least, at_most, exactly, told
from bench.stage import Project, middle_rate, scratch, serving

IMAGES = 6664
MEMORY = 300e6


def run(scale: float) -> list[Figure]:
    images = max(100, int(IMAGES * scale))
    with scratch() as folder:
        dataset.clinic(folder / "data", images, 50_000, 130_000)
        with serving(folder / "data", "--streaming", "open") as host:
            project = Project(folder / "project", host)
            project.prepare(folder / "data")
            measured, said = project.import_images("--concurrency", "8")
            rate, host_cpu = middle_rate(host.log()), host.cpu()
            files = [path for path in (folder / "project" / "store").rglob("*.jpg") if ".unlade" not in path.parts]
    thumbnails = sum(path.name.endswith(".thumb.jpg") for path in files)
    return [
        exactly("imported", said["totals"]["imported"], images, "images"),
        exactly("originals in the store", len(files) - thumbnails, images),
        exactly("thumbnails in the store", thumbnails, images),
        at_least("files, over the whole process", images / measured.wall, 60, "/s"),
        told("files, first and last 5 % left out", rate, "/s"),
        at_most("peak memory of the main process", measured.peak_rss / 1e6, MEMORY / 1e6, "MB"),
        told("CPU of the main process an image", 1000 * measured.cpu / images, "ms"),
        told("CPU of the decoders an image", 1000 * measured.cpu_children / images, "ms"),
        told("CPU of the simulated host an image", 1000 * host_cpu / images, "ms"),
        told("whole run", measured.wall, "s"),
    ]
