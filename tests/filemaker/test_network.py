"""TLS, our own network, and a machine that slept."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.filemaker.conftest import Books, Clock
from tests.filemaker.rawhost import STALL, FakeHost, always, answer
from unlade.cargo import Wire
from unlade.errors import HostTimeout, OwnNetworkDown, SettingsError, SourceError
from unlade.filemaker import DataApiSource
from unlade.filemaker.meter import Meter

Connect = Callable[..., DataApiSource]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(made)
    return made


def test_a_private_authority_is_trusted_when_it_is_named(
    authority: trustme.CA, ca_file: Path, connect: Connect, books: Books
) -> None:
    with FakeHost(context=context(authority)) as host:
        body = b"x" * 200_000
        host.on["GET", "stream"] = always(answer(200, body))
        source = connect(host.url, config={"ca_file": ca_file})
        record = source.page(1, 1).records[0]
        sent = host.host.sent
        with source.download(record, record.containers["photo"]) as download:
            assert b"".join(download.chunks()) == body
        assert download.wire.container == len(body) and download.wire.total == host.host.sent - sent, "before TLS"
        source.close()
        assert books.wire.total + download.wire.total == host.host.sent


def test_a_certificate_that_is_not_trusted_is_said_so(
    authority: trustme.CA, ca_file: Path, connect: Connect, naps: list[float]
) -> None:
    with FakeHost(context=context(authority)) as host:
        with pytest.raises(SourceError) as caught:
            connect(host.url).count()
        assert "FILEMAKER_CA_FILE" in caught.value.remedy and naps == []
    with FakeHost(context=context(authority, "other.example.com")) as host, pytest.raises(SourceError):
        connect(host.url, config={"ca_file": ca_file}).count()
    assert host.logins == 0


def test_a_ca_file_that_is_none(tmp_path: Path, connect: Connect) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("not a certificate")
    with pytest.raises(SettingsError) as caught:
        connect("https://127.0.0.1:1", config={"ca_file": path})
    assert "PEM" in caught.value.remedy


def broken(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def fail(*args: Any, **kwargs: Any) -> socket.socket:
        raise error

    monkeypatch.setattr(socket, "create_connection", fail)


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(-3, "Temporary failure in name resolution"),
        OSError(101, "Network is unreachable"),
        OSError(113, "No route to host"),
    ],
)
def test_our_own_network_is_not_held_against_the_host(
    connect: Connect, books: Books, naps: list[float], monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    source = connect("https://fm.example.com")
    broken(monkeypatch, error)
    with pytest.raises(OwnNetworkDown):
        source.count()
    assert books.passed == [("login", "other")] and naps == []
    assert books.open == []


def test_a_machine_that_slept_is_not_held_against_the_host(connect: Connect, clock: Clock) -> None:
    with FakeHost() as host:
        source = connect(host.url, config={"read_timeout": timedelta(seconds=0.2)})
        source.count()

        def sleep(asked: object) -> list[object]:
            clock.now += timedelta(minutes=30)
            return [STALL]

        host.on["GET", "records"] = sleep
        with pytest.raises(OwnNetworkDown):
            source.count()
        host.on["GET", "records"] = always(STALL)
        with pytest.raises(HostTimeout):
            source.count()


def test_a_wait_that_outlives_its_time_out_by_far_is_a_sleep_too(connect: Connect, clock: Clock) -> None:
    with FakeHost() as host:
        source = connect(host.url, config={"read_timeout": timedelta(seconds=0.2)})
        source.count()

        def sleep(asked: object) -> list[object]:
            clock.forward(minutes=30)
            return [STALL]

        host.on["GET", "records"] = sleep
        with pytest.raises(OwnNetworkDown):
            source.count()


def test_a_large_file_broken_off_books_what_can_be_under_way() -> None:
    meter = Meter(container=True, monotonic=lambda: 0.0)
    meter.feed(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000)
    meter.content_length = 10**10
    assert meter.read == Wire(container=1000, headers=19)
    assert 1000 < meter.owed.container < 2 * 16 * 1024 * 1024


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_heads_are_found_however_they_are_cut(step: int) -> None:
    head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"
    body = b"ab\r\n\r\ncdef\n\n"
    meter = Meter(container=False, monotonic=lambda: 0.0)
    data = head + body
    for start in range(0, len(data), step):
        meter.feed(data[start : start + step])
    assert meter.read == Wire(api=len(body), headers=len(head))


def test_the_http_engine_s_own_records_hold_no_cookie_or_token(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeHost() as host:
        host.on["GET", "stream"] = lambda a: (
            [answer(200, b"x")]
            if "cookie" in a.headers
            else [answer(302, headers={"Set-Cookie": "K=crumb-1", "Location": a.target})]
        )
        source = connect(host.url)
        record = source.page(1, 1).records[0]
        with source.download(record, record.containers["photo"]) as download:
            list(download.chunks())
        token = next(iter(host.tokens))
        source.close()
    assert any(r.name.startswith("httpcore2") for r in caplog.records)
    for secret in (token, "crumb-1", "Streaming", "s3cret"):
        assert secret not in caplog.text
