"""How long does it take to link files to owners that came after them, and with how many queries?

Set-up: 100,000 imported images of 20,000 patients, all without an owner yet, on 40,000 patient-days; their patients have
arrived since, ids in lower case and in braces, and every fourth has a day of his own already that the images must join.
`relink_filemaker_images` runs as a process of its own, from its start to its end, with a counter on its connection.
Once on SQLite, once on PostgreSQL, with statistics as a database in use keeps them. The owners of the same files are
then looked for by a chain of three keys.

Targets: under 20 seconds on either database; every image is linked; and at most 30 queries for each thousand, however
many there are. Why: a clinic relinks after every import of patients, and nobody should have to plan for it.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from bench.figures import Figure, at_most, exactly, told
from bench.measure import run as run_process
from bench.stage import ROOT, scratch

IMAGES, SECONDS, QUERIES = 100_000, 20, 30


def run(scale: float) -> list[Figure]:
    images = max(1000, int(IMAGES * scale) // 1000 * 1000)
    figures: list[Figure] = []
    with scratch() as folder:
        figures += _measured(folder, "SQLite", f"sqlite:///{(folder / 'db.sqlite3').as_posix()}", images)
        from tests.servers import start_postgres

        server = start_postgres(shared_buffers="128MB", max_wal_size="2GB")
        try:
            figures += _measured(folder, "PostgreSQL", server.url(), images)
        finally:
            server.stop()
    return figures


def _measured(folder: Path, name: str, url: str, images: int) -> list[Figure]:
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("UNLADE_", "FILEMAKER_", "DJANGO_"))},
        "DATABASE_URL": url,
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
        "DJANGO_SETTINGS_MODULE": "clinic.settings",
        "UNLADE_STORE": (folder / "store").as_uri(),
        "PYTHONPATH": str(ROOT),
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=environ, cwd=ROOT, check=True)
    subprocess.run([sys.executable, "-m", "bench.linking", "fill", str(images)], env=environ, cwd=ROOT, check=True)
    measured = run_process([sys.executable, "-m", "bench.linking", "link"], environ, folder)
    if measured.exit_code:
        raise RuntimeError(f"linking failed:\n{measured.err[-2000:]}")
    said, counted = (json.loads(line) for line in measured.out.strip().splitlines()[-2:])
    return [
        exactly(f"{name}: images linked", said["linked"], images),
        exactly(f"{name}: patient-days afterwards", counted["days"], images // 5 * 2),
        at_most(f"{name}: from start to end", measured.wall, SECONDS * images / IMAGES, "s"),
        at_most(f"{name}: queries for each thousand", counted["queries"] / (images / 1000), QUERIES),
        told(f"{name}: of these, looking for the owners", counted["owners"] / (images / 1000)),
        told(f"{name}: owners found by a chain of three keys", counted["chain"], "s"),
        told(f"{name}: peak memory", measured.peak_rss / 1e6, "MB"),
    ]


def fill(images: int) -> None:
    """Write the state before linking, without the import."""
    from django.db import connection

    from clinic.images.models import Image, ImageBatch
    from clinic.patients.models import Patient
    from unlade import bulk
    from unlade.ledger.models import Item, Source

    now, owners = datetime.now(UTC), images // 5
    days = (date(2016, 1, 4), date(2019, 4, 2))
    names = [f"5F0A3C1E-8E0B-4B7C-9C53-{number:012X}" for number in range(owners)]
    shown = (str.lower, lambda name: f"{{{name}}}", str, lambda name: f" {name.lower()}")
    patients = bulk.insert(Patient, {"filemaker_id": [shown[n % 4](name) for n, name in enumerate(names)]})
    groups = [(owner, day) for owner in range(owners) for day in days]
    batches = bulk.insert(
        ImageBatch,
        {
            "owner_ref": [names[owner] for owner, _ in groups],
            "captured_on": [day for _, day in groups],
            "source": ["images"] * len(groups),
            "name": ["a day"] * len(groups),
        },
    )
    theirs = patients[::4]
    bulk.insert(
        ImageBatch,
        {
            "patient_id": theirs,
            "captured_on": [days[0]] * len(theirs),
            "source": ["images"] * len(theirs),
            "name": ["a day that was there"] * len(theirs),
        },
    )
    # Image n is owner n // 5's; three on the first day, two on the second.
    homes = [batches[n // 5 * 2 + (n % 5 > 2)] for n in range(images)]
    numbers = range(images)
    rows = bulk.insert(
        Image,
        {
            "batch_id": homes,
            "key": [f"k/{n}" for n in numbers],
            "sha256": ["0" * 64] * images,
            "filemaker_id": [f"I-{n}" for n in numbers],
        },
    )
    source = Source.objects.create(name="images", found=images, listing_complete=True)
    bulk.insert(
        Item,
        {
            "source_id": [source.pk] * images,
            "record_id": [str(n) for n in numbers],
            "identity": [f"I-{n}" for n in numbers],
            "identity_key": [f"I-{n}" for n in numbers],
            "owner_ref": [names[n // 5] for n in numbers],
            "owner_key": [names[n // 5] for n in numbers],
            "day": [days[n % 5 > 2] for n in numbers],
            "state": ["unlinked"] * images,
            "reason": ["owner_missing"] * images,
            "key": [f"k/{n}" for n in numbers],
            "row": [str(row) for row in rows],
            "seen_at": [now] * images,
            "settled_at": [now] * images,
        },
    )

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def link() -> None:
    """In the measured process: the command, with a counter on its connection; then the chain."""
    import time

    from django.core.management import call_command
    from django.db import connection

    from clinic.images.models import ImageBatch
    from unlade.ledger.models import Item
    from unlade.owners import Owner, OwnerFinder

    counted: Counter[str] = Counter()

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        counted["queries"] += 1
        counted["owners"] += 'FROM "patients_patient"' in sql
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        call_command("relink_filemaker_images", "--json")
    refs = list(Item.objects.values_list("owner_key", flat=True).distinct())
    began = time.perf_counter()
    keys = ["last_name", "clinic__filemaker_id", "filemaker_id"]
    found = OwnerFinder(Owner("id", "patients.Patient", keys)).find(refs)
    seconds = time.perf_counter() - began
    if any(match.owner is None for match in found.values()):
        raise RuntimeError("the chain did not find all owners")
    print(json.dumps({**counted, "days": ImageBatch.objects.count(), "chain": seconds}))


if __name__ == "__main__":
    import django

    django.setup()
    if sys.argv[1] == "fill":
        fill(int(sys.argv[2]))
    else:
        link()
