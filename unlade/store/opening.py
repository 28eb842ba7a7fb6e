"""From a URL to a store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from unlade.errors import SettingsError
from unlade.store.base import Store
from unlade.store.local import LocalStore
from unlade.store.trouble import Place


def open_store(
    url: str,
    *,
    environ: Mapping[str, str] | None = None,
    spool: Path | None = None,
    encryption: str = "",
    clock: Callable[[], float] = time.time,
) -> Store:
    """Open the store at `url`: `file:///path`, a plain path, `s3://bucket/prefix`, `gs://...`, `az://...`.

    `environ` holds the AWS variables (with what `.env` adds), by default those of the process. Files below `spool`
    may be linked into a local store instead of copied. `encryption` asks S3 for `AES256` or `aws:kms`; "" leaves it
    to the bucket, and to what the probe finds. No request is made here.
    Raises `SettingsError`, `StoreRefused` (folder not writable, no credentials).
    """
    environ = os.environ if environ is None else environ
    parts = urlsplit(url)
    if parts.scheme in ("", "file") or len(parts.scheme) == 1:  # one letter: a drive of Windows
        return LocalStore(local_path(url), link_from=spool, clock=clock)
    if not parts.netloc:
        raise SettingsError(f"{url} names no bucket.", remedy=f"Write {parts.scheme}://bucket/prefix in UNLADE_STORE.")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise SettingsError(
            "UNLADE_STORE has more in it than a bucket and a prefix.",
            remedy="Credentials go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or into a profile.",
        )
    from unlade.store.remote import RemoteStore  # a folder needs none of obstore

    if parts.scheme == "s3":
        from unlade.store.aws import s3_builder

        build, place = s3_builder(url, environ)
        return RemoteStore(build, place, encryption=encryption)
    if parts.scheme in ("gs", "az"):
        place = Place(url, parts.netloc, scheme=parts.scheme)
        return RemoteStore(_other_builder(place), place, scheme=parts.scheme)
    raise SettingsError(
        f"{parts.scheme}:// is no kind of store.", remedy="Use file://, s3://, gs:// or az:// in UNLADE_STORE."
    )


def local_path(url: str) -> Path:
    """The folder of a `file:` URL or plain path. Raises `SettingsError`."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        if not url:
            raise SettingsError("UNLADE_STORE is empty.", remedy="Set it to file:///path or s3://bucket/prefix.")
        return Path(url).expanduser()
    if parts.netloc not in ("", "localhost"):
        raise SettingsError(
            f"file://{parts.netloc}/... names a host; a local folder has three slashes.",
            remedy="Write file:///path (on Windows file:///C:/path).",
        )
    return Path(url2pathname(parts.path))


def _other_builder(place: Place) -> Callable[[str, bool], Any]:
    """Google and Azure: obstore reads their usual variables from the process's environment itself."""
    from obstore.exceptions import BaseError
    from obstore.store import AzureStore, GCSStore

    from unlade.store.aws import CLIENT, RETRIES

    kind: Any = {"gs": GCSStore, "az": AzureStore}[place.scheme]

    def build(_encryption: str, patient: bool) -> Any:
        try:
            retries = RETRIES if patient else {"max_retries": 0}
            return kind.from_url(place.url, retry_config=retries, client_options=CLIENT)
        except BaseError as error:
            raise SettingsError(
                f"{place.url} cannot be opened: its account is not set.", remedy=place.sign_in
            ) from error

    return build
