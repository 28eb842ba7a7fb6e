"""The simulated host: takes a request, lets the fault plan at it, has it answered, and counts what went out."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fmsim import calls, control, gate
from fmsim.answer import Effects, Reply, Sent, Throttle, deliver
from fmsim.api import Api, error_body
from fmsim.calls import Call
from fmsim.clock import Clock
from fmsim.cognito import Cognito
from fmsim.dataset import DataSet
from fmsim.errors import HostError, HtmlUnauthorized
from fmsim.faults import Plan, Tickets
from fmsim.ledger import Entry, Stats
from fmsim.links import Link, Links
from fmsim.meter import Meter
from fmsim.pool import People
from fmsim.sessions import Session, Sessions
from fmsim.streaming import COOKIE, Mode, Step, Streaming, page
from fmsim.strike import Struck, strike
from fmsim.switches import Switches
from fmsim.tables import Tables
from fmsim.wire import Connection, Request

_NEEDS_JSON = frozenset({"log_in", "create", "edit", "find", "set_globals"})
_WRITES = frozenset({"create", "edit", "duplicate", "delete", "upload"})
_NO_SESSION = frozenset({"product_info", "databases", "log_in", "log_out", "unknown", "wrong_verb"})
_MASKED = re.compile(r"(/sessions/)[0-9A-Za-z]+")


@dataclass(slots=True)
class Settings:
    """How a host behaves.

    Attributes:
        streaming: container mode (CONTRACT A5).
        latency: seconds before every answer, for each request by itself.
        bandwidth: bytes a second of the host's line, shared by all; None: unlimited.
        switches: values for what nobody knows for certain.
        faults: a fault plan's JSON.
        meter_limit: bytes that may be sent before 953; None: no limit.
        seed: of everything that looks random.
    """

    streaming: Mode = "protected"
    latency: float = 0.0
    bandwidth: float | None = None
    switches: Switches = field(default_factory=Switches)
    faults: Iterable[Any] = ()
    meter_limit: int | None = None
    seed: int = 1


class Host:
    """Everything behind the socket. Lives in one event loop; only `handle` awaits.

    Args:
        data: what is served.
        settings: how.
        clock: for expiry, fault windows and the log.
        base: scheme, host and port that clients reach it at.
    """

    def __init__(self, data: DataSet, settings: Settings, clock: Clock, base: str) -> None:
        self.data, self.settings, self.clock, self.base = data, settings, clock, base
        self.switches = settings.switches
        self.version = _version(data.product_version)
        self.tables = Tables(data, self.switches.hidden_records)
        self.people = People(data, self.switches, clock, settings.seed)
        self.cognito = Cognito(self.people)
        self.sessions = Sessions(data, self.switches, settings.seed, self.people)
        self.links = Links(self.switches, settings.seed, base)
        self.stats = Stats()
        self.meter = Meter(settings.meter_limit, self.switches, self.version)
        self.plan = Plan(settings.faults, settings.seed)
        self.api = Api(self)
        relative = self.switches.location == "relative" or (
            self.switches.location == "auto" and self.version >= (20, 0)
        )
        self.streaming = Streaming(settings.streaming, self.switches, self.links, self.sessions, base, relative)
        self._throttle = Throttle(settings.bandwidth)
        self._requests = 0
        self._down_until = float("-inf")

    # the way of a request

    async def handle(self, request: Request, connection: Connection) -> bool:
        """Answers one request; says whether the connection goes on."""
        if request.raw_path.startswith("/-/"):
            return await _aside(control.answer(self, request), request, connection)
        if "x-amz-target" in request.headers:  # the identity service is no part of the host: nothing of it is counted
            await self._wait()
            return await _aside(self.cognito.answer(request), request, connection)
        if request.raw_path.startswith(("/Streaming_SSL/", "/Streaming/")):
            return await self._container(request, connection)
        call = calls.read(request)
        entry = self._entry(request, call.kind)
        entry.record_id, entry.field = call.record_id, call.field
        tickets = self._arrive(entry)
        if call.action in _WRITES:
            self.stats.writes += 1
        await self._wait()
        session = self._session_of(request, call)
        async with self._turn(session):
            if session is not None:
                entry.session, entry.account = session.number, session.account.name
            reply, effects = self._answer_call(call, request, entry, tickets)
            return await self._send(request, connection, reply, effects, entry)

    async def _container(self, request: Request, connection: Connection) -> bool:
        link = self.links.find(request.segments[-1])
        hop = self.streaming.hop(request, link)
        entry = self._entry(request, "container")
        entry.hop = hop
        with_cookie = link is not None and link.cookie in request.cookies(COOKIE)
        entry.first = hop == 1 or (link is not None and with_cookie and link.body_asked)
        if link is not None:
            entry.record_id, entry.field, entry.session = link.row.record_id, link.field, link.session.number
        tickets = self._arrive(entry)
        if link is not None:
            if entry.first:
                link.tickets = tickets
            tickets = link.tickets or []
            link.body_asked = link.body_asked or with_cookie
        stats = self.stats
        stats.enter_download()
        if self.switches.crash_parallel and stats.downloading > self.switches.crash_parallel:
            self._down_until = self.clock.now() + self.switches.crash_seconds
        connection.interruptible = True
        try:
            await self._wait()
            async with self._turn(link.session if link else None):
                reply, effects = self._answer_container(request, link, hop, tickets, entry)
                return await self._send(request, connection, reply, effects, entry)
        finally:
            connection.interruptible = False
            stats.leave_download()

    def _entry(self, request: Request, kind: str) -> Entry:
        self._requests += 1
        entry = Entry(self._requests, self.clock.now(), request.method, _MASKED.sub(r"\1<token>", request.target), kind)
        entry.bearer, entry.cookie = request.bearer is not None, bool(request.cookies(COOKIE))
        entry.started = time.monotonic()
        return entry

    def _arrive(self, entry: Entry) -> Tickets:
        self.stats.arrive(entry)
        return self.plan.arrive(entry)

    async def _wait(self) -> None:
        if self.settings.latency:
            await asyncio.sleep(self.settings.latency)

    @asynccontextmanager
    async def _turn(self, session: Session | None) -> AsyncIterator[None]:
        """Waits for the session's other calls, where the switch says so."""
        if session is None or not self.switches.serial_sessions:
            yield
            return
        async with session.lock:
            yield

    def _session_of(self, request: Request, call: Call) -> Session | None:
        """Whose call it is, for the log; refusals come later."""
        return self.sessions.peek(call.name if call.action == "log_out" else request.bearer)

    # answers

    def _answer_call(self, call: Call, request: Request, entry: Entry, tickets: Tickets) -> tuple[Reply, Effects]:
        struck = Struck()
        if rules := self.plan.acting(tickets, self.clock.now()):
            layout = self.tables.layouts.get(call.layout)
            table = self.tables.of(layout) if layout else self.tables.first()
            struck = strike(self, rules, entry, table, self._session_of(request, call))
        try:
            reply = struck.reply or self._crash_page() or self._true_answer(call, request, entry, struck.stale)
        except HostError as error:
            reply = self.error_reply(error)
        except HtmlUnauthorized:
            reply = page(401, "Unauthorized")
        return reply, struck.effects

    def _true_answer(self, call: Call, request: Request, entry: Entry, stale: bool) -> Reply:
        if call.action == "unknown":
            raise HostError(1700)
        if call.action == "wrong_verb":
            raise HostError(1704)
        if call.action in _NEEDS_JSON:
            gate.check_content_type(self, request)
        now = self.clock.now()
        if call.action == "log_in":
            return gate.log_in(self, call, request, entry)
        if call.action == "log_out":
            return gate.log_out(self, call)
        if call.action == "databases" and self.switches.filter_databases:
            self.sessions.check_credentials(request, now)
        session = None
        if call.action not in _NO_SESSION:
            touch = call.action != "validate" or self.switches.validate_resets_idle
            session = self.sessions.use(request.bearer, now, touch=touch)
            if call.database and not self.sessions.same_database(session, call.database):
                raise HostError(952)
        self.meter.check(call.action, now)
        return self.api.answer(call, request, session, stale=stale)

    def _answer_container(
        self, request: Request, link: Link | None, hop: int, tickets: Tickets, entry: Entry
    ) -> tuple[Reply, Effects]:
        now = self.clock.now()
        self._expire(link, now)
        struck = Struck()
        step = self.streaming.next_step(request, link, hop, now)
        final = step in (Step.BODY, Step.MISSING)
        if rules := self.plan.acting(tickets, now, hop=hop, final=final):
            table, session = (link.table, link.session) if link else (self.tables.first(), None)
            struck = strike(self, rules, entry, table, session)
            if link is not None:
                link.stale = link.stale or struck.stale
            step = self.streaming.next_step(request, link, hop, now)
        reply = struck.reply or self._crash_page()
        if reply is None and request.method not in ("GET", "HEAD"):
            reply = page(405, "Method Not Allowed")
        if reply is None and step in (Step.BODY, Step.REDIRECT):
            try:
                self.meter.check("container", now)
            except HostError as error:
                reply = self.error_reply(error)
        return reply or self.streaming.answer(step, request, link, hop), struck.effects

    def _crash_page(self) -> Reply | None:
        """While the web layer is down nothing gets through (FILEMAKER.md 6.4)."""
        return page(502, "Bad Gateway") if self.clock.now() < self._down_until else None

    def _expire(self, link: Link | None, now: float) -> None:
        """A link's session may have expired without anybody asking for it."""
        if link is not None and link.session.alive:
            try:
                self.sessions.use(link.session.token, now, touch=False)
            except (HostError, HtmlUnauthorized):
                self.forget_links()

    def forget_links(self) -> None:
        """Lets go of the links of sessions that ended."""
        while self.sessions.ended:
            self.links.forget(self.sessions.ended.pop())

    def error_reply(self, error: HostError) -> Reply:
        """An error in FileMaker's JSON; FileMaker Cloud says 401 with a page (FILEMAKER.md 1.5)."""
        if self.switches.cloud and error.code == 952:
            return page(401, "Unauthorized")
        shuffled = (
            self.switches.shuffle_members and random.Random(f"{self.settings.seed} {self._requests}").random() < 0.5
        )
        return Reply(error.status, error_body(error.code, error.message, shuffled), code=error.code)

    # sending and counting

    async def _send(
        self, request: Request, connection: Connection, reply: Reply, effects: Effects, entry: Entry
    ) -> bool:
        sent, bare = Sent(), request.method == "HEAD"
        stats, container = self.stats, entry.kind == "container"
        try:
            return await deliver(
                connection, reply, effects, self._throttle, sent, keep_alive=request.keep_alive, bare=bare
            )
        finally:
            entry.status, entry.head, entry.body, entry.code = sent.status, sent.head, sent.body, reply.code
            entry.complete = sent.complete and reply.completes
            entry.seconds = time.monotonic() - entry.started
            stats.settle(entry)
            self.meter.count(sent.body, container, self.clock.now())

    # what tests ask for

    def statistics(self) -> dict[str, Any]:
        """The object of `GET /-/stats`."""
        return self.stats.as_json(len(self.sessions.open_now(self.clock.now())))

    def set_faults(self, rules: Iterable[Any]) -> None:
        """Puts another plan in force.

        Raises:
            ValueError: a rule is not understood.
        """
        self.plan = Plan(rules, self.settings.seed, self.stats.entries)

    def change_account(self, name: str, wishes: dict[str, Any]) -> None:
        """What happens to an account at run time; see `fmsim.pool.People.change`.

        Raises:
            ValueError: an account or a wish that is not known.
        """
        self.people.change(name, wishes)
        if "password" in wishes:
            self.sessions.passwords[name] = str(wishes["password"])

    def reset(self) -> None:
        """Counters to zero, data as at the start, nobody logged in; the plan stays, its counters start again.

        The identity service and passwords stay as they are: no data of the database.
        """
        self.stats = Stats()
        self.plan.reset()
        self.tables.reset()
        self.sessions.end_all()
        self.forget_links()
        self.meter.reset()
        self._down_until = float("-inf")


async def _aside(reply: Reply, request: Request, connection: Connection) -> bool:
    """Sends what no fault plan touches and nobody counts."""
    bare = request.method == "HEAD"
    return await deliver(connection, reply, Effects(), Throttle(None), Sent(), keep_alive=request.keep_alive, bare=bare)


def _version(text: str) -> tuple[int, int]:
    found = re.match(r"(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2] or 0)) if found else (21, 0)
