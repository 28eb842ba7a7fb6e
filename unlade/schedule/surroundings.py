"""What this shell has and a scheduler lacks, as far as it can be known before anything is started.

Sources: Claris and AWS say nothing about schedulers; the AWS command line keeps its sign-ins in
`~/.aws/sso/cache/<sha1 of the session's name or start URL>.json` with `expiresAt` (AWS SDKs reference, "IAM Identity
Center credential provider").
"""

from __future__ import annotations

import configparser
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

#: Variables that a run may need and that do not stand in the table of settings.
PREFIXES = ("FILEMAKER_", "UNLADE_", "DJANGO_", "AWS_", "GOOGLE_", "AZURE_", "EMAIL_")
NAMES = ("DATABASE_URL", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")

#: What manage.py sets itself, or what says nothing to a run.
_OWN = ("DJANGO_SETTINGS_MODULE", "DJANGO_AUTORELOAD_ENV")

_GUARDED = ("Desktop", "Documents", "Downloads", "Library/Mobile Documents")


def matters(name: str) -> bool:
    """Whether a run may read this variable."""
    return name not in _OWN and (name in NAMES or name.startswith(PREFIXES))


def only_here(environ: Mapping[str, str], dotenv: Mapping[str, str | None]) -> list[str]:
    """Variables of this shell that `.env` does not name: a scheduler will not have them."""
    return sorted(name for name, value in environ.items() if value and matters(name) and not dotenv.get(name))


def otherwise_there(environ: Mapping[str, str], dotenv: Mapping[str, str | None]) -> list[str]:
    """Variables that say something else here than in `.env`: a scheduler goes by `.env`."""
    return sorted(
        name for name, value in environ.items() if value and matters(name) and dotenv.get(name) not in (None, "", value)
    )


def guarded(paths: Iterable[str], home: str) -> list[str]:
    """Paths in folders that macOS keeps background programs out of (Desktop, Documents, Downloads, iCloud Drive)."""
    walls = [PurePosixPath(home) / name for name in _GUARDED]
    return [path for path in paths if any(PurePosixPath(path).is_relative_to(wall) for wall in walls)]


def sso_ends(environ: Mapping[str, str], home: Path) -> datetime | None:
    """When the AWS sign-in of this shell's profile ends; None when it uses none."""
    config = configparser.RawConfigParser()
    try:
        config.read(environ.get("AWS_CONFIG_FILE") or home / ".aws" / "config", encoding="utf-8")
    except configparser.Error:
        return None
    profile = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    section = "default" if profile == "default" else f"profile {profile}"
    if environ.get("AWS_ACCESS_KEY_ID") or not config.has_section(section):
        return None
    start = config.get(section, "sso_session", fallback="") or config.get(section, "sso_start_url", fallback="")
    if not start:
        return None
    cache = home / ".aws" / "sso" / "cache" / f"{hashlib.sha1(start.encode(), usedforsecurity=False).hexdigest()}.json"
    try:
        text = str(json.loads(cache.read_text(encoding="utf-8"))["expiresAt"])
        ends = datetime.fromisoformat(text.replace("UTC", "+00:00").replace("Z", "+00:00"))
    except (OSError, ValueError, KeyError, TypeError):
        return datetime.fromtimestamp(0, UTC)
    return ends if ends.tzinfo else ends.replace(tzinfo=UTC)


def warnings(
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
    *,
    dotenv_path: str,
    paths: Iterable[str],
    home: str,
    now: datetime,
    mac: bool,
    store: str,
) -> list[str]:
    """What to put right before a schedule can work, as sentences."""
    said = []
    if names := only_here(environ, dotenv):
        said.append(f"Only this shell has {', '.join(names)}. A scheduler does not: put them into {dotenv_path}.")
    if names := otherwise_there(environ, dotenv):
        said.append(
            f"{', '.join(names)}: {dotenv_path} says something else than this shell, and a schedule goes by it."
        )
    if mac and (inside := guarded(paths, home)):
        said.append(
            f"macOS keeps background programs out of {inside[0]}: move the project out of Desktop, Documents, "
            "Downloads and iCloud Drive, or give this Python Full Disk Access."
        )
    ends = sso_ends(environ, Path(home)) if store.startswith("s3://") else None
    if ends is not None:
        when = f"ends at {ends:%Y-%m-%d %H:%M} UTC" if ends > now else "has ended"
        said.append(
            f"The AWS sign-in of this profile {when}, and only a person can sign in again: a schedule needs a role or "
            "an access key of its own."
        )
    return said


def present(set_names: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Names of all that is set in this process: settings (wherever they come from) and variables. Never a value."""
    return sorted({*set_names, *(name for name, value in environ.items() if value and matters(name))})
