"""A host without a Django project: settings from the environment, a ledger of our own in a folder of its own.

    with connect(host_folder(url, database), {"FILEMAKER_URL": url, "FILEMAKER_DATABASE": database}) as rig:
        ...     # rig.filemaker_config(), rig.host(), the models of unlade.ledger

The folder holds `ledger.sqlite3` (what is known, what was spent of the allowance, the breaker) and `spool` (downloads in
progress), for its owner alone. Passwords are never written there; what a Claris ID's sign-in leaves is, where there is no
keyring.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values
from filelock import FileLock, Timeout

from unlade.errors import LockedElsewhere, SettingsError
from unlade.settings import Settings
from unlade.standalone import claris
from unlade.standalone.targets import home_folder, private_folder, safe_name

if TYPE_CHECKING:
    from unlade.rigging import Rigging

LEDGER, SPOOL = "ledger.sqlite3", "spool"

#: What several processes on one SQLite file need (CONTRACT B3).
_SQLITE = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
_OTHERS_OWN = ("AWS_", "GOOGLE_", "AZURE_")


def host_folder(url: str, database: str) -> Path:
    """The state folder of a host and database that nobody named another for."""
    return home_folder() / "hosts" / safe_name(f"{url.partition('://')[2] or url} {database}")


@contextmanager
def connect(
    state: Path, given: Mapping[str, str], *, dotenv: Path | None = Path(".env"), ask: bool = True
) -> Iterator[Rigging]:
    """The parts of runs against a host, with the ledger in `state` ready for use.

    `given` holds settings by their names, as texts; they go before the environment, which goes before `dotenv`. With
    `ask` a missing account and password are asked for at a terminal. Raises `SettingsError`, `LockedElsewhere`
    (somebody else is making the ledger), `OSError`. Once in a process: Django takes its settings only once. Where it
    has them already, that project's database is the ledger.
    """
    settings = settings_of(state, given, dotenv)
    if ask:
        settings = sign_in(settings, state, given, dotenv)
    private_folder(state)
    private_folder(state / SPOOL)
    _ready(state)
    from django.db import connections

    from unlade.rigging import Rigging

    try:
        yield Rigging(settings)
    finally:
        if _is_ours(state):
            connections.close_all()


def settings_of(state: Path, given: Mapping[str, str], dotenv: Path | None) -> Settings:
    """The settings of a process without a project. Raises `SettingsError`."""
    if dotenv is not None and dotenv.is_file():
        for name, value in dotenv_values(dotenv).items():
            if value is not None and name.startswith(_OTHERS_OWN):
                os.environ.setdefault(name, value)
    return Settings({**os.environ, **given, "UNLADE_SPOOL": str(state / SPOOL)}, dotenv=dotenv)


def sign_in(
    settings: Settings,
    state: Path,
    given: Mapping[str, str],
    dotenv: Path | None,
    *,
    terminal: bool | None = None,
    ask: Callable[[str], str] = input,
    ask_secretly: Callable[[str], str] = getpass.getpass,
) -> Settings:
    """The settings with account and password, asked for where they are missing.

    Raises `SettingsError` where nobody can be asked.
    """
    at_terminal = sys.stdin.isatty() and sys.stderr.isatty() if terminal is None else terminal
    if claris.wanted(settings):
        claris.ensure(settings, terminal=at_terminal, ask=ask, ask_secretly=ask_secretly)
        return settings
    by_itself = settings["FILEMAKER_AUTH"] == "oauth" or settings.text("FILEMAKER_CLARIS_TOKEN")
    missing = [name for name in ("FILEMAKER_ACCOUNT", "FILEMAKER_PASSWORD") if not settings.text(name)]
    if by_itself or not missing:
        return settings
    if not at_terminal:
        raise SettingsError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
            remedy="Set what is missing in the environment (or .env), or run this at a terminal, which asks for it.",
        )
    asked = {}
    if "FILEMAKER_ACCOUNT" in missing:
        print("FileMaker account (it needs the fmrest privilege): ", end="", file=sys.stderr, flush=True)
        asked["FILEMAKER_ACCOUNT"] = ask("").strip()
    if "FILEMAKER_PASSWORD" in missing:
        account = asked.get("FILEMAKER_ACCOUNT") or settings.text("FILEMAKER_ACCOUNT")
        asked["FILEMAKER_PASSWORD"] = ask_secretly(f"Password of {account}: ")
    return settings_of(state, {**given, **asked}, dotenv)


def _ready(state: Path) -> None:
    """Django with nothing but the ledger, and the ledger's tables as this version has them."""
    from django.conf import settings as django_settings

    database = state.absolute() / LEDGER
    if django_settings.configured:
        if not _has_ledger(django_settings):
            raise SettingsError("Django is set up without unlade.ledger", remedy="Add it to INSTALLED_APPS.")
        return
    django_settings.configure(
        INSTALLED_APPS=["unlade.ledger"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database), "OPTIONS": _SQLITE}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        TIME_ZONE="UTC",
        LOGGING_CONFIG=None,
        UNLADE_STATE=str(state.absolute()),
    )
    import django
    from django.core.management import call_command

    django.setup()
    try:
        with FileLock(state / "ledger.lock", timeout=60, mode=0o600):
            call_command("migrate", verbosity=0, interactive=False)
    except Timeout:
        raise LockedElsewhere(
            f"Another process is preparing {database}.", remedy="Run the same command again when it is done."
        ) from None


def _has_ledger(django_settings: Any) -> bool:
    return any(app.startswith("unlade.ledger") for app in django_settings.INSTALLED_APPS)


def _is_ours(state: Path) -> bool:
    from django.conf import settings as django_settings

    return getattr(django_settings, "UNLADE_STATE", None) == str(state.absolute())
