"""An S3 bucket by URL, with endpoint, region and credentials as any user of the AWS command line expects them.

Order for credentials: the plain variables; else boto3, when a profile is named or the AWS command line's files are
there (profiles, SSO, roles); else what obstore finds itself (web identity, containers, instance metadata).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obstore.store import S3Store

from unlade.errors import SettingsError, StoreRefused
from unlade.store.trouble import NO_CREDENTIALS, Place

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

#: A try may take long (a part of 8 MiB over a thin line), but a store that is down is known within a minute.
RETRIES: RetryConfig = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=5), "base": 2},
}

CLIENT: ClientConfig = {"connect_timeout": "10s", "timeout": "300s", "user_agent": "unlade"}


@dataclass(frozen=True, slots=True)
class S3Settings:
    """What the environment says about S3. `provider` gives credentials when they are not plain."""

    endpoint: str
    region: str
    profile: str
    keys: dict[str, str]
    provider: Callable[[], Any] | None
    ca: bytes | None


def s3_settings(environ: Mapping[str, str]) -> S3Settings:
    """Read the usual variables. Raises `SettingsError` (boto3 missing) or `StoreRefused` (no credentials)."""
    profile = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or ""
    endpoint = (
        environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or environ.get("AWS_ENDPOINT") or ""
    )
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
    plain = {}
    provider = None
    if environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY"):
        plain = {"access_key_id": environ["AWS_ACCESS_KEY_ID"], "secret_access_key": environ["AWS_SECRET_ACCESS_KEY"]}
        if environ.get("AWS_SESSION_TOKEN"):
            plain["session_token"] = environ["AWS_SESSION_TOKEN"]
        profile = ""
    elif environ.get("AWS_SKIP_SIGNATURE", "").lower() not in ("true", "1") and (profile or _has_files(environ)):
        provider, config = _from_files(environ, profile)
        endpoint = endpoint or config.get("endpoint_url", "")
        region = region or config.get("region", "")
    if endpoint and not endpoint.startswith(("https://", "http://")):
        raise SettingsError(
            "The S3 endpoint is no http or https address.",
            remedy="AWS_ENDPOINT_URL (or endpoint_url in the profile) must begin with https:// or http://.",
        )
    ca_file = environ.get("AWS_CA_BUNDLE")
    ca = None
    if ca_file:
        try:
            ca = Path(ca_file).read_bytes()
        except OSError as error:
            raise SettingsError(f"AWS_CA_BUNDLE {ca_file} cannot be read: {error.strerror}.") from error
    return S3Settings(endpoint, region or "us-east-1", profile, plain, provider, ca)


def s3_builder(url: str, environ: Mapping[str, str]) -> tuple[Callable[[str, bool], S3Store], Place]:
    """A function that opens the store with a given server-side encryption ("" for the bucket's own), with retries or
    without, and its place."""
    parts = urlsplit(url)
    settings = s3_settings(environ)
    client = CLIENT.copy()
    if settings.endpoint.startswith("http://"):
        client["allow_http"] = True
    if settings.ca:
        client["root_certificate"] = settings.ca
    config: dict[str, Any] = {"region": settings.region, "disable_bulk_delete": True, **settings.keys}
    if settings.endpoint:
        # Both names: obstore reads the process's own variables too, and the service's name wins.
        config |= {"endpoint": settings.endpoint, "aws_endpoint_url_s3": settings.endpoint}

    def build(encryption: str, patient: bool) -> S3Store:
        asked: Any = {**config, "server_side_encryption": encryption} if encryption else config
        return S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=asked,
            client_options=client,
            retry_config=RETRIES if patient else {"max_retries": 0},
            credential_provider=settings.provider,
        )

    return build, Place(url, parts.netloc, settings.endpoint, settings.region, settings.profile)


def _has_files(environ: Mapping[str, str]) -> bool:
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    files = {
        environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials",
        environ.get("AWS_CONFIG_FILE") or home / ".aws" / "config",
    }
    return any(Path(file).expanduser().is_file() for file in files)


def _from_files(environ: Mapping[str, str], profile: str) -> tuple[Callable[[], Any], dict[str, str]]:
    """A credential provider over boto3, and the profile's endpoint and region."""
    try:
        import boto3
        import botocore.session
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise SettingsError(
            f"Credentials from {f'the profile {profile}' if profile else 'the AWS files'} need boto3, which is not installed.",
            remedy="pip install 'unlade[aws]', or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ) from None
    try:
        core = botocore.session.Session(profile=profile or None)
        for variable, name in (("AWS_SHARED_CREDENTIALS_FILE", "credentials_file"), ("AWS_CONFIG_FILE", "config_file")):
            if environ.get(variable):
                core.set_config_variable(name, environ[variable])
        scoped = core.get_scoped_config()
        provider = Boto3CredentialProvider(boto3.Session(botocore_session=core), ttl=timedelta(minutes=5))
    except (BotoCoreError, ValueError) as error:
        what = f"the profile {profile}" if profile else "the AWS files"
        if "sso" in str(error).lower():
            raise StoreRefused(
                f"The sign-in of {what} has expired.",
                remedy=f"Run `aws sso login{f' --profile {profile}' if profile else ''}`, then run again.",
            ) from error
        raise StoreRefused(f"There are no credentials in {what}.", remedy=NO_CREDENTIALS) from error
    services = core.full_config.get("services", {}).get(scoped.get("services", ""), {}).get("s3", {})
    endpoint = services.get("endpoint_url", "") if isinstance(services, dict) else ""
    return provider, {
        "endpoint_url": endpoint or scoped.get("endpoint_url", ""),
        "region": scoped.get("region", ""),
    }
