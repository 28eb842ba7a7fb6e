"""What does the ledger cost an image: statements, and time of the one thread that writes it?

Set-up: 5,000 small pictures (about 4 KB) through the whole real import into SQLite, in a process of its own that counts
the statements of the run loop's connection and the CPU time of the run loop's thread. The files are so small that
little else happens; nothing is put in the place of anything.

Targets: at most 20 statements and 8 ms of the run loop's CPU an image. Why: one thread writes for all workers, so its
time is the ceiling of the whole program: 60 files a second leave it 16 ms each.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from typing import Any

from bench import dataset
from bench.figures import Figure, at_most, exactly, told
from bench.measure import run as run_process
from bench.stage import Project, scratch, serving

IMAGES = 5000


def run(scale: float) -> list[Figure]:
    images = max(100, int(IMAGES * scale))
    with scratch() as folder:
        dataset.clinic(folder / "data", images, 3_000, 5_000, pixels=(160, 120))
        with serving(folder / "data", "--streaming", "open") as host:
            project = Project(folder / "project", host)
            project.prepare(folder / "data")
            measured = run_process([sys.executable, "-m", "bench.ledger"], project.environ, project.folder)
        lines = measured.out.strip().splitlines()
        if measured.exit_code:
            raise RuntimeError(f"the import failed:\n{measured.err[-2000:]}")
        said, counted = json.loads(lines[-2]), json.loads(lines[-1])
    words: dict[str, int] = counted["statements"]
    total = sum(words.values())
    figures = [
        exactly("imported", said["totals"]["imported"], images, "images"),
        at_most("statements an image", total / images, 20),
        at_most("CPU of the run loop's thread an image", 1000 * counted["thread"] / images, 8, "ms"),
        told("CPU of the whole main process an image", 1000 * counted["process"] / images, "ms"),
        told("images a second", images / said["seconds"], "/s"),
    ]
    return figures + [told(f"of these {word}", count / images, "an image") for word, count in sorted(words.items())]


def child() -> int:
    """In the measured process: the import itself, called as a command, with a counter on its connection."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    counted: Counter[str] = Counter()

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        counted[sql.split(None, 1)[0].upper()] += 1
        return execute(sql, params, many, context)

    thread, process = time.thread_time(), time.process_time()
    with connection.execute_wrapper(count):
        try:
            call_command("import_filemaker_images", "--json", "--concurrency", "8")
        except SystemExit as leaving:
            if leaving.code not in (0, None):
                raise
    figures = {"thread": time.thread_time() - thread, "process": time.process_time() - process}
    print(json.dumps({"statements": counted, **figures}))
    return 0


if __name__ == "__main__":
    sys.exit(child())
