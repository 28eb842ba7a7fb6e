"""A tiny host of raw sockets for the edges of the protocol: it sends exactly the bytes that a test gives it."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

RESET = object()  #: break the connection with a reset
CLOSE = object()  #: end the connection in order
STALL = object()  #: send nothing more until the host is stopped

Script = Iterable[Any]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    port: int  #: of the client: tells connections apart


@dataclass
class RawHost:
    """Answers each request with what `handler` yields: bytes, RESET, CLOSE or STALL."""

    handler: Callable[[Asked], Script]
    context: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)
    sent: int = 0

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection, peer[1]), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, port: int) -> None:
        try:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                while (asked := _read(connection, port)) is not None:
                    with self._lock:
                        self.asked.append(asked)
                    for part in self.handler(asked):
                        if part is RESET:
                            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                            return
                        if part is CLOSE:
                            return
                        if part is STALL:
                            self._stop.wait()
                            return
                        with self._lock:
                            self.sent += len(part)  # before it goes out: the client may look as soon as it has it
                        connection.sendall(part)
        except OSError:
            return

    def stop(self) -> None:
        self._stop.set()
        # close() alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._threads[0].join(5)

    def __enter__(self) -> RawHost:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def _read(connection: socket.socket, port: int) -> Asked | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    return Asked(method, target, headers, body, port)


def answer(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None, *, length: int | None = None
) -> bytes:
    """A response with a Content-Length (`length` if it is to lie)."""
    fields = {"Content-Length": str(len(body) if length is None else length), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1") + body


def fm(response: dict[str, Any] | None = None, code: int = 0, headers: dict[str, str] | None = None) -> bytes:
    """An answer of the Data API."""
    document = {"response": response or {}, "messages": [{"code": str(code), "message": "x"}]}
    status = 200 if code == 0 else 401 if code in (212, 952) else 500
    fields = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return answer(status, json.dumps(document).encode(), fields)


def html(status: int, **headers: str) -> bytes:
    return answer(status, b"<html><body>Sorry</body></html>", {"Content-Type": "text/html", **headers})


def always(*script: Any) -> Callable[[Asked], Script]:
    """A handler that never does anything else."""
    return lambda asked: script


FIELDS = [
    {"name": "id", "result": "text", "type": "normal", "global": False, "maxRepeat": 1},
    {"name": "date", "result": "date"},
    {"name": "stamp", "result": "timeStamp"},
    {"name": "at", "result": "time"},
    {"name": "n", "result": "number"},
    {"name": "sum", "result": "number", "type": "calculation"},
    {"name": "photo", "result": "container", "maxRepeat": 2, "repetitionStart": 1, "repetitionEnd": 2},
    {"name": "scan", "result": "container"},
]


class FakeHost:
    """Just enough of a Data API to sign in and list; tests replace single answers through `on`.

    `on[(METHOD, last part of the path)]` is a handler that takes the request and yields a script, or None to go on.
    """

    def __init__(self, records: list[dict[str, Any]] | None = None, version: str = "21.0.1", **raw: Any) -> None:
        self.records = records if records is not None else [row("1"), row("2")]
        self.version = version
        self.tokens: set[str] = set()
        self.logins = 0
        self.on: dict[tuple[str, str], Callable[[Asked], Script | None]] = {}
        self._lock = threading.Lock()
        self.host = RawHost(self.handle, **raw)

    @property
    def url(self) -> str:
        return self.host.url

    def count(self, method: str, part: str) -> int:
        return sum(a.method == method and part in a.target for a in self.host.asked)

    def handle(self, asked: Asked) -> Script:
        path = asked.target.partition("?")[0]
        key = (asked.method, "stream" if path.startswith("/Streaming") else path.rpartition("/")[2])
        if key in self.on and (script := self.on[key](asked)) is not None:
            return script
        if path.endswith("/productInfo"):
            return [fm({"productInfo": {"name": "FileMaker Data API Engine", "version": self.version}})]
        if path.endswith("/sessions"):
            return [self.log_in()]
        if "/sessions/" in path:
            self.tokens.discard(path.rpartition("/")[2])
            return [fm()]
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return [fm(code=952)]
        if "/records" in path:
            return [self.list(asked)]
        return [fm({"fieldMetaData": FIELDS, "portalMetaData": {}})]

    def log_in(self) -> bytes:
        with self._lock:
            self.logins += 1
            token = f"{self.logins:052x}"
            self.tokens.add(token)
        return fm({"token": token}, headers={"X-FM-Data-Access-Token": token})

    def list(self, asked: Asked) -> bytes:
        query = dict(pair.split("=") for pair in asked.target.partition("?")[2].split("&") if "=" in pair)
        rows = self.records
        if "_offset" in query:
            start = int(query["_offset"]) - 1
            rows = rows[start : start + int(query["_limit"])]
            if not rows:
                return fm(code=101)
        else:
            wanted = asked.target.partition("?")[0].rpartition("/")[2]
            rows = [r for r in rows if r["recordId"] == wanted]
            if not rows:
                return fm(code=101)
        info = {"foundCount": len(self.records), "totalRecordCount": len(self.records), "returnedCount": len(rows)}
        return fm({"dataInfo": info, "data": rows})

    def stop(self) -> None:
        self.host.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def row(record_id: str, mod_id: str = "1", **values: Any) -> dict[str, Any]:
    link = f"https://fm.example.com/Streaming_SSL/MainDB/{int(record_id):064X}.jpg?RCType=EmbeddedRCFileProcessor"
    data = {"id": f"ID-{record_id}", "date": "04/18/2019", "stamp": "", "at": "", "n": 44, "sum": "", "scan": ""}
    return {
        "recordId": record_id,
        "modId": mod_id,
        "fieldData": {**data, "photo(1)": link, "photo(2)": "", **values},
        "portalData": {},
    }
