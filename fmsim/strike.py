"""What the acting rules of a fault plan do to one request (CONTRACT A5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fmsim import mutations
from fmsim.answer import Effects, Reply, envelope, reason
from fmsim.errors import HostError
from fmsim.faults import Rule
from fmsim.ledger import Entry
from fmsim.sessions import Session
from fmsim.streaming import page
from fmsim.tables import Table

if TYPE_CHECKING:
    from fmsim.host import Host


@dataclass(slots=True)
class Struck:
    """An answer in place of the true one (or none), effects on the way, and whether links are dead from now on."""

    reply: Reply | None = None
    effects: Effects = field(default_factory=Effects)
    stale: bool = False


def strike(host: Host, rules: list[Rule], entry: Entry, table: Table, session: Session | None) -> Struck:
    """Carries out the rules in their order; of several answers the first holds.

    Args:
        host: whose data and sessions they may change.
        rules: that act on this request.
        entry: the request's line in the log, which names them.
        table: whose rows `add`, `delete`, `touch`, `replace` are about.
        session: the caller's, for `drop_session`.
    """
    struck = Struck()
    for rule in rules:
        do = rule.do
        entry.faults.append(rule.index)
        mutations.apply(table, do, host.settings.seed)
        if do.get("drop_session") and session is not None:
            host.sessions.end(session)
        if do.get("drop_all_sessions"):
            host.sessions.end_all()
        struck.stale = struck.stale or bool(do.get("stale"))
        if struck.reply is None and ("status" in do or "code" in do):
            struck.reply = _reply(host, do)
        _effects(struck.effects, do)
    host.forget_links()
    return struck


def _effects(effects: Effects, do: Mapping[str, Any]) -> None:
    if "delay" in do:
        if do.get("where", "first_byte") == "body":
            effects.delay_in_body += float(do["delay"])
        else:
            effects.delay += float(do["delay"])
    if "reset_after" in do:
        effects.reset_after = int(do["reset_after"])
    if "truncate" in do:
        effects.truncate = int(do["truncate"])
    if "content_type" in do:
        effects.content_type = do["content_type"]


def _reply(host: Host, do: Mapping[str, Any]) -> Reply:
    """`code` wins over `status`; without a `body` a web server's page comes."""
    if "code" in do:
        reply = host.error_reply(HostError(int(do["code"]), do.get("message"), do.get("status")))
    else:
        status = int(do["status"])
        match do.get("body", "html"):
            case "html":
                reply = page(status, "Sign in" if status == 200 else reason(status))
            case "json":
                reply = Reply(status, envelope({}, 0 if status == 200 else 1701))
            case "empty" | "" | None:
                reply = Reply(status, b"", None)
            case text:
                reply = Reply(status, str(text).encode(), "text/plain")
    reply.headers += [(str(name), str(value)) for name, value in (do.get("headers") or {}).items()]
    return reply
