"""What does the same clinic cost by each road: from the database file, from an export folder, over the API?

Set-up: 6,664 JPEGs of 50 to 130 KB. The file is a generated .fmp12 with the same record ids and bytes; the folder holds
the same files by their identity, with a csv of the records beside them; over the API there are 120 ms before every
answer, two hops a download, 8 permits. Each road has a project of its own: SQLite, a local folder, thumbnails. Then the
import over the API is proven by the file, and the one from the file is repeated.

Targets: every road ends with the same 6,664 objects, byte for byte; the two roads of our own disk, and the proof, ask the
host nothing and book nothing; a second run from the file stores nothing. Times inform: a road is chosen by what it needs.
"""

from __future__ import annotations

import csv
import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import dataset
from bench.figures import Figure, exactly, told
from bench.measure import Measured
from bench.stage import Host, Project, scratch, serving
from fmsim.dataset import DataSet, FileBlob
from fmsim.folder import read
from tests.fmp12.clinic import as_clinic

IMAGES = 6664
LATENCY = 0.120
PERMITS = 8
_COLUMNS = ("id", "id_Contact", "date", "Type", "Name of file")


@dataclass
class _Way:
    """One road's run."""

    name: str
    measured: Measured
    said: dict[str, Any]
    requests: int
    received: int  #: bytes that the host sent
    stored: dict[str, int] = field(default_factory=dict)


def run(scale: float) -> list[Figure]:
    images = max(60, int(IMAGES * scale))
    with scratch() as folder:
        dataset.clinic(folder / "data", images, 50_000, 130_000)
        data = read(folder / "data")
        began = time.perf_counter()
        path = as_clinic(data, folder / "Clinic.fmp12", tables=["Images", "Patients"])
        written, size = time.perf_counter() - began, path.stat().st_size
        table = _export(data, folder / "export")
        with serving(folder / "data", "--latency", f"{LATENCY * 1000:.0f}ms") as host:
            stage = _Stage(folder, host)
            by_file = stage.take("the database file", "--from", str(path), "--yes")
            by_folder = stage.take("an export folder", "--from", str(folder / "export"), "--metadata", str(table))
            again = stage.again("the database file", "--from", str(path), "--yes")
            over_api = stage.take("the API", "--concurrency", str(PERMITS))
            proof, took, asked = stage.prove("the API", path)
    figures = [told("the database file", size / 1e6, "MB"), told("writing it, for this bench", written, "s")]
    for way in (by_file, by_folder, over_api):
        figures += _of(way, images)
    same = by_file.stored == by_folder.stored == over_api.stored
    return [
        *figures,
        exactly("the same objects by every road", "yes" if same else "no", "yes"),
        exactly("once more from the file: stored", again.said["this_run"]["imported"], 0),
        told("once more from the file: whole run", again.measured.wall, "s"),
        exactly("proof of the API's import by the file: agree", proof["same"], images),
        exactly("proof of the API's import by the file: requests", asked, 0),
        told("proof of the API's import by the file: whole", took, "s"),
    ]


def _of(way: _Way, images: int) -> list[Figure]:
    head, wall = f"by {way.name}", way.measured.wall
    asked = f"{head}: requests"
    return [
        exactly(f"{head}: imported", way.said["totals"]["imported"], images, "images"),
        told(f"{head}: whole run", wall, "s"),
        told(f"{head}: files", images / wall, "/s"),
        told(asked, way.requests) if way.name == "the API" else exactly(asked, way.requests, 0),
        told(f"{head}: bytes from the host", way.received / 1e6, "MB"),
        told(f"{head}: CPU of the main process an image", 1000 * way.measured.cpu / images, "ms"),
        told(f"{head}: peak memory of the main process", way.measured.peak_rss / 1e6, "MB"),
    ]


@dataclass
class _Stage:
    folder: Path
    host: Host
    projects: dict[str, Project] = field(default_factory=dict)

    def take(self, name: str, *words: str) -> _Way:
        """The import in a fresh project."""
        project = Project(self.folder / f"project-{len(self.projects)}", self.host)
        project.prepare(self.folder / "data")
        self.projects[name] = project
        return self.again(name, *words)

    def again(self, name: str, *words: str) -> _Way:
        """One run in a project that is there."""
        project, before = self.projects[name], self._counted()
        measured, said = project.import_images(*words)
        after = self._counted()
        store = project.folder / "store"
        found = (path for path in store.rglob("*.jpg") if ".unlade" not in path.parts)
        stored = {path.relative_to(store).as_posix(): path.stat().st_size for path in found}
        return _Way(name, measured, said, after[0] - before[0], after[1] - before[1], stored)

    def prove(self, name: str, path: Path) -> tuple[dict[str, Any], float, int]:
        """The proof by the file: what it said, seconds, requests."""
        before, began = self._counted()[0], time.perf_counter()
        out = self.projects[name].manage("filemaker_verify", "images", "--against", str(path), "--yes", "--json")
        return json.loads(out.strip().splitlines()[-1]), time.perf_counter() - began, self._counted()[0] - before

    def _counted(self) -> tuple[int, int]:
        stats = self.host.stats()
        requests = sum(count for kind, count in stats["requests"].items() if kind != "container_hops")
        return requests, sum(stats["bytes"].values())


def _export(data: DataSet, folder: Path) -> Path:
    """The files by their identity, and a csv beside the folder; returns the csv."""
    folder.mkdir()
    table = folder.parent / "records.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, quoting=csv.QUOTE_ALL)
        rows.writerow(_COLUMNS)
        for row in data.tables["Images"]:
            rows.writerow([row.values[name] for name in _COLUMNS])
            blob = row.values["image_Full"].blob
            assert isinstance(blob, FileBlob)
            shutil.copyfile(blob.path, folder / f"{row.values['id']}.jpg")
    return table
