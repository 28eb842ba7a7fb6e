"""A real HTTP server on loopback that hears what is told, and runs to tell about."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.voyage.conftest import make_port, pool

__all__ = ["make_port", "pool"]


@dataclass
class Ear:
    """What was asked for, and what the server answers: a status, or seconds of silence before it."""

    url: str = ""
    status: int = 200
    silence: float = 0
    heard: list[tuple[str, str, Any]] = field(default_factory=list)

    def events(self) -> list[str]:
        return [body["event"] for method, path, body in self.heard if method == "POST" and path == "/hook/s3cret"]

    def beats(self) -> int:
        return sum((method, path) == ("GET", "/beat/s3cret") for method, path, _ in self.heard)

    @property
    def settings(self) -> dict[str, str]:
        return {"UNLADE_WEBHOOK_URL": f"{self.url}/hook/s3cret", "UNLADE_HEARTBEAT_URL": f"{self.url}/beat/s3cret"}


@pytest.fixture
def ear() -> Iterator[Ear]:
    told = Ear()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            told.heard.append((self.command, self.path, body))
            if told.silence:
                over.wait(told.silence)
                return
            self.send_response(told.status)
            if told.status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_POST = do_GET  # noqa: N815 - the server looks for this name

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield told
    over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def dead_url() -> str:
    """An address that refuses connections."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/s3cret"
