"""A whole clinic by one command: how long until every record and file is here, linked, and proven?

Set-up: the built-in clinic with 1,500 patients of 3 clinics, 11,396 documents and 6,664 images (real encodings, damaged
and missing files among them), no latency, `UNLADE_PACE=off`, SQLite and a local folder. 3 % of the patients are not in
FileMaker yet. `import_filemaker_all` is killed once in the middle (kill -9) and run again; then the late patients
arrive, both relinks run, and `filemaker_verify --read` reads every object.

Targets: all of it in under 10 minutes; totals add up to what the host has; no file that was safe when the process died
is fetched again; the proof finds no difference.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.figures import Figure, at_most, exactly, told
from bench.safety import Deaths
from bench.stage import ROOT, Host, Project, scratch, serving
from fmsim import clinic
from fmsim.folder import write

IMAGES, DOCUMENTS, PATIENTS = 6664, 11396, 1500
LATE = 33  #: every so manieth patient comes late


def run(scale: float) -> list[Figure]:
    images, documents, patients = (max(60, int(count * scale)) for count in (IMAGES, DOCUMENTS, PATIENTS))
    with scratch() as folder:
        data = folder / "data"
        write(clinic.build(images=images, documents=documents, patients=patients), data)
        late = _hold_back(data / "records" / "Patients.jsonl")
        seconds: dict[str, float] = {}
        with serving(data, "--streaming", "open") as host:
            project = Project(folder / "project", host)
            project.folder.mkdir()
            project.manage("migrate", "-v0")
            killed = _killed(project, host, (images + documents) // 2)
            stock = Deaths(project.folder, {"file": "documents"})
            stock.take_stock(host.stats()["downloads"])
            seconds["import"] = _timed(project, "import_filemaker_all", "--json", "--concurrency", "8")[0] + killed
            truth = clinic.truth(images=images, documents=documents, patients=patients)
            sound = {(each.record_id, str(each.field)) for each in truth.values() if each.state == "imported"}
            again, in_flight = stock.fetched_again(host.stats()["downloads"], sound)
        (data / "records" / "Patients.jsonl").write_text(late, encoding="utf-8")
        with serving(data) as host:
            project.host = host
            seconds["late patients"], _ = _timed(project, "import_filemaker", "patients", "--json")
        relinked = {}
        seconds["relink"] = 0.0
        for name in ("images", "documents"):
            took, relinked[name] = _timed(project, f"relink_filemaker_{name}", "--json")
            seconds["relink"] += took
        seconds["proof"] = 0.0
        proofs = {}
        for name in ("images", "documents"):
            took, proofs[name] = _timed(project, "filemaker_verify", name, "--read", "--json")
            seconds["proof"] += took
    figures = [
        at_most("all of it", sum(seconds.values()), 600, "s"),
        *(told(f"of it: {what}", took, "s") for what, took in seconds.items()),
        exactly("sound files fetched again that were safe at the death", again, 0),
        told("sound files fetched again that were in flight at the death", in_flight),
    ]
    for name, count in (("images", images), ("documents", documents)):
        proof = proofs[name]
        figures += [
            exactly(f"{name} accounted for", sum(proof["totals"].values()), count),
            told(f"{name} stored and proven", proof["read"]["proven"]),
            exactly(f"{name}: differences", len(proof["differences"]), 0),
            told(f"{name} linked after their patients came", relinked[name]["linked"]),
            told(f"{name} still without an owner", _reasons(relinked[name]["alone"])),
        ]
    return figures


def _reasons(alone: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {why}" for why, count in alone.items()) or "none"


def _hold_back(path: Path) -> str:
    """Take every 33rd patient out of the data set; returns its whole text."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    path.write_text("".join(line for place, line in enumerate(lines) if place % LATE), encoding="utf-8")
    return text


def _killed(project: Project, host: Host, downloads: int) -> float:
    """The command, killed after so many downloads; seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "import_filemaker_all", "--concurrency", "8"],
        env=project.environ,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and host.stats()["requests"]["container"] < downloads:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.wait()
    return time.perf_counter() - began


def _timed(project: Project, *words: str) -> tuple[float, Mapping[str, Any]]:
    began = time.perf_counter()
    out = project.manage(*words)
    lines = out.strip().splitlines()
    return time.perf_counter() - began, json.loads(lines[-1])
