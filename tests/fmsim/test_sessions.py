"""Log in, use, expire, log out: FILEMAKER.md 1."""

from __future__ import annotations

import re

import pytest

from fmsim import Simulator
from tests.fmsim.sample import Client, data_set, logged_in


def test_the_token_comes_in_head_and_body_and_the_reply_has_the_recorded_shape() -> None:
    with Simulator(data_set()) as sim, Client(sim) as client:
        answer = client.log_in()
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert re.fullmatch(r"[0-9a-f]{51,52}", client.token)
        assert (
            answer.body
            == b'{"response":{"token":"%s"},"messages":[{"code":"0","message":"OK"}]}' % client.token.encode()
        )
        assert len(answer.body) in (117, 118)
        assert sim.stats()["open_sessions"] == 1


def test_tokens_follow_from_the_seed_and_now_and_then_have_51_digits() -> None:
    def tokens(seed: int) -> list[str]:
        with Simulator(data_set(), seed=seed) as sim, Client(sim) as client:
            return [client.log_in().headers["x-fm-data-access-token"] for _ in range(60)]

    first = tokens(1)
    assert first == tokens(1) != tokens(2)
    assert {len(token) for token in first} == {51, 52}


@pytest.mark.parametrize("version", ["v1", "v2", "vLatest"])
def test_every_version_of_the_path_and_a_trailing_slash_log_in(version: str) -> None:
    with Simulator(data_set()) as sim, Client(sim) as client:
        for slash in ("", "/"):
            answer = client.ask(
                "POST", client.base(version) + "/sessions" + slash, {}, Authorization="Basic d3JpdGVyOnc="
            )
            assert answer.status == 200


@pytest.mark.parametrize(
    ("account", "password", "status", "code", "message"),
    [
        ("reader", "wrong", 401, "212", "Invalid user account and/or password; please try again"),
        ("no one", "x", 401, "212", "Invalid user account and/or password; please try again"),
        ("nobody", "n", 401, "9", "Insufficient privileges"),
    ],
)
def test_who_may_not_log_in(account: str, password: str, status: int, code: str, message: str) -> None:
    with Simulator(data_set()) as sim, Client(sim, account, password) as client:
        answer = client.log_in()
        assert (answer.status, answer.code, answer.json["messages"][0]["message"]) == (status, code, message)
        assert "x-fm-data-access-token" not in answer.headers
        assert (sim.stats()["logins"], sim.stats()["requests"]["session"]) == (0, 1)


def test_other_ways_to_fail_a_login() -> None:
    with Simulator(data_set()) as sim, Client(sim) as client:
        no_header = client.ask("POST", client.base() + "/sessions", {})
        assert (no_header.status, no_header.code) == (401, "10")
        elsewhere = client.ask(
            "POST", client.base(database="Other") + "/sessions", {}, Authorization="Basic d3JpdGVyOnc="
        )
        assert (elsewhere.status, elsewhere.code) == (500, "802")
        no_type = client.ask("POST", client.base() + "/sessions", b"{}", Authorization="Basic d3JpdGVyOnc=")
        assert (no_type.status, no_type.code) == (415, "1705")
        wrong_verb = client.ask("GET", client.base() + "/sessions")
        assert (wrong_verb.status, wrong_verb.code) == (405, "1704")
        assert client.ask("OPTIONS", client.base() + "/sessions").status == 405
        assert client.ask("GET", "/fmi/data/v9/productInfo").status == 404


def test_a_session_dies_after_fifteen_idle_minutes_but_every_call_starts_them_again() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        for _ in range(3):
            sim.advance(14 * 60 + 59)
            assert client.records().status == 200
        sim.advance(15 * 60 + 1)
        assert sim.stats()["open_sessions"] == 0
        answer = client.records()
        assert (answer.status, answer.code) == (401, "952")
        assert answer.json["messages"][0]["message"] == "Invalid FileMaker Data API token (*)"


@pytest.mark.parametrize(("resets", "status"), [("true", 200), ("false", 401)])
def test_whether_validate_session_counts_as_use_is_a_switch(resets: str, status: int) -> None:
    with Simulator(data_set(), switches=[f"validate_resets_idle={resets}"]) as sim, logged_in(sim) as client:
        sim.advance(10 * 60)
        answer = client.ask("GET", "/fmi/data/vLatest/validateSession", Authorization=f"Bearer {client.token}")
        assert answer.response == {"isSessionInUse": False}
        sim.advance(10 * 60)
        assert client.records().status == status


def test_log_out_ends_the_session_and_a_second_one_gets_952_unless_switched() -> None:
    for switch, status in (("952", 401), ("ok", 200)):
        with Simulator(data_set(), switches={"second_logout": switch}) as sim, logged_in(sim) as client:
            first = client.ask("DELETE", client.base() + f"/sessions/{client.token}")
            assert first.body == b'{"response":{},"messages":[{"code":"0","message":"OK"}]}'
            assert client.records().code == "952"
            assert client.ask("DELETE", client.base() + f"/sessions/{client.token}").status == status
            assert (sim.stats()["logouts"], sim.stats()["open_sessions"]) == (1, 0)


def test_a_token_is_good_for_its_own_database_only() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        path = client.base(database="test base") + "/layouts"
        assert client.ask("GET", path, Authorization=f"Bearer {client.token}").code == "952"
    with Simulator(data_set(), switches={"database_case": "ignore"}) as sim, logged_in(sim) as client:
        assert client.ask("GET", path, Authorization=f"Bearer {client.token}").status == 200


def test_too_many_sessions_get_812_until_one_expires() -> None:
    with Simulator(data_set(), switches={"session_cap": 2}) as sim, Client(sim) as client:
        assert [client.log_in().status for _ in range(2)] == [200, 200]
        full = client.log_in()
        assert (full.status, full.code) == (500, "812")
        sim.advance(16 * 60)
        assert client.log_in().status == 200


def test_a_restart_and_an_expiry_at_will() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        sim.kill_sessions()
        assert client.records().code == "952"
        client.log_in()
        sim.expire_sessions()
        assert client.records().code == "952"


def test_claris_id() -> None:
    with Simulator(data_set(), switches={"cloud": True}) as sim, Client(sim) as client:
        token = sim.claris_token()
        answer = client.log_in(Authorization=f"FMID {token}")
        assert answer.response == {}
        assert client.records().status == 200
        assert client.api("GET", "/layouts", Authorization="Bearer x").headers["content-type"] == "text/html"
        sim.advance(61 * 60)
        stale = client.log_in(Authorization=f"FMID {token}")
        assert (stale.status, stale.headers["content-type"]) == (401, "text/html")
        assert client.log_in(Authorization="FMID not-a-token").status == 401
        assert client.log_in(Authorization=f"FMID {sim.claris_token()}").status == 200


def test_a_claris_session_ends_after_an_hour_though_it_is_in_use() -> None:
    with Simulator(data_set()) as sim, Client(sim) as client:
        client.log_in(Authorization=f"FMID {sim.claris_token()}")
        for _ in range(6):
            sim.advance(9 * 60)
            assert client.records().status == 200
        sim.advance(7 * 60)
        answer = client.records()
        assert (answer.status, answer.headers["content-type"]) == (401, "text/html")


def test_oauth_headers_take_the_place_of_basic() -> None:
    with Simulator(data_set()) as sim, Client(sim) as client:
        headers = {"X-FM-Data-OAuth-Request-Id": "request", "X-FM-Data-OAuth-Identifier": "identifier"}
        assert client.ask("POST", client.base() + "/sessions", {}, **headers).status == 200


def test_old_hosts_refuse_a_charset() -> None:
    headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": "Basic d3JpdGVyOnc="}
    for version, status in (("18.0.2.217", 400), ("21.1.1.41", 200)):
        with Simulator(data_set(product_version=version)) as sim, Client(sim) as client:
            assert client.ask("POST", client.base() + "/sessions", b"{}", **headers).status == status


def test_a_login_without_a_body_is_a_switch() -> None:
    for switch, status in (("any", 200), ("object", 400)):
        with Simulator(data_set(), switches={"login_body": switch}) as sim, Client(sim) as client:
            headers = {"Content-Type": "application/json", "Authorization": "Basic d3JpdGVyOnc="}
            assert client.ask("POST", client.base() + "/sessions", b"", **headers).status == status


def test_accounts_are_read_in_utf8_and_in_latin1() -> None:
    import base64

    with Simulator(data_set()) as sim, Client(sim) as client:
        for encoding in ("utf-8", "latin-1"):
            basic = base64.b64encode("reader:s3cret-Wörd".encode(encoding)).decode()
            assert client.log_in(Authorization=f"Basic {basic}").status == 200


def test_tls_is_signed_by_its_own_authority() -> None:
    import http.client
    import ssl

    with Simulator(data_set(), tls=True) as sim, Client(sim) as client:
        assert sim.url.startswith("https://")
        assert client.log_in().status == 200
        stranger = http.client.HTTPSConnection("127.0.0.1", sim.port, context=ssl.create_default_context())
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.request("GET", "/")
        stranger.close()


@pytest.mark.parametrize("serial", [False, True])
def test_calls_of_one_session_are_served_side_by_side_unless_switched(serial: bool) -> None:
    with Simulator(data_set(), switches={"serial_sessions": serial}) as sim, logged_in(sim) as client:
        sim.set_faults([{"on": "records", "do": {"delay": 60}}])
        with Client(sim) as slow:
            slow.token = client.token
            slow._connection.request(
                "GET", slow.base() + "/layouts/Photos/records", headers={"Authorization": f"Bearer {client.token}"}
            )
            while not sim.stats()["requests"]["records"]:
                pass
            if serial:
                client.timeout(0.1)
                with pytest.raises(TimeoutError):
                    client.api("GET", "/layouts")
            else:
                assert client.api("GET", "/layouts").status == 200
