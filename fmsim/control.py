"""`/-/`: what tests ask of the simulator itself. Not counted, not delayed, never hit by faults; only from this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fmsim.answer import Reply
from fmsim.wire import Request

if TYPE_CHECKING:
    from fmsim.host import Host


def answer(host: Host, request: Request) -> Reply:
    """The reply to `GET /-/stats`, `GET /-/log`, `GET /-/fmdapi.log`, `PUT /-/faults`, `POST /-/reset`,
    `GET /-/cognito` (calls so far; each account's codes and tokens) and `PUT /-/cognito` (what happens to an account:
    `{"account": "unlade", "mfa": "totp", "revoke": true}`, see `fmsim.pool.People.change`; the first one by default).
    """
    if not request.peer.startswith("127.") and request.peer not in ("::1", "::ffff:127.0.0.1"):
        return Reply(403, b"{}")
    match request.method, request.raw_path:
        case "GET", "/-/stats":
            return Reply(body=json.dumps(host.statistics()).encode(), content_type="application/json")
        case "GET", "/-/log":
            return Reply(body=host.stats.log_text().encode(), content_type="application/x-ndjson")
        case "GET", "/-/fmdapi.log":
            lines = [entry.fmdapi_line() + "\n" for entry in host.stats.entries if entry.kind != "container"]
            return Reply(body="".join(lines).encode(), content_type="text/tab-separated-values")
        case "PUT", "/-/faults":
            return _faults(host, request.body)
        case "GET", "/-/cognito":
            return Reply(body=json.dumps(host.people.as_json()).encode(), content_type="application/json")
        case "PUT", "/-/cognito":
            return _account(host, request.body)
        case "POST", "/-/reset":
            host.reset()
            return Reply(body=b"{}")
    return Reply(404, b"{}")


def _faults(host: Host, body: bytes) -> Reply:
    try:
        rules = json.loads(body or b"[]")
        host.set_faults(rules if isinstance(rules, list) else [rules])
    except ValueError as problem:
        return Reply(400, json.dumps({"error": str(problem)}).encode())
    return Reply(body=b"{}")


def _account(host: Host, body: bytes) -> Reply:
    try:
        wishes = json.loads(body or b"{}")
        wishes = wishes if isinstance(wishes, dict) else {"": wishes}
        host.change_account(str(wishes.pop("account", next(iter(host.people.users)))), wishes)
    except ValueError as problem:
        return Reply(400, json.dumps({"error": str(problem)}).encode())
    return Reply(body=b"{}")
