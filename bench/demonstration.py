"""Does a proof by the database file name exactly what was tampered with, at a clinic's full size?

Set-up: the built-in clinic with 6,664 images (real encodings, damaged, missing and referenced files among them) and
1,500 patients. It is imported over the API while the process kills itself twice (kill -9: after an object is stored,
and after a row is committed) and the host's web layer falls over three times (502 to every download for 1.5 s; the
breaker's pauses are seconds). A generated database file holds the same records under the same ids, with the same
bytes. `filemaker_verify images --against` it, untouched; then a byte of one object is flipped, one object is deleted,
the links of two patients' images are swapped, one row is deleted, and the same command is asked again.

Targets: every record ends as the data set's own truth says; nothing that was safe at a death is fetched
again; untouched, all 6,664 agree; after the sabotage exactly the five records are named, each with what was done to it;
the proofs ask the host nothing.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.figures import Figure, at_least, at_most, exactly, told
from bench.safety import Deaths
from bench.stage import ROOT, Project, scratch, serving
from fmsim import clinic
from tests.fmp12.clinic import as_clinic

IMAGES, PATIENTS = 6664, 1500
SETTINGS = {"UNLADE_COOLDOWNS": "1s,2s,3s,4s,5s", "DJANGO_DEBUG": "1"}
#: Deaths, as shares of the images that are stored or recorded by then.
DEATHS = (("unlade.store.base:Store.put@after", 0.2), ("unlade.ledger.books:Books.settle@after", 0.25))

_SABOTAGE = """
import json
from clinic.images.models import Image
from unlade.ledger.models import Item
items = Item.objects.filter(source__name="images", state="imported").order_by("pk")
rows = {str(image.pk): image for image in Image.objects.select_related("batch")}
print(json.dumps([
    [item.record_id, item.key, item.row, rows[item.row].batch_id, rows[item.row].batch.patient_id] for item in items
]))
"""


def run(scale: float) -> list[Figure]:
    images, patients = max(120, int(IMAGES * scale)), max(30, int(PATIENTS * scale))
    built = {"images": images, "documents": 0, "patients": patients}
    times: dict[str, float] = {}
    with scratch() as folder:
        path = folder / "Copy.fmp12"
        began = time.perf_counter()
        as_clinic(clinic.build(**built), path, tables=["Images", "Patients"])
        times["writing the database file"] = time.perf_counter() - began
        words = [f"--{name}={count}" for name, count in built.items()]
        (folder / "faults.json").write_text(json.dumps(_storm(images)), encoding="utf-8")
        with serving(Path("clinic"), *words, "--faults", str(folder / "faults.json"), "--latency", "2ms") as host:
            project = Project(folder / "project", host, SETTINGS)
            project.folder.mkdir()
            project.manage("migrate", "-v0")
            project.manage("import_filemaker", "patients", "--json")
            began = time.perf_counter()
            deaths, stock = [], Deaths(project.folder)
            for spot, share in DEATHS:
                deaths.append(_die(project, f"{spot}#{max(2, int(images * share))}"))
                stock.take_stock(host.stats()["downloads"])
            said = json.loads(project.manage("import_filemaker_images", "--wait", "--json").splitlines()[-1])
            times["import, with its deaths and storms"] = time.perf_counter() - began
            stats = host.stats()
            sound = {(e.record_id, str(e.field)) for e in clinic.truth(**built).values() if e.state == "imported"}
            again, in_flight = stock.fetched_again(stats["downloads"], sound)
            began = time.perf_counter()
            _, untouched = _against(project, path)
            times["proof of all"] = time.perf_counter() - began
            expected = _sabotage(project)
            code, found = _against(project, path)
            asked = host.stats()["requests"]
    states = Counter(fate.state for fate in clinic.truth(**built).values())
    told_of = {(one["kind"], one["record_id"]) for one in found["findings"]}
    agreed = untouched["same"] + untouched["empty"] + untouched["without"]
    return [
        exactly("deaths by kill -9", sum(code == -9 for code in deaths), len(DEATHS)),
        at_least("answers 502", stats["statuses"].get("502", 0), 1),
        *(exactly(f"{state} as the truth says", said["totals"][state], count) for state, count in states.items()),
        exactly("sound files fetched again that were safe at a death", again, 0),
        told("sound files fetched again that were in flight at a death", in_flight),
        exactly("untouched: records that agree with the file", agreed, images),
        told("of them byte for byte, with their rows", untouched["same"]),
        told("of them empty in both", untouched["empty"]),
        told("of them without a file in either", untouched["without"]),
        exactly("untouched: findings", len(untouched["findings"]), 0),
        exactly("sabotage: acts that were named by record", len(told_of & expected), len(expected)),
        exactly("sabotage: findings besides", len(told_of - expected), 0),
        exactly("sabotage: exit code", code, 1),
        exactly("requests of both proofs", sum(asked.values()) - sum(stats["requests"].values()), 0),
        *(told(what, seconds, "s") for what, seconds in times.items()),
        at_most("all but the file's writing", sum(times.values()) - times["writing the database file"], 600, "s"),
    ]


def _storm(images: int) -> list[dict[str, Any]]:
    """The web layer falls over three times in the course of the import."""
    every = {"nth": {"every": max(25, images // 4)}, "for_seconds": 1.5, "times": 3}
    return [{"on": "container", **every, "do": {"status": 502, "body": "html"}}]


def _die(project: Project, spot: str) -> int:
    """One run that kills itself at `spot`; its exit code."""
    command = [sys.executable, "-m", "tests.voyage.crash", spot, "import_filemaker_images", "--wait"]
    return subprocess.run(
        command, env=project.environ, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    ).returncode


def _against(project: Project, path: Path) -> tuple[int, dict[str, Any]]:
    """The proof; its exit code and what it said."""
    command = [sys.executable, str(ROOT / "manage.py"), "filemaker_verify", "images", "--against", str(path)]
    done = subprocess.run(
        [*command, "--yes", "--json"], env=project.environ, cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = done.stdout.strip().splitlines()
    if not lines:
        raise RuntimeError(f"the proof said nothing (exit {done.returncode}):\n{done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(lines[-1])
    return done.returncode, said


def _sabotage(project: Project) -> set[tuple[str, str]]:
    """Flip a byte, delete an object, swap two links, delete a row; what a proof must say of whom."""
    lines = project.manage("shell", "-v0", "-c", _SABOTAGE).strip().splitlines()
    every = json.loads(lines[-1])
    rng = random.Random(7)
    flipped, deleted, rowless, one, *others = rng.sample(every, len(every))
    other = next(each for each in others if each[4] != one[4])
    store = project.folder / "store"
    whole = bytearray((store / flipped[1]).read_bytes())
    whole[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
    (store / flipped[1]).write_bytes(whole)
    (store / deleted[1]).unlink()
    project.manage(
        "shell",
        "-v0",
        "-c",
        f"from clinic.images.models import Image as I; I.objects.filter(pk={rowless[2]}).delete(); "
        f"I.objects.filter(pk={one[2]}).update(batch={other[3]}); I.objects.filter(pk={other[2]}).update(batch={one[3]})",
    )
    return {
        ("object_differs", flipped[0]),
        ("object_missing", deleted[0]),
        ("row_missing", rowless[0]),
        ("row_owner", one[0]),
        ("row_owner", other[0]),
    }
