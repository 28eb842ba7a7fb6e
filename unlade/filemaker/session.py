"""The session of one run: one sign-in, shared by all threads, renewed in time, ended at the close.

A token lives 15 minutes after its last use; with a Claris ID also 60 minutes after the sign-in, used or not
(FILEMAKER.md 1.5, 1.6). Both go by wall time, so that a machine that slept knows it. A host that says 212 gets no
second try from this object (CONTRACT B4).
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import quote

from unlade.cargo import Wire
from unlade.errors import PrivilegeMissing, ProtocolError, SignInRefused, SourceError, UnladeError
from unlade.filemaker.claris import claris_identity
from unlade.filemaker.config import FileMakerConfig
from unlade.filemaker.errors import Reply, parse_reply, refusal
from unlade.filemaker.exchange import HEAD, Exchange
from unlade.source import Booking, Toll

logger = logging.getLogger(__name__)

IDLE_LIMIT = timedelta(minutes=14)
CLARIS_LIMIT = timedelta(minutes=55)
#: What the answer to a logout holds at the most, and to a login, which may be a web page.
_SMALL, _LOGIN = 500, 4_000
#: Seconds that the close waits for a sign-in under way.
_PATIENCE = 15.0


class Identity(Protocol):
    """Proves who we are. `renewable`: a fresh proof can be had at any time."""

    renewable: bool

    def headers(self, *, fresh: bool) -> dict[str, str]:
        """Headers of a sign-in. `fresh`: the former proof was refused."""


class AccountIdentity:
    """A FileMaker account (Basic)."""

    renewable = True

    def __init__(self, account: str, password: str) -> None:
        pair = f"{account}:{password}".encode()
        self._header = "Basic " + base64.b64encode(pair).decode("ascii")

    def headers(self, *, fresh: bool) -> dict[str, str]:
        return {"Authorization": self._header}


class OAuthIdentity:
    """Identifiers of an OAuth sign-in made elsewhere (FILEMAKER.md 1.4)."""

    renewable = False

    def __init__(self, request_id: str, identifier: str) -> None:
        self._headers = {"X-FM-Data-OAuth-Request-Id": request_id, "X-FM-Data-OAuth-Identifier": identifier}

    def headers(self, *, fresh: bool) -> dict[str, str]:
        return dict(self._headers)


class ClarisTokenIdentity:
    """A ready Claris ID token; it lives an hour and nothing here can renew it."""

    renewable = False

    def __init__(self, token: str) -> None:
        self._token = token

    def headers(self, *, fresh: bool) -> dict[str, str]:
        return {"Authorization": f"FMID {self._token}"}


def identity_of(config: FileMakerConfig, clock: Callable[[], datetime]) -> Identity:
    """The identity that `config` declares."""
    if config.auth == "oauth":
        return OAuthIdentity(config.oauth_request_id, config.oauth_identifier)
    if config.auth == "claris-id":
        if config.claris_token:
            return ClarisTokenIdentity(config.claris_token)
        return claris_identity(config, clock)
    return AccountIdentity(config.account, config.password)


class Session:
    """The token and its ages. Safe to use from any thread: whoever comes first signs in, the others wait for it."""

    def __init__(
        self,
        config: FileMakerConfig,
        exchange: Exchange,
        clock: Callable[[], datetime],
        identity: Identity | None = None,
    ) -> None:
        self._config = config
        self._exchange = exchange
        self._clock = clock
        self._identity = identity or identity_of(config, clock)
        self._lock = threading.RLock()
        self._token = ""
        self._signed_in_at: datetime | None = None
        self._used_at = clock()
        self._farewell: Booking | None = None  #: bytes of the logout, reserved when the session began
        self._refused: SourceError | None = None
        self._closed = False
        self.logins = 0

    @property
    def signed_in_at(self) -> datetime | None:
        """When the present session began, None before the first sign-in. Links are as old as their session at most."""
        return self._signed_in_at

    def ensure_authenticated(self) -> str:
        """A token that is good by its age; signs in if need be.

        Raises `SignInRefused`, `PrivilegeMissing` (at once, without asking, when the host has refused before), and
        what a request raises.
        """
        return self._enter(lambda: bool(self._token) and not self._too_old(), gone=False)

    def renew(self, dead: str, *, gone: bool) -> str:
        """A token in place of `dead`, which the host refused. One sign-in however many threads ask.

        `gone`: the host does not know the token any more (952), so there is nothing to log out of.
        """
        return self._enter(lambda: bool(self._token) and self._token != dead, gone=gone)

    def _enter(self, good: Callable[[], bool], *, gone: bool) -> str:
        with self._lock:
            if good():
                return self._token
            self._may_sign_in()
        # Reserved before the lock is taken: a reservation may wait for a commit in a thread that waits for this lock.
        berth = _Berth(self._exchange.toll, tries=2 if self._renewable_claris else 1)
        try:
            with self._lock:
                if good():
                    return self._token
                self._may_sign_in()
                if gone:
                    self._token = ""
                    self._drop_farewell()
                self._leave()
                return self._sign_in(berth)
        finally:
            berth.release()

    def used(self, token: str, at: datetime) -> None:
        """The host accepted `token` in a request that was sent at `at`."""
        with self._lock:
            if token == self._token:
                self._used_at = max(self._used_at, at)

    @property
    def _renewable_claris(self) -> bool:
        return self._config.auth == "claris-id" and self._identity.renewable

    def _too_old(self) -> bool:
        now = self._clock()
        if now - self._used_at >= IDLE_LIMIT:
            return True
        began = self._signed_in_at
        return self._renewable_claris and began is not None and now - began >= CLARIS_LIMIT

    def _may_sign_in(self) -> None:
        if self._closed:
            raise ProtocolError("The session is closed already")
        if self._refused is not None:
            known = self._refused
            raise type(known)(str(known), remedy=known.remedy, code=known.code, status=known.status)

    def _sign_in(self, berth: _Berth) -> str:
        try:
            token = self._ask_for_token(berth)
        except (SignInRefused, PrivilegeMissing) as error:
            self._refused = error
            raise
        self._token = token
        self._farewell = berth.keep_farewell()
        self._signed_in_at = self._used_at = self._clock()
        self.logins += 1
        logger.info("signed in to %s, database %s", self._config.host, self._config.database)
        if self._closed:  # the close did not wait for us
            self._leave()
            self._may_sign_in()
        return token

    def _ask_for_token(self, berth: _Berth) -> str:
        what = f"Signing in to database {self._config.database}"
        reply = self._post_session(berth, fresh=False)
        if reply.status == 401 and self._renewable_claris:
            reply = self._post_session(berth, fresh=True)
        if not reply.ok:
            error = refusal(reply, what, signing_in=True)
            if isinstance(error, SignInRefused) and not self._identity.renewable:
                error.remedy = "The token or identifier has expired or was used before: get a new one."
            raise error
        # FileMaker Cloud answers with the header alone (FILEMAKER.md 1.5).
        token = reply.headers.get("x-fm-data-access-token") or reply.response.get("token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise ProtocolError(f"{what}: the host accepted it but gave no token", status=reply.status)
        return token

    def _post_session(self, berth: _Berth, *, fresh: bool) -> Reply:
        headers = {"Content-Type": "application/json", **self._proof(fresh=fresh)}
        return self._exchange.ask(
            "POST",
            f"{self._config.base}/sessions",
            headers,
            b"{}",
            kind="login",
            expected=_LOGIN,
            booking=berth.take_login(),
            another_try=self._renewable_claris and not fresh,
        )

    def _proof(self, *, fresh: bool) -> dict[str, str]:
        """What proves who we are. That a sign-in service refused it is told to every process, by way of the gate."""
        try:
            return self._identity.headers(fresh=fresh)
        except SignInRefused as error:
            with suppress(UnladeError), self._exchange.gate.passage("login"):
                raise
            raise error from None

    def _drop_farewell(self, wire: Wire | None = None) -> None:
        booking, self._farewell = self._farewell, None
        if booking is not None:
            booking.settle(wire or Wire())

    def _leave(self) -> None:
        """Log the present token out, so that no session is left to count against the host's limit (FILEMAKER.md 1.7).

        It passes no gate: it must go out at an interrupt and when a limit is reached too, and its bytes are reserved.
        """
        token, self._token = self._token, ""
        if not token:
            return
        came = Wire()
        try:
            answer = self._exchange.transport.send(
                "DELETE", f"{self._config.base}/sessions/{quote(token, safe='')}", {}, read_timeout=10.0
            )
            try:
                body = b"".join(answer.chunks())
            finally:
                came = answer.meter.owed
            reply = parse_reply(answer.status, dict(answer.headers), body, came)
            logger.info("logged out of %s: %s", self._config.host, reply.code or f"HTTP {reply.status}")
        except UnladeError as error:
            came = came if came.total else getattr(error, "wire", Wire())
            logger.warning("could not log out of %s (%s); the session ends by itself", self._config.host, error)
        finally:
            self._drop_farewell(came)

    def close(self) -> None:
        """Log out; later requests fail. May be called twice; raises nothing that a host can cause."""
        if not self._lock.acquire(timeout=_PATIENCE):
            # Somebody hangs in a sign-in; the end of a run must not hang with him.
            logger.warning("could not log out of %s: a sign-in is still under way", self._config.host)
            self._closed = True
            return
        try:
            self._leave()
            self._closed = True
        finally:
            self._lock.release()


class _Berth:
    """The bookings of one sign-in: its tries, and the logout that will follow. What is not used costs nothing."""

    def __init__(self, toll: Toll, tries: int) -> None:
        self._logins: list[Booking] = []
        self._farewell: Booking | None = None
        try:
            for _ in range(tries):
                self._logins.append(toll.reserve("login", _LOGIN + HEAD))
            self._farewell = toll.reserve("api", _SMALL + HEAD)
        except BaseException:
            self.release()
            raise

    def take_login(self) -> Booking:
        return self._logins.pop()

    def keep_farewell(self) -> Booking | None:
        farewell, self._farewell = self._farewell, None
        return farewell

    def release(self) -> None:
        unused, self._logins = self._logins, []
        if (farewell := self.keep_farewell()) is not None:
            unused.append(farewell)
        for booking in unused:
            booking.settle(Wire())
