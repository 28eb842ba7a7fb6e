"""Signing in with a Claris ID where there is no Django project: asked for once, kept beside the ledger of the host."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime

from unlade.errors import PersonNeeded
from unlade.filemaker.cognito import Cognito
from unlade.settings import Settings
from unlade.signin.asking import Desk, sign_in_at
from unlade.signin.keeping import keeping_of, kept_of, pool_of


def wanted(settings: Settings) -> bool:
    """Whether runs go by a kept sign-in: a ready token or a password needs none."""
    named = settings.text("FILEMAKER_CLARIS_TOKEN") or settings.text("FILEMAKER_PASSWORD")
    return settings["FILEMAKER_AUTH"] == "claris-id" and not named


def ensure(
    settings: Settings, *, terminal: bool, ask: Callable[[str], str], ask_secretly: Callable[[str], str]
) -> None:
    """A good sign-in is kept at the end: the one that is there, or one that a person makes now.

    Raises `PersonNeeded` where there is no terminal, and what a sign-in raises.
    """
    kept = kept_of(settings)
    head = kept.head() if kept is not None else None
    if head is not None and not head.over:
        return
    if not terminal:
        why = (
            f"The sign-in of the Claris ID {head.over}" if head is not None else "Nobody has signed in with a Claris ID"
        )
        raise PersonNeeded(why, remedy="Run this once at a terminal, where password and code are asked for.")
    keeping, cognito = keeping_of(settings), Cognito(pool_of(settings), clock=_now)
    keeping.probe()
    account = settings.text("FILEMAKER_ACCOUNT")

    def prompt(words: str) -> str:
        print(words, end="", file=sys.stderr, flush=True)
        return ask("")

    while not account:
        account = prompt("Claris ID (an e-mail address): ").strip()
    password = ask_secretly(f"Password of {account} (not shown, not kept): ")
    desk = Desk(prompt, lambda line: print(line, file=sys.stderr))
    keeping.save(sign_in_at(desk, cognito, account, password, device=None, clock=_now), keeping.choose())


def _now() -> datetime:
    return datetime.now(UTC)
