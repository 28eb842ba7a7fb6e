"""Projects as a user has them: a folder with manage.py and .env, wherever and however it is called."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.voyage.harness import ROOT, Port

SETTINGS = """\
from pathlib import Path

from clinic.environment import load_dotenv

HERE = Path(__file__).resolve().parent
load_dotenv(HERE / ".env")
from clinic.settings import *

UNLADE_DOTENV = HERE / ".env"
"""

MANAGE = """\
import os, sys

sys.path.insert(1, {root!r})
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "here")
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""


def project(folder: Path, port: Port, **more: str) -> Path:
    """A project whose settings stand in `.env` alone; its tables are made."""
    folder.mkdir(parents=True)
    (folder / "here.py").write_text(SETTINGS)
    (folder / "manage.py").write_text(MANAGE.format(root=str(ROOT)))
    settings = {
        **port.settings(),
        "DATABASE_URL": f"sqlite:///{folder.parent / folder.name.replace('%', '').replace(' ', '')}.sqlite3",
        "UNLADE_STORE": f"file://{folder.parent}/store-{len(folder.name)}",
        "UNLADE_SPOOL": str(folder / "var" / "spool"),
        "DJANGO_DEBUG": "1",
        **more,
    }
    (folder / ".env").write_text("".join(f"{name}='{_quoted(value)}'\n" for name, value in settings.items()))
    manage(folder, "migrate", "-v0", check=True)
    return folder


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def manage(
    folder: Path, *arguments: str, check: bool = False, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """One of the project's commands, called from elsewhere."""
    plain = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("FILEMAKER_", "UNLADE_", "DJANGO_", "AWS_"))
    }
    return subprocess.run(
        [sys.executable, str(folder / "manage.py"), *arguments],
        cwd=folder.parent, env={**plain, **(environ or {})}, capture_output=True, text=True, timeout=280, check=check,
    )  # fmt: skip
