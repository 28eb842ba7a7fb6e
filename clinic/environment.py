"""What the settings read from outside: the environment, `.env`, and a database by its URL. Free of Django."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import dj_database_url
from dotenv import dotenv_values

#: Names that unlade reads itself, so that it can tell where a value came from.
OWN_PREFIXES = ("UNLADE_", "FILEMAKER_")

#: What several processes on one SQLite file need (CONTRACT B3). Foreign keys are switched on by Django.
SQLITE_OPTIONS = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def load_dotenv(path: Path, environ: MutableMapping[str, str] = os.environ) -> None:
    """Put what `.env` says into `environ`, where it is not set yet.

    So the AWS variables reach whoever reads them. unlade's own names are left out: it reads the file itself.
    """
    if not path.is_file():
        return
    for name, value in dotenv_values(path).items():
        if value is not None and not name.startswith(OWN_PREFIXES):
            environ.setdefault(name, value)


def flag(value: str | None) -> bool:
    """Whether a variable such as `DJANGO_DEBUG` says yes."""
    return (value or "").strip().lower() in {"1", "true", "yes", "on"}


def names(value: str | None) -> list[str]:
    """The names in a list with commas."""
    return [part.strip() for part in (value or "").split(",") if part.strip()]


def database(url: str) -> dict[str, Any]:
    """Django's configuration of the database at `url` (`sqlite:///...`, `postgres://...`).

    What the URL's query says goes before our options. Raises `ValueError` for a URL that names no known database.
    """
    config: dict[str, Any] = dict(dj_database_url.parse(url))
    if config["ENGINE"].endswith("sqlite3"):
        config["OPTIONS"] = SQLITE_OPTIONS | config.get("OPTIONS", {})
    else:
        config |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    return config
