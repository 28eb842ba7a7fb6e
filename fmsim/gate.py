"""The door: log in, log out, and what every JSON call must bring (FILEMAKER.md 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmsim.answer import Reply, envelope
from fmsim.calls import Call
from fmsim.errors import HostError
from fmsim.ledger import Entry
from fmsim.wire import Request

if TYPE_CHECKING:
    from fmsim.host import Host


def log_in(host: Host, call: Call, request: Request, entry: Entry) -> Reply:
    """A new session; its token in the head, and in the body unless this is FileMaker Cloud.

    Raises:
        HostError: as `Sessions.log_in` says, 953, or 1710 for a body that is not JSON.
        HtmlUnauthorized: a Claris ID token that is not good.
    """
    now = host.clock.now()
    if request.body or host.switches.login_body == "object":
        host.api.body(request)
    host.meter.check(call.action, now)
    session = host.sessions.log_in(request, call.database, now)
    host.stats.logins += 1
    entry.session, entry.account = session.number, session.account.name
    response = {} if host.switches.cloud else {"token": session.token}
    return Reply(body=envelope(response), headers=[("X-FM-Data-Access-Token", session.token)])


def log_out(host: Host, call: Call) -> Reply:
    """Ends the session whose token stands in the path.

    Raises:
        HostError: 952, unless the switch `second_logout` says otherwise.
    """
    try:
        session = host.sessions.use(call.name, host.clock.now(), closing=True)
        if not host.sessions.same_database(session, call.database):
            raise HostError(952)
    except HostError:
        if host.switches.second_logout == "ok":
            return Reply(body=envelope({}))
        raise
    host.sessions.end(session)
    host.forget_links()
    host.stats.logouts += 1
    return Reply(body=envelope({}))


def check_content_type(host: Host, request: Request) -> None:
    """Refuses a JSON call that does not say so, or says more than an old host bears (FILEMAKER.md 1.1).

    Raises:
        HostError: 1705 with HTTP 415, or 960 with HTTP 400.
    """
    kind, semicolon, _ = request.headers.get("content-type", "").partition(";")
    if host.switches.strict_content_type and kind.strip().lower() != "application/json":
        raise HostError(1705)
    style = host.switches.charset_parameter
    if semicolon and (style == "reject" or (style == "auto" and host.version[0] == 18)):
        raise HostError(960, status=400)
