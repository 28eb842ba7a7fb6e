"""How long do rows for files take that lie in the bucket already, and how much memory: 6,490 of them, and a million?

Set-up: a real S3 server (SeaweedFS on this machine, without TLS) holds `uploads/{owner}/{date}/{identity}.jpg`, a few
bytes each, of 2,845 patients; FileMaker's records lie in a CSV. `import_filemaker_images_metadata_only --metadata
records.csv --prefix uploads --no-thumbnails` runs as a process of its own, from its start to its end: the bucket's listing,
matching, ledger, events, rows and the report are all in it. Once into SQLite, once into PostgreSQL.

Targets: 6,490 rows in under 5 seconds; a million in under 3 minutes, the process and its children below 300 MB
throughout; every file has its row and every row is linked.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Figure, at_most, exactly, told
from bench.stage import ROOT, scratch
from bench.upload import name_of
from tests.servers import S3Server, start_postgres, start_seaweed

FEW = 6_490
MANY = 1_000_000
PATIENTS = 2_845
MEMORY = 300e6
#: Puts at once while the bucket is filled.
_PUTS = 64


def run(scale: float) -> list[Figure]:
    figures: list[Figure] = []
    with scratch() as folder:
        sizes = sorted({max(100, int(FEW * min(1.0, scale))), max(FEW, int(MANY * scale))})
        for count in sizes:
            server = start_seaweed(folder / f"weed-{count}")
            try:
                seconds = fill(server, count)
                write_records(folder / "records.csv", count)
                if count > FEW:
                    figures.append(told(f"{count:,} objects put into the bucket beforehand", seconds, "s"))
                figures += _measured(folder, server, count)
            finally:
                server.stop()
    return figures


def _measured(folder: Path, server: S3Server, count: int) -> list[Figure]:
    figures = []
    bound = 5 if count <= FEW else 180 * count / MANY
    for name in ("SQLite", "PostgreSQL"):
        with _database(name, folder) as url:
            wall, peak, said = one_run(folder, url, server)
        label = f"{count:,} rows, {name}"
        figures += [
            at_most(f"{label}: from start to end", wall, bound, "s"),
            exactly(f"{label}: imported", said["totals"]["imported"], count),
            at_most(f"{label}: memory of the process and its children", peak / 1e6, MEMORY / 1e6, "MB"),
        ]
        if count > FEW:
            figures.append(told(f"{label}: a second run, which finds nothing new", said["again"], "s"))
    return figures


def who(number: int) -> tuple[str, str, str]:
    """Identity, owner and ISO day of a record; about four records share a patient's day."""
    owner, nth = number % PATIENTS, number // PATIENTS
    day = (date(2016, 1, 1) + timedelta(days=nth // 4 * 37 + owner % 365)).isoformat()
    return name_of("image", number), name_of("patient", owner), day


def fill(server: S3Server, count: int) -> float:
    """Put the objects; seconds that it took."""
    import obstore
    from obstore.store import S3Store

    config = {
        "aws_endpoint": server.endpoint, "aws_region": "us-east-1",
        "aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key,
    }  # fmt: skip
    store = S3Store(server.bucket, config=config, client_options={"allow_http": True})  # type: ignore[arg-type]
    keys = (f"uploads/{owner}/{day}/{identity}.jpg" for identity, owner, day in map(who, range(count)))

    async def put() -> None:
        for key in keys:
            await obstore.put_async(store, key, b"bytes", use_multipart=False)

    async def all_of_them() -> None:
        await asyncio.gather(*(put() for _ in range(_PUTS)))

    began = time.perf_counter()
    asyncio.run(all_of_them())
    return time.perf_counter() - began


def write_records(path: Path, count: int) -> None:
    """The records as FileMaker exports them: in the order in which they were made, dates in US form."""
    chance = random.Random(1)
    kinds = ["Dorsal", "Plantar", "Left ankle, lateral", "", "X-ray", "Follow-up"]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write('"id","id_Contact","date","Type","Name of file"\r\n')
        for number in range(count):
            identity, owner, day = who(number)
            us = f"{day[5:7]}/{day[8:]}/{day[:4]}"
            file.write(f'"{identity}","{owner}","{us}","{chance.choice(kinds)}","IMG {number}.jpg"\r\n')


@contextmanager
def _database(name: str, folder: Path) -> Iterator[str]:
    if name == "SQLite":
        path = folder / "db.sqlite3"
        try:
            yield f"sqlite:///{path.as_posix()}"
        finally:
            for each in folder.glob("db.sqlite3*"):
                each.unlink()
        return
    server = start_postgres(shared_buffers="128MB", max_wal_size="2GB")
    try:
        yield server.url()
    finally:
        server.stop()


def one_run(folder: Path, url: str, server: S3Server) -> tuple[float, float, dict[str, Any]]:
    """Tables and patients, then the command, twice: seconds and peak memory of the first run, what it said."""
    environ = _environ(folder, url, server)
    load = (
        "from clinic.patients.models import Patient; from bench.metadata import PATIENTS, name_of;"
        "Patient.objects.bulk_create(Patient(filemaker_id=name_of('patient', n), last_name='X') for n in range(PATIENTS))"
    )
    for words in (["migrate", "-v0"], ["shell", "-v0", "-c", load]):
        subprocess.run([sys.executable, "manage.py", *words], env=environ, cwd=ROOT, check=True)
    wall, peak, said = _command(folder, environ)
    said["again"] = _command(folder, environ)[0] if int(said["found"]) > FEW else 0.0
    return wall, peak, said


def _command(folder: Path, environ: Mapping[str, str]) -> tuple[float, float, dict[str, Any]]:
    words = ["--metadata", str(folder / "records.csv"), "--prefix", "uploads", "--no-thumbnails", "--json"]
    command = [sys.executable, "manage.py", "import_filemaker_images_metadata_only", *words]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=dict(environ), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    peaks = [0.0]
    watcher = threading.Thread(target=_watch, args=(process, peaks), daemon=True)
    watcher.start()
    out, _ = process.communicate()
    wall = time.perf_counter() - began
    watcher.join()
    lines = out.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise RuntimeError(f"the command said nothing (exit {process.returncode})")
    return wall, peaks[0], json.loads(lines[-1])


def _watch(process: subprocess.Popen[str], peaks: list[float]) -> None:
    """The most memory that the process and its children ever held together, looked at twenty times a second."""
    whole = psutil.Process(process.pid)
    while process.poll() is None:
        with suppress(psutil.Error):
            held = sum(each.memory_info().rss for each in [whole, *whole.children(recursive=True)])
            peaks[0] = max(peaks[0], held)
        time.sleep(0.05)


def _environ(folder: Path, url: str, server: S3Server) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("UNLADE_", "FILEMAKER_", "DJANGO_", "AWS_"))}
    return {
        **kept,
        **server.env,
        "DATABASE_URL": url,
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
        "DJANGO_SETTINGS_MODULE": "clinic.settings",
        "UNLADE_STORE": server.url(),
        "UNLADE_SPOOL": str(folder / "spool"),
    }
