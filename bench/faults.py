"""Is every fault in an export found and named, and nothing else, among ten thousand files?

Set-up: an export of 10,000 files as our script writes it, with its manifest, in which one file was dropped, one has a
flipped bit, two records changed their owners' places, one file has a twin whose name differs by case, and the manifest
was cut off. `import_filemaker_images --from FOLDER --no-thumbnails --report report.json` into SQLite and a local
folder, as a process of its own.

Targets: the report names exactly these by kind; exactly their items are failed or quarantined; all other files are
imported; exit code 3.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable

from bench.figures import Figure, exactly, told
from bench.measure import run as run_process
from bench.stage import ROOT, scratch
from bench.thumbnails import picture
from bench.upload import last_line, local_environ
from tests.folder.faults import named, tampered

FILES = 10_000
PATIENTS = 7

_LOAD = (
    "from clinic.patients.models import Patient;"
    f"Patient.objects.bulk_create(Patient(filemaker_id=f'P{{n}}', last_name='X') for n in range({PATIENTS}))"
)
_BAD = (
    "import json; from unlade.ledger.models import Item;"
    "print(json.dumps({state: sorted(Item.objects.filter(state=state).values_list('record_id', flat=True))"
    " for state in ('failed', 'quarantined')}))"
)


def run(scale: float) -> list[Figure]:
    count = max(200, int(FILES * scale))
    with scratch() as folder:
        export = tampered(folder / "export", count, body())
        environ = local_environ(folder)
        for words in (["migrate", "-v0"], ["shell", "-v0", "-c", _LOAD]):
            subprocess.run([sys.executable, "manage.py", *words], env=environ, cwd=ROOT, check=True)
        report = folder / "report.json"
        words = ["--from", str(export.folder), "--no-thumbnails", "--report", str(report), "--json"]
        command = [sys.executable, str(ROOT / "manage.py"), "import_filemaker_images", *words]
        measured = run_process(command, environ, folder)
        said = last_line(measured)
        asked = [sys.executable, "manage.py", "shell", "-v0", "-c", _BAD]
        bad = json.loads(subprocess.run(asked, env=environ, cwd=ROOT, check=True, capture_output=True).stdout)
        found = named(json.loads(report.read_text(encoding="utf-8"))["findings"])
    strange = sorted(set(found) - set(export.findings))
    figures = [
        exactly(f"{kind.replace('_', ' ')}: named", _words(found.get(kind, set())), _words(wanted))
        for kind, wanted in export.findings.items()
    ]
    return [
        *figures,
        exactly("other kinds of findings", ", ".join(strange) or "none", "none"),
        exactly("items failed", _words(set(bad["failed"])), _words(export.failed)),
        exactly("items quarantined", _words(set(bad["quarantined"])), _words(export.damaged)),
        exactly("imported", said["totals"]["imported"], count - len(export.failed) - len(export.damaged), "files"),
        exactly("exit code", measured.exit_code, 3),
        told("whole run", measured.wall, "s"),
    ]


def body() -> Callable[[int], bytes]:
    """Small real pictures, each with bytes of its own."""
    buffer = io.BytesIO()
    picture((32, 24), 0.0).save(buffer, "JPEG", quality=30)
    plate = buffer.getvalue()
    return lambda number: plate[:2] + b"\xff\xfe\x00\x12" + f"{number:016d}".encode() + plate[2:]


def _words(names: set[str]) -> str:
    """Names as one text, long ones by their ends."""
    return ", ".join(sorted(name if len(name) < 20 else f"...{name[-14:]}" for name in names)) or "(the manifest)"
