"""How fast does `unlade pull` empty a database file, into a folder and into a bucket?

Set-up: a generated file of 5 GB with 500 KB pictures (noise behind a JPEG's head), pulled into a local folder: each file
written and flushed, with its SHA-256 and the database's own MD5, a manifest, and the proof that the file is complete. Then
1,000 such files into a real S3 server (SeaweedFS on this machine, without TLS), in turn with the upload of the very same
files from a folder by `import_filemaker_images --from`; the middle one of three rounds counts.

Targets: 200 MB/s into the folder, never 200 MB of memory; into the bucket at least 85 % of the upload's speed. Why: a
server's backup is emptied over lunch, and proof costs no more than copying. How fast the disk alone takes flushed bytes
is told beside it: no pull can be faster.
"""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from bench import dataset
from bench.figures import Figure, at_least, at_most, exactly, told
from bench.measure import Measured
from bench.measure import run as measure
from bench.stage import Project, scratch, serving
from tests.fmp12 import writer
from tests.servers import start_seaweed

EACH = 500_000
LOCAL = 10_000
REMOTE = 1_000
MEMORY = 200e6
ROUNDS = 3


def run(scale: float) -> list[Figure]:
    with scratch() as folder:
        figures = _into_a_folder(folder, max(100, int(LOCAL * scale)))
    with scratch() as folder:
        return figures + _into_a_bucket(folder, max(100, int(REMOTE * scale)))


def _into_a_folder(folder: Path, count: int) -> list[Figure]:
    path = folder / "Clinic.fmp12"
    writer.write(path, _spec(count, b"JPEG", b"\xff\xd8\xff\xe0", "jpg"))
    disk = _disk(folder / "plain", min(path.stat().st_size, 2_000_000_000))
    measured, said = _pull(folder, path, folder / "files")
    proven = "yes" if said["proof"]["ok"] else "no"
    with suppress(OSError):
        shutil.rmtree(folder / "files")
    return [
        exactly("folder: files proven by their MD5", said["states"].get("verified", 0), count),
        exactly("folder: the file proven complete", proven, "yes"),
        at_least("folder: speed, over the whole process", count * EACH / measured.wall / 1e6, 200, "MB/s"),
        told("folder: what the disk takes of zeros, flushed", disk, "MB/s"),
        told("folder: CPU a gigabyte", measured.cpu_all / (count * EACH / 1e9), "s"),
        at_most("folder: peak memory", measured.peak_rss / 1e6, MEMORY / 1e6, "MB"),
    ]


def _into_a_bucket(folder: Path, count: int) -> list[Figure]:
    path = folder / "Clinic.fmp12"
    writer.write(path, _spec(count, b"FILE", b"\x00unlade\x00", "bin"))
    _, first = _pull(folder, path, folder / "files")
    dataset.clinic(folder / "data", 60, 50_000, 130_000)
    table = _as_export(folder / "files", folder / "export", folder / "data")
    speed: dict[str, list[float]] = {"pull": [], "upload": []}
    server = start_seaweed(folder / "weed")
    try:
        with serving(folder / "data") as host:
            for turn in range(ROUNDS):
                environ = {**os.environ, **server.env, "UNLADE_HOME": str(folder / "home")}
                _, said = _pull(folder, path, server.url(f"pull-{turn}"), environ)
                _all("pulled into the bucket", said["states"].get("verified", 0), count)
                speed["pull"].append(count * EACH / said["seconds"] / 1e6)
                project = Project(
                    folder / f"project-{turn}", host, {**server.env, "UNLADE_STORE": server.url(f"up-{turn}")}
                )
                project.prepare(folder / "data")
                _, told_us = project.import_images("--from", str(folder / "export"), "--metadata", str(table))
                totals = told_us.get("totals")
                if totals is None:
                    raise RuntimeError(f"the upload failed: {told_us.get('reason')}")
                _all("uploaded", totals["imported"] + totals["unlinked"], count)
                speed["upload"].append(count * EACH / told_us["seconds"] / 1e6)
    finally:
        server.stop()
    pulled, uploaded = median(speed["pull"]), median(speed["upload"])
    share = median(a / b for a, b in zip(speed["pull"], speed["upload"], strict=True))
    return [
        exactly("bucket: files proven by their MD5", first["states"].get("verified", 0), count),
        told("bucket: pull, with proof and manifest", pulled, "MB/s"),
        told("bucket: upload of the same files from a folder", uploaded, "MB/s"),
        at_least("bucket: pull as a share of the upload", 100 * share, 85, "%"),
    ]


def _spec(count: int, kind: bytes, head: bytes, extension: str) -> writer.FileSpec:
    """`count` records with one file of `EACH` bytes, each with bytes of its own."""
    noise = random.Random(7).randbytes(EACH + 100_000)

    def objects() -> Iterator[writer.ObjectSpec]:
        for number in range(1, count + 1):
            start = number * 37 % 100_000
            data = head + number.to_bytes(8, "big") + noise[start : start + EACH - 8 - len(head)]
            yield writer.ObjectSpec(number, writer.picture(data, f"IMG {number}.{extension}", type_=kind))

    fields = [writer.FieldSpec(1, "id"), writer.FieldSpec(2, "photo", "container")]
    records = (writer.RecordSpec(n, {(1, 1): f"id-{n}", (2, 1): writer.Ref(n)}) for n in range(1, count + 1))
    return writer.FileSpec([writer.TableSpec(129, "Images", fields, records, {}, objects())])


def _pull(
    folder: Path, path: Path, to: Path | str, environ: dict[str, str] | None = None
) -> tuple[Measured, dict[str, Any]]:
    command = [sys.executable, "-m", "unlade", "pull", str(path), "--to", str(to), "--yes", "--json"]
    measured = measure(command, environ or dict(os.environ), folder)
    lines = measured.out.strip().splitlines()
    if measured.exit_code != 0 or not lines:
        raise RuntimeError(f"the pull ended with {measured.exit_code}: {measured.err[-2000:]}")
    said: dict[str, Any] = json.loads(lines[-1])
    return measured, said


def _as_export(pulled: Path, folder: Path, data: Path) -> Path:
    """The pulled files by an identity, as a second name of the same bytes, and a csv of the records beside the folder."""
    folder.mkdir()
    owners = [
        json.loads(line)["fieldData"]["id"] for line in (data / "records" / "Patients.jsonl").open(encoding="utf-8")
    ]
    table = folder.parent / "records.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, quoting=csv.QUOTE_ALL)
        rows.writerow(("id", "id_Contact", "date", "Type", "Name of file"))
        for number, path in enumerate(sorted(pulled.rglob("photo*"))):
            identity = str(uuid.uuid5(uuid.NAMESPACE_OID, path.as_posix())).upper()
            os.link(path, folder / f"{identity}{path.suffix or '.bin'}")
            rows.writerow((identity, owners[number // 4 % len(owners)], "01/24/2016", "intraoral", f"{number}.bin"))
    return table


def _disk(path: Path, size: int) -> float:
    """MB/s of a plain file of `size` zeros, flushed at its end."""
    block, began = bytes(1 << 20), time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(size >> 20):
            file.write(block)
        os.fsync(file.fileno())
    rate = (size >> 20 << 20) / (time.perf_counter() - began) / 1e6
    path.unlink()
    return rate


def _all(what: str, have: int, wanted: int) -> None:
    if have != wanted:
        raise RuntimeError(f"{what}: {have} of {wanted}")
