"""Small data sets and a plain client for the tests of the simulator."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

from fmsim import Account, BytesBlob, ContainerValue, DataSet, Field, Layout, Record, Script, Simulator


def jpeg(number: int, size: int = 400) -> bytes:
    """Bytes that begin and end as a JPEG does, different for each number."""
    middle = b"picture %d " % number
    return b"\xff\xd8\xff\xe0" + (middle * (size // len(middle) + 1))[: size - 6] + b"\xff\xd9"


def photo(number: int, size: int = 400) -> ContainerValue:
    return ContainerValue(BytesBlob(jpeg(number, size)), f"IMG {number}.jpg", "image/jpeg")


def data_set(count: int = 6, size: int = 400, **more: Any) -> DataSet:
    """A layout `Photos` with text, number, date, timestamp and container fields, repetitions and a portal."""
    fields = [
        Field("id"),
        Field("Kind"),
        Field("Serial", "number"),
        Field("taken", "date"),
        Field("modified", "timeStamp"),
        Field("photo", "container"),
        Field("extra", "container", max_repeat=2),
        Field("Owner::name"),
    ]
    rows = []
    for n in range(1, count + 1):
        values: dict[str, Any] = {
            "id": f"ID-{n:03}",
            "Kind": "Dorsal" if n % 2 else "left thigh",
            "Serial": n,
            "taken": f"04/{n:02}/2019",
            "modified": f"04/{n:02}/2019 10:30:00",
            "photo": photo(n, size),
            "extra(1)": "",
            "extra(2)": "",
            "Owner::name": f"Owner {n}",
        }
        notes = [{"recordId": str(k), "Notes::text": f"note {k}", "modId": "0"} for k in range(1, 61)] if n == 1 else []
        rows.append(Record(str(10 + n), "3", values, {"notes": notes}))
    layout = Layout("Photos", "Photos", fields, {"notes": [Field("Notes::text")]})
    accounts = [
        Account("reader", "s3cret-Wörd", frozenset({"fmrest"})),
        Account("writer", "w", frozenset({"fmrest", "write"})),
        Account("nobody", "n", frozenset()),
        Account("half", "h", frozenset({"fmrest"}), {"Photos": frozenset({"11", "12"})}),
    ]
    lean = Layout("Lean", "Photos", fields[:1] + fields[4:5], folder="API")
    scripts = [Script("Echo"), Script("Fails", "", "3", "Tools")]
    return DataSet("Test Base", accounts, [layout, lean], {"Photos": rows}, scripts=scripts, **more)


BIG = 1234567890123456789012345678901234567890123456789012345678
EXACT = Decimal("0.10000000000000000000000000000000001")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["messages"][0]["code"])

    @property
    def response(self) -> Any:
        return self.json["response"]

    @property
    def rows(self) -> list[Any]:
        return list(self.response["data"])


class Client:
    """Speaks to a simulator over one connection at a time and follows nothing by itself."""

    def __init__(self, sim: Simulator, account: str | None = None, password: str | None = None) -> None:
        self.sim = sim
        self.address = urlsplit(sim.url)
        context = ssl.create_default_context(cafile=sim.ca_file) if sim.ca_file else None
        host, port = str(self.address.hostname), self.address.port
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(host, port, context=context)
            if context
            else http.client.HTTPConnection(host, port)
        )
        self.account, self.password = account or sim.account, password or sim.password
        self.token = ""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def timeout(self, seconds: float) -> None:
        """From now on an answer must come within so long."""
        self._connection.timeout = seconds
        if self._connection.sock:
            self._connection.sock.settimeout(seconds)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        self._connection.request(method, path, data, sent)
        reply = self._connection.getresponse()
        return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())

    def base(self, version: str = "vLatest", database: str | None = None) -> str:
        return f"/fmi/data/{version}/databases/{quote(database or self.sim.database, safe='')}"

    def log_in(self, **headers: str) -> Answer:
        basic = base64.b64encode(f"{self.account}:{self.password}".encode()).decode()
        answer = self.ask("POST", self.base() + "/sessions", {}, **({"Authorization": f"Basic {basic}"} | headers))
        self.token = answer.headers.get("x-fm-data-access-token", "")
        return answer

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A call below `/databases/{db}` with the bearer."""
        return self.ask(method, self.base() + path, body, **({"Authorization": f"Bearer {self.token}"} | headers))

    def records(self, query: str = "", layout: str = "Photos") -> Answer:
        return self.api("GET", f"/layouts/{layout}/records" + (f"?{query}" if query else ""))

    def find(self, *requests: dict[str, Any], **more: Any) -> Answer:
        return self.api("POST", "/layouts/Photos/_find", {"query": list(requests), **more})

    def found(self, *requests: dict[str, Any], **more: Any) -> list[str]:
        """Record ids of a find; none for error 401."""
        answer = self.find(*requests, **more)
        return [] if answer.code == "401" else [row["recordId"] for row in answer.rows]

    def link(self, record_id: str = "11", field: str = "photo") -> str:
        """Path and query of a fresh link."""
        answer = self.api("GET", f"/layouts/Photos/records/{record_id}")
        parts = urlsplit(answer.rows[0]["fieldData"][field])
        return f"{parts.path}?{parts.query}"

    def fetch(self, link: str, *, bearer: bool = True) -> Answer:
        """Both hops."""
        headers = {"Authorization": f"Bearer {self.token}"} if bearer else {}
        first = self.ask("GET", link, **headers)
        if first.status != 302 or "set-cookie" not in first.headers:
            return first
        return self.ask("GET", first.headers["location"], Cookie=first.headers["set-cookie"].partition(";")[0])


def logged_in(sim: Simulator, account: str | None = None, password: str | None = None) -> Client:
    client = Client(sim, account, password)
    assert client.log_in().status == 200
    return client


def raw(sim: Simulator, text: str) -> tuple[bytes, str]:
    """Sends one request over a socket of its own; all bytes that came, and how it ended: closed, reset."""
    address = urlsplit(sim.url)
    received, ending = b"", "closed"
    with socket.create_connection((str(address.hostname), address.port), timeout=10) as sock:
        sock.sendall(text.encode())
        try:
            while block := sock.recv(65536):
                received += block
        except ConnectionResetError:
            ending = "reset"
    return received, ending


def raw_get(sim: Simulator, path: str, *headers: str) -> tuple[bytes, str]:
    lines = [f"GET {path} HTTP/1.1", "Host: sim", "Connection: close", *headers]
    return raw(sim, "\r\n".join(lines) + "\r\n\r\n")
