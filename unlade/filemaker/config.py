"""Where a FileMaker host is and how to sign in there."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlsplit

from unlade.errors import SettingsError

if TYPE_CHECKING:
    from unlade.filemaker.claris import KeptSignIn

Auth = Literal["basic", "claris-id", "oauth"]

#: What a person does where a Claris ID's sign-in is wanted.
SIGN_IN = "Sign in once at a terminal: `python manage.py filemaker_login`. Nothing is asked of Claris until then."


@dataclass(frozen=True, slots=True)
class ClarisPool:
    """Where Claris IDs are checked (FILEMAKER.md 1.5). `url`: "" for Amazon's own address; http for loopback alone.

    Raises `SettingsError` when that does not fit.
    """

    pool: str = "us-west-2_NqkuZcXQY"
    client: str = "4l9rvl4mv5es1eep1qe97cautn"
    url: str = ""

    def __post_init__(self) -> None:
        if "_" not in self.pool:
            raise SettingsError("UNLADE_CLARIS_POOL is no user pool", remedy="Write it as us-west-2_NqkuZcXQY.")
        parts = urlsplit(self.url)
        if self.url and not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))):
            raise SettingsError("UNLADE_CLARIS_URL must be https", remedy="http is for 127.0.0.1 alone.")

    @property
    def address(self) -> str:
        """Where calls go."""
        return self.url or f"https://cognito-idp.{self.pool.partition('_')[0]}.amazonaws.com/"

    @property
    def group(self) -> str:
        """The pool's short name, which enters the proof."""
        return self.pool.partition("_")[2]


@dataclass(frozen=True, slots=True)
class FileMakerConfig:
    """One host, one hosted file, one account (CONTRACT A1). Raises `SettingsError` when the parts do not fit.

    `url` is scheme, host and port only; `http` is accepted for loopback alone. `ca_file` holds certificates that are
    trusted besides the system's (PEM). `kept` is the sign-in with a Claris ID that somebody left, if any. Time-outs:
    `connect_timeout` for the connection, `read_timeout` for each read.
    """

    url: str
    database: str
    account: str = ""
    password: str = field(default="", repr=False)
    auth: Auth = "basic"
    claris_token: str = field(default="", repr=False)
    claris_pool: ClarisPool = field(default_factory=ClarisPool)
    kept: KeptSignIn | None = field(default=None, repr=False, compare=False)
    oauth_request_id: str = field(default="", repr=False)
    oauth_identifier: str = field(default="", repr=False)
    ca_file: Path | None = None
    connect_timeout: timedelta = timedelta(seconds=10)
    read_timeout: timedelta = timedelta(seconds=90)
    version: str = "vLatest"

    def __post_init__(self) -> None:
        _check_address(self.url)
        if not self.database:
            raise SettingsError("FILEMAKER_DATABASE is not set", remedy="It is the hosted file's name without .fmp12.")
        if self.ca_file is not None and not self.ca_file.is_file():
            raise SettingsError(f"FILEMAKER_CA_FILE {self.ca_file} is not a file")
        _check_credentials(self)

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme.lower()

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or (443 if self.scheme == "https" else 80)

    @property
    def api(self) -> str:
        """Path of the Data API."""
        return f"/fmi/data/{quote(self.version, safe='')}"

    @property
    def base(self) -> str:
        """Path of the hosted file. Every segment is percent-encoded whole (FILEMAKER.md 1.1)."""
        return f"{self.api}/databases/{quote(self.database, safe='')}"


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise SettingsError("FILEMAKER_URL is no address", remedy="Write https://fm.example.com.") from None
    if not parts.hostname or parts.scheme.lower() not in {"http", "https"}:
        raise SettingsError("FILEMAKER_URL is no web address", remedy="Write https://fm.example.com.")
    if parts.username or parts.password:
        raise SettingsError(
            "FILEMAKER_URL holds an account", remedy="Put it into FILEMAKER_ACCOUNT and FILEMAKER_PASSWORD."
        )
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise SettingsError(
            "FILEMAKER_URL holds more than the host", remedy=f"Write {parts.scheme}://{parts.netloc} alone."
        )
    if parts.scheme.lower() == "http" and not is_loopback(parts.hostname):
        raise SettingsError(
            f"FILEMAKER_URL would send the password to {parts.hostname} unencrypted",
            remedy="Write https://; http is for 127.0.0.1 alone.",
        )


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_credentials(config: FileMakerConfig) -> None:
    needed: dict[str, str] = {}
    if config.auth == "oauth":
        needed = {
            "FILEMAKER_OAUTH_REQUEST_ID": config.oauth_request_id,
            "FILEMAKER_OAUTH_IDENTIFIER": config.oauth_identifier,
        }
    elif config.auth == "basic" or not (config.claris_token or config.kept):
        if config.auth == "claris-id" and not config.password:
            raise SettingsError("Nobody has signed in with a Claris ID yet", remedy=SIGN_IN)
        needed = {"FILEMAKER_ACCOUNT": config.account, "FILEMAKER_PASSWORD": config.password}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise SettingsError(f"{' and '.join(missing)} must be set to sign in with FILEMAKER_AUTH={config.auth}")
    if config.auth == "basic" and ":" in config.account:
        raise SettingsError("FILEMAKER_ACCOUNT holds a colon, which HTTP sign-in cannot carry")
    for name, value in (
        ("FILEMAKER_CLARIS_TOKEN", config.claris_token),
        ("FILEMAKER_OAUTH_REQUEST_ID", config.oauth_request_id),
        ("FILEMAKER_OAUTH_IDENTIFIER", config.oauth_identifier),
    ):
        if not value.isascii() or any(c.isspace() for c in value):
            raise SettingsError(f"{name} holds blanks, line ends or letters that no token has")
