"""Counts what a host sends, before TLS and byte by byte, at the place where it is read from the socket.

A response on the wire is a head and a body; chunk framing belongs to the body. The head ends at its blank line. Interim
heads (1xx) count as heads. HTTP/1.1 without pipelining: what is read after a request was written belongs to it.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2

from unlade.cargo import Wire

_BLANK_LINE = re.compile(rb"\n\r?\n")
_INTERIM = re.compile(rb"\s*HTTP/\d\.\d 1(?!01)")

#: What can be under way on a broken connection without us having read it: the buffers of both ends and of a proxy.
IN_FLIGHT = 16 * 1024 * 1024
#: The same where the length of the body is not known.
IN_FLIGHT_UNKNOWN = 1024 * 1024


class Meter:
    """Wire bytes of one response."""

    def __init__(self, container: bool, monotonic: Callable[[], float]) -> None:
        self.container = container
        self.head = 0
        self.body = 0
        self.content_length: int | None = None
        self.complete = False  #: the message was read to its end
        self.ended = False  #: the host closed its side in order: nothing more can have been sent
        self.quiet_since = monotonic()  #: when the last byte came or the request went out
        self._monotonic = monotonic
        self._pending = bytearray()
        self._in_head = True

    def started(self) -> None:
        """The request is being written."""
        self.quiet_since = self._monotonic()

    def feed(self, data: bytes) -> None:
        """Count what was read; `b""` is the host's orderly end."""
        self.quiet_since = self._monotonic()
        if not data:
            self.ended = True
        elif self._in_head:
            self._feed_head(data)
        else:
            self.body += len(data)

    def _feed_head(self, data: bytes) -> None:
        # Three bytes back are enough: the blank line is at most four bytes long.
        start = max(0, len(self._pending) - 3)
        self._pending += data
        while end := _BLANK_LINE.search(self._pending, start):
            self.head += end.end()
            interim = _INTERIM.match(self._pending)
            del self._pending[: end.end()]
            start = 0
            if not interim:
                self.body += len(self._pending)
                self._pending.clear()
                self._in_head = False
                return

    @property
    def read(self) -> Wire:
        """What was read until now."""
        return self._wire(self.body)

    @property
    def owed(self) -> Wire:
        """What to book: what was read, and for a broken body what the host can have sent besides (CONTRACT B4)."""
        if self.complete or self.ended or self._in_head:
            return self.read
        if self.content_length is None:
            return self._wire(self.body + IN_FLIGHT_UNKNOWN)
        return self._wire(max(self.body, min(self.content_length, self.body + IN_FLIGHT)))

    def _wire(self, body: int) -> Wire:
        head = self.head + len(self._pending)
        return Wire(container=body, headers=head) if self.container else Wire(api=body, headers=head)


class _Current(threading.local):
    meter: Meter | None = None


class CountingBackend(httpcore2.NetworkBackend):
    """The network backend of the connection pool: plain sockets whose reads go to the meter of the request at hand."""

    def __init__(self) -> None:
        self._inner = httpcore2.SyncBackend()
        self.current = _Current()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        stream = self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return _CountingStream(stream, self.current)


class _CountingStream(httpcore2.NetworkStream):
    """A connection; under TLS it is wrapped anew, so what is counted is always plain text."""

    def __init__(self, inner: httpcore2.NetworkStream, current: _Current) -> None:
        self._inner = inner
        self._current = current
        self._meter: Meter | None = None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._inner.read(max_bytes, timeout)
        if self._meter is not None:
            self._meter.feed(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # A request is written in the thread that sends it; its body may be read in another.
        self._meter = self._current.meter
        if self._meter is not None and buffer:
            self._meter.started()
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _CountingStream(self._inner.start_tls(ssl_context, server_hostname, timeout), self._current)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
