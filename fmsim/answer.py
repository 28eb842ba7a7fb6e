"""An answer, and how it goes out over a connection: whole, slow, cut off or reset."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from fmsim.dataset import Blob
from fmsim.wire import Connection

BLOCK = 256 * 1024
JSON_TYPE = "application/json; charset=utf-8"
KEEP = object()  #: leave the content type as it is


@dataclass(slots=True)
class Reply:
    """What the host says. A `blob` is streamed from its byte `start` on; else `body` is sent."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = JSON_TYPE
    headers: list[tuple[str, str]] = field(default_factory=list)
    blob: Blob | None = None
    start: int = 0
    chunked: bool = False
    code: int = 0  #: FileMaker's error number, for the logs
    completes: bool = False  #: sending all of it completes a download

    @property
    def size(self) -> int:
        return len(self.body) if self.blob is None else max(0, self.blob.size - self.start)

    def blocks(self) -> Iterator[bytes]:
        if self.blob is None:
            yield self.body
        elif self.size <= BLOCK:  # one write for a usual file, in how many parts ever it is made
            yield b"".join(self.blob.chunks(self.start))
        else:
            yield from self.blob.chunks(self.start)


@dataclass(slots=True)
class Effects:
    """What a fault plan does to an answer on its way."""

    delay: float = 0.0
    delay_in_body: float = 0.0
    reset_after: int | None = None
    truncate: int | None = None
    content_type: Any = KEEP


@dataclass(slots=True)
class Sent:
    """Bytes of one answer that the system took, head and body apart."""

    status: int | None = None
    head: int = 0
    body: int = 0
    complete: bool = False
    head_left: int = 0

    def add(self, count: int) -> None:
        head = min(count, self.head_left)
        self.head_left -= head
        self.head += head
        self.body += count - head


class Throttle:
    """One line of `rate` bytes a second that all connections share; None: as fast as it goes."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self._free_at = 0.0

    @property
    def block(self) -> int:
        return BLOCK if self.rate is None else max(1024, min(16 * 1024, int(self.rate / 20)))

    async def wait(self, count: int) -> None:
        if self.rate is None:
            return
        now = time.monotonic()
        self._free_at = max(now, self._free_at) + count / self.rate
        await asyncio.sleep(self._free_at - now)


def envelope(response: Any, code: int = 0, message: str = "OK") -> bytes:
    """FileMaker's JSON around a response, compact, members in the recorded order."""
    return to_json({"response": response, "messages": [{"code": str(code), "message": message}]})


def to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


_REASONS = {status.value: status.phrase for status in HTTPStatus}


def reason(status: int) -> str:
    """The phrase behind a status."""
    return _REASONS.get(status, "Unknown")


_date: tuple[int, str] = (0, "")


def _http_date() -> str:
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True))
    return _date[1]


def _head(reply: Reply, effects: Effects, keep_alive: bool, bare: bool) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {reason(reply.status)}", f"Date: {_http_date()}"]
    content_type = reply.content_type if effects.content_type is KEEP else effects.content_type
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    if reply.chunked and not bare:
        lines.append("Transfer-Encoding: chunked")
    elif reply.status != 204:
        lines.append(f"Content-Length: {reply.size}")
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _pieces(reply: Reply, stop: int, pause_at: int, block: int) -> Iterator[bytes]:
    """The body's first `stop` bytes in blocks; one of them ends exactly at `pause_at`."""
    at = 0
    if not stop:
        return
    for source in reply.blocks():
        view = memoryview(source)
        while view and at < stop:
            count = min(len(view), block, stop - at)
            if at < pause_at < at + count:
                count = pause_at - at
            yield bytes(view[:count]) if count < len(source) else source
            view = view[count:]
            at += count
        if at >= stop:
            return


async def deliver(
    connection: Connection,
    reply: Reply,
    effects: Effects,
    throttle: Throttle,
    sent: Sent,
    *,
    keep_alive: bool,
    bare: bool,
) -> bool:
    """Sends an answer; `sent` is right at every moment, also when this raises.

    Returns:
        Whether the connection goes on.

    Raises:
        ConnectionResetError: the client went away.
        asyncio.CancelledError: the same, noticed while we waited.
    """
    if effects.delay:
        await asyncio.sleep(effects.delay)
    size = 0 if bare or reply.status in (204, 304) else reply.size
    stop, ending = size, "keep" if keep_alive else "close"
    if effects.reset_after is not None and (effects.reset_after < size or effects.reset_after == size == 0):
        stop, ending = effects.reset_after, "reset"
    if effects.truncate is not None and effects.truncate < stop:
        stop, ending = effects.truncate, "close"
    pause_at = stop // 2 if effects.delay_in_body else -1
    head = _head(reply, effects, ending != "close" or stop < size, bare)
    sent.status, sent.head_left = reply.status, len(head)
    chunked = reply.chunked and size > 0
    waiting, at = head, 0
    for piece in _pieces(reply, stop, pause_at, throttle.block):
        if at == pause_at and waiting is not head:
            await asyncio.sleep(effects.delay_in_body)
        elif at == pause_at:
            await connection.put(waiting, sent.add)
            waiting = b""
            await asyncio.sleep(effects.delay_in_body)
        await throttle.wait(len(piece))
        framed = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
        await connection.put(waiting + framed, sent.add)
        waiting = b""
        at += len(piece)
    if chunked and stop == size:
        waiting += b"0\r\n\r\n"
    if waiting:
        await connection.put(waiting, sent.add)
    sent.complete = stop == size
    if ending == "reset":
        sent.body = max(0, sent.body - await connection.reset())
    return ending == "keep"
