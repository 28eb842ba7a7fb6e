"""How long does the fast road take for a clinic's whole estate: an export folder of 12 GB, to a green report?

Set-up: 6,664 JPEGs of 1.8 MB on average (30 KB to 20 MB; photographs of up to 12 megapixels, filled up with random
bytes in comments, so that each decodes for real) in a tree `owner/date/identity.jpg`, one real S3 server (SeaweedFS
on this machine, without TLS), PostgreSQL. `import_filemaker_images --from FOLDER`, thumbnails included, as a process of its
own from start to end; then `filemaker_verify images`. It needs about 26 GB of disk, and leaves none of it taken.

Targets: under 30 minutes; all 6,664 imported, linked and with a thumbnail; the check finds every object; the main process
below 300 MB.
"""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.figures import Figure, at_most, exactly, told
from bench.measure import run as run_process
from bench.stage import ROOT, scratch
from bench.thumbnails import picture
from bench.upload import environ_for, last_line, name_of, padded
from tests.servers import start_postgres, start_seaweed

FILES = 6_664
BYTES = 12e9
PATIENTS = 2_845
MINUTES = 30
MEMORY = 300e6
#: Photographs: pixels, and of a hundred files how many have so many.
_PLATES = (((640, 480), 15), ((1600, 1200), 35), ((2592, 1944), 30), ((4000, 3000), 20))

_COUNT = (
    "from unlade.ledger.models import Item;"
    "print(Item.objects.exclude(thumbnail_key='').count(), Item.objects.exclude(thumbnail_error='').count())"
)


def run(scale: float) -> list[Figure]:
    count = max(30, int(FILES * scale))
    with scratch() as folder:
        need, free = 2.2 * BYTES * count / FILES, shutil.disk_usage(folder).free
        if free < need:
            raise RuntimeError(f"{need / 1e9:.0f} GB of disk are needed, and {free / 1e9:.0f} are free")
        size = write_export(folder / "export", count)
        server = start_seaweed(folder / "weed", volumes=400)
        postgres = start_postgres()
        try:
            environ = environ_for(folder, server) | {"DATABASE_URL": postgres.url()}
            load = (
                "from clinic.patients.models import Patient; from bench.upload import name_of;"
                "from bench.option_c import PATIENTS;"
                "Patient.objects.bulk_create(Patient(filemaker_id=name_of('patient', n), last_name='X') for n in range(PATIENTS))"
            )
            for words in (["migrate", "-v0"], ["shell", "-v0", "-c", load]):
                subprocess.run([sys.executable, "manage.py", *words], env=environ, cwd=ROOT, check=True)
            words = ["import_filemaker_images", "--from", str(folder / "export"), "--json"]
            command = [sys.executable, str(ROOT / "manage.py"), *words]
            measured = run_process(command, environ, folder, timeout=3 * 60 * MINUTES)
            said = last_line(measured)
            asked = [sys.executable, "manage.py", "shell", "-v0", "-c", _COUNT]
            counted = subprocess.run(asked, env=environ, cwd=ROOT, check=True, capture_output=True, text=True).stdout
            began = time.perf_counter()
            check = [sys.executable, "manage.py", "filemaker_verify", "images", "--json"]
            verified = subprocess.run(check, env=environ, cwd=ROOT, capture_output=True, check=False).returncode
            seconds = time.perf_counter() - began
        finally:
            postgres.stop()
            server.stop()
    if measured.exit_code:
        print(f"the import ended with {measured.exit_code}: {said['reason']}\n{measured.err[-1500:]}", file=sys.stderr)
    thumbnails, without = (int(word) for word in counted.split())
    return [
        at_most("folder to green report", measured.wall / 60, MINUTES * max(scale, 0.05), "min"),
        exactly("imported and linked", said["totals"]["imported"], count, "files"),
        exactly("with a thumbnail", thumbnails, count),
        exactly("whose thumbnail failed", without, 0),
        exactly("exit code of the import", measured.exit_code, 0),
        exactly("exit code of filemaker_verify", verified, 0),
        at_most("memory of the main process", measured.peak_rss / 1e6, MEMORY / 1e6, "MB"),
        told("bytes", size / 1e9, "GB"),
        told("rate", size / measured.wall / 1e6, "MB/s"),
        told("CPU of the main process", measured.cpu, "s"),
        told("CPU of the decoders", measured.cpu_children, "s"),
        told("filemaker_verify", seconds, "s"),
    ]


def write_export(folder: Path, count: int) -> int:
    """The export's folder: sizes as a clinic has them, most of them small; how many bytes it has."""
    chance, whole = random.Random(1), 0
    plates = [plate for pixels, share in _PLATES for plate in [_jpeg(pixels)] * share]
    for number in range(count):
        plate = plates[number * 37 % 100]
        size = min(20_000_000, max(30_000, int(chance.lognormvariate(13.96, 1.0))))
        data = padded(plate, max(size, len(plate) + 100), chance)
        owner, nth = number % PATIENTS, number // PATIENTS
        path = (
            folder / name_of("patient", owner) / f"20{16 + nth}-0{owner % 9 + 1}-15" / f"{name_of('image', number)}.jpg"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        whole += len(data)
    return whole


def _jpeg(pixels: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    picture(pixels, 0.1).save(
        buffer, "JPEG", quality=70, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    )
    return buffer.getvalue()
