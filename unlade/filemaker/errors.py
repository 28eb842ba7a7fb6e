"""What a host's answer means: FileMaker code first, HTTP status second, then the kind of body (FILEMAKER.md 1.7, 2.6, 6).

`hardship` finds what counts for the breaker, `refusal` everything else that is not a result. Messages name the code and
the host's own text for it from our table, never the body.
"""

from __future__ import annotations

import email.utils
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from unlade.cargo import Wire
from unlade.errors import (
    AllowanceSpent,
    FieldMissing,
    Final,
    GatewayError,
    HostBusy,
    HostTimeout,
    HostTrouble,
    LayoutMissing,
    PrivilegeMissing,
    ProtocolError,
    RecordGone,
    SignInRefused,
    SourceError,
    Transient,
    Unauthorised,
    UnladeError,
)

BodyKind = Literal["json", "html", "empty", "other"]

OK = "0"
RECORD_MISSING = "101"
NO_MATCH = "401"
MODIFIED = "306"
#: The session is dead or half dead (FILEMAKER.md 1.6).
DEAD_SESSION = frozenset({"952", "112"})

_FMREST = "Give the account a privilege set with the extended privilege fmrest (Access via FileMaker Data API)."
_SIGN_IN = "Check FILEMAKER_ACCOUNT and FILEMAKER_PASSWORD; unlade does not sign in again until one of them differs."

#: code -> (error, what it says, what to do)
_TABLE: dict[str, tuple[type[SourceError], str, str]] = {
    "3": (SourceError, "the command is unavailable", ""),
    "9": (PrivilegeMissing, "insufficient privileges", _FMREST),
    "10": (SignInRefused, "the sign-in carried no account", _SIGN_IN),
    "100": (SourceError, "the file is missing", "Check FILEMAKER_DATABASE."),
    "102": (FieldMissing, "a field is missing", "Put the field on the layout, or take it out of the declaration."),
    "104": (SourceError, "a script is missing", "Check the name of the script."),
    "105": (
        LayoutMissing,
        "the layout is missing",
        "Check the layout's name, letter by letter, and the account's view.",
    ),
    "106": (SourceError, "a table is missing", "Open the layout in FileMaker Pro and repair its table."),
    "111": (FieldMissing, "the field has no such repetition", "Check the number in brackets in the declaration."),
    "200": (PrivilegeMissing, "record access is denied", "Let the account view the records of this table."),
    "201": (PrivilegeMissing, "the field cannot be modified", "Let the account modify this field."),
    "202": (PrivilegeMissing, "field access is denied", "Let the account view the fields of this table."),
    "204": (PrivilegeMissing, "sorting is denied", "Let the account view the sort field."),
    "205": (PrivilegeMissing, "records cannot be created", ""),
    "212": (SignInRefused, "wrong account or password", _SIGN_IN),
    "213": (SignInRefused, "the account or group is unknown or disabled", _SIGN_IN),
    "214": (SignInRefused, "too many sign-in attempts", "Wait, then check the account with FileMaker Pro."),
    "219": (SignInRefused, "the account is not a licensed user", "Ask the team manager to license this account."),
    "400": (SourceError, "the find criteria are empty", ""),
    "402": (PrivilegeMissing, "the account may not see a lookup's match field", ""),
    "802": (SourceError, "the database cannot be opened", "Check FILEMAKER_DATABASE, and that the file is open."),
    "958": (ProtocolError, "a parameter is missing", ""),
    "960": (ProtocolError, "a parameter is invalid", ""),
    "1627": (SignInRefused, "authentication failed", _SIGN_IN),
    "1700": (SourceError, "the resource does not exist", "Check that the Data API is switched on."),
    "1704": (ProtocolError, "the host does not know this verb here", ""),
    "1711": (SourceError, "the host's license has expired", "Renew the license of FileMaker Server or Cloud."),
}
_BUSY = {"812": "it has reached its capacity", "956": "it has too many sessions"}
_IN_USE = {"301": "the record is in use by somebody else", "303": "the database's schema is being edited"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer of the Data API. `code` is FileMaker's (None where the body is not its JSON)."""

    status: int
    kind: BodyKind
    code: str | None
    response: dict[str, Any] = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    wire: Wire

    @property
    def ok(self) -> bool:
        return self.code == OK and self.status < 300

    @property
    def session_died(self) -> bool:
        """The token is no longer good. A host may say so as HTML (FILEMAKER.md 1.5)."""
        if self.code is not None:
            return self.code in DEAD_SESSION
        return self.status == 401


def parse_reply(status: int, headers: dict[str, str], body: bytes, wire: Wire) -> Reply:
    """Read a body; numbers exactly as written (FILEMAKER.md 2.4). Raises nothing: what cannot be read is `other`."""
    text = body.lstrip()
    if not text:
        return Reply(status, "empty", None, {}, headers, wire)
    if text[:1] == b"{":
        try:
            # Not strict: control characters inside strings have been seen (FILEMAKER.md 7.5).
            document = json.loads(body, parse_float=Decimal, strict=False)
        except (ValueError, RecursionError):
            return Reply(status, "other", None, {}, headers, wire)
        return Reply(status, "json", _code(document), _object(document.get("response")), headers, wire)
    kind: BodyKind = "html" if text[:1] == b"<" or "html" in headers.get("content-type", "") else "other"
    return Reply(status, kind, None, {}, headers, wire)


def _code(document: dict[str, Any]) -> str | None:
    messages = document.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[0], dict) and "code" in messages[0]:
        return str(messages[0]["code"])
    return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def hardship(reply: Reply, now: datetime) -> HostTrouble | None:
    """The trouble that an answer tells of, or None. FileMaker's code holds over the HTTP status."""
    code, status = reply.code, reply.status
    wait = retry_after(reply.headers.get("retry-after"), now)
    known: dict[str, Any] = {"wire": reply.wire, "code": code, "status": status, "retry_after": wait}
    if code in _BUSY:
        return HostBusy(f"The host has no place for this request: {_BUSY[code]} (FileMaker {code})", **known)
    if code == "1701":
        return GatewayError("The host cannot receive requests now (FileMaker 1701)", **known)
    if code is not None:
        return None
    if status < 300:
        return GatewayError(f"A {reply.kind} body came where data should be (HTTP {status})", **known)
    return hardship_of_status(status, reply.wire, wait)


def hardship_of_status(status: int, wire: Wire, wait: float | None) -> HostTrouble | None:
    """The trouble that an HTTP status alone tells of, or None."""
    known: dict[str, Any] = {"wire": wire, "status": status, "retry_after": wait}
    if status == 429:
        return HostBusy("The host asks for fewer requests (HTTP 429)", **known)
    if status == 408:
        return HostTimeout("The host gave up waiting (HTTP 408)", **known)
    if status >= 500:
        return GatewayError(f"The web server cannot reach FileMaker (HTTP {status})", **known)
    return None


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, None if it says nothing that makes sense."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value.strip())
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())


def refusal(reply: Reply, what: str, *, signing_in: bool = False) -> UnladeError:
    """The error for an answer that is no result. `what` says what was asked for ("Reading layout X")."""
    code, status = reply.code, reply.status
    item: dict[str, Any] = {"wire": reply.wire, "code": code, "status": status}
    if code == "953":
        return AllowanceSpent(
            f"{what}: the host's yearly transfer limit is used up (FileMaker 953)",
            remedy="Its console shows the date on which the limit is reset; a larger plan works within a day.",
            by_host=True,
        )
    if code in {RECORD_MISSING, NO_MATCH}:
        return RecordGone(f"{what}: there is no such record (FileMaker {code})", **item)
    if code in _IN_USE:
        return Transient(f"{what}: {_IN_USE[code]} (FileMaker {code})", **item)
    if code == MODIFIED:
        return Transient(f"{what}: the record was changed meanwhile (FileMaker 306)", **item)
    if code in DEAD_SESSION:
        return Unauthorised(f"{what}: the host refuses a session that is new (FileMaker {code})", **item)
    if code is not None and 500 <= int(code if code.isdecimal() else 0) <= 513:
        return Final(f"{what}: the value does not pass the field's validation (FileMaker {code})", **item)
    if code in _TABLE:
        kind, says, remedy = _TABLE[code]
        return kind(f"{what}: {says} (FileMaker {code})", remedy=remedy, code=code, status=status)
    if code is not None and code != OK:
        return SourceError(f"{what}: FileMaker error {code} (HTTP {status})", code=code, status=status)
    return _refusal_without_code(reply, what, signing_in)


def _refusal_without_code(reply: Reply, what: str, signing_in: bool) -> UnladeError:
    status, remedy = reply.status, ""
    if status == 401 and signing_in:
        return SignInRefused(f"{what}: the host refuses this account (HTTP 401)", remedy=_SIGN_IN, status=status)
    if status == 401:
        return Unauthorised(f"{what}: the host refuses a session that is new (HTTP 401)", wire=reply.wire, status=401)
    if status == 403:
        says = "a server in front of FileMaker forbids this (HTTP 403)"
        return PrivilegeMissing(f"{what}: {says}", remedy="Ask who runs the host to let this address in.", status=403)
    if 300 <= status < 400:
        says, remedy = f"the host sends us elsewhere (HTTP {status})", "Check the host and the https in FILEMAKER_URL."
    elif status == 404:
        says, remedy = "the host has no Data API at this address (HTTP 404)", "Switch the Data API on in its console."
    elif reply.kind == "html":
        says, remedy = f"a web page came instead of data (HTTP {status})", "Open FILEMAKER_URL in a browser to see it."
    else:
        says = f"the answer makes no sense (HTTP {status}, {reply.kind} body of {reply.wire.api} bytes)"
    return ProtocolError(f"{what}: {says}", remedy=remedy, status=status)
