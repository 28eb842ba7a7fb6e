"""Calls of the Data API with a session: one sign-in for all threads, one more try with a new token, few retries.

What can succeed on retry (gateway, broken connection, time-out) is asked again up to twice, each time through the gate
and with a booking of its own. Edits are not retried here.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

from unlade.errors import ConnectionBroken, GatewayError, HostTimeout, HostTrouble
from unlade.filemaker.config import FileMakerConfig
from unlade.filemaker.errors import Reply, refusal
from unlade.filemaker.exchange import Exchange
from unlade.filemaker.session import Session
from unlade.source import RequestKind

logger = logging.getLogger(__name__)

#: Seconds before the second and the third try, each times a random factor from 0.5 to 1.5.
PAUSES = (1.0, 4.0)
#: A host that asks for a longer pause than this is left to the breaker.
LONGEST_PAUSE = 60.0
_WORTH_ANOTHER_TRY = (GatewayError, ConnectionBroken, HostTimeout)


class Api:
    """Calls to one hosted file. Safe to use from any thread."""

    def __init__(
        self,
        config: FileMakerConfig,
        exchange: Exchange,
        session: Session,
        *,
        sleep: Callable[[float], None],
        rng: random.Random,
        clock: Callable[[], datetime],
    ) -> None:
        self.config = config
        self.exchange = exchange
        self.session = session
        self._sleep = sleep
        self._rng = rng
        self._clock = clock

    def get(self, path: str, what: str, *, expected: int) -> Reply:
        """Read `path` (below the hosted file), again if that can help; a refusal is a `Reply`."""
        return self._patiently(lambda: self._call("GET", path, None, what, expected), what)

    def get_public(self, path: str, what: str, *, expected: int) -> Reply:
        """Read `path` (from `/fmi/` on) without an account, again if that can help."""
        return self._patiently(lambda: self._ask("GET", path, None, "", expected, "api"), what)

    def probe(self, path: str, *, expected: int) -> Reply:
        """Read `path` (from `/fmi/` on) without an account, once and as a probe: the breaker decides by what it says."""
        return self._ask("GET", path, None, "", expected, "probe")

    def find(self, path: str, body: dict[str, Any], what: str, *, expected: int) -> Reply:
        """A find; it changes nothing on the host, so it is asked again like a read."""
        return self._patiently(lambda: self._call("POST", path, body, what, expected), what)

    def edit(self, path: str, body: dict[str, Any], what: str) -> Reply:
        """Change a record; asked once (besides a dead session, which did nothing)."""
        return self._call("PATCH", path, body, what, 500)

    def _patiently(self, call: Callable[[], Reply], what: str) -> Reply:
        for pause in PAUSES:
            try:
                return call()
            except _WORTH_ANOTHER_TRY as error:
                wait = self._pause(error, pause)
                if wait > LONGEST_PAUSE:
                    raise
                logger.info("%s: %s; another try in %.1f s", what, error, wait)
                self._sleep(wait)
        return call()

    def _pause(self, error: HostTrouble, pause: float) -> float:
        return max(error.retry_after or 0.0, pause * self._rng.uniform(0.5, 1.5))

    def _call(self, method: str, path: str, body: dict[str, Any] | None, what: str, expected: int) -> Reply:
        token = self.session.ensure_authenticated()
        reply = self._ask(method, path, body, token, expected)
        if not reply.session_died:
            return reply
        logger.info("%s: the host refused the session (%s)", what, reply.code or f"HTTP {reply.status}")
        token = self.session.renew(token, gone=reply.code == "952")
        reply = self._ask(method, path, body, token, expected)
        if reply.session_died:
            raise refusal(reply, what)
        return reply

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        token: str,
        expected: int,
        kind: RequestKind = "api",
    ) -> Reply:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        content = None
        if body is not None:
            # Bare, without a charset: FileMaker Server 18 refuses one (FILEMAKER.md 1.1).
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        target = path if path.startswith("/fmi/") else f"{self.config.base}{path}"
        sent_at = self._clock()
        reply = self.exchange.ask(method, target, headers, content, kind=kind, expected=expected)
        if token and not reply.session_died:
            self.session.used(token, sent_at)
        return reply
