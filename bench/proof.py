"""How long does it take to know that everything is there, and to read it all again?

Set-up: 20,000 files of 100 KB in a real S3 server (SeaweedFS on this machine), imported from an export folder, SQLite.
`filemaker_verify images` compares found, ledger, rows and store by listing; `--read` hashes every object. Beside it
s5cmd copies the same objects into memory (/dev/shm where there is one), in turns, in the same run.

Targets: by listing under 20 s; reading at least 80 % of what the store delivers to s5cmd; the process never holds
200 MB; every object proven. Why: a proof that takes the night is not made twice.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, at_least, at_most, exactly, told
from bench.measure import Measured
from bench.measure import run as run_process
from bench.stage import ROOT, scratch
from bench.upload import environ_for, install, last_line, name_of
from tests.servers import S3Server, start_seaweed

FILES, SIZE, PATIENTS = 20_000, 100_000, 2_845
ROUNDS = 3


def run(scale: float) -> list[Figure]:
    count = max(100, int(FILES * scale))
    with scratch() as folder:
        _export(folder / "export", count)
        tool = install(folder / "tools", "s5cmd", "s5cmd")
        server = start_seaweed(folder / "weed")
        try:
            environ = environ_for(folder, server)
            _import(folder, environ)
            listed = _verify(folder, environ)
            read: list[Measured] = []
            theirs: list[float] = []
            for _ in range(ROUNDS):
                read.append(_verify(folder, environ, "--read", "--again"))
                if tool is not None:
                    theirs.append(_copied(str(tool), server))
        finally:
            server.stop()
    ours = statistics.median(each.wall for each in read)
    figures = [
        at_most("by listing", listed.wall, 20, "s"),
        exactly("by listing: exit code", listed.exit_code, 0),
        exactly("read and proven, in the worst round", min(last_line(each)["read"]["proven"] for each in read), count),
        told("read, median", ours, "s"),
        told("read, bytes", count * SIZE / ours / 1e6, "MB/s"),
        at_most("read: peak memory", max(each.peak_rss for each in read) / 1e6, 200, "MB"),
    ]
    if not theirs:
        return [*figures, told("s5cmd", "could not be installed: not compared")]
    ratio = statistics.median(a / b.wall for a, b in zip(theirs, read, strict=True))
    return [
        *figures,
        told("s5cmd, median", statistics.median(theirs), "s"),
        at_least(f"its time against ours, median of {ROUNDS} rounds", ratio, 0.8, "x"),
    ]


def _export(folder: Path, count: int) -> None:
    chance = random.Random(1)
    for number in range(count):
        path = folder / name_of("patient", number % PATIENTS) / "2019-04-01" / f"{name_of('image', number)}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(SIZE))


def _import(folder: Path, environ: dict[str, str]) -> None:
    load = (
        "from clinic.patients.models import Patient; from bench.proof import PATIENTS, name_of;"
        "Patient.objects.bulk_create(Patient(filemaker_id=name_of('patient', n), last_name='X') for n in range(PATIENTS))"
    )
    for words in (
        ["migrate", "-v0"],
        ["shell", "-v0", "-c", load],
        ["import_filemaker_images", "--from", str(folder / "export"), "--no-thumbnails", "--json"],
    ):
        subprocess.run(
            [sys.executable, "manage.py", *words], env=environ, cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )


def _verify(folder: Path, environ: dict[str, str], *words: str) -> Measured:
    command = [sys.executable, str(ROOT / "manage.py"), "filemaker_verify", "images", "--json", *words]
    return run_process(command, environ, folder)


def _copied(program: str, server: S3Server) -> float:
    """All objects copied into memory by s5cmd; seconds."""
    shared = Path("/dev/shm")
    target = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    environ = {**os.environ, **server.env, "S3_ENDPOINT_URL": server.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
    try:
        began = time.perf_counter()
        words = [program, "--log", "error", "cp", f"s3://{server.bucket}/ours/patients/*", f"{target}/"]
        subprocess.run(words, env=environ, check=True, capture_output=True)
        return time.perf_counter() - began
    finally:
        shutil.rmtree(target)
