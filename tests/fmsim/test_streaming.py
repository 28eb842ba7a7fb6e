"""Container links and streams: four modes, single use, the ways to die (FILEMAKER.md 4)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from fmsim import BytesBlob, ContainerValue, Simulator
from tests.fmsim.sample import Client, data_set, jpeg, logged_in

LINK = re.compile(r"/Streaming_SSL/MainDB/[0-9A-F]{64}\.jpg\?RCType=EmbeddedRCFileProcessor")


def bearer(client: Client) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.token}"}


def cookie(answer: Any) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


def test_open_gives_the_bytes_at_once_and_again() -> None:
    with Simulator(data_set(), streaming="open") as sim, logged_in(sim) as client:
        link = client.link()
        for _ in range(2):
            answer = client.ask("GET", link)
            assert (answer.status, answer.body) == (200, jpeg(1))
            assert (answer.headers["content-type"], answer.headers["content-length"]) == ("image/jpeg", "400")
        assert sim.stats()["requests"]["container"] == sim.stats()["requests"]["container_hops"] == 2


def test_protected_step_by_step() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        link = client.link()
        assert LINK.fullmatch(link)
        first = client.ask("GET", link)
        assert (first.status, first.body) == (302, b"")
        assert re.fullmatch(r"X-FMS-Session-Key=[0-9a-f]{32}; HttpOnly", first.headers["set-cookie"])
        assert first.headers["location"] == link + "&Redirect"
        assert client.ask("GET", first.headers["location"]).status == 401  # without the cookie
        second = client.ask("GET", first.headers["location"], **cookie(first))
        assert (second.status, second.body) == (200, jpeg(1))
        again = client.ask("GET", link, **bearer(client))
        assert (again.status, "set-cookie" in again.headers) == (401, False)
        assert sim.stats()["downloads"] == {"11": {"photo": 1}}
        assert sim.stats()["requests"]["container"] == 2
        assert sim.stats()["requests"]["container_hops"] == 4


def test_every_reading_gives_a_fresh_link_and_each_has_its_own_cookie() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        one, two = client.link(), client.link()
        assert one != two
        first, second = client.ask("GET", one), client.ask("GET", two)
        assert (
            client.ask("GET", second.headers["location"], **cookie(first)).status == 401
        )  # the other download's cookie
        both = cookie(first)["Cookie"] + "; " + cookie(second)["Cookie"]
        assert client.ask("GET", second.headers["location"], Cookie=both).status == 200


def test_the_original_link_with_its_cookie_is_as_good_as_the_redirect() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        link = client.link()
        first = client.ask("GET", link)
        assert client.ask("GET", link, **cookie(first)).body == jpeg(1)


def test_bearer_mode_asks_for_it_on_the_first_hop() -> None:
    with Simulator(data_set(), streaming="bearer") as sim, logged_in(sim) as client:
        link = client.link()
        assert client.ask("GET", link).status == 401
        assert client.ask("GET", link, Authorization="Bearer 123").status == 401
        assert client.fetch(link).body == jpeg(1)
        assert client.fetch(link).status == 401


def test_first_hit_mode_is_free_once_and_needs_the_bearer_later() -> None:
    with Simulator(data_set(), streaming="first-hit") as sim, logged_in(sim) as client:
        link = client.link()
        assert client.fetch(link, bearer=False).body == jpeg(1)
        assert client.fetch(link, bearer=False).status == 401
        assert client.fetch(link).body == jpeg(1)
        assert sim.stats()["downloads"] == {"11": {"photo": 2}}


@pytest.mark.parametrize("mode", ["open", "protected", "bearer", "first-hit"])
def test_links_die_with_their_session(mode: str) -> None:
    with Simulator(data_set(), streaming=mode) as sim, logged_in(sim) as client:
        link = client.link()
        client.ask("DELETE", client.base() + f"/sessions/{client.token}")
        client.log_in()
        assert client.fetch(link).status == 401
        link = client.link()
        sim.advance(16 * 60)
        assert client.fetch(link).status == 401


def test_the_session_may_die_between_the_hops() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        first = client.ask("GET", client.link())
        sim.kill_sessions()
        assert client.ask("GET", first.headers["location"], **cookie(first)).status == 401


def test_how_long_links_live_is_a_switch() -> None:
    with Simulator(data_set(), switches={"links_outlive_session": True}) as sim, logged_in(sim) as client:
        link = client.link()
        sim.kill_sessions()
        assert client.fetch(link).status == 200
    with Simulator(data_set(), switches={"link_minutes": 2}) as sim, logged_in(sim) as client:
        link = client.link()
        sim.advance(121)
        assert client.fetch(link).status == 401


@pytest.mark.parametrize(("switch", "status"), [("401", 401), ("404", 404), ("302", 302)])
def test_how_a_dead_link_answers_is_a_switch(switch: str, status: int) -> None:
    with Simulator(data_set(), switches={"dead_link": switch}) as sim, logged_in(sim) as client:
        link = client.link()
        client.fetch(link)
        answer = client.fetch(link)
        assert (answer.status, "set-cookie" in answer.headers) == (status, False)


@pytest.mark.parametrize(("at", "statuses"), [("link", [404]), ("redirect", [302, 404])])
@pytest.mark.parametrize("mode", ["open", "protected"])
def test_a_missing_file_is_404(mode: str, at: str, statuses: list[int]) -> None:
    data = data_set()
    data.tables["Photos"][0].values["photo"] = ContainerValue(None, "x.jpg", "image/jpeg", missing=True)
    with Simulator(data, streaming=mode, switches={"missing_at": at}) as sim, logged_in(sim) as client:
        assert client.fetch(client.link()).status == 404
        seen = [entry["status"] for entry in sim.log() if entry["kind"] == "container"]
        assert seen == ([404] if mode == "open" else statuses)
        assert sim.stats()["downloads"] == {}


def test_a_record_deleted_after_the_link_was_given_out() -> None:
    with Simulator(data_set()) as sim, logged_in(sim, "writer", "w") as client:
        link = client.link()
        client.api("DELETE", "/layouts/Photos/records/11")
        assert client.fetch(link).status == 404


@pytest.mark.parametrize(
    ("switches", "pattern"),
    [
        ({"link_port": "443"}, r"http://127\.0\.0\.1:443/Streaming_SSL/MainDB/.*"),
        ({"link_host": "files.example"}, r"http://files\.example/Streaming_SSL/MainDB/.*"),
        (
            {"link_host": "files.example", "link_port": "443", "link_scheme": "https"},
            r"https://files\.example:443/Streaming.*",
        ),
        ({"link_scheme": "https", "link_port": "none"}, r"https://127\.0\.0\.1/Streaming_SSL/.*"),
        ({"link_relative": "true"}, r"/Streaming_SSL/MainDB/[0-9A-F]{64}\.jpg\?RCType=EmbeddedRCFileProcessor"),
        (
            {"link_folder": "Additional_1", "link_type": "RCFileProcessor"},
            r".*/Additional_1/[0-9A-F]{64}\.jpg\?RCType=RCFileProcessor",
        ),
        ({"link_extension": "never"}, r".*/[0-9A-F]{64}\?RCType=.*"),
    ],
)
def test_link_forms(switches: dict[str, str], pattern: str) -> None:
    with Simulator(data_set(), switches=switches) as sim, logged_in(sim) as client:
        url = client.records().rows[0]["fieldData"]["photo"]
        assert re.fullmatch(pattern, url)
        parts = urlsplit(url)
        assert client.fetch(f"{parts.path}?{parts.query}").body == jpeg(1)


def test_only_media_links_have_an_extension() -> None:
    data = data_set()
    data.tables["Photos"][0].values["photo"] = ContainerValue(BytesBlob(b"# x"), "notes.md", "text/markdown")
    with Simulator(data) as sim, logged_in(sim) as client:
        assert ".md" not in client.link()
        assert ".jpg" in client.link("12")
    with Simulator(data, switches={"link_extension": "always"}) as sim, logged_in(sim) as client:
        assert ".md?" in client.link()


@pytest.mark.parametrize(
    ("version", "switch", "relative"),
    [("21.1", "auto", True), ("19.6", "auto", False), ("19.6", "relative", True), ("21.1", "absolute", False)],
)
def test_location_is_relative_from_version_20(version: str, switch: str, relative: bool) -> None:
    with Simulator(data_set(product_version=version), switches={"location": switch}) as sim, logged_in(sim) as client:
        location = client.ask("GET", client.link()).headers["location"]
        assert location.startswith("/Streaming_SSL" if relative else sim.url + "/Streaming_SSL")


def test_without_the_redirect_suffix_the_cookie_alone_tells_the_hops_apart() -> None:
    with Simulator(data_set(), switches={"redirect_suffix": False}) as sim, logged_in(sim) as client:
        link = client.link()
        assert client.fetch(link).body == jpeg(1)
        assert sim.stats()["requests"]["container"] == 1


def test_cookies_once_and_shared() -> None:
    with Simulator(data_set(), switches={"cookie_uses": "once"}) as sim, logged_in(sim) as client:
        first = client.ask("GET", client.link())
        statuses = [client.ask("GET", first.headers["location"], **cookie(first)).status for _ in range(2)]
        assert statuses == [200, 401]
    with Simulator(data_set(), switches={"shared_cookie": True}) as sim, logged_in(sim) as client:
        one, two = client.ask("GET", client.link()), client.ask("GET", client.link("12"))
        assert client.ask("GET", one.headers["location"], **cookie(one)).status == 401
        assert client.ask("GET", two.headers["location"], **cookie(two)).status == 200


@pytest.mark.parametrize(
    ("switch", "status", "body", "announced"),
    [("off", 200, jpeg(1), False), ("on", 206, jpeg(1)[100:], True), ("lies", 200, jpeg(1), True)],
)
def test_ranges(switch: str, status: int, body: bytes, announced: bool) -> None:
    with Simulator(data_set(), streaming="open", switches={"range": switch}) as sim, logged_in(sim) as client:
        answer = client.ask("GET", client.link(), Range="bytes=100-")
        assert (answer.status, answer.body, "accept-ranges" in answer.headers) == (status, body, announced)
        assert answer.headers.get("content-range") == ("bytes 100-399/400" if status == 206 else None)
        assert sim.stats()["downloads"] == {"11": {"photo": 1}}
        if switch == "on":
            assert client.ask("GET", client.link(), Range="bytes=400-").status == 416


def test_a_broken_second_hop_can_be_asked_again_and_counts_as_another_download() -> None:
    faults = [{"on": "container", "nth": {"to": 1}, "do": {"truncate": 100}}]
    with Simulator(data_set(), switches={"range": "on"}, faults=faults) as sim, logged_in(sim) as client:
        first = client.ask("GET", client.link())
        with pytest.raises(Exception, match="IncompleteRead"):
            client.ask("GET", first.headers["location"], **cookie(first))
        client._connection.close()
        rest = client.ask("GET", first.headers["location"], Range="bytes=100-", **cookie(first))
        assert (rest.status, rest.body) == (206, jpeg(1)[100:])
        assert sim.stats()["requests"]["container"] == 2
        assert sim.stats()["downloads"] == {"11": {"photo": 1}}


def test_heads_that_nobody_promised() -> None:
    switches = {"chunked": True, "content_disposition": True, "etag": True}
    with Simulator(data_set(), switches=switches) as sim, logged_in(sim) as client:
        answer = client.fetch(client.link())
        assert answer.body == jpeg(1)
        assert answer.headers["transfer-encoding"] == "chunked" and "content-length" not in answer.headers
        assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''IMG%201.jpg"
        assert answer.headers["etag"].startswith('"11-3-')


@pytest.mark.parametrize(("burns", "status"), [(True, 401), (False, 302)])
def test_head_may_burn_the_link(burns: bool, status: int) -> None:
    with Simulator(data_set(), switches={"head_burns": burns}) as sim, logged_in(sim) as client:
        link = client.link()
        assert client.ask("HEAD", link).status == 302
        assert client.ask("GET", link).status == status
        assert sim.stats()["downloads"] == {}


def test_nonsense() -> None:
    with Simulator(data_set()) as sim, Client(sim) as client:
        assert client.ask("GET", "/Streaming_SSL/MainDB/ABC.jpg?RCType=x").status == 401
        assert client.ask("POST", "/Streaming_SSL/MainDB/ABC.jpg", b"").status == 405


def test_empty_and_large_files() -> None:
    data = data_set(2)
    large = bytes(range(256)) * 12_000
    data.tables["Photos"][0].values["photo"] = ContainerValue(BytesBlob(b""), "empty.jpg", "image/jpeg")
    data.tables["Photos"][1].values["photo"] = ContainerValue(BytesBlob(large), "large.jpg", "image/jpeg")
    with Simulator(data) as sim, logged_in(sim) as client:
        empty = client.fetch(client.link("11"))
        assert (empty.status, empty.headers["content-length"], empty.body) == (200, "0", b"")
        assert client.fetch(client.link("12")).body == large
        assert sim.stats()["downloads"] == {"11": {"photo": 1}, "12": {"photo": 1}}
