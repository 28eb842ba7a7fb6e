"""`filemaker_login`: signs a Claris ID in once, at a terminal, so that no later run needs a person or a password."""

from __future__ import annotations

import getpass
import sys
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.errors import PersonNeeded, SettingsError, UsageError
from unlade.filemaker.cognito import Cognito
from unlade.report.advice import MANAGE
from unlade.report.words import day
from unlade.rigging import Rigging
from unlade.signin.asking import Desk, sign_in_at, sign_out
from unlade.signin.keeping import Head, Keeping


class Command(UnladeCommand):
    help = (
        "Signs a Claris ID in once, at a terminal: asks for password and codes, and keeps what later runs need, never the "
        "password. For FileMaker Cloud (FILEMAKER_AUTH=claris-id). Example: filemaker_login --account ada@clinic.example"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--account", default="", metavar="EMAIL", help="the Claris ID (FILEMAKER_ACCOUNT)")
        parser.add_argument("--keep", choices=["keyring", "file"], help="where to keep it (UNLADE_SIGN_IN)")
        parser.add_argument("--status", action="store_true", help="say who is signed in and until when; ask nobody")
        parser.add_argument("--forget", action="store_true", help="sign out: void what is kept, and delete it")

    def work(self, **options: Any) -> int:
        if options["status"] and options["forget"]:
            raise UsageError("--status and --forget are two things.")
        rig = self.rigging
        keeping = rig.keeping()
        if options["forget"]:
            return self._forget(rig, keeping, bool(options["json"]))
        if options["status"]:
            return self._status(rig, keeping, bool(options["json"]))
        return self._sign_in(rig, keeping, options)

    # signing in

    def _sign_in(self, rig: Rigging, keeping: Keeping, options: dict[str, Any]) -> int:
        account = options["account"].strip() or rig.settings.text("FILEMAKER_ACCOUNT")
        pool = rig.claris_pool()
        self._check(rig, options)
        keeping.probe(options["keep"])
        desk = Desk(self._ask, self._tell)
        while not account:
            account = self._ask("Claris ID (an e-mail address): ").strip()
        before = _former(keeping, account, pool.pool, pool.client)
        password = getpass.getpass(f"Password of {account} (not shown, not kept): ", stream=sys.stderr)
        kept = sign_in_at(desk, Cognito(pool, clock=rig.clock), account, password, device=before, clock=rig.clock)
        head = keeping.save(kept, options["keep"] or keeping.choose())
        if options["json"]:
            self.print_json(_as_json(head, keeping))
            return 0
        self.say(f"Signed in: {head.account}.")
        self._describe(head, keeping, rig)
        self._hints(rig, head)
        return 0

    def _check(self, rig: Rigging, options: dict[str, Any]) -> None:
        """What would make the answers of a person worthless is said before they are asked for."""
        if not sys.stdin.isatty():
            raise PersonNeeded(
                "filemaker_login needs a person at a terminal, and this is none",
                remedy=f"Open a terminal (over SSH: `ssh -t`) and type there: {MANAGE} filemaker_login",
            )
        wanted, set_to = options["account"].strip(), rig.settings.text("FILEMAKER_ACCOUNT")
        if wanted and set_to and wanted.casefold() != set_to.casefold():
            raise UsageError(
                f"--account {wanted} is not FILEMAKER_ACCOUNT, so no run would use it.",
                remedy="Set FILEMAKER_ACCOUNT to it, or leave it empty.",
            )

    def _hints(self, rig: Rigging, head: Head) -> None:
        settings = rig.settings
        if settings["FILEMAKER_AUTH"] != "claris-id":
            self.say(f"FILEMAKER_AUTH is {settings.text('FILEMAKER_AUTH')}: runs use this only with claris-id.")
        if settings.text("FILEMAKER_CLARIS_TOKEN"):
            self.say("FILEMAKER_CLARIS_TOKEN is set, and goes before it: take it out.")
        if settings.text("FILEMAKER_PASSWORD"):
            self.say("FILEMAKER_PASSWORD is set, and not needed any more: take it out.")
        if head.kept_in == "keyring":
            self.say("Runs of a scheduler may find the keyring locked. If one says so: filemaker_login --keep file")
        self.say(f"What the host says to it: {MANAGE} filemaker_doctor")

    # what is there

    def _status(self, rig: Rigging, keeping: Keeping, as_json: bool) -> int:
        head = keeping.head()
        good = head is not None and not head.over
        if as_json:
            self.print_json(_as_json(head, keeping) | {"exit": int(not good)})
        elif head is None:
            self.say(f"Nobody is signed in with a Claris ID. {MANAGE} filemaker_login")
        else:
            since = day(head.signed_in_at, rig.clock(), rig.zone())
            self.say(f"Signed in: {head.account}, since {since}." if good else f"No longer signed in: {head.account}.")
            self._describe(head, keeping, rig)
        return int(not good)

    def _describe(self, head: Head, keeping: Keeping, rig: Rigging) -> None:
        what = "a refresh token and a device key" if head.device else "a refresh token"
        self.say(f"Kept {keeping.where(head)}: {what}, not the password.")
        if head.over:
            self.say(f"It {head.over}. Nothing is asked of Claris until somebody signs in: {MANAGE} filemaker_login")
            return
        self.say(f"Good until about {_until(head, rig)}: a year, by Claris's word. A new password, or signing out")
        self.say("everywhere, may end it before; then a run ends with 1 and says so once.")
        if head.device:
            self.say("This machine is remembered: signing in again here takes no code.")

    # the end

    def _forget(self, rig: Rigging, keeping: Keeping, as_json: bool) -> int:
        trouble, head = "", None
        try:
            head = keeping.head()
            kept = keeping.load()
            trouble = sign_out(Cognito(rig.claris_pool(), clock=rig.clock), kept) if kept is not None else ""
        except SettingsError as error:  # it cannot be read, and is deleted all the same
            trouble = str(error)
        keeping.delete()
        code = int(bool(trouble))
        if as_json:
            account = head.account if head else None
            self.print_json({"outcome": "failed" if code else "done", "account": account, "reason": trouble or None,
                             "exit": code})  # fmt: skip
        elif trouble:
            self.say("Deleted here, but whether the sign-in is void at Claris is not certain:")
            self.say(f"{trouble}. A new password at https://account.claris.com ends it there.")
        else:
            self.say(f"Signed out, and deleted: {head.account}." if head else "Nobody was signed in.")
        return code

    # the terminal

    def _tell(self, line: str) -> None:
        self.stderr.write(line)

    @staticmethod
    def _ask(prompt: str) -> str:
        print(prompt, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise PersonNeeded("The terminal was closed", remedy=f"Begin anew: {MANAGE} filemaker_login")
        return line.rstrip("\r\n")


def _former(keeping: Keeping, account: str, pool: str, client: str) -> Any:
    """This machine as the pool remembers it, from an earlier sign-in of the same account; None where that cannot be had."""
    try:
        kept = keeping.load()
    except SettingsError:
        return None
    same = kept is not None and (kept.account.casefold(), kept.pool, kept.client) == (account.casefold(), pool, client)
    return kept.device if kept is not None and same else None


def _until(head: Head, rig: Rigging) -> str:
    return day(head.good_until, rig.clock(), rig.zone())


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _as_json(head: Head | None, keeping: Keeping) -> dict[str, Any]:
    """`good_until` is Claris's word, not a promise; `needs_person` says why one is needed."""
    if head is None:
        return {"outcome": "done", "account": None, "needs_person": "nobody is signed in", "exit": 0}
    return {
        "outcome": "done",
        "account": head.account,
        "kept_in": head.kept_in,
        "file": str(keeping.path.absolute()),
        "signed_in_at": _moment(head.signed_in_at),
        "good_until": _moment(head.good_until),
        "device": head.device,
        "needs_person": head.over or None,
        "exit": 0,
    }
