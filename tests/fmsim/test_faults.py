"""What faults do on the wire, each verb of CONTRACT A5."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from typing import Any

import pytest

from fmsim import ContainerValue, GeneratedBlob, Simulator
from tests.fmsim.sample import Answer, Client, data_set, jpeg, logged_in, raw_get


def container(**do: Any) -> list[dict[str, Any]]:
    return [{"on": "container", "nth": {"from": 1, "to": 1}, "do": do}]


@pytest.mark.parametrize("mode", ["open", "protected"])
def test_a_status_comes_where_the_body_would_and_the_next_download_is_well(mode: str) -> None:
    with (
        Simulator(data_set(), streaming=mode, faults=container(status=502, body="html")) as sim,
        logged_in(sim) as client,
    ):
        bad = client.fetch(client.link())
        assert (bad.status, bad.headers["content-type"]) == (502, "text/html")
        assert b"502 Bad Gateway" in bad.body
        assert client.fetch(client.link()).body == jpeg(1)
        assert [entry["status"] for entry in sim.log() if entry["kind"] == "container"][-3:] in (
            [302, 302, 200],
            [502, 200],
            [502, 302, 200],
        )
        assert sim.stats()["requests"]["container"] == 2


def test_hop_1_is_struck_when_named_and_leaves_the_link_fresh() -> None:
    faults = [{"on": "container", "hop": 1, "times": 1, "do": {"status": 502, "body": "html"}}]
    with Simulator(data_set(), faults=faults) as sim, logged_in(sim) as client:
        link = client.link()
        assert client.ask("GET", link).status == 502
        assert client.fetch(link).body == jpeg(1)


@pytest.mark.parametrize(
    ("do", "status", "kind", "body"),
    [
        ({"status": 200, "body": "html"}, 200, "text/html", b"<html>"),
        ({"status": 401}, 401, "text/html", b"<html>"),
        ({"status": 503, "body": "json"}, 503, "application/json; charset=utf-8", b"{"),
        ({"status": 500, "body": "empty"}, 500, None, b""),
        ({"status": 500, "body": "some words"}, 500, "text/plain", b"some words"),
        ({"status": 429, "headers": {"Retry-After": "30"}}, 429, "text/html", b"<html>"),
    ],
)
def test_bodies(do: dict[str, Any], status: int, kind: str | None, body: bytes) -> None:
    with Simulator(data_set(), faults=[{"on": "records", "do": do}]) as sim, logged_in(sim) as client:
        answer = client.records()
        assert (answer.status, answer.headers.get("content-type"), answer.body[: len(body)]) == (status, kind, body)
        assert answer.headers.get("retry-after") == do.get("headers", {}).get("Retry-After")


@pytest.mark.parametrize(("code", "status"), [(812, 500), (952, 401), (401, 500), (953, 500), (301, 500), (1701, 503)])
def test_codes_come_with_their_status(code: int, status: int) -> None:
    with Simulator(data_set(), faults=[{"on": "find", "do": {"code": code}}]) as sim, logged_in(sim) as client:
        answer = client.find({"id": "*"})
        assert (answer.status, answer.code) == (status, str(code))


@pytest.mark.parametrize("kind", ["session", "metadata", "records", "find", "record", "edit", "any"])
def test_every_kind_can_be_struck(kind: str) -> None:
    with Simulator(data_set()) as sim, logged_in(sim, "writer", "w") as client:
        sim.set_faults([{"on": kind, "do": {"status": 502}}])

        def calls() -> dict[str, list[Answer]]:
            return {
                "metadata": [
                    client.ask("GET", "/fmi/data/v1/productInfo"), client.ask("GET", "/fmi/data/v1/databases"),
                    client.api("GET", "/layouts"), client.api("GET", "/layouts/Photos"), client.api("GET", "/scripts"),
                ],
                "records": [client.records()],
                "record": [client.api("GET", "/layouts/Photos/records/11")],
                "find": [client.find({"id": "*"})],
                "edit": [
                    client.api("PATCH", "/layouts/Photos/records/11", {"fieldData": {}}),
                    client.api("POST", "/layouts/Photos/records", {"fieldData": {}}),
                    client.api("DELETE", "/layouts/Photos/records/12"),
                ],
                "session": [
                    client.ask("GET", "/fmi/data/v1/validateSession", Authorization=f"Bearer {client.token}"),
                    client.log_in(), client.ask("DELETE", client.base() + f"/sessions/{client.token}"),
                ],
            }  # fmt: skip

        for name, answers in calls().items():
            assert {answer.status == 502 for answer in answers} == {kind in (name, "any")}, name


def test_reset_after_so_many_bytes() -> None:
    with (
        Simulator(data_set(size=5000), streaming="open", faults=container(reset_after=1000)) as sim,
        logged_in(sim) as client,
    ):
        received, ending = raw_get(sim, client.link())
        head, _, body = received.partition(b"\r\n\r\n")
        assert ending == "reset"
        assert body == jpeg(1, 5000)[:1000]
        assert b"Content-Length: 5000" in head
        assert sim.stats()["bytes"]["container"] == 1000
        assert sim.stats()["downloads"] == {}


def test_truncated_bodies_end_in_good_order() -> None:
    with (
        Simulator(data_set(size=5000), streaming="open", faults=container(truncate=1000)) as sim,
        logged_in(sim) as client,
    ):
        received, ending = raw_get(sim, client.link())
        head, _, body = received.partition(b"\r\n\r\n")
        assert (ending, body) == ("closed", jpeg(1, 5000)[:1000])
        assert b"Content-Length: 5000" in head
        assert sim.stats()["bytes"]["container"] == 1000


@pytest.mark.parametrize("verb", ["truncate", "reset_after"])
def test_a_file_shorter_than_the_break_comes_whole(verb: str) -> None:
    with Simulator(data_set(), streaming="open", faults=container(**{verb: 1000})) as sim, logged_in(sim) as client:
        assert client.fetch(client.link()).body == jpeg(1)
        assert sim.stats()["downloads"] == {"11": {"photo": 1}}


@pytest.mark.parametrize(("do", "ending"), [({"reset_after": 300}, "reset"), ({"truncate": 300}, "closed")])
def test_breaks_also_hit_chunked_and_api_bodies(do: dict[str, int], ending: str) -> None:
    with Simulator(data_set(size=5000), streaming="open", switches={"chunked": True}) as sim, logged_in(sim) as client:
        link = client.link()
        sim.set_faults([{"on": "any", "do": do}])
        received, how = raw_get(sim, link)
        assert how == ending and received.endswith(jpeg(1, 5000)[:300] + b"\r\n")
        path = client.base() + "/layouts/Photos/records"
        received, how = raw_get(sim, path, f"Authorization: Bearer {client.token}")
        assert how == ending and len(received.partition(b"\r\n\r\n")[2]) == 300


@pytest.mark.parametrize(("where", "arrived"), [("first_byte", 0), ("body", 200)])
def test_delays(where: str, arrived: int) -> None:
    with (
        Simulator(data_set(), streaming="open", faults=container(delay=60, where=where)) as sim,
        logged_in(sim) as client,
    ):
        request = f"GET {client.link()} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", sim.port)) as sock:
            sock.sendall(request)
            received = b""
            while arrived and len(received.partition(b"\r\n\r\n")[2]) < arrived:
                received += sock.recv(65536)
            sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                sock.recv(1)
        assert received.endswith(jpeg(1)[:arrived])


def test_a_delayed_answer_comes_whole() -> None:
    for where in ("first_byte", "body"):
        with Simulator(data_set(), faults=container(delay=0.05, where=where)) as sim, logged_in(sim) as client:
            start = time.monotonic()
            assert client.fetch(client.link()).body == jpeg(1)
            assert time.monotonic() - start >= 0.05


def test_a_dropped_session_fails_this_call_and_the_next_login_cures_it() -> None:
    faults = [{"on": "records", "nth": {"from": 2, "to": 2}, "do": {"drop_session": True}}]
    with Simulator(data_set(), faults=faults) as sim, logged_in(sim) as client:
        assert client.records().status == 200
        link = client.link()
        assert client.records().code == "952"
        assert client.fetch(link).status == 401
        client.log_in()
        assert client.records().status == 200


def test_a_session_dropped_in_the_middle_of_a_download() -> None:
    with Simulator(data_set(), faults=container(drop_session=True)) as sim, logged_in(sim) as client:
        assert client.fetch(client.link()).status == 401
        assert client.records().code == "952"


def test_stale_links() -> None:
    with Simulator(data_set(), faults=container(stale=True)) as sim, logged_in(sim) as client:
        link = client.link()
        assert client.fetch(link).status == 401
        assert client.fetch(link).status == 401
        assert client.fetch(client.link()).status == 200
        sim.set_faults([{"on": "record", "times": 1, "do": {"stale": True}}])
        assert [client.fetch(client.link()).status for _ in range(2)] == [401, 200]
        sim.set_faults([{"on": "container", "hop": 1, "times": 1, "do": {"stale": True}}])
        assert client.ask("GET", client.link()).status == 401


@pytest.mark.parametrize("kind", ["text/html", ""])
def test_a_wrong_or_missing_content_type_leaves_the_bytes(kind: str) -> None:
    with Simulator(data_set(), faults=container(content_type=kind)) as sim, logged_in(sim) as client:
        answer = client.fetch(client.link())
        assert (answer.headers.get("content-type", ""), answer.body) == (kind, jpeg(1))
        assert sim.stats()["downloads"] == {"11": {"photo": 1}}


def test_a_storm_by_the_clock() -> None:
    storm = [
        {
            "on": "container",
            "nth": {"from": 2, "to": 2},
            "for_seconds": 90,
            "times": 1,
            "do": {"status": 502, "body": "html"},
        }
    ]
    with Simulator(data_set(), faults=storm) as sim, logged_in(sim) as client:
        assert [client.fetch(client.link()).status for _ in range(4)] == [200, 502, 502, 502]
        assert client.records().status == 200
        sim.advance(91)
        assert client.fetch(client.link()).status == 200


def test_a_storm_that_kills_the_sessions() -> None:
    faults = [
        {"on": "container", "nth": {"from": 2, "to": 2}, "times": 1, "do": {"status": 502, "drop_all_sessions": True}}
    ]
    with Simulator(data_set(), faults=faults) as sim, logged_in(sim) as client:
        assert [client.fetch(client.link()).status for _ in range(2)] == [200, 502]
        assert client.records().code == "952"


def test_several_rules_at_once() -> None:
    faults = [
        {"on": "container", "do": {"content_type": "text/html"}},
        {"on": "container", "nth": {"every": 2}, "do": {"status": 404}},
        {"on": "container", "nth": {"every": 2}, "do": {"status": 500}},
    ]
    with Simulator(data_set(), faults=faults) as sim, logged_in(sim) as client:
        answers = [client.fetch(client.link()) for _ in range(2)]
        assert [(a.status, a.headers["content-type"]) for a in answers] == [(200, "text/html"), (404, "text/html")]
        assert sim.log()[-1]["faults"] == [0, 1, 2]


def test_records_come_and_go_between_pages() -> None:
    faults = [{"on": "records", "nth": {"from": 2, "to": 2}, "do": {"delete": 1, "touch": 1, "replace": 1, "add": 2}}]
    with Simulator(data_set(), faults=faults) as sim, logged_in(sim) as client:
        first = client.records("_limit=3").rows
        second = client.records("_limit=3&_offset=4").rows
        assert [row["recordId"] for row in first] == ["11", "12", "13"]
        assert [row["recordId"] for row in second] == ["15", "16", "17"]  # 14 has moved to where we were
        now = {row["recordId"]: row for row in client.records().rows}
        assert list(now) == ["12", "13", "14", "15", "16", "17", "18"]
        assert [now[i]["modId"] for i in ("12", "13", "14")] == ["4", "4", "3"]
        assert client.fetch(client.link("12")).body == jpeg(2)
        replaced = client.fetch(client.link("13")).body
        assert replaced != jpeg(3) and replaced[:2] == b"\xff\xd8" and replaced.endswith(jpeg(3)[2:])
        assert len({row["fieldData"]["id"] for row in now.values()}) == 7
        assert sim.stats()["writes"] == 0


def test_a_plan_over_http() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        client.records()
        plan = [{"on": "records", "nth": {"from": 2, "to": 2}, "do": {"status": 502}}]
        assert client.ask("PUT", "/-/faults", plan).status == 200
        assert [client.records().status for _ in range(2)] == [502, 200]  # the one before the plan was number 1
        assert client.ask("POST", "/-/reset").status == 200
        client.log_in()
        assert [client.records().status for _ in range(3)] == [
            200,
            502,
            200,
        ]  # the plan stays, its counters start again
        refused = client.ask("PUT", "/-/faults", [{"on": "x", "do": {}}])
        assert (refused.status, "fault rule 0" in refused.json["error"]) == (400, True)
        assert client.ask("PUT", "/-/faults", b"{").status == 400
        assert client.ask("PUT", "/-/faults", []).status == 200


def test_the_log_tells_it_all() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        client.fetch(client.link())
        client.ask("DELETE", client.base() + f"/sessions/{client.token}")
        lines = [json.loads(line) for line in client.ask("GET", "/-/log").body.splitlines()]
        assert [line["kind"] for line in lines] == ["session", "record", "container", "container", "session"]
        assert [(line["hop"], line["bearer"], line["cookie"]) for line in lines[2:4]] == [
            (1, True, False),
            (2, False, True),
        ]
        assert lines[3]["recordId"] == "11" and lines[3]["field"] == "photo" and lines[3]["complete"]
        assert client.token not in json.dumps(lines)
        assert lines[0]["time"].endswith("+00:00")
        columns = client.ask("GET", "/-/fmdapi.log").body.decode().splitlines()[0].split("\t")
        assert columns[1:5] == ["0", "INFO", "127.0.0.1", "reader"] and columns[7] in ("117", "118")


def test_a_client_that_hangs_up_early_is_no_longer_a_download() -> None:
    with Simulator(data_set(), streaming="open") as sim, logged_in(sim) as client:
        link = client.link()
        sim.set_faults([{"on": "container", "do": {"delay": 30}}])
        for _ in range(3):
            impatient = Client(sim)
            impatient._connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=0.05)
            with pytest.raises(TimeoutError):
                impatient.ask("GET", link)
            impatient._connection.close()
            sim.stats()
        assert sim.stats()["peak_concurrency"] == 1
        assert sim.stats()["statuses"].get("200") == 2


def test_hop_1_rules_also_strike_links_that_nobody_knows() -> None:
    with (
        Simulator(data_set(), faults=[{"on": "container", "hop": 1, "do": {"status": 502}}]) as sim,
        Client(sim) as client,
    ):
        assert client.ask("GET", "/Streaming_SSL/MainDB/ABC.jpg?RCType=x").status == 502


def test_too_many_downloads_at_once_bring_the_web_layer_down_for_a_while() -> None:
    switches = {"crash_parallel": 2, "crash_seconds": 60}
    with Simulator(data_set(), streaming="open", switches=switches) as sim, logged_in(sim) as client:
        link = client.link()
        sim.set_faults([{"on": "container", "nth": {"to": 2}, "do": {"delay": 60}}])
        sockets = [socket.create_connection(("127.0.0.1", sim.port)) for _ in range(2)]
        for sock in sockets:
            sock.sendall(f"GET {link} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while sim.stats()["requests"]["container"] < 2:
            pass
        assert client.records().status == 200
        assert client.fetch(link).status == 502
        assert client.records().status == 502
        for sock in sockets:
            sock.close()
        sim.advance(61)
        assert client.fetch(link).status == 200


def test_a_reset_waits_for_a_slow_reader() -> None:
    data = data_set(1)
    data.tables["Photos"][0].values["photo"] = ContainerValue(GeneratedBlob(6_000_000, 3), "big.jpg", "image/jpeg")
    with Simulator(data, streaming="open", faults=container(reset_after=5_000_000)) as sim, logged_in(sim) as client:
        with socket.create_connection(("127.0.0.1", sim.port)) as sock:
            sock.sendall(f"GET {client.link()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            time.sleep(0.6)  # longer than any fixed wait that a careless host would grant
            received = bytearray()
            with contextlib.suppress(ConnectionResetError):
                while block := sock.recv(65536):
                    received += block
        assert len(received.partition(b"\r\n\r\n")[2]) == sim.stats()["bytes"]["container"] == 5_000_000


def test_a_reset_may_come_right_after_the_head_also_where_there_is_no_body() -> None:
    with (
        Simulator(data_set(), faults=[{"on": "container", "hop": 1, "do": {"reset_after": 0}}]) as sim,
        logged_in(sim) as client,
    ):
        received, ending = raw_get(sim, client.link())
        assert (ending, received.startswith(b"HTTP/1.1 302 "), received.endswith(b"\r\n\r\n")) == ("reset", True, True)
