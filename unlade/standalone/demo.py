"""The demo: a simulated FileMaker host, real files, and the reference project's import, from nothing to a result.

The host is a process of its own that speaks HTTP; nothing here is staged. What happens is what happens on a real host.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule

from unlade.errors import SettingsError, UsageError

#: Lies in a folder that the demo made, so that it removes nothing else.
_STAMP = ".unlade-demo"


def run_demo(folder: Path, images: int) -> int:
    """Run the demo in `folder`; returns the exit code, 0 when every record is accounted for.

    Raises `UsageError` when the folder holds something else, `SettingsError` when the simulator does not start.
    """
    began = time.monotonic()
    console = Console(highlight=False)
    folder = folder.absolute()
    _fresh(folder)
    console.print()
    console.print(Rule("[bold]unlade[/]: files out of FileMaker, every one accounted for", style="cyan"))
    console.print()
    _step(console, 1, "A FileMaker host", f"simulated, with {images} image records in real encodings")
    data = folder / "host"
    _simulator("write", str(data), "--images", str(images)).wait()
    with _serving(data) as host:
        console.print(f"     [dim]{host['url']}, database {escape(host['database'])}[/]")
        _settings(folder, host)
        _step(console, 2, "The clinic", "a Django project of its own: SQLite, a local folder")
        loaded = _project(data)
        console.print(f"     [dim]{loaded.patients} patients in {loaded.clinics} clinics are there already[/]")
        _step(console, 3, "The import", "import_filemaker_images")
        console.print()
        code = _command("import_filemaker_images")
        console.print()
        _step(console, 4, "Once more", "what is here is never fetched again")
        console.print()
        _command("import_filemaker_images", verbosity=0)
        complete = _account(console, host)
    console.print()
    _step(console, 5, "Where it stands", "filemaker_status images, any time, without asking the host")
    console.print()
    _command("filemaker_status", "images")
    sheet = _sheet(folder)
    console.print()
    console.print(Rule(style="cyan"))
    _last_words(console, folder, sheet, time.monotonic() - began)
    return 0 if complete and code in (0, 3) else 1


def _step(console: Console, number: int, title: str, detail: str) -> None:
    console.print(f"  [cyan]{number}[/]  [bold]{title}[/]  [dim]{escape(detail)}[/]")


def _fresh(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _STAMP).is_file():
            raise UsageError(f"{folder} is not empty", remedy="Name another place: --folder.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _STAMP).touch()


def _simulator(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fmsim", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def _serving(data: Path) -> Iterator[dict[str, Any]]:
    """The simulated host, for as long as the context lasts."""
    process = _simulator("--dataset", str(data), "--port", "0")
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith("{"):
            trouble = process.stderr.read() if process.stderr else ""
            raise SettingsError(f"The simulator did not start: {trouble.strip()[-300:]}")
        yield json.loads(line)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()
        if process.stderr is not None:
            process.stderr.close()


def _settings(folder: Path, host: dict[str, Any]) -> None:
    """Everything that a real user puts into the environment or `.env`."""
    os.environ.update(
        {
            "FILEMAKER_URL": host["url"],
            "FILEMAKER_DATABASE": host["database"],
            "FILEMAKER_ACCOUNT": host["account"],
            "FILEMAKER_PASSWORD": host["password"],
            "FILEMAKER_AUTH": "basic",
            "DATABASE_URL": f"sqlite:///{(folder / 'clinic.sqlite3').as_posix()}",
            "UNLADE_STORE": (folder / "store").as_uri(),
            "UNLADE_SPOOL": str(folder / "spool"),
            "UNLADE_PACE": "off",
            "UNLADE_ALLOWANCE": "144GB",
            "UNLADE_ALLOWANCE_RESET": "03-10",
            "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
            "DJANGO_SETTINGS_MODULE": "clinic.settings",
        }
    )


def _project(data: Path) -> Any:
    import django

    django.setup()
    from clinic.patients.demo import load

    _command("migrate", verbosity=0)
    return load(data)


def _command(name: str, *arguments: str, **options: Any) -> int:
    from django.core.management import call_command

    try:
        call_command(name, *arguments, **options)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    return 0


def _account(console: Console, host: dict[str, Any]) -> bool:
    """Ask the host's own books whether anything was fetched twice, and whether the counts add up."""
    import urllib.request

    from unlade.ledger.models import Source, state_counts

    with urllib.request.urlopen(f"{host['url']}/-/stats", timeout=10) as reply:
        stats = json.load(reply)
    source = Source.objects.get(name="images")
    twice = _fetched_twice(source, stats["downloads"])
    counts = state_counts(source)
    adds_up = sum(counts.values()) == source.found and not counts["pending"]
    mark = {True: "[green]✓[/]", False: "[red]✗[/]"}
    console.print(
        f"     {mark[adds_up]} {source.found} records in FileMaker, {sum(counts.values())} accounted for here"
    )
    console.print(f"     {mark[not twice]} the host's own log: {twice or 'no file'} fetched twice")
    console.print(f"     {mark[stats['writes'] == 0]} nothing was written to FileMaker")
    return adds_up and not twice and stats["writes"] == 0


def _fetched_twice(source: Any, downloads: dict[str, dict[str, int]]) -> int:
    """Files that the host sent more than once. What came empty or as a page was rightly asked for on a fresh link."""
    asked_again = {"zero_bytes", "not_a_file", "truncated"}
    excused = {
        (item.record_id, attempt["field"])
        for item in source.items.all()
        for attempt in item.attempts
        if attempt["result"] in asked_again
    }
    return sum(
        count > 1 and (record, field) not in excused
        for record, fields in downloads.items()
        for field, count in fields.items()
    )


def _sheet(folder: Path) -> Path:
    from unlade.importer import get_import
    from unlade.report.sheet import write_sheet
    from unlade.rigging import Rigging, load_settings

    path = folder / "contact-sheet.html"
    store = Rigging(load_settings()).store()
    write_sheet(get_import("images"), store, path)
    return path


def _last_words(console: Console, folder: Path, sheet: Path, seconds: float) -> None:
    console.print(f"  Done in {seconds:.0f} seconds. To look at:", style="bold")
    console.print()
    for title, path in (("pictures", sheet), ("files", folder / "store"), ("database", folder / "clinic.sqlite3")):
        console.print(f"    {title:9} [cyan]{escape(_short(path))}[/]", soft_wrap=True)
    console.print()
    console.print("  With a host of your own, in a copy of this project:", style="bold")
    console.print()
    for line in (
        "export FILEMAKER_URL=https://fm.example.com FILEMAKER_DATABASE=Clinic",
        "export FILEMAKER_ACCOUNT=reader FILEMAKER_PASSWORD=...",
        "python manage.py migrate",
        "python manage.py filemaker_doctor images",
        "python manage.py import_filemaker_images --limit 20",
    ):
        console.print(f"    {escape(line)}", style="cyan", soft_wrap=True)
    console.print()


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
