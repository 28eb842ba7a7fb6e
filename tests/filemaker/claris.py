"""What the tests of Claris IDs share: accounts of the simulated pool, clients, and a drawer for a sign-in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fmsim import Simulator
from unlade.filemaker.claris import SignIn, signed_in
from unlade.filemaker.cognito import Challenge, Cognito, Tokens
from unlade.filemaker.config import ClarisPool

ACCOUNT, PASSWORD = "reader", "s3cret-Wörd"
Make = Callable[..., Any]


def wall(host: Simulator) -> Callable[[], datetime]:
    return lambda: datetime.fromtimestamp(host.clock.now(), UTC)


def client_of(host: Simulator) -> Cognito:
    return Cognito(ClarisPool(url=host.url), clock=wall(host))


def code_of(host: Simulator, kind: str) -> str:
    return str(host.cognito()["users"][ACCOUNT][{"sms": "text_message", "totp": "authenticator_code"}[kind]])


def tokens_of(host: Simulator, cognito: Cognito) -> Tokens:
    reply = cognito.sign_in(ACCOUNT, PASSWORD)
    while isinstance(reply, Challenge):
        reply = cognito.answer(reply, code_of(host, reply.factor))
    return reply


class Drawer:
    """Keeps a sign-in in memory, and counts how often it is asked to."""

    def __init__(self, sign_in: SignIn | None) -> None:
        self.kept, self.saves = sign_in, 0

    def load(self) -> SignIn | None:
        return self.kept

    def save(self, sign_in: SignIn) -> None:
        self.kept, self.saves = sign_in, self.saves + 1


def left_behind(host: Simulator, cognito: Cognito) -> Drawer:
    return Drawer(signed_in(cognito, ACCOUNT, tokens_of(host, cognito), wall(host)()))
