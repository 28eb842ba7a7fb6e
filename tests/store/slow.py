"""A proxy before a real S3 server that asks for pauses: 503 SlowDown for a share of requests, and in bursts.

Some of its refusals come after the request was carried out: a client cannot tell, and must not store twice.
"""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

_BODY = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class SlowStore:
    """`every`: each so-manieth PUT is refused; `bursts` (first, last): all PUTs between these are, counted from 1."""

    endpoint: str
    every: int = 0
    bursts: tuple[tuple[int, int], ...] = ()
    refused: int = 0
    refused_after: int = 0  #: of these, requests that were carried out all the same
    _puts: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> SlowStore:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                proxy.answer(self)

            do_GET = do_HEAD = do_POST = do_DELETE = do_PUT  # noqa: N815 - the names that http.server asks for

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _refuses(self, method: str) -> str:
        """ "", `before` or `after` the request is carried out."""
        if method != "PUT":
            return ""
        with self._lock:
            self._puts += 1
            number = self._puts
            chosen = self.every and number % self.every == 0
            if not chosen and not any(first <= number <= last for first, last in self.bursts):
                return ""
            self.refused += 1
            if self.refused % 3 == 0:
                self.refused_after += 1
                return "after"
            return "before"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Hand one request on, or refuse it."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        refuse = self._refuses(request.command)
        status, headers, answer = 503, [("Content-Type", "application/xml")], _BODY
        if refuse != "before":
            upstream = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=60)
            try:
                # The signature is over the host that the client asked for.
                upstream.request(request.command, request.path, body, dict(request.headers.items()))
                reply = upstream.getresponse()
                done = reply.read()
                if not refuse:
                    status, answer = reply.status, done
                    headers = [(name, value) for name, value in reply.getheaders() if name.lower() not in _HOP]
                    if request.command == "HEAD":
                        headers.append(("Content-Length", reply.getheader("Content-Length") or "0"))
            finally:
                upstream.close()
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        if request.command != "HEAD":
            request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(answer)
