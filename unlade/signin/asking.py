"""A sign-in at a terminal, from the password to what is kept of it; and its end."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from unlade.errors import SignInRefused, UnladeError
from unlade.filemaker.claris import SignIn, refuse_external, signed_in
from unlade.filemaker.cognito import Challenge, Cognito, Device, Factor, SignInOver, Tokens, WrongCode

#: Wrong codes, and beginnings anew, before it is enough.
TRIES, STARTS = 5, 3

_WORDS: dict[Factor, str] = {
    "sms": "Code from the text message",
    "totp": "Code from the authenticator app",
    "email": "Code from the mail",
}
_CHOICES: dict[Factor, str] = {"totp": "authenticator app", "sms": "text message", "email": "mail"}


@dataclass(frozen=True, slots=True)
class Desk:
    """The person at the terminal. `ask` shows what is typed, `tell` says a line."""

    ask: Callable[[str], str]
    tell: Callable[[str], None]


def sign_in_at(
    desk: Desk, cognito: Cognito, account: str, password: str, *, device: Device | None, clock: Callable[[], datetime]
) -> SignIn:
    """Sign `account` in, with every code that is asked for; what is to be kept of it.

    `device` is this machine as an earlier sign-in of the same account left it. Before it returns, the refresh token
    has proved itself. Raises `SignInRefused`, and what `Cognito` raises.
    """
    for start in range(STARTS):
        try:
            tokens = _through(desk, cognito, cognito.sign_in(account, password, device))
            break
        except SignInOver:
            if start == STARTS - 1:
                raise
            desk.tell("That took too long, or had too many wrong codes. It begins anew.")
    kept = signed_in(cognito, account, refuse_external(tokens), clock(), device)
    # A pool may give out a token that it does not take back (a device that it wants to be confirmed otherwise, say).
    cognito.refresh(kept.refresh_token, kept.device.key if kept.device else "")
    return kept


def _through(desk: Desk, cognito: Cognito, reply: Tokens | Challenge) -> Tokens:
    wrong = 0
    while isinstance(reply, Challenge):
        if reply.factor == "choose":
            reply = cognito.choose(reply, _chosen(desk, reply.options))
            continue
        code = _code(desk, reply)
        try:
            reply = cognito.answer(reply, code)
        except WrongCode as error:
            wrong += 1
            if wrong == TRIES:
                raise SignInRefused("Too many wrong codes", remedy="Begin anew, with a fresh code.") from None
            desk.tell(f"{error}; try again.")
    return reply


def _code(desk: Desk, challenge: Challenge) -> str:
    where = f" to {challenge.where}" if challenge.where else ""
    while True:
        code = re.sub(r"[\s-]", "", desk.ask(f"{_WORDS[challenge.factor]}{where}: "))
        if re.fullmatch(r"[0-9]{4,8}", code):
            return code
        desk.tell("A code is six digits.")


def _chosen(desk: Desk, options: tuple[Factor, ...]) -> Factor:
    if not options:
        raise SignInRefused("The Claris ID asks for a second factor that is not known here")
    for number, option in enumerate(options, 1):
        desk.tell(f"{number}  {_CHOICES[option]}")
    while True:
        answer = desk.ask("Which of these gives you the code? ").strip()
        if answer.isdecimal() and 1 <= int(answer) <= len(options):
            return options[int(answer) - 1]
        desk.tell(f"Type a number from 1 to {len(options)}.")


def sign_out(cognito: Cognito, kept: SignIn) -> str:
    """Void what was kept, at the sign-in service too; "" when that is done, else why it is not certain."""
    if kept.over:
        return ""
    try:
        if kept.device is not None:
            tokens = cognito.refresh(kept.refresh_token, kept.device.key)
            cognito.forget(tokens, kept.device)
        cognito.revoke(kept.refresh_token)
    except SignInRefused:
        return ""  # it was void already
    except UnladeError as error:
        return str(error)
    return ""
