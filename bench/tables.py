"""How long does `unlade tables` take for a large table?

Set-up: a generated file of 1,000,000 records of 10 fields (six texts, two numbers, a date, a timestamp; about 200 bytes in
all), written into an SQLite file with typed columns.

Targets: under three minutes, every record there, never 200 MB of memory. Why: nothing of the database is to be left
behind, and a coffee is as long as anybody waits for it.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing

from bench.figures import Figure, at_most, exactly, told
from bench.measure import run as measure
from bench.stage import scratch
from tests.fmp12 import writer

RECORDS = 1_000_000
_TYPES = ("text", "text", "text", "number", "number", "date", "timestamp", "text", "text", "text")


def run(scale: float) -> list[Figure]:
    count = max(1000, int(RECORDS * scale))
    with scratch() as folder:
        path, out = folder / "People.fmp12", folder / "out.sqlite"
        writer.write(path, _spec(count))
        command = [sys.executable, "-m", "unlade", "tables", str(path), "--to", str(out), "--yes", "--json"]
        measured = measure(command, dict(os.environ), folder)
        if measured.exit_code != 0:
            raise RuntimeError(f"it ended with {measured.exit_code}: {measured.err[-2000:]}")
        with closing(sqlite3.connect(out)) as database:
            rows, dates = database.execute('select count(*), count("field6") from "People"').fetchone()
        size, made = path.stat().st_size, out.stat().st_size
    return [
        exactly("records in SQLite", rows, count),
        exactly("of them with a date in ISO", dates, count),
        at_most("whole process", measured.wall, 180 * max(scale, 0.05), "s"),
        told("CPU", measured.cpu_all, "s"),
        told("records", count / measured.wall, "/s"),
        at_most("peak memory", measured.peak_rss / 1e6, 200, "MB"),
        told("the database file", size / 1e6, "MB"),
        told("the SQLite file", made / 1e6, "MB"),
    ]


def _spec(count: int) -> writer.FileSpec:
    fields = [writer.FieldSpec(number, f"field{number}", kind) for number, kind in enumerate(_TYPES, 1)]

    def records() -> Iterator[writer.RecordSpec]:
        for n in range(1, count + 1):
            texts = (
                f"Miller {n}",
                "18 High Street",
                "a remark of some forty characters, or so",
                str(n),
                f"{n % 997}.25",
                f"5/{n % 28 + 1}/2024",
                f"5/{n % 28 + 1}/2024 11:22:33 AM",
                "another twenty chars",
                "yes",
                "x" * 40,
            )
            yield writer.RecordSpec(n, {(place, 1): text for place, text in enumerate(texts, 1)})

    return writer.FileSpec([writer.TableSpec(129, "People", fields, records())])
