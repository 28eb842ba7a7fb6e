"""Downloads at the edges of the protocol, over real sockets."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.filemaker.conftest import Books, Clock
from tests.filemaker.rawhost import CLOSE, RESET, STALL, Asked, FakeHost, Script, answer, fm, html, row
from unlade.cargo import RefStatus, Wire
from unlade.errors import (
    AllowanceSpent,
    ConnectionBroken,
    GatewayError,
    HostBusy,
    HostTimeout,
    ReferenceOnly,
    StaleLink,
    Transient,
    Truncated,
    Unreadable,
)
from unlade.filemaker import DataApiSource

BODY = bytes(range(256)) * 400
Connect = Callable[..., DataApiSource]


@pytest.fixture
def host() -> Iterator[FakeHost]:
    with FakeHost() as fake:
        yield fake


def protected(location: str = "", headers: dict[str, str] | None = None) -> Callable[[Asked], Script]:
    """Hop 1 with a cookie, hop 2 for that cookie alone."""
    given: dict[str, str] = {}

    def handle(asked: Asked) -> Script:
        if "cookie" not in asked.headers:
            assert asked.headers["authorization"].startswith("Bearer ")
            key = f"key-{len(given)}"
            given[key] = asked.target
            where = location or asked.target + "&Redirect"
            return [answer(302, b"moved", {"Set-Cookie": f"X-FMS-Session-Key={key}; HttpOnly", "Location": where})]
        assert "authorization" not in asked.headers
        if asked.headers["cookie"].removeprefix("X-FMS-Session-Key=") not in given:
            return [html(401)]
        return [answer(200, BODY, {"Content-Type": "image/jpeg", **(headers or {})})]

    return handle


def fetch(source: DataApiSource, field: str = "photo", resume_at: int = 0) -> tuple[bytes, Wire]:
    record = source.page(1, 1).records[0]
    with source.download(record, record.containers[field], resume_at=resume_at) as download:
        data = b"".join(download.chunks())
        assert download.resumed_at == 0
    return data, download.wire


def test_protected_download_counts_both_hops_to_the_byte(host: FakeHost, connect: Connect) -> None:
    host.on["GET", "stream"] = protected()
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    before = host.host.sent
    with source.download(record, record.containers["photo"]) as download:
        assert (download.content_type, download.content_length) == ("image/jpeg", len(BODY))
        assert b"".join(download.chunks()) == BODY
    assert download.wire.container == len(BODY) + len(b"moved")
    assert download.wire.total == host.host.sent - before
    assert [a.headers["accept-encoding"] for a in host.host.asked if "Streaming" in a.target] == ["identity"] * 2


def test_open_mode_is_one_hop(host: FakeHost, connect: Connect) -> None:
    host.on["GET", "stream"] = lambda a: [answer(200, BODY)]
    data, wire = fetch(connect(host.url))
    assert data == BODY and wire.container == len(BODY)
    assert host.count("GET", "Streaming") == 1


@pytest.mark.parametrize(
    "location",
    [
        "/Streaming_SSL/MainDB/X.jpg?R&Redirect",
        "https://fm.example.com/Streaming_SSL/X?R",
        "http://127.0.0.1/Streaming_SSL/X",
    ],
)
def test_redirects_to_the_host_itself_are_followed(host: FakeHost, connect: Connect, location: str) -> None:
    host.on["GET", "stream"] = protected(location=location)
    assert fetch(connect(host.url))[0] == BODY
    assert all(a.headers["host"] == f"127.0.0.1:{host.host.port}" for a in host.host.asked)


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example.com/Streaming_SSL/X",
        "//evil.example.com/Streaming_SSL/X",
        "/fmi/data/vLatest/databases",
        "file:///etc/passwd",
        "https://fm.example.com:8443/Streaming_SSL/X",
        "/Streaming_SSL/../fmi/x",
        "",
    ],
)
def test_redirects_elsewhere_are_refused(host: FakeHost, connect: Connect, location: str) -> None:
    host.on["GET", "stream"] = lambda a: [answer(302, headers={"Set-Cookie": "K=1", "Location": location})]
    with pytest.raises(Unreadable):
        fetch(connect(host.url))
    assert host.count("GET", "Streaming") == 1


def test_redirect_circles_end(host: FakeHost, connect: Connect) -> None:
    host.on["GET", "stream"] = lambda a: [answer(302, headers={"Set-Cookie": "K=1", "Location": "/Streaming_SSL/X"})]
    with pytest.raises(StaleLink):
        fetch(connect(host.url))
    assert host.count("GET", "/Streaming_SSL/") == 4


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (answer(302, headers={"Location": "/Streaming_SSL/X"}), 302),
        (html(401), 401),
        (html(404), 404),
        (html(400), 400),
        (fm(code=952), 401),
    ],
)
def test_dead_links(host: FakeHost, connect: Connect, books: Books, sent: bytes, status: int) -> None:
    host.on["GET", "stream"] = lambda a: [sent]
    source = connect(host.url)
    with pytest.raises(StaleLink) as caught:
        fetch(source)
    assert caught.value.status == status
    assert caught.value.wire.total == len(sent)
    assert ("container", "other") in books.passed
    # Only a host that disowns the session itself gets another sign-in.
    assert source.session.logins == (2 if b"952" in sent else 1)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (html(502), GatewayError),
        (html(503, **{"Retry-After": "7"}), GatewayError),
        (html(504), GatewayError),
        (html(500), GatewayError),
        (html(429), HostBusy),
        (fm(code=812), HostBusy),
        (fm(code=953), AllowanceSpent),
    ],
)
def test_host_trouble_counts_at_the_gate(
    host: FakeHost, connect: Connect, books: Books, sent: bytes, error: type
) -> None:
    host.on["GET", "stream"] = lambda a: [sent]
    with pytest.raises(error) as caught:
        fetch(connect(host.url))
    trouble: Any = caught.value
    assert books.passed[-1] == ("container", "other" if error is AllowanceSpent else "trouble")
    if b"Retry-After" in sent:
        assert trouble.retry_after == 7.0
    if error is not AllowanceSpent:
        assert trouble.wire.total == len(sent)
    assert host.count("GET", "Streaming") == 1, "downloads are the caller's to try again"


def test_trouble_on_the_second_hop_keeps_the_first_hop_s_bytes(host: FakeHost, connect: Connect) -> None:
    first = answer(302, b"moved", {"Set-Cookie": "K=1", "Location": "/Streaming_SSL/X"})
    host.on["GET", "stream"] = lambda a: [first] if "cookie" not in a.headers else [html(502)]
    with pytest.raises(GatewayError) as caught:
        fetch(connect(host.url))
    assert caught.value.wire.total == len(first) + len(html(502))


@pytest.mark.parametrize(("end", "error"), [(CLOSE, Truncated), (RESET, ConnectionBroken), (STALL, HostTimeout)])
def test_broken_bodies(host: FakeHost, connect: Connect, end: object, error: type[Transient]) -> None:
    host.on["GET", "stream"] = lambda a: [answer(200, BODY[:1000], length=len(BODY)), end]
    source = connect(host.url, config={"read_timeout": timedelta(seconds=0.3)})
    record = source.page(1, 1).records[0]
    with pytest.raises(error) as caught, source.download(record, record.containers["photo"]) as download:
        for _ in download.chunks():
            pass
    booked = caught.value.wire.container
    assert booked == (1000 if end is CLOSE else len(BODY)), "in order: what came; else what the host can have sent"
    assert download.wire == caught.value.wire


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_no_answer_at_all(host: FakeHost, connect: Connect, end: object) -> None:
    host.on["GET", "stream"] = lambda a: [end]
    with pytest.raises(ConnectionBroken) as caught:
        fetch(connect(host.url))
    assert caught.value.wire == Wire()


def test_leaving_early_books_what_is_under_way(host: FakeHost, connect: Connect) -> None:
    host.on["GET", "stream"] = lambda a: [answer(200, BODY)]
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    with source.download(record, record.containers["photo"]) as download:
        next(download.chunks())
    assert download.wire.container == len(BODY)


def test_chunked_without_length_and_cut_off(host: FakeHost, connect: Connect) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole = head + b"5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"
    host.on["GET", "stream"] = lambda a: [whole]
    data, wire = fetch(connect(host.url))
    assert data == b"helloyou" and wire == Wire(container=len(whole) - len(head), headers=len(head))
    host.on["GET", "stream"] = lambda a: [head + b"5\r\nhel", CLOSE]
    with pytest.raises(Truncated):
        fetch(connect(host.url))


def test_interim_heads_and_split_heads_are_counted_as_heads(host: FakeHost, connect: Connect) -> None:
    parts = [
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n",
        b"\r\nHTTP/1.1 200 OK\r\nContent-Le",
        b"ngth: 4\r\n\r",
        b"\nabcd",
    ]
    host.on["GET", "stream"] = lambda a: parts
    data, wire = fetch(connect(host.url))
    assert data == b"abcd" and wire == Wire(container=4, headers=sum(map(len, parts)) - 4)


def test_zero_bytes_and_html_with_200_are_the_caller_s_to_judge(host: FakeHost, connect: Connect) -> None:
    host.on["GET", "stream"] = lambda a: [answer(200)]
    assert fetch(connect(host.url))[0] == b""
    host.on["GET", "stream"] = lambda a: [html(200)]
    assert fetch(connect(host.url))[0].startswith(b"<html>")


def ranges(body: bytes, wrong: bool = False) -> Callable[[Asked], Script]:
    def handle(asked: Asked) -> Script:
        wanted = asked.headers.get("range")
        if wanted is None:
            return [answer(200, body)]
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return [answer(416)]
        said = start + 1 if wrong else start
        return [answer(206, body[start:], {"Content-Range": f"bytes {said}-{len(body) - 1}/{len(body)}"})]

    return handle


def test_range_continues_where_the_host_says_so(host: FakeHost, connect: Connect) -> None:
    host.on["GET", "stream"] = ranges(BODY)
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    with source.download(record, record.containers["photo"], resume_at=1000) as download:
        assert (download.resumed_at, download.content_length) == (1000, len(BODY))
        assert b"".join(download.chunks()) == BODY[1000:]
    assert download.wire.container == len(BODY) - 1000


def test_a_range_that_does_not_fit_starts_over(host: FakeHost, connect: Connect) -> None:
    for handler, at in ((ranges(BODY, wrong=True), 1000), (ranges(BODY), 10**9), (lambda a: [answer(200, BODY)], 1000)):
        host.on["GET", "stream"] = handler
        assert fetch(connect(host.url), resume_at=at)[0] == BODY


def test_a_206_that_nobody_asked_for_is_no_file(host: FakeHost, connect: Connect) -> None:
    host.on["GET", "stream"] = lambda a: [answer(206, BODY[:10], {"Content-Range": "bytes 0-9/100"})]
    with pytest.raises(StaleLink):
        fetch(connect(host.url))


def test_a_partial_answer_shorter_than_the_file_is_truncated(host: FakeHost, connect: Connect) -> None:
    host.on["GET", "stream"] = lambda a: [answer(206, BODY[10:20], {"Content-Range": f"bytes 10-19/{len(BODY)}"})]
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    with pytest.raises(Truncated), source.download(record, record.containers["photo"], resume_at=10) as download:
        b"".join(download.chunks())


def test_compressed_although_asked_not_to(host: FakeHost, connect: Connect) -> None:
    packed = gzip.compress(BODY)
    host.on["GET", "stream"] = lambda a: [answer(200, packed, {"Content-Encoding": "gzip"})]
    data, wire = fetch(connect(host.url))
    assert data == BODY and wire.container == len(packed)


def test_a_disposition_names_the_file(host: FakeHost, connect: Connect) -> None:
    for value, name in (
        ('attachment; filename="a b.jpg"', "a b.jpg"),
        ("attachment; filename*=UTF-8''na%C3%AFve.pdf", "naïve.pdf"),
        ('inline; filename="..\\\\x\\\\y.jpg"', "y.jpg"),
        ("inline", None),
    ):
        host.on["GET", "stream"] = protected(headers={"Content-Disposition": value})
        source = connect(host.url)
        record = source.page(1, 1).records[0]
        with source.download(record, record.containers["photo"]) as download:
            assert download.name == name


def test_what_is_no_link_is_not_asked_for(host: FakeHost, connect: Connect) -> None:
    host.records = [row("1", **{"photo(1)": "file:a.jpg\rfilewin:/C:/x/a.jpg", "photo(2)": "?", "scan": ""})]
    source = connect(host.url, containers=("photo", "photo(2)", "scan"))
    record = source.page(1, 1).records[0]
    assert [record.containers[f].status for f in ("photo", "photo(2)", "scan")] == [
        RefStatus.REFERENCE,
        RefStatus.UNREADABLE,
        RefStatus.EMPTY,
    ]
    for field, error in (("photo", ReferenceOnly), ("photo(2)", Unreadable), ("scan", Unreadable)):
        with pytest.raises(error), source.download(record, record.containers[field]):
            pass
    assert host.count("GET", "Streaming") == 0


def test_a_link_older_than_the_session_is_not_asked_for(host: FakeHost, connect: Connect, clock: Clock) -> None:
    host.on["GET", "stream"] = protected()
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    clock.forward(minutes=20)
    with pytest.raises(StaleLink), source.download(record, record.containers["photo"]):
        pass
    assert host.count("GET", "Streaming") == 0
    fresh = source.read(record.record_id)
    with source.download(fresh, fresh.containers["photo"]) as download:
        assert b"".join(download.chunks()) == BODY


def test_the_policy_is_seen_at_hop_1(host: FakeHost, connect: Connect, books: Books) -> None:
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    host.on["GET", "stream"] = protected()
    policy = source.policy(record, record.containers["photo"])
    assert (policy.mode, policy.relative_redirect) == ("protected", True)
    host.on["GET", "stream"] = lambda a: [answer(200, BODY)]
    assert source.policy(record, record.containers["photo"]).mode == "open"
    assert host.count("GET", "Streaming") == 2
    probes = [b for b in books.bookings if b.kind == "probe"]
    assert [b.came.container for b in probes if b.came] == [len(b"moved"), len(BODY)]
