"""Every setting of unlade: its one name, its one default, and where its value came from.

Order of precedence: the process environment, then `.env`, then Django's `settings.UNLADE` (a dict by the same names),
then the default. `filemaker_doctor` prints the table. Free of Django: the overlay is passed in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

from unlade.errors import SettingsError
from unlade.units import parse_duration, parse_size


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `default` is a text as a user would write it; "" means not set."""

    name: str
    default: str
    help: str
    parse: Callable[[str], Any] = str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """A setting with the text that holds and where it came from."""

    setting: Setting
    text: str
    origin: str  #: environment | .env | settings.UNLADE | default

    @property
    def shown(self) -> str:
        """The text for a person to read; secrets only say that they are set."""
        if not self.setting.secret or not self.text:
            return self.text
        return "(set)"


def _number(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError("must be 1 or more")
    return value


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return parse


def _seconds(text: str) -> float:
    if text.endswith("ms"):
        return float(text[:-2]) / 1000
    return parse_duration(text).total_seconds()


_keeping = _choice("auto", "keyring", "file")
_encryption = _choice("AES256", "aws:kms")


def _flag(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError("must be 1 or 0")


def _price(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("must be an amount such as 60 or 59.90") from None
    if not value.is_finite() or value < 0:
        raise ValueError("must be 0 or more")
    return value


def _percent(text: str) -> float:
    value = float(text.rstrip("% "))
    if not 0 <= value < 100:
        raise ValueError("must be from 0 % to below 100 %")
    return value / 100


def _durations(text: str) -> tuple[timedelta, ...]:
    return tuple(parse_duration(part) for part in text.split(",") if part.strip())


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError("must be an address like https://example.com/path")
    return text


SETTINGS: tuple[Setting, ...] = (
    Setting("FILEMAKER_URL", "", "address of the host, https://fm.example.com (http only for loopback)"),
    Setting("FILEMAKER_DATABASE", "", "name of the hosted file, without .fmp12"),
    Setting("FILEMAKER_ACCOUNT", "", "account with the fmrest privilege, or a Claris ID"),
    Setting("FILEMAKER_PASSWORD", "", "its password", secret=True),
    Setting("FILEMAKER_AUTH", "basic", "basic | claris-id | oauth", _choice("basic", "claris-id", "oauth")),
    Setting("FILEMAKER_CLARIS_TOKEN", "", "a ready Claris ID token; goes before a sign-in", secret=True),
    Setting("UNLADE_SIGN_IN", "auto", "where a Claris ID's sign-in is kept: auto | keyring | file", _keeping),
    Setting("UNLADE_SIGN_IN_FILE", "", "the file of it; empty: `sign-in.json` beside the spool"),
    Setting("UNLADE_CLARIS_URL", "", "address of the Claris ID sign-in service; empty: Amazon's own"),
    Setting("UNLADE_CLARIS_POOL", "us-west-2_NqkuZcXQY", "its user pool, which Claris publishes"),
    Setting("UNLADE_CLARIS_CLIENT", "4l9rvl4mv5es1eep1qe97cautn", "its client, which Claris publishes"),
    Setting("FILEMAKER_OAUTH_REQUEST_ID", "", "for FILEMAKER_AUTH=oauth", secret=True),
    Setting("FILEMAKER_OAUTH_IDENTIFIER", "", "for FILEMAKER_AUTH=oauth", secret=True),
    Setting("FILEMAKER_CA_FILE", "", "certificates to trust besides the system's, PEM"),
    Setting("FILEMAKER_READ_TIMEOUT", "90s", "how long one read from the host may take", parse_duration),
    Setting("UNLADE_STORE", "", "where files go: file:///path, s3://bucket/prefix, gs://, az://"),
    Setting("UNLADE_STORE_ENCRYPTION", "", "AES256 | aws:kms; empty: what the bucket does by itself", _encryption),
    Setting("UNLADE_SPOOL", "", "private folder for downloads in progress"),
    Setting("UNLADE_SPOOL_MAX", "5GB", "how much the spool may hold", parse_size),
    Setting("UNLADE_CONCURRENCY", "4", "downloads at once, at the most", _number),
    Setting("UNLADE_BATCH_SIZE", "100", "records in one request", _number),
    Setting("UNLADE_PACE", "gentle", "gentle | off (no gaps, no ramp: one's own server)", _choice("gentle", "off")),
    Setting("UNLADE_MIN_GAP", "", "least time between two requests, 500ms or 2s; empty: as the pace has it", _seconds),
    Setting("UNLADE_REQUESTS_PER_MINUTE", "", "most requests in a minute; empty: as the pace has it", _number),
    Setting("UNLADE_COOLDOWNS", "1m,5m,30m,2h,24h", "pauses of the breaker, one after the other", _durations),
    Setting("UNLADE_BREAKER_THRESHOLD", "3", "troubles in a row that open the breaker", _number),
    Setting("UNLADE_ALLOWANCE", "", "bytes a contract year allows, 144GB; empty: no annual limit", parse_size),
    Setting("UNLADE_ALLOWANCE_RESET", "01-01", "month and day on which the contract year begins, 03-10"),
    Setting("UNLADE_ALLOWANCE_USED", "0", "what others used of this year's allowance, from the console", parse_size),
    Setting("UNLADE_ALLOWANCE_RESERVE", "10%", "share of the year that stays untouched", _percent),
    Setting("UNLADE_MAX_BYTES_HOUR", "", "most bytes in one hour; empty: no limit", parse_size),
    Setting("UNLADE_MAX_BYTES_DAY", "", "most bytes in one day; empty: no limit", parse_size),
    Setting("UNLADE_MAX_BYTES_MONTH", "", "most bytes in one month; empty: no limit", parse_size),
    Setting("UNLADE_BLOCK_PRICE", "60", "what a block of more allowance costs a year", _price),
    Setting("UNLADE_BLOCK_SIZE", "24GB", "how much such a block is", parse_size),
    Setting("UNLADE_TIME_ZONE", "UTC", "time zone of the reset date and of days in reports"),
    Setting("UNLADE_WRITE_MARKER", "", "1: write the declared marker field back into FileMaker", _flag),
    Setting("UNLADE_UPLOADED_BY", "", "uploaded_by of new rows; empty: the import's name"),
    Setting("UNLADE_DECODERS", "2", "child processes that decode pictures", _number),
    Setting("UNLADE_DECODER_MEMORY", "1500MB", "memory that one decoder may use", parse_size),
    Setting("UNLADE_DECODER_TIME", "60s", "time that one file may take to decode", parse_duration),
    Setting("UNLADE_QUIET_HOURS", "", "hours in which nothing is asked of the host, 08:00-18:00 in UNLADE_TIME_ZONE"),
    Setting("UNLADE_LOG", "", "folder of scheduled runs' logs; empty: `log` beside the spool"),
    Setting("UNLADE_NOTIFY_TO", "", "addresses that get mail, with commas", _names),
    Setting("UNLADE_WEBHOOK_URL", "", "address that gets a JSON POST of each event", _address, secret=True),
    Setting("UNLADE_HEARTBEAT_URL", "", "address that is asked for after every run", _address, secret=True),
    Setting("UNLADE_MAX_PIXELS", "200000000", "pictures with more pixels get no thumbnail", _number),
)

BY_NAME = {setting.name: setting for setting in SETTINGS}

#: `OPTIONS` of a SQLite database in Django's `DATABASES`: what several processes on one file need (CONTRACT B3).
SQLITE_OPTIONS: dict[str, Any] = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


class Settings:
    """The settings of one process, read once.

    `overlay` is Django's `settings.UNLADE`; values there may be of any type and are read as text.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        overlay: Mapping[str, Any] | None = None,
        dotenv: Path | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        from_file = dotenv_values(dotenv) if dotenv and dotenv.is_file() else {}
        overlay = overlay or {}
        unknown = sorted(set(overlay) - set(BY_NAME))
        if unknown:
            raise SettingsError(
                f"settings.UNLADE has unknown names: {', '.join(unknown)}",
                remedy="`manage.py filemaker_doctor` lists the names there are.",
            )
        self._resolved: dict[str, Resolved] = {}
        for setting in SETTINGS:
            layers = (("environment", environ), (".env", from_file), ("settings.UNLADE", overlay))
            for origin, layer in layers:
                if layer.get(setting.name) not in (None, ""):
                    self._resolved[setting.name] = Resolved(setting, str(layer[setting.name]), origin)
                    break
            else:
                self._resolved[setting.name] = Resolved(setting, setting.default, "default")

    def __getitem__(self, name: str) -> Any:
        """The parsed value; None when it is not set and has no default. Raises `SettingsError`."""
        resolved = self._resolved[name]
        if not resolved.text:
            return False if resolved.setting.parse is _flag else None
        try:
            return resolved.setting.parse(resolved.text)
        except ValueError as error:
            shown = "" if resolved.setting.secret else f" {resolved.text!r}"
            raise SettingsError(
                f"{name}{shown} from {resolved.origin} cannot be used: {error}",
                remedy=f"{name} is: {resolved.setting.help}.",
            ) from None

    def text(self, name: str) -> str:
        """The value as text, "" when it is not set."""
        return self._resolved[name].text

    def need(self, name: str) -> str:
        """The text of a setting that must be there. Raises `SettingsError`."""
        text = self._resolved[name].text
        if not text:
            raise SettingsError(
                f"{name} is not set", remedy=f"Put it into the environment or .env: {BY_NAME[name].help}."
            )
        return text

    def all(self) -> list[Resolved]:
        """Every setting in the order of the table."""
        return list(self._resolved.values())
