"""Reading a database file: megabytes a second to a local folder with SHA-256 and MD5, records a second, memory.

    python bench/fmp12.py [--size 500MB] [--picture 500KB] [--records 100000] [--keep FOLDER]

The file is generated first (by the tests' writer, deterministic noise as pictures). `read`: every object, proven by its
MD5. `pull`: the same, with SHA-256 and MD5 of each file, written to a folder. `proof`: structure only, and all.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table as Grid

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fmp12 import writer
from unlade.fmp12 import Container, DatabaseFile, open_file
from unlade.units import format_size, parse_size


def anonymous_memory() -> int:
    """Bytes of this process that are no file's; where the system does not tell, all that is resident."""
    memory = psutil.Process().memory_full_info()
    return int(getattr(memory, "rss", 0)) - int(getattr(memory, "shared", 0))


def pictures_spec(total: int, each: int) -> writer.FileSpec:
    noise = random.Random(7).randbytes(each + 100_000)
    count = max(total // each, 1)

    def objects() -> Iterator[writer.ObjectSpec]:
        for key in range(1, count + 1):
            start = key * 37 % 100_000
            data = b"\xff\xd8\xff\xe0" + key.to_bytes(8, "big") + noise[start : start + each - 12]
            yield writer.ObjectSpec(key, writer.picture(data, f"IMG {key}.jpg", (4000, 3000)))

    fields = [writer.FieldSpec(1, "id"), writer.FieldSpec(2, "photo", "container")]
    records = (writer.RecordSpec(n, {(1, 1): f"id-{n}", (2, 1): writer.Ref(n)}) for n in range(1, count + 1))
    return writer.FileSpec([writer.TableSpec(129, "Images", fields, records, {}, objects())])


def records_spec(count: int) -> writer.FileSpec:
    types = ["text", "text", "text", "number", "number", "date", "timestamp", "text", "text", "text"]
    fields = [writer.FieldSpec(n, f"field{n}", type_) for n, type_ in enumerate(types, 1)]
    samples = ["Miller", "18 High Street", "a remark of some forty characters, or so", "42", "3.14", "5/31/2024",
               "5/31/2024 11:22:33 AM", "another twenty chars", "yes", "x" * 40]  # fmt: skip
    records = (
        writer.RecordSpec(n, {(place, 1): text for place, text in enumerate(samples, 1)}) for n in range(1, count + 1)
    )
    return writer.FileSpec([writer.TableSpec(129, "People", fields, records)])


def read(database: DatabaseFile) -> int:
    return sum(len(chunk) for one in database.containers() for chunk in database.open(one).chunks())


def pull(target: Path, workers: int) -> Callable[[DatabaseFile], int]:
    def one(database: DatabaseFile, container: Container) -> int:
        sha, md5, total = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        with (
            database.open(container) as stream,
            (target / f"{container.record_name}.jpg").open("wb", buffering=0) as file,
        ):
            for chunk in stream.chunks():
                sha.update(chunk)
                md5.update(chunk)
                file.write(chunk)
                total += len(chunk)
        return total

    def run(database: DatabaseFile) -> int:
        target.mkdir()
        with ThreadPoolExecutor(workers) as pool:
            total = sum(pool.map(lambda container: one(database, container), database.containers()))
        shutil.rmtree(target)
        return total

    return run


def timed(path: Path, work: Callable[[DatabaseFile], int]) -> tuple[float, float, int, int]:
    """Seconds, CPU seconds, what was done, bytes of memory more than before."""
    before = anonymous_memory()
    start, cpu = time.perf_counter(), time.process_time()
    with open_file(path) as database:
        done = work(database)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        return seconds, cpu, done, max(anonymous_memory() - before, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="500MB")
    parser.add_argument("--picture", default="500KB")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="a folder for the generated files; they are made once")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="unlade-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    console, grid = Console(), Grid("what", "seconds", "rate", "CPU seconds", "rate by CPU", "memory more")
    size, each = parse_size(options.size), parse_size(options.picture)
    pictures, people = folder / f"pictures-{size}-{each}.fmp12", folder / f"people-{options.records}.fmp12"
    if not pictures.exists():
        writer.write(pictures, pictures_spec(size, each))
    if not people.exists():
        writer.write(people, records_spec(options.records))
    works: list[tuple[str, Path, Callable[[DatabaseFile], int], str]] = [
        ("read, each object proven", pictures, read, "B"),
        ("pull, 1 thread", pictures, pull(folder / "pulled", 1), "B"),
        ("pull, 4 threads", pictures, pull(folder / "pulled", 4), "B"),
        (
            "proof of structure",
            pictures,
            lambda db: len(db.proof(objects=False).line()) and pictures.stat().st_size,
            "B",
        ),
        ("proof with objects", pictures, lambda db: len(db.proof().line()) and pictures.stat().st_size, "B"),
        ("records", people, lambda db: sum(1 for _ in db.records(db.tables[0])), "records"),
    ]
    for name, path, work, unit in works:
        seconds, cpu, done, memory = timed(path, work)
        rates = [
            f"{format_size(int(done / time))}" if unit == "B" else f"{done / time:,.0f}" for time in (seconds, cpu)
        ]
        grid.add_row(name, f"{seconds:.2f}", f"{rates[0]}/s", f"{cpu:.2f}", f"{rates[1]}/s", format_size(memory))
    console.print(grid)
    if options.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
