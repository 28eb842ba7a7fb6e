"""One request of the Data API, from the booking of its bytes to its parsed answer.

Order (CONTRACT B4): reserve, pass the gate, ask, settle what came. The gate sees trouble (502, reset, 812) as an
exception and everything else, a refusal included, as a sound answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from unlade.cargo import Wire
from unlade.errors import (
    AllowanceSpent,
    ConnectionBroken,
    ProtocolError,
    SignInRefused,
    Transient,
    Truncated,
    UnladeError,
)
from unlade.filemaker.errors import Reply, hardship, parse_reply, refusal
from unlade.filemaker.transport import Answer, Transport
from unlade.source import Booking, Gate, RequestKind, Toll

#: A body larger than this is not read into memory.
MAX_BODY = 256 * 1000 * 1000
#: Response heads of a FileMaker host stay below this.
HEAD = 1000


class Exchange:
    """Asks and books. Safe to use from any thread. `clock` gives aware UTC times."""

    def __init__(self, transport: Transport, toll: Toll, gate: Gate, clock: Callable[[], datetime]) -> None:
        self.transport = transport
        self.toll = toll
        self.gate = gate
        self.clock = clock

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        *,
        kind: RequestKind,
        expected: int,
        booking: Booking | None = None,
        another_try: bool = False,
    ) -> Reply:
        """Ask once; `another_try`: a refused sign-in is tried again by the caller, so nobody need remember it.

        `expected` is the body's likely size in bytes. A refusal is a `Reply`.

        A `booking` that the caller made (for at least `expected` + `HEAD` bytes) is used and settled here.

        Raises `HostTrouble`, `OwnNetworkDown`, `NotNow`, `Interrupted`, `SourceError`, and for a refused sign-in
        `SignInRefused`.
        """
        expected += HEAD
        booking = booking or self.toll.reserve(kind, expected)
        came = Wire()
        try:
            with self.gate.passage(kind):
                try:
                    answer = self.transport.send(method, target, headers, content)
                except Transient as error:
                    came = error.wire
                    raise
                try:
                    reply = read_reply(answer, booking, expected)
                finally:
                    came = answer.meter.owed
                if trouble := hardship(reply, self.clock()) or (None if another_try else _for_the_gate(reply, kind)):
                    raise trouble
                return reply
        finally:
            booking.settle(came)


def _for_the_gate(reply: Reply, kind: RequestKind) -> UnladeError | None:
    """A refusal that every process must know of: the gate remembers a spent allowance and a wrong password."""
    if reply.ok or reply.code is None:
        return None
    error = refusal(reply, "Signing in" if kind == "login" else "The request", signing_in=kind == "login")
    return error if isinstance(error, (AllowanceSpent, SignInRefused)) else None


def read_reply(answer: Answer, booking: Booking, reserved: int) -> Reply:
    """Read an answer whole; what passes the reservation is reserved before it is read on."""
    too_large = ProtocolError("The host's answer is too large to read", remedy="Ask for fewer records: --batch-size.")
    meter = answer.meter
    try:
        if (known := meter.content_length) is not None:
            if known > MAX_BODY:
                raise too_large
            if known + meter.head > reserved:
                booking.raise_to(reserved := known + meter.head)
        body = bytearray()
        for chunk in answer.chunks():
            body += chunk
            if len(body) > MAX_BODY:
                raise too_large
            if meter.read.total > reserved:
                booking.raise_to(reserved := 2 * meter.read.total)
    except Truncated as error:
        # Half a JSON document is no answer at all; the connection is to blame.
        raise ConnectionBroken("The host's answer ended early", wire=error.wire) from None
    finally:
        answer.close()
    return parse_reply(answer.status, dict(answer.headers), bytes(body), meter.read)
