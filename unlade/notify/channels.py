"""Where a notice goes. Each channel takes it or raises `NotTaken`; addresses, which may hold secrets, are never logged."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from unlade import __version__
from unlade.settings import Settings

#: Seconds for each step of a request; nobody waits longer for a notice.
PATIENCE = 5.0

#: The client logs whole addresses, and a webhook's address is its password.
logging.getLogger("httpx2").setLevel(logging.WARNING)

#: Takes a subject, a text and the webhook's object.
Channel = Callable[[str, str, Mapping[str, Any]], None]


class NotTaken(Exception):
    """A channel did not take a notice; the message is safe to log."""


def channels(settings: Settings) -> dict[str, Channel]:
    """The channels that are set, by name. Raises `SettingsError` for a setting that cannot be used."""
    found: dict[str, Channel] = {}
    if to := settings["UNLADE_NOTIFY_TO"]:
        found["mail"] = lambda subject, text, _: send_mail(to, subject, text)
    if url := settings["UNLADE_WEBHOOK_URL"]:
        found["webhook"] = lambda _, __, payload: ask("POST", url, payload)
    return found


def send_mail(to: tuple[str, ...], subject: str, text: str) -> None:
    """By Django's mail settings (EMAIL_HOST, ..., DEFAULT_FROM_EMAIL)."""
    from django.conf import settings
    from django.core.mail import EmailMessage, get_connection

    try:
        connection = get_connection(timeout=settings.EMAIL_TIMEOUT or PATIENCE)
        EmailMessage(subject, text, to=list(to), connection=connection).send()
    except (OSError, smtplib.SMTPException, ImportError, ValueError) as error:
        # What the server said may quote addresses; what kind of trouble it is says enough.
        raise NotTaken(f"the mail was not sent: {type(error).__name__}") from None


def ask(method: str, url: str, payload: Mapping[str, Any] | None = None, patience: float = PATIENCE) -> None:
    """One request whose answer's body is not read; redirects are not followed. Raises `NotTaken`."""
    import httpx2  # most runs have nobody to tell

    where = urlsplit(url).hostname or "the address"
    try:
        with httpx2.stream(
            method, url, json=payload, timeout=patience, headers={"User-Agent": f"unlade/{__version__}"}
        ) as answer:
            status = answer.status_code
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        raise NotTaken(f"{where} cannot be reached: {type(error).__name__}") from None
    if not 200 <= status < 300:
        raise NotTaken(f"{where} answered {status}")
