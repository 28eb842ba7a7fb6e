"""The statistics agree byte for byte with what a plain socket received."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from fmsim import Simulator
from tests.fmsim.sample import Client, data_set, logged_in, raw_get

KEYS = [
    "requests",
    "statuses",
    "bytes",
    "logins",
    "logouts",
    "open_sessions",
    "peak_concurrency",
    "downloads",
    "writes",
]
REQUESTS = ["session", "metadata", "records", "find", "record", "edit", "container", "container_hops"]


def over_http(sim: Simulator) -> Any:
    with Client(sim) as client:
        return client.ask("GET", "/-/stats").json


def test_the_keys_are_the_contracts() -> None:
    with Simulator(data_set()) as sim:
        stats = over_http(sim)
        assert list(stats) == KEYS
        assert list(stats["requests"]) == REQUESTS
        assert stats["bytes"] == {"api": 0, "container": 0, "headers": 0}
        assert stats["statuses"] == {}  # asking is not counted
        assert stats == sim.stats()


class Wire:
    """Counts what comes over sockets of its own, heads and bodies apart."""

    def __init__(self, sim: Simulator) -> None:
        self.sim, self.heads, self.bodies, self.answers = sim, 0, 0, 0

    def get(self, path: str, *headers: str) -> bytes:
        received, _ = raw_get(self.sim, path, *headers)
        head, _, body = received.partition(b"\r\n\r\n")
        self.heads += len(head) + 4
        self.bodies += len(body)
        self.answers += 1
        return received


@pytest.mark.parametrize("mode", ["open", "protected", "bearer", "first-hit"])
@pytest.mark.parametrize(
    "do",
    [
        {},
        {"reset_after": 7000},
        {"truncate": 7000},
        {"status": 502},
        {"delay": 0.01, "where": "body"},
        {"content_type": ""},
    ],
)
def test_container_bytes(mode: str, do: dict[str, Any]) -> None:
    with Simulator(data_set(size=20_000), streaming=mode) as sim:
        client = logged_in(sim)
        links = [client.link() for _ in range(4)]
        before = sim.stats()
        sim.set_faults([{"on": "container", "nth": {"every": 2}, "do": do}])
        wire = Wire(sim)
        for link in links:
            first = wire.get(link, f"Authorization: Bearer {client.token}")
            if b" 302 " in first[:20]:
                location = re.search(rb"Location: (\S+)", first)
                cookie = re.search(rb"Set-Cookie: ([^;]+)", first)
                assert location and cookie
                wire.get(location[1].decode(), f"Cookie: {cookie[1].decode()}")
        after = sim.stats()
        assert after["bytes"]["container"] == wire.bodies
        assert after["bytes"]["headers"] - before["bytes"]["headers"] == wire.heads
        assert after["bytes"]["api"] == before["bytes"]["api"]
        assert sum(after["statuses"].values()) - sum(before["statuses"].values()) == wire.answers
        assert after["requests"]["container"] == 4
        assert after["requests"]["container_hops"] == wire.answers
        whole = 2 if {"reset_after", "truncate", "status"} & set(do) else 4
        assert sum(after["downloads"]["11"].values()) == whole


def test_api_bytes() -> None:
    with Simulator(data_set()) as sim:
        client = logged_in(sim)
        before = sim.stats()
        wire, bearer = Wire(sim), f"Authorization: Bearer {client.token}"
        for path in (
            "/layouts/Photos/records?_limit=2",
            "/layouts/Photos",
            "/layouts/Nope/records",
            "/layouts/Photos/records/12",
        ):
            wire.get(client.base() + path, bearer)
        wire.get("/nothing/here")
        after = sim.stats()
        assert after["bytes"]["api"] - before["bytes"]["api"] == wire.bodies
        assert after["bytes"]["headers"] - before["bytes"]["headers"] == wire.heads
        assert after["bytes"]["container"] == 0


def test_chunked_bodies_count_their_framing() -> None:
    with Simulator(data_set(size=3000), streaming="open", switches={"chunked": True}) as sim:
        client = logged_in(sim)
        wire = Wire(sim)
        wire.get(client.link())
        assert sim.stats()["bytes"]["container"] == wire.bodies > 3000


def test_a_whole_visit_adds_up() -> None:
    with Simulator(data_set(10)) as sim, Client(sim) as client:
        client.log_in()
        client.api("GET", "/layouts/Photos")
        for row in client.records().rows:
            parts = urlsplit(row["fieldData"]["photo"])
            client.fetch(f"{parts.path}?{parts.query}")
        client.ask("DELETE", client.base() + f"/sessions/{client.token}")
        assert sim.stats() == {
            "requests": {
                "session": 2, "metadata": 1, "records": 1, "find": 0, "record": 0, "edit": 0, "container": 10, "container_hops": 20,
            },
            "statuses": {"200": 14, "302": 10},
            "bytes": sim.stats()["bytes"] | {"container": 4000},
            "logins": 1, "logouts": 1, "open_sessions": 0, "peak_concurrency": 1,
            "downloads": {str(record): {"photo": 1} for record in range(11, 21)},
            "writes": 0,
        }  # fmt: skip
        sim.reset()
        assert sim.stats()["bytes"] == {"api": 0, "container": 0, "headers": 0}


def test_peak_concurrency_is_of_downloads_in_progress() -> None:
    with Simulator(data_set(6)) as sim, logged_in(sim) as client:
        for _ in range(3):
            client.fetch(client.link())
        assert sim.stats()["peak_concurrency"] == 1
        links = [client.link(str(record)) for record in range(11, 17)]
        sim.set_faults([{"on": "container", "hop": 1, "do": {"delay": 60}}])
        sockets = [socket.create_connection(("127.0.0.1", sim.port)) for _ in links]
        for sock, link in zip(sockets, links, strict=True):
            sock.sendall(f"GET {link} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while sim.stats()["requests"]["container"] < 9:
            pass
        assert sim.stats()["peak_concurrency"] == 6
        for sock in sockets:
            sock.close()


def test_requests_may_come_in_pieces_or_together() -> None:
    with Simulator(data_set()) as sim, socket.create_connection(("127.0.0.1", sim.port), timeout=5) as sock:
        text = b"GET /fmi/data/v1/productInfo HTTP/1.1\r\nHost: x\r\n\r\n"
        for byte in text:
            sock.sendall(bytes([byte]))
        sock.sendall(text + text)
        received = b""
        while received.count(b'"productInfo"') < 3:
            received += sock.recv(65536)
        assert sim.stats()["requests"]["metadata"] == 3


@pytest.mark.parametrize(
    "text",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"],
)
def test_what_is_not_http_gets_400(text: bytes) -> None:
    with Simulator(data_set()) as sim, socket.create_connection(("127.0.0.1", sim.port), timeout=5) as sock:
        sock.sendall(text)
        assert sock.recv(100).startswith(b"HTTP/1.1 400 ")


def test_bandwidth_is_shared_by_all() -> None:
    import time

    with Simulator(data_set(4, size=20_000), streaming="open", bandwidth=200_000) as sim, logged_in(sim) as client:
        links = [client.link(str(record)) for record in range(11, 15)]
        clients = [Client(sim) for _ in links]
        threads = [threading.Thread(target=one.fetch, args=(link,)) for one, link in zip(clients, links, strict=True)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one in clients:
            one.__exit__()
        assert time.monotonic() - start > 0.35  # 80 KB at 200 KB/s


def test_the_meter_ends_in_953() -> None:
    with Simulator(data_set(size=2000), streaming="open", meter_limit=9000) as sim, logged_in(sim) as client:
        link = client.link()
        while client.fetch(link).status == 200:
            pass
        refused = client.records()
        assert (refused.status, refused.code) == (500, "953")
        assert (
            refused.json["messages"][0]["message"]
            == "Exceeded limit on data the FileMaker Data API and OData can transmit (*)"
        )
        assert client.fetch(link).code == "953"
        assert client.log_in().status == 200
        sim.reset()
        client.log_in()
        assert client.records().status == 200


@pytest.mark.parametrize(
    ("switches", "container", "records", "login"),
    [
        ({"meter_counts_containers": False}, 200, "0", 200),
        ({"meter_stops_containers": False}, 200, "953", 200),
        ({"meter_stops_login": True}, 500, "953", 500),
        ({"meter_lag_minutes": 60}, 200, "0", 200),
    ],
)
def test_what_the_meter_counts_and_stops_are_switches(
    switches: dict[str, Any], container: int, records: str, login: int
) -> None:
    with (
        Simulator(data_set(size=2000), streaming="open", meter_limit=9000, switches=switches) as sim,
        logged_in(sim) as client,
    ):
        link = client.link()
        for _ in range(5):
            client.fetch(link)
        assert client.fetch(link).status == container
        assert client.records("_limit=1").code == records
        assert client.log_in().status == login


def test_an_old_host_says_it_without_odata() -> None:
    with Simulator(data_set(product_version="18.0.2"), meter_limit=100) as sim, logged_in(sim) as client:
        assert (
            client.records().json["messages"][0]["message"]
            == "Exceeded limit on data the FileMaker Data API can transmit (*)"
        )


def test_latency_applies_to_each_request_by_itself() -> None:
    """Ten requests of half a minute each are all waiting at once, and none of them is answered."""
    with Simulator(data_set(), latency=30) as sim:
        sockets = [socket.create_connection(("127.0.0.1", sim.port)) for _ in range(10)]
        for sock in sockets:
            sock.sendall(b"GET /fmi/data/v1/productInfo HTTP/1.1\r\nHost: x\r\n\r\n")
        while sim.stats()["requests"]["metadata"] < 10:
            pass
        assert sim.stats()["statuses"] == {}
        for sock in sockets:
            sock.close()


def test_basic_needs_no_keep_alive() -> None:
    with Simulator(data_set()) as sim:
        basic = base64.b64encode(b"writer:w").decode()
        lines = [
            "POST /fmi/data/v1/databases/Test%20Base/sessions HTTP/1.0", f"Authorization: Basic {basic}",
            "Content-Type: application/json", "Content-Length: 2", "", "{}",
        ]  # fmt: skip
        with socket.create_connection(("127.0.0.1", sim.port), timeout=5) as sock:
            sock.sendall("\r\n".join(lines).encode())
            received = b""
            while block := sock.recv(65536):
                received += block
        assert json.loads(received.partition(b"\r\n\r\n")[2])["messages"][0]["code"] == "0"
