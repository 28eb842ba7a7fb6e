"""A Claris ID as what signs a run in (FILEMAKER.md 1.5): by a sign-in that somebody left at a terminal, or by password.

The id token lives an hour, the refresh token a year by Claris's word. A kept sign-in is used by all runs until Cognito
refuses it; then it is marked, and nobody asks Cognito again until a person has signed in: each try of a machine may
send somebody a text message, or lock the account.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from unlade.errors import PersonNeeded, SignInRefused
from unlade.filemaker.cognito import EXTERNAL, Challenge, Cognito, Device, TokenRefused, Tokens
from unlade.filemaker.config import SIGN_IN, FileMakerConfig

#: How long a refresh token is good by Claris's own word (customer console help, "create-fmid-token") [C]. A new
#: password, or signing out everywhere, may end it before [U].
REFRESH_LIFE = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class SignIn:
    """What one sign-in left: never the password. `over` says why a person is needed, "" while it is good."""

    account: str
    pool: str
    client: str
    signed_in_at: datetime
    refresh_token: str = field(repr=False)
    device: Device | None = field(default=None, repr=False)
    over: str = ""
    over_at: datetime | None = None

    @property
    def good_until(self) -> datetime:
        """The end of the refresh token by Claris's word."""
        return self.signed_in_at + REFRESH_LIFE


class KeptSignIn(Protocol):
    """Where a sign-in is kept between runs."""

    def load(self) -> SignIn | None:
        """The sign-in with its secrets; None where there is none. Raises `SettingsError` when it cannot be read."""

    def save(self, sign_in: SignIn) -> object:
        """Keep this one in place of any other. Raises `SettingsError`."""


class ClarisIdentity:
    """A Claris ID by account and password: what an account without a second factor needs."""

    renewable = True

    def __init__(self, account: str, password: str, cognito: Cognito) -> None:
        self._account, self._password, self._cognito = account, password, cognito
        self._refresh_token = ""

    def headers(self, *, fresh: bool) -> dict[str, str]:
        """Headers with an id token that was made for this sign-in.

        Raises `SignInRefused` (`PersonNeeded` where a code is asked for), `HostBusy`, `ConnectionBroken`, `HostTimeout`.
        """
        if self._refresh_token and not fresh:
            try:
                return _fmid(self._cognito.refresh(self._refresh_token))
            except TokenRefused:
                self._refresh_token = ""
        tokens = by_password(self._cognito, self._account, self._password, None)
        # Where devices are tracked, the refresh token of one that nobody confirmed is refused.
        self._refresh_token = "" if tokens.new_device else tokens.refresh
        return _fmid(tokens)


class KeptIdentity:
    """The sign-in that somebody left. `password`, where it is set, makes it anew when it has ended."""

    renewable = True

    def __init__(self, kept: KeptSignIn, password: str, cognito: Cognito, clock: Callable[[], datetime]) -> None:
        self._kept, self._password, self._cognito, self._clock = kept, password, cognito, clock
        self._lock = threading.Lock()

    def headers(self, *, fresh: bool) -> dict[str, str]:
        """Headers with an id token that was made for this sign-in.

        Raises `PersonNeeded`, `SignInRefused`, `SettingsError` when what is kept cannot be read, `HostBusy`,
        `ConnectionBroken`, `HostTimeout`.
        """
        with self._lock:
            return _fmid(self._tokens())

    def _tokens(self) -> Tokens:
        known = self._kept.load()
        if known is None:
            raise PersonNeeded("Nobody is signed in with a Claris ID any more", remedy=SIGN_IN)
        if known.over:
            raise PersonNeeded(f"The sign-in of the Claris ID {known.over}", remedy=SIGN_IN)
        try:
            tokens = self._cognito.refresh(known.refresh_token, known.device.key if known.device else "")
        except TokenRefused as refused:
            return self._anew(known, refused)
        if tokens.refresh and tokens.refresh != known.refresh_token:  # a pool may change it with every use
            self._kept.save(replace(known, refresh_token=tokens.refresh))
        return tokens

    def _anew(self, known: SignIn, refused: TokenRefused) -> Tokens:
        now = self._kept.load()
        if now is not None and now.refresh_token != known.refresh_token:
            return self._tokens()  # somebody signed in meanwhile
        if not self._password:
            raise self._end(known, refused.why)
        try:
            tokens = by_password(self._cognito, known.account, self._password, known.device)
        except PersonNeeded:
            raise self._end(known, f"{refused.why}, and a new one takes a code") from None
        except SignInRefused as error:
            self._end(known, f"{refused.why}, and FILEMAKER_PASSWORD does not help")
            raise error from None
        self._kept.save(signed_in(self._cognito, known.account, tokens, self._clock(), known.device))
        return tokens

    def _end(self, known: SignIn, why: str) -> PersonNeeded:
        self._kept.save(replace(known, over=why, over_at=self._clock()))
        return PersonNeeded(f"The sign-in of the Claris ID {why}", remedy=SIGN_IN)


def by_password(cognito: Cognito, account: str, password: str, device: Device | None) -> Tokens:
    """Tokens for a password alone. Raises `PersonNeeded` where a second factor is asked for, and as `sign_in`."""
    reply = cognito.sign_in(account, password, device)
    if isinstance(reply, Challenge):
        raise PersonNeeded("The Claris ID asks for a second factor, which a program cannot give", remedy=SIGN_IN)
    return refuse_external(reply)


def refuse_external(tokens: Tokens) -> Tokens:
    """`tokens`, unless they are of an account that the Data API does not take. Raises `SignInRefused`."""
    if tokens.external:
        raise SignInRefused("This account is of an external identity provider", remedy=EXTERNAL)
    return tokens


def signed_in(cognito: Cognito, account: str, tokens: Tokens, now: datetime, device: Device | None = None) -> SignIn:
    """What is to be kept of a sign-in; this machine is confirmed as a device where the pool keeps any."""
    device = cognito.remember(tokens) or device
    return SignIn(account, cognito.pool.pool, cognito.pool.client, now, tokens.refresh, device)


def claris_identity(config: FileMakerConfig, clock: Callable[[], datetime]) -> ClarisIdentity | KeptIdentity:
    """The identity of FILEMAKER_AUTH=claris-id without a ready token: the kept sign-in goes before the password."""
    cognito = Cognito(config.claris_pool, clock=clock)
    if config.kept is not None:
        return KeptIdentity(config.kept, config.password, cognito, clock)
    return ClarisIdentity(config.account, config.password, cognito)


def _fmid(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"FMID {tokens.id}"}
