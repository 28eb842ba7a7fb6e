"""One sign-in for all threads, renewed in time, ended at the close."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.filemaker.conftest import Books, Clock
from tests.filemaker.rawhost import CLOSE, Asked, FakeHost, always, answer, fm, html
from unlade.errors import (
    AllowanceSpent,
    ConnectionBroken,
    HostResting,
    PrivilegeMissing,
    ProtocolError,
    SettingsError,
    SignInRefused,
    SourceError,
    UnladeError,
)
from unlade.filemaker import DataApiSource, FileMakerConfig
from unlade.source import Booking, RequestKind

Connect = Callable[..., DataApiSource]


@pytest.fixture
def host() -> Iterator[FakeHost]:
    with FakeHost() as fake:
        yield fake


def test_one_session_for_many_calls_and_a_logout(host: FakeHost, connect: Connect, books: Books) -> None:
    source = connect(host.url)
    assert source.count().found == 2
    source.page(1, 10)
    source.read("1")
    source.close()
    source.close()
    assert host.logins == 1 and not host.tokens, "logged out"
    assert host.count("DELETE", "/sessions/") == 1
    login = host.host.asked[0]
    assert (login.method, login.target, login.body) == ("POST", "/fmi/data/vLatest/databases/Clinic/sessions", b"{}")
    assert login.headers["content-type"] == "application/json"
    assert base64.b64decode(login.headers["authorization"].removeprefix("Basic ")).decode() == "reader:s3cret-Wörd"
    assert books.wire.total == host.host.sent, "every byte is booked, the logout's too"
    assert books.open == []


def test_a_count_costs_a_login_one_request_and_a_logout(host: FakeHost, connect: Connect) -> None:
    source = connect(host.url)
    source.count()
    source.close()
    assert [a.method for a in host.host.asked] == ["POST", "GET", "DELETE"]


def test_the_token_may_be_in_the_header_or_in_the_body_alone(host: FakeHost, connect: Connect) -> None:
    for sent in (fm(headers={"X-FM-Data-Access-Token": "abc"}), fm({"token": "abc"})):
        host.tokens = {"abc"}
        host.on["POST", "sessions"] = always(sent)
        assert connect(host.url).count().found == 2


def test_no_token_at_all(host: FakeHost, connect: Connect) -> None:
    host.on["POST", "sessions"] = lambda a: [fm()]
    with pytest.raises(ProtocolError):
        connect(host.url).count()


@pytest.mark.parametrize("sent", [fm(code=952), fm(code=112), html(401)])
def test_threads_that_meet_a_dead_session_sign_in_once(host: FakeHost, connect: Connect, sent: bytes) -> None:
    source = connect(host.url)
    source.page(1, 1)
    dead = next(iter(host.tokens))
    together = threading.Barrier(8, timeout=20)

    def refuse(asked: Asked) -> Any:
        if asked.headers["authorization"] != f"Bearer {dead}":
            return None
        together.wait()
        return [sent]

    host.on["GET", "records"] = refuse
    with ThreadPoolExecutor(8) as threads:
        assert [count.found for count in threads.map(lambda n: source.count(), range(8))] == [2] * 8
    assert host.logins == 2
    # A host that says 952 has forgotten the session; in the other cases it may still be there.
    assert host.count("DELETE", "/sessions/") == (0 if b"952" in sent else 1)


def test_a_session_that_is_refused_again_and_again(host: FakeHost, connect: Connect) -> None:
    host.on["GET", "records"] = lambda a: [fm(code=952)]
    source = connect(host.url)
    with pytest.raises(SourceError) as caught:
        source.count()
    assert caught.value.code == "952" and host.logins == 2


def test_renewed_before_15_idle_minutes(host: FakeHost, connect: Connect, clock: Clock) -> None:
    source = connect(host.url)
    for minutes, logins in ((0, 1), (13, 1), (13, 1), (14, 2), (600, 3)):
        clock.forward(minutes=minutes)
        source.count()
        assert host.logins == logins
    assert host.count("DELETE", "/sessions/") == 2 and len(host.tokens) == 1, "the old session is not left behind"


def test_use_keeps_a_session_alive(host: FakeHost, connect: Connect, clock: Clock) -> None:
    source = connect(host.url)
    for _ in range(30):
        clock.forward(minutes=10)
        source.count()
    assert host.logins == 1


@pytest.mark.parametrize(
    ("code", "error"), [(212, SignInRefused), (214, SignInRefused), (219, SignInRefused), (9, PrivilegeMissing)]
)
def test_a_refused_sign_in_is_not_tried_again(
    host: FakeHost, connect: Connect, code: int, error: type[SourceError]
) -> None:
    host.on["POST", "sessions"] = lambda a: [fm(code=code)]
    source = connect(host.url)
    for _ in range(3):
        with pytest.raises(error) as caught:
            source.count()
        assert caught.value.code == str(code) and caught.value.remedy
    assert host.count("POST", "sessions") == 1


def test_a_sign_in_refused_by_a_web_page(host: FakeHost, connect: Connect) -> None:
    host.on["POST", "sessions"] = lambda a: [html(401)]
    with pytest.raises(SignInRefused):
        connect(host.url).count()


def test_troubles_at_the_sign_in_are_worth_another_try(
    host: FakeHost, connect: Connect, naps: list[float], books: Books
) -> None:
    answers = iter([[html(502)], [CLOSE], None])
    host.on["POST", "sessions"] = lambda a: next(answers)
    assert connect(host.url).count().found == 2
    assert len(naps) == 2
    assert [b for b in books.passed if b[0] == "login"] == [
        ("login", "trouble"),
        ("login", "trouble"),
        ("login", "good"),
    ]


def test_over_the_limit_at_the_sign_in(host: FakeHost, connect: Connect) -> None:
    host.on["POST", "sessions"] = lambda a: [fm(code=953)]
    with pytest.raises(AllowanceSpent):
        connect(host.url).count()


def test_logout_goes_out_when_the_gate_is_shut(host: FakeHost, connect: Connect, books: Books) -> None:
    source = connect(host.url)
    source.count()

    def shut(kind: RequestKind) -> Exception:
        return HostResting()

    books.refuse = shut
    with pytest.raises(HostResting):
        source.count()
    source.close()
    assert not host.tokens and books.open == []


def test_close_raises_nothing_when_the_host_is_gone(connect: Connect, books: Books) -> None:
    with FakeHost() as host:
        source = connect(host.url)
        source.count()
        host.on["DELETE", next(iter(host.tokens))] = lambda a: [CLOSE]
        source.close()
    with FakeHost() as host:
        source = connect(host.url)
        source.count()
    source.close()
    assert books.open == []
    with pytest.raises(ProtocolError):
        source.count()


def test_a_reservation_is_not_waited_for_while_others_wait_for_the_session(
    host: FakeHost, connect: Connect, books: Books
) -> None:
    """A toll may commit in a thread that itself wants the session: then nobody may hold it."""
    asked_by_worker, go_on = threading.Event(), threading.Event()
    main = threading.get_ident()

    class Slow(Books):
        def reserve(self, kind: RequestKind, expected: int) -> Booking:
            if threading.get_ident() != main:
                asked_by_worker.set()
                assert go_on.wait(20)
            return super().reserve(kind, expected)

    slow = Slow()
    source = connect(host.url, toll=slow)
    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(source.count)
        assert asked_by_worker.wait(20)
        assert source.count().found == 2, "the main thread gets through although the worker waits for it"
        go_on.set()
        assert worker.result().found == 2
    source.close()
    assert host.logins == 1 and slow.open == []


def test_the_close_does_not_hang_with_a_sign_in(
    host: FakeHost, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlade.filemaker.session._PATIENCE", 0.05)
    at_host, go_on = threading.Event(), threading.Event()

    def slowly(asked: Asked) -> None:
        at_host.set()
        assert go_on.wait(20)

    host.on["POST", "sessions"] = slowly
    source = connect(host.url)
    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(source.count)
        assert at_host.wait(20)
        source.session.close()
        go_on.set()
        assert isinstance(worker.exception(), UnladeError)
    assert host.logins == 1 and not host.tokens, "the late session is not left behind"


class Renewable:
    """An identity as a Claris ID is: a fresh proof can be had."""

    renewable = True

    def __init__(self) -> None:
        self.proofs: list[bool] = []

    def headers(self, *, fresh: bool) -> dict[str, str]:
        self.proofs.append(fresh)
        return {"Authorization": f"FMID proof-{len(self.proofs)}"}


def test_a_claris_session_is_renewed_within_the_hour_although_it_is_used(
    host: FakeHost, connect: Connect, clock: Clock
) -> None:
    source = connect(host.url, config={"auth": "claris-id"}, identity=Renewable())
    for _ in range(11):
        source.count()
        clock.forward(minutes=6)
    assert host.logins == 2
    source.close()
    logins = [a.headers["authorization"] for a in host.host.asked if a.target.endswith("/sessions")]
    assert logins == ["FMID proof-1", "FMID proof-2"]


def test_a_claris_token_that_has_expired_is_made_anew_once(host: FakeHost, connect: Connect) -> None:
    identity = Renewable()
    host.on["POST", "sessions"] = lambda a: [html(401)] if a.headers["authorization"].endswith("-1") else None
    source = connect(host.url, config={"auth": "claris-id"}, identity=identity)
    assert source.count().found == 2
    assert identity.proofs == [False, True]


def test_a_ready_claris_token(host: FakeHost, connect: Connect, clock: Clock) -> None:
    config = {"auth": "claris-id", "claris_token": "ready", "account": "", "password": ""}
    source = connect(host.url, config=config)
    source.count()
    assert host.host.asked[0].headers["authorization"] == "FMID ready"
    host.tokens.clear()
    host.on["POST", "sessions"] = lambda a: [html(401)]
    with pytest.raises(SignInRefused) as caught:
        source.count()
    assert "expired" in caught.value.remedy
    assert host.count("POST", "sessions") == 2


def test_oauth_identifiers(host: FakeHost, connect: Connect) -> None:
    config = {"auth": "oauth", "oauth_request_id": "r1", "oauth_identifier": "i1", "account": "", "password": ""}
    connect(host.url, config=config).count()
    headers = host.host.asked[0].headers
    assert (headers["x-fm-data-oauth-request-id"], headers["x-fm-data-oauth-identifier"]) == ("r1", "i1")
    assert "authorization" not in headers


def test_names_are_percent_encoded_whole(host: FakeHost, connect: Connect) -> None:
    source = connect(host.url, config={"database": "Contract check/2 ü"}, layout="Lay/out » @x")
    source.count()
    assert host.host.asked[0].target == "/fmi/data/vLatest/databases/Contract%20check%2F2%20%C3%BC/sessions"
    assert "/layouts/Lay%2Fout%20%C2%BB%20%40x/records?" in host.host.asked[1].target


GOOD = {"database": "d", "account": "a", "password": "p"}


@pytest.mark.parametrize(
    "url",
    [
        "https://fm.example.com",
        "https://fm.example.com:8443/",
        "http://127.0.0.1:5000",
        "http://localhost",
        "http://[::1]:80",
    ],
)
def test_addresses_that_will_do(url: str) -> None:
    FileMakerConfig(url=url, **GOOD)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://fm.example.com"},
        {"url": "fm.example.com"},
        {"url": "ftp://fm.example.com"},
        {"url": "https://a:b@fm.example.com"},
        {"url": "https://fm.example.com/fmi/data/vLatest"},
        {"url": "https://fm.example.com:port"},
        {"url": ""},
        {"database": ""},
        {"account": ""},
        {"password": ""},
        {"account": "a:b"},
        {"auth": "oauth"},
        {"auth": "claris-id", "password": ""},
        {"auth": "claris-id", "claris_token": "a\nb"},
        {"ca_file": __import__("pathlib").Path("/nowhere/ca.pem")},
    ],
)
def test_settings_that_cannot_work(change: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        FileMakerConfig(**{"url": "https://fm.example.com", **GOOD, **change})
    assert "a:b@" not in str(caught.value) and caught.value.__str__()


def test_the_config_shows_no_secret() -> None:
    config = FileMakerConfig(url="https://h", database="d", account="a", password="PW-1", claris_token="CT-1")
    assert "PW-1" not in repr(config) and "CT-1" not in repr(config)


def test_a_host_that_cannot_be_reached(connect: Connect, naps: list[float]) -> None:
    with FakeHost() as host:
        url = host.url
    with pytest.raises(ConnectionBroken):
        connect(url).count()
    assert len(naps) == 2


def test_answer_helper_is_honest() -> None:
    assert answer(200, b"abc").endswith(b"\r\n\r\nabc")
