"""HTTP/1.1 over one TCP or TLS connection: reads requests, writes bytes, and can break off in every way a fault plan asks for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl, unquote

MAX_HEAD = 64 * 1024
MAX_BODY = 512 * 1024 * 1024
PATIENCE = 5.0  #: seconds without progress before a reset throws away what is still on its way


class BadRequest(Exception):
    """Not HTTP/1.1 as a FileMaker host reads it."""


@dataclass(slots=True)
class Head:
    method: str
    target: str
    version: str
    headers: dict[str, str]


class Request:
    """One request with its body.

    Args:
        head: the parsed head; header names are in lower case, repeated ones joined by commas (cookies by semicolons).
        body: the whole body.
        peer: the address that asks.
    """

    def __init__(self, head: Head, body: bytes, peer: str) -> None:
        self.method, self.target, self.headers, self.body, self.peer = (
            head.method,
            head.target,
            head.headers,
            body,
            peer,
        )
        self.raw_path, _, self.query = head.target.partition("?")
        self.keep_alive = head.headers.get("connection", "").lower() != "close" and head.version == "HTTP/1.1"

    @cached_property
    def segments(self) -> list[str]:
        """The path's segments, each decoded by itself: `%2F` stays inside its segment."""
        return [unquote(part) for part in self.raw_path.split("/")[1:]]

    @cached_property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def bearer(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None

    def cookies(self, name: str) -> list[str]:
        """All values of a cookie: a shared jar may send several."""
        pairs = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return [value for key, _, value in pairs if key == name]


def parse_head(data: bytes) -> Head:
    """Request line and headers.

    Raises:
        BadRequest: malformed.
    """
    first, *lines = data.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest("request line")
    target = parts[1]
    if "://" in target[:9]:  # absolute form, as through a proxy
        target = "/" + target.split("/", 3)[3] if target.count("/") >= 3 else "/"
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BadRequest("header line")
        key, value = name.lower(), value.strip()
        if key in headers:
            value = headers[key] + ("; " if key == "cookie" else ", ") + value
        headers[key] = value
    return Head(parts[0], target, parts[2], headers)


Handler = Callable[[Request, "Connection"], Awaitable[bool]]


class Connection(asyncio.Protocol):
    """Serves one connection, request after request. `handler` answers and says whether the connection goes on."""

    def __init__(self, handler: Handler, registry: set[Connection]) -> None:
        self._handler = handler
        self._registry = registry
        self._buffer = bytearray()
        self._eof = False
        self._arrived: asyncio.Future[None] | None = None
        self._flushed: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._paused = False
        self.lost = False
        self.interruptible = False  #: a download: ends as soon as the client goes away

    # what asyncio tells us

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=0)  # "flushed" means: all of it is with the system
        peer = transport.get_extra_info("peername")
        self.peer: str = peer[0] if peer else ""
        self._tls = transport.get_extra_info("ssl_object") is not None
        self._registry.add(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._wake()

    def eof_received(self) -> bool:
        self._eof = True
        self._gone()
        return not self._tls  # an answer to what was asked before may still be written; TLS cannot be half open

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = self._eof = True
        self._registry.discard(self)
        if self._flushed and not self._flushed.done():
            self._flushed.set_exception(ConnectionResetError())
        self._gone()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._flushed and not self._flushed.done():
            self._flushed.set_result(None)

    def _gone(self) -> None:
        self._wake()
        if self.interruptible and self._task:
            self._task.cancel()

    def _wake(self) -> None:
        if self._arrived and not self._arrived.done():
            self._arrived.set_result(None)

    # reading

    async def _serve(self) -> None:
        try:
            while request := await self._read_request():
                if not await self._handler(request, self):
                    break
        except BadRequest as problem:
            text = str(problem).encode()
            self.transport.write(
                b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
            )
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client went away, or we are shutting down: nobody is left to tell
        finally:
            self.transport.close()

    async def _more(self) -> bool:
        if not self._eof:
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        return not self._eof

    async def _read_request(self) -> Request | None:
        buffer = self._buffer
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            if len(buffer) > MAX_HEAD:
                raise BadRequest("head too long")
            before = len(buffer)
            if not await self._more() and len(buffer) == before:
                return None
        head = parse_head(bytes(buffer[:end]))
        del buffer[: end + 4]
        if "expect" in head.headers:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in head.headers.get("transfer-encoding", "").lower():
            body = await self._read_chunks()
        else:
            length = head.headers.get("content-length", "0")
            if not length.isdigit() or int(length) > MAX_BODY:
                raise BadRequest("content length")
            body = await self._take(int(length))
        return Request(head, body, self.peer)

    async def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            if not await self._more() and len(self._buffer) < count:
                raise ConnectionResetError
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def _read_chunks(self) -> bytes:
        body = bytearray()
        while True:
            while (end := self._buffer.find(b"\r\n")) < 0:
                if not await self._more():
                    raise ConnectionResetError
            line = bytes(self._buffer[:end]).split(b";")[0].strip()
            del self._buffer[: end + 2]
            try:
                size = int(line, 16)
            except ValueError:
                raise BadRequest("chunk size") from None
            if not size:
                while await self._trailer():
                    pass
                return bytes(body)
            body += await self._take(size)
            await self._take(2)

    async def _trailer(self) -> bool:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if not await self._more():
                raise ConnectionResetError
        del self._buffer[: end + 2]
        return end > 0

    # writing

    async def put(self, data: bytes, sent: Callable[[int], None]) -> None:
        """Writes `data`; tells `sent` how many bytes the system has taken.

        Raises:
            ConnectionResetError: the client is gone.
        """
        if self.lost or self.transport.is_closing():
            raise ConnectionResetError
        self.transport.write(data)
        left = self.transport.get_write_buffer_size() if self._paused else 0
        sent(len(data) - left)
        if left:
            self._flushed = asyncio.get_running_loop().create_future()
            await self._flushed
            self._flushed = None
            sent(left)

    async def reset(self) -> int:
        """Sends RST once everything written so far has reached the other side.

        Returns:
            How many bytes of it never did: somebody who reads nothing for seconds is not waited for.
        """
        raw = self.transport.get_extra_info("socket")
        left, pause, still = _unacknowledged(raw), 0.001, 0.0
        while left and still < PATIENCE:
            await asyncio.sleep(pause)
            before, left = left, _unacknowledged(raw)
            still = still + pause if left == before else 0.0
            pause = min(0.02, pause * 1.5)
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii" if _POSIX else "hh", 1, 0))
        self.transport.abort()
        return left

    def close(self) -> None:
        """Ends the connection in good order after what was written."""
        self.transport.close()

    def kill(self) -> None:
        """For the simulator's own end."""
        if self._task:
            self._task.cancel()
        self.transport.abort()


try:
    import fcntl
    import termios

    _POSIX = True

    def _unacknowledged(raw: socket.socket) -> int:
        """Bytes that the other side has not taken yet: closing with RST would throw them away."""
        try:
            return int.from_bytes(fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"), "little")
        except OSError:
            return 0

except ImportError:  # Windows: no such question to ask; loopback takes a few milliseconds at most
    _POSIX = False

    def _unacknowledged(raw: socket.socket) -> int:  # noqa: ARG001
        return 0
