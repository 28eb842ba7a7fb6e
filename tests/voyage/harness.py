"""A port for tests: a simulated host with cargo, a database, a store and a spool, and what must hold there at any time.

Runs go in process (`Port.run`) or, where they are to be killed, as the command in a process of its own (`Port.start`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from fmsim import BytesBlob, ContainerValue, DataSet, Record, Simulator
from fmsim.clinic import READER, WRITER
from fmsim.clinic.tables import layouts
from unlade.importer import get_import
from unlade.importing import Ended, run_import
from unlade.ledger.models import Item, Source, TransferUsage
from unlade.media import DecoderPool
from unlade.options import RunOptions
from unlade.progress import QuietReporter
from unlade.report.tally import totals_of
from unlade.rigging import Rigging, utc_now
from unlade.settings import Settings
from unlade.store import Store, open_store
from unlade.voyage import Voyage

ROOT = Path(__file__).resolve().parents[2]
FIELDS = ("image_Full", "image_Ex_large", "image_large", "image_medium", "image_small")
FULL, LESSER = FIELDS[0], FIELDS[1]

# Cargo: small, real pictures, each with bytes of its own.


@cache
def _plate() -> bytes:
    from PIL import Image

    file = BytesIO()
    Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def jpeg(note: str, size: int = 3000) -> bytes:
    """A picture that says `note`, of about `size` bytes (what fills it up are comments)."""
    plate, text = _plate(), note.encode()
    parts = [plate[:2]]
    while text:
        piece, text = text[:60_000], b""
        parts.append(b"\xff\xfe" + (len(piece) + 2).to_bytes(2, "big") + piece)
    left = size - len(plate) - len(note) - 4
    while left > 4:
        piece = b"." * min(60_000, left - 4)
        parts.append(b"\xff\xfe" + (len(piece) + 2).to_bytes(2, "big") + piece)
        left -= len(piece) + 4
    return b"".join([*parts, plate[2:]])


def photo(note: str, size: int = 3000, name: str = "IMG.jpg", content_type: str = "image/jpeg") -> ContainerValue:
    return ContainerValue(BytesBlob(jpeg(note, size)), name, content_type)


def raw(data: bytes, name: str = "IMG.jpg", content_type: str = "image/jpeg") -> ContainerValue:
    return ContainerValue(BytesBlob(data), name, content_type)


MISSING = ContainerValue(None, "IMG.jpg", "image/jpeg", missing=True)
PATH_ONLY = ContainerValue(reference="file:/Volumes/photos/IMG.jpg")
HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"


def name_of(kind: str, number: int) -> str:
    """A UUID for the `number`th of a kind, in upper case as FileMaker makes them."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind} {number}")).upper()


def record(number: int, *, owner: int | None = None, size: int = 3000, **containers: Any) -> Record:
    """An image record; without `containers` its best field holds a picture."""
    day = f"{number % 12 + 1:02}/{number % 28 + 1:02}/20{16 + number % 8}"
    values: dict[str, Any] = {
        "id": name_of("image", number),
        "id_Contact": name_of("patient", number // 4 % 6 if owner is None else owner),
        "Type": "Dorsal",
        "Name of file": f"IMG {number}.jpg",
        "Notes": "",
        "Serial": number,
        "date": day,
        "NexusExportDate": "",
        "modified": f"{day} 08:00:00",
        **dict.fromkeys(FIELDS, ""),
        **(containers or {FULL: photo(f"picture {number}", size)}),
    }
    return Record(str(number), "1", values)


def cargo(count: int, *, size: int = 3000, special: Mapping[int, Record] | None = None) -> DataSet:
    """Images 1 to `count`; `special` takes the place of those numbers. Owners are patients 0 to 5."""
    special = special or {}
    rows = [special.get(number) or record(number, size=size) for number in range(1, count + 1)]
    patients = [
        Record(str(number + 1), "1", {"id": name_of("patient", number), "First name": "A", "Last name": "B"})
        for number in range(6)
    ]
    return DataSet("Clinic", [READER, WRITER], layouts(), {"Images": rows, "Patients": patients})


def add_patients(data: DataSet, change: Callable[[str], str] = str) -> None:
    """Rows for the patients of a data set, as an earlier import made them."""
    from clinic.patients.models import Patient

    Patient.objects.bulk_create(
        Patient(filemaker_id=change(str(row.values["id"])), last_name="X") for row in data.tables["Patients"]
    )


# The port.


class SharedDecoders(Rigging):
    """The real parts; decoders are started once for all tests."""

    pool: DecoderPool

    def decoders(self) -> Any:
        return nullcontext(self.pool)


@dataclass
class Port:
    """One host, database, store and spool. `environ` are settings that hold for all runs."""

    sim: Simulator
    folder: Path
    database_url: str
    store_url: str
    pool: DecoderPool
    environ: dict[str, str] = field(default_factory=dict)
    clock: Callable[[], datetime] = utc_now

    def settings(self, **more: str) -> dict[str, str]:
        """Everything that a run is told by its environment."""
        return {
            "FILEMAKER_URL": self.sim.url,
            "FILEMAKER_DATABASE": self.sim.database,
            "FILEMAKER_ACCOUNT": self.sim.account,
            "FILEMAKER_PASSWORD": self.sim.password,
            "DATABASE_URL": self.database_url,
            "UNLADE_STORE": self.store_url,
            "UNLADE_SPOOL": str(self.spool),
            "UNLADE_PACE": "off",
            **self.environ,
            **more,
        }

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def store(self) -> Store:
        return open_store(self.store_url)

    def rigging(self, **more: str) -> Rigging:
        rig = SharedDecoders(Settings(self.settings(**more)), self.clock)
        rig.pool = self.pool
        return rig

    def run(
        self, *, env: Mapping[str, str] | None = None, on_start: Callable[[Voyage], None] | None = None, **options: Any
    ) -> dict[str, Any]:
        """One run in this process; CONTRACT A4's object."""
        from unlade.report.runs import run_json

        options = {"concurrency": 4, "batch_size": 20, **options}
        rig = self.rigging(**(env or {}))
        self.ended: Ended = run_import(
            get_import("images"), rig, RunOptions(**options), QuietReporter(), on_start=on_start
        )
        return run_json(self.ended.books.run)

    def until_done(self, most: int = 6, **options: Any) -> dict[str, Any]:
        """Runs until nothing is pending; the last one's object."""
        for _ in range(most):
            ended = self.run(**options)
            if ended["totals"]["pending"] == 0 and ended["outcome"] == "done":
                return ended
        raise AssertionError(f"not done after {most} runs: {ended}")

    def start(self, *arguments: str, crash: str = "", env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """The command in a process of its own; `crash` names a spot at which it kills itself (see `crash`)."""
        before = {key: value for key, value in os.environ.items() if not key.startswith(("FILEMAKER_", "UNLADE_"))}
        environ = {**before, **self.settings(**(env or {})), "DJANGO_DEBUG": "1", "PYTHONPATH": str(ROOT)}
        program = ["-m", "tests.voyage.crash", crash] if crash else ["manage.py"]
        command = [sys.executable, *program, "import_filemaker_images", "--json", *arguments]
        if not {"--batch-size"} & set(arguments):
            command += ["--batch-size", "20"]
        return subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def command(self, *arguments: str, **more: Any) -> tuple[int, dict[str, Any], str]:
        """The command to its end: exit code, JSON object ({} without one), standard error."""
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=120)
        lines = out.strip().splitlines()
        return process.returncode, json.loads(lines[-1]) if lines else {}, err

    # What there is.

    def downloads(self) -> Counter[tuple[str, str]]:
        """Complete downloads by record and field, by the host's word."""
        stats = self.sim.stats()["downloads"]
        return Counter({(rid, name): count for rid, names in stats.items() for name, count in names.items()})

    def twice(self) -> dict[tuple[str, str], int]:
        return {key: count for key, count in self.downloads().items() if count > 1}

    def marked_complete(self) -> set[tuple[str, str]]:
        """Record and field of every complete file in the spool."""
        marks = [json.loads(path.read_bytes()) for path in self.spool.glob("*/*.mark")]
        return {(mark["record_id"], mark["field"]) for mark in marks if mark["complete"]}

    def stored(self) -> dict[str, Any]:
        """Facts of every cargo object by its key."""
        store = self.store
        heads = (store.head(info.key) for info in store.list("patients", cargo_only=True))
        return {head.key: head.facts for head in heads if head is not None}

    def safe(self) -> set[tuple[str, str]]:
        """What must never be downloaded again: record and field of all that is in the store or whole in the spool."""
        stored = {(facts.record_id, FIELDS[facts.field_number]) for facts in self.stored().values() if facts}
        return stored | self.marked_complete()

    @staticmethod
    def items() -> dict[str, Item]:
        """Items by record id."""
        return {item.record_id: item for item in Item.objects.filter(source__name="images")}

    @staticmethod
    def booked() -> dict[str, int]:
        """What the books hold, by kind, and what they charge."""
        sums: Counter[str] = Counter()
        for row in TransferUsage.objects.all():
            sums["api"] += row.api_bytes
            sums["container"] += row.container_bytes
            sums["headers"] += row.header_bytes
            sums["charged"] += row.charged
            sums["open"] += not row.settled
        return sums

    # What must hold.

    def check(self, *, spool_empty: bool = True, books: str = "equal") -> dict[str, int]:
        """What holds after every run, however it ended; the totals by state.

        `books`: `equal` (to the byte, without faults), `enough` (never below the host's count), `` (not compared).
        """
        source = Source.objects.get(name="images")
        totals, _ = totals_of(source)
        assert sum(totals.values()) == (source.found or 0), totals  # not counted yet: nothing is known
        self._check_rows()
        self._check_store()
        if spool_empty:
            assert [path.name for path in self.spool.rglob("*") if path.is_file()] == []
        assert not source.items.filter(in_hand__isnull=False).exists()
        host, booked = self.sim.stats()["bytes"], self.booked()
        if books == "equal":
            assert {kind: booked[kind] for kind in host} == host
            assert booked["open"] == 0
        elif books == "enough":
            assert booked["charged"] >= sum(host.values())
        return totals

    def _check_rows(self) -> None:
        from clinic.images.models import Image, ImageBatch

        have = Item.objects.filter(
            source__name="images", state__in=["imported", "unlinked", "quarantined", "accepted"]
        ).exclude(row="", state="accepted")
        rows = {str(image.pk): image for image in Image.objects.all()}
        assert sorted(item.row for item in have) == sorted(rows)
        for item in have:
            image = rows[item.row]
            assert (image.key, image.sha256, image.filemaker_id) == (item.key, item.sha256, item.identity_key)
            if item.state in ("imported", "unlinked"):
                assert (image.batch.patient_id is None) == (item.state == "unlinked"), item.record_id
        counts = Counter(image.batch_id for image in rows.values())
        assert {batch.pk: batch.image_count for batch in ImageBatch.objects.all()} == counts

    def _check_store(self) -> None:
        """Every object has its item and every item its object; nothing lies about."""
        items = list(Item.objects.filter(source__name="images").exclude(key=""))
        cargo = {item.key: item for item in items if item.state not in ("pending", "failed")}
        expected = set(cargo) | {item.thumbnail_key for item in items if item.thumbnail_key}
        expected |= {item.spare_key for item in items if item.spare_key}
        store = self.store
        there = {info.key for info in store.list() if not info.key.startswith(".unlade/")}
        earlier = {
            note.removeprefix("earlier version: ")
            for item in items
            for note in item.notes
            if note.startswith("earlier version: ")
        }
        earlier |= {f"{key.rpartition('.')[0]}.thumb.jpg" for key in earlier}
        assert there - earlier == expected - earlier
        for key, item in cargo.items():
            info = store.head(key)
            assert info is not None and info.facts is not None
            assert (info.size, info.facts.sha256) == (item.size, item.sha256)
            # By another road it may have come under another record id (CONTRACT B5).
            same = info.facts.record_id == item.record_id or info.facts.identity == item.identity
            assert same and info.facts.source == "images"
        if self.store_url.startswith("file:"):
            for key, item in cargo.items():
                assert store.sha256(key) == item.sha256


@dataclass
class HandClock:
    """Wall time that a test moves on."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


def interrupt_at(downloads: int, port: Port) -> Callable[[Voyage], None]:
    """For `on_start`: Ctrl-C once the host has sent so many files."""
    import threading
    import time

    def watch(voyage: Voyage) -> None:
        def look() -> None:
            while port.sim.stats()["requests"]["container"] < downloads:
                time.sleep(0.005)
            voyage.interrupt()

        threading.Thread(target=look, daemon=True).start()

    return watch


PortMaker = Callable[..., AbstractContextManager[Port]]
Ports = Iterator[PortMaker]
