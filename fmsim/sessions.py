"""Who is logged in: tokens, their idle clock, Claris ID tokens (FILEMAKER.md 1)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from fmsim.dataset import Account, DataSet
from fmsim.errors import HostError, HtmlUnauthorized
from fmsim.pool import People
from fmsim.switches import Switches
from fmsim.wire import Request


@dataclass(slots=True, eq=False)
class Session:
    """One login. `alive` ends with log-out, expiry or a drop; container links look at it too."""

    number: int
    token: str
    account: Account
    database: str
    used_at: float
    ends_at: float | None = None  #: a Claris ID session ends then, in use or not
    alive: bool = True
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    links: list[str] = field(default_factory=list)
    cookie: str | None = None  #: the newest hop-1 cookie, for the switch `shared_cookie`


class Sessions:
    """All sessions of a host.

    Args:
        data: for accounts and the database's name.
        switches: in force.
        seed: tokens follow from it.
        people: of the identity service, which gives out Claris ID tokens.
    """

    def __init__(self, data: DataSet, switches: Switches, seed: int, people: People) -> None:
        self._data, self._switches, self._seed, self._people = data, switches, seed, people
        self.passwords: dict[str, str] = {}  #: of accounts that got a new one at run time
        self._by_token: dict[str, Session] = {}
        self._count = 0
        self.ended: list[Session] = []  #: since somebody last emptied it: their links are to be forgotten

    def open_now(self, now: float) -> list[Session]:
        """Sessions that have not expired."""
        for session in list(self._by_token.values()):
            if now - session.used_at > self._switches.idle_minutes * 60:
                self.end(session)
        return list(self._by_token.values())

    def log_in(self, request: Request, database: str, now: float) -> Session:
        """Opens a session for the request's credentials.

        Raises:
            HostError: 10, 212, 9, 802 or 812.
            HtmlUnauthorized: a Claris ID token that is not good (any more).
        """
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        ends_at = None
        if scheme.lower() == "basic":
            account = self._basic(rest)
        elif scheme.lower() == "fmid":
            account, issued = self._claris(rest.strip(), now)
            if self._switches.claris_session_minutes:
                ends_at = issued + self._switches.claris_session_minutes * 60
        elif request.headers.get("x-fm-data-oauth-request-id") and request.headers.get("x-fm-data-oauth-identifier"):
            account = self._any_account()
        else:
            raise HostError(10)
        if "fmrest" not in account.privileges:
            raise HostError(self._switches.no_fmrest_code, status=401)
        if database != self._data.database and not (
            self._switches.database_case == "ignore" and database.lower() == self._data.database.lower()
        ):
            raise HostError(802)
        if self._switches.session_cap and len(self.open_now(now)) >= self._switches.session_cap:
            raise HostError(812, status=self._switches.capacity_status)
        self._count += 1
        session = Session(self._count, self._token(), account, database, now, ends_at)
        self._by_token[session.token] = session
        return session

    def peek(self, token: str | None) -> Session | None:
        """Whose token it is, good or not; changes nothing."""
        return self._by_token.get(token or "")

    def use(self, token: str | None, now: float, *, touch: bool = True, closing: bool = False) -> Session:
        """The session of a token, its idle clock set back.

        Args:
            token: as sent.
            now: the clock's reading.
            touch: whether this counts as a use.
            closing: a log-out, which an old Claris ID sign-in does not stop.

        Raises:
            HostError: 952.
            HtmlUnauthorized: an hour since the Claris ID sign-in.
        """
        session = self._by_token.get(token or "")
        if session is None:
            raise HostError(952)
        if now - session.used_at > self._switches.idle_minutes * 60:
            self.end(session)
            raise HostError(952)
        if session.ends_at is not None and now > session.ends_at and not closing:
            raise HtmlUnauthorized  # it stays open, and counts, until it is closed or idle for too long
        if touch:
            session.used_at = now
        return session

    def check_credentials(self, request: Request, now: float) -> None:
        """For calls that take an account without a session; raises as `log_in` does."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "fmid":
            self._claris(rest.strip(), now)
        elif scheme.lower() == "basic":
            self._basic(rest)
        else:
            raise HostError(10)

    def same_database(self, session: Session, database: str) -> bool:
        if self._switches.database_case == "ignore":
            return session.database.lower() == database.lower()
        return session.database == database

    def end(self, session: Session) -> None:
        session.alive = False
        self.ended.append(session)
        self._by_token.pop(session.token, None)

    def end_all(self) -> None:
        for session in list(self._by_token.values()):
            self.end(session)

    def expire_all(self) -> None:
        """As if every session had been idle for too long."""
        for session in self._by_token.values():
            session.used_at = float("-inf")

    def _token(self) -> str:
        """52 hex digits, or 51 where the first happens to be a zero, as a host drops it."""
        raw = hashlib.blake2b(f"token {self._seed} {self._count}".encode(), digest_size=26).hexdigest()
        match self._switches.token_digits:
            case "51":
                return raw[:51]
            case "52":
                return raw
            case _:
                return raw[1:] if raw[0] == "0" else raw

    def _any_account(self) -> Account:
        return next((a for a in self._data.accounts if "fmrest" in a.privileges), self._data.accounts[0])

    def _basic(self, encoded: str) -> Account:
        try:
            raw = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise HostError(212) from None
        for account in self._data.accounts:
            text = f"{account.name}:{self.passwords.get(account.name, account.password)}"
            if raw in (text.encode("utf-8"), text.encode("latin-1", "ignore")):  # clients send one or the other
                return account
        raise HostError(212)

    def _claris(self, token: str, now: float) -> tuple[Account, float]:
        """The account of a Claris ID token and when it was issued. Only what the pool gave out is good."""
        known = self._people.id_tokens.get(token)
        if known is None or now > known.ends:
            raise HtmlUnauthorized
        return next((a for a in self._data.accounts if a.name == known.account), self._any_account()), known.issued
