"""Counting, paging, one record, finds, and what values become."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.filemaker.conftest import Books
from tests.filemaker.rawhost import CLOSE, RESET, Asked, FakeHost, Script, always, answer, fm, html, row
from unlade.cargo import Count, RefStatus
from unlade.errors import (
    ConnectionBroken,
    FieldMissing,
    GatewayError,
    HostBusy,
    LayoutMissing,
    LimitReached,
    PrivilegeMissing,
    ProtocolError,
    RecordGone,
    SourceError,
    Transient,
)
from unlade.filemaker import DataApiSource

Connect = Callable[..., DataApiSource]


@pytest.fixture
def host() -> Iterator[FakeHost]:
    with FakeHost([row(str(n)) for n in range(1, 26)]) as fake:
        yield fake


def query(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(asked.target).query, strict_parsing=True).items()}


def listed(host: FakeHost) -> list[dict[str, str]]:
    return [query(a) for a in host.host.asked if "/records" in a.target]


def test_pages_follow_each_other(host: FakeHost, connect: Connect) -> None:
    source = connect(host.url)
    seen = [r.record_id for start in (1, 11, 21) for r in source.page(start, 10).records]
    assert seen == [str(n) for n in range(1, 26)]
    page = source.page(21, 10)
    assert (page.offset, len(page.records), page.count) == (21, 5, Count(25, 25))
    assert listed(host)[0] == {"_offset": "1", "_limit": "10", "portal": "[]", "dateformats": "2"}
    assert host.count("GET", "/productInfo") == 1 and host.count("GET", "/layouts/API_Images?") == 0


def test_past_the_end_is_an_empty_page_with_a_true_count(host: FakeHost, connect: Connect) -> None:
    source = connect(host.url)
    assert (source.page(26, 10).records, source.page(26, 10).count) == ((), Count(25, 25))
    info = {"foundCount": 25, "totalRecordCount": 30, "returnedCount": 0}
    host.on["GET", "records"] = lambda a: [fm({"dataInfo": info, "data": []})] if query(a)["_offset"] == "26" else None
    assert source.page(26, 10).count == Count(25, 30)
    host.on["GET", "records"] = lambda a: [fm(code=401)] if query(a)["_offset"] == "26" else None
    assert source.page(26, 10).count == Count(25, 25)


@pytest.mark.parametrize(
    "sent",
    [
        fm(code=401),
        fm(code=101),
        fm({"data": []}),
        fm({"dataInfo": {"foundCount": 0, "totalRecordCount": 0}, "data": []}),
    ],
)
def test_an_empty_table(host: FakeHost, connect: Connect, sent: bytes) -> None:
    host.on["GET", "records"] = lambda a: [sent]
    source = connect(host.url)
    assert source.count().found == 0
    page = source.page(1, 10)
    assert page.records == () and page.count.found == 0


@pytest.mark.parametrize("sent", [fm(code=101), fm(code=401), fm({"dataInfo": {"foundCount": 25}, "data": []})])
def test_no_record_where_the_host_counts_some_is_an_error(host: FakeHost, connect: Connect, sent: bytes) -> None:
    host.on["GET", "records"] = lambda a: [sent] if query(a)["_offset"] == "11" else None
    with pytest.raises(ProtocolError):
        connect(host.url).page(11, 10)


def test_a_host_that_returns_less_than_asked_is_asked_on(host: FakeHost, connect: Connect) -> None:
    def meagre(asked: Asked) -> Script | None:
        start = int(query(asked)["_offset"])
        rows = host.records[start - 1 : start - 1 + min(3, int(query(asked)["_limit"]))]
        return [fm({"dataInfo": {"foundCount": 25, "totalRecordCount": 25}, "data": rows})]

    host.on["GET", "records"] = meagre
    source = connect(host.url)
    assert [r.record_id for r in source.page(5, 8).records] == [str(n) for n in range(5, 13)]
    assert [r.record_id for r in source.page(24, 8).records] == ["24", "25"]


def test_a_host_without_counts_is_counted_by_offsets(host: FakeHost, connect: Connect) -> None:
    def old(asked: Asked) -> Script:
        start = int(query(asked)["_offset"]) - 1
        rows = host.records[start : start + int(query(asked)["_limit"])]
        return [fm({"data": rows} if rows else None, code=0 if rows else 101)]

    host.version = "17.0.2"
    host.on["GET", "records"] = old
    for number in (1, 2, 3, 25):
        host.records = [row(str(n)) for n in range(1, number + 1)]
        source = connect(host.url)
        assert source.count().found == number
        assert source.page(1, 2).count.found == number
        assert source.page(number + 1, 2).count.found == number
    assert "dateformats" not in listed(host)[-1]


@pytest.mark.parametrize(
    ("version", "iso"),
    [("19.4.2.204", False), ("20.1.1", True), ("21.0.1", True), ("2.19.3.2", False), ("2.21.0", True), ("?", False)],
)
def test_dates_are_asked_for_in_iso_form_where_the_host_knows_it(
    host: FakeHost, connect: Connect, version: str, iso: bool
) -> None:
    host.version = version
    source = connect(host.url)
    source.page(1, 1)
    source.read("1")
    assert [("dateformats" in q) for q in listed(host)] == [iso, iso]


def test_a_host_that_hides_its_version(host: FakeHost, connect: Connect) -> None:
    host.on["GET", "productInfo"] = lambda a: [html(404)]
    assert len(connect(host.url).page(1, 5).records) == 5


def test_values_stay_as_they_were(host: FakeHost, connect: Connect) -> None:
    big = "1" * 58
    raw = json.dumps(row("1", id="  x\ry  ")).replace(
        "44", f'{big}, "d": 12345678901234567890.12345678901234567890, "TO::f": ""'
    )
    info = '"dataInfo":{"foundCount":1,"totalRecordCount":1}'
    body = '{"response":{' + info + ',"data":[' + raw + ']},"messages":[{"code":"0","message":"OK"}]}'
    host.on["GET", "records"] = lambda a: [answer(200, body.encode(), {"Content-Type": "application/json"})]
    record = connect(host.url).page(1, 1).records[0]
    assert record.fields["n"] == int(big)
    assert record.fields["d"] == Decimal("12345678901234567890.12345678901234567890")
    assert (record.fields["id"], record.fields["date"], record.fields["TO::f"]) == ("  x\ry  ", "04/18/2019", "")
    assert (record.record_id, record.mod_id) == ("1", "1")


def test_containers_are_told_by_metadata_and_declaration(host: FakeHost, connect: Connect) -> None:
    record = connect(host.url).page(1, 1).records[0]
    assert set(record.fields) == {"id", "date", "stamp", "at", "n", "sum"}
    assert set(record.containers) == {"photo", "photo(2)", "scan"}, "declared ones as declared, the others as they come"
    assert record.containers["photo"].status is RefStatus.FILE and record.containers["photo"].field == "photo"
    assert "Streaming" not in repr(record)
    other = connect(host.url, containers=("photo(2)", "scan")).page(1, 1).records[0]
    assert set(other.containers) == {"photo(1)", "photo(2)", "scan"}
    assert set(connect(host.url, containers=()).page(1, 1).records[0].containers) == {"photo(1)", "photo(2)", "scan"}


@pytest.mark.parametrize("names", [("photo", "nowhere"), ("date",), ("photo(3)",)])
def test_a_declared_container_that_is_none(host: FakeHost, connect: Connect, names: tuple[str, ...]) -> None:
    with pytest.raises(FieldMissing) as caught:
        connect(host.url, containers=names).page(1, 1)
    assert names[-1] in str(caught.value) and caught.value.remedy


def test_one_record(host: FakeHost, connect: Connect) -> None:
    source = connect(host.url)
    assert source.read("7").record_id == "7"
    with pytest.raises(RecordGone):
        source.read("700")
    host.records[6]["modId"] = "9"
    assert source.read("7").mod_id == "9"


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (fm(code=105), LayoutMissing),
        (fm(code=102), FieldMissing),
        (fm(code=200), PrivilegeMissing),
        (fm(code=802), SourceError),
        (fm(code=1711), SourceError),
        (fm(code=4711), SourceError),
        (fm(code=301), Transient),
        (html(403), PrivilegeMissing),
        (html(404), ProtocolError),
        (answer(301, headers={"Location": "https://x/"}), ProtocolError),
    ],
)
def test_refusals_are_errors_and_not_asked_again(
    host: FakeHost, connect: Connect, sent: bytes, error: type[Exception]
) -> None:
    host.on["GET", "records"] = lambda a: [sent]
    with pytest.raises(error):
        connect(host.url).page(1, 10)
    assert host.count("GET", "/records") == 1


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ([html(502)], GatewayError),
        ([html(503)], GatewayError),
        ([html(200)], GatewayError),
        ([answer(200, b"{half")], GatewayError),
        ([answer(200)], GatewayError),
        ([CLOSE], ConnectionBroken),
        ([RESET], ConnectionBroken),
        ([answer(200, b"{", length=100), CLOSE], ConnectionBroken),
        ([fm(code=1701)], GatewayError),
    ],
)
def test_troubles_are_tried_twice_more(
    host: FakeHost, connect: Connect, books: Books, naps: list[float], script: Script, error: type[Exception]
) -> None:
    host.on["GET", "records"] = lambda a: script
    with pytest.raises(error):
        connect(host.url).page(1, 10)
    assert host.count("GET", "/records") == 3
    assert len(naps) == 2 and 0.5 <= naps[0] <= 1.5 and 2 <= naps[1] <= 6
    assert books.passed.count(("api", "trouble")) == 3, "each try passes the gate"


def test_a_trouble_that_goes_by(host: FakeHost, connect: Connect) -> None:
    answers: Iterator[Script | None] = iter([[html(502)], None])
    host.on["GET", "records"] = lambda a: next(answers)
    assert len(connect(host.url).page(1, 10).records) == 10


def test_a_host_that_is_full_is_left_alone(host: FakeHost, connect: Connect) -> None:
    for sent in (fm(code=812), html(429)):
        host.on["GET", "records"] = always(sent)
        before = host.count("GET", "/records")
        with pytest.raises(HostBusy):
            connect(host.url).page(1, 10)
        assert host.count("GET", "/records") == before + 1


def test_a_long_retry_after_is_left_to_the_breaker(host: FakeHost, connect: Connect, naps: list[float]) -> None:
    host.on["GET", "records"] = lambda a: [html(503, **{"Retry-After": "600"})]
    with pytest.raises(GatewayError) as caught:
        connect(host.url).page(1, 10)
    assert caught.value.retry_after == 600 and naps == []


def test_pages_are_booked_before_and_after(host: FakeHost, connect: Connect, books: Books) -> None:
    source = connect(host.url)
    source.page(1, 10)
    first = books.bookings[-1]
    source.page(11, 10)
    second = books.bookings[-1]
    assert first.came and second.came
    assert first.reserved >= 80_000, "nothing is known of the records yet"
    assert second.came.total <= second.reserved < first.reserved / 2
    other = connect(host.url)
    other.count()
    other.page(1, 25)
    third = books.bookings[-1]
    assert third.came and third.came.total <= third.reserved < 30_000, "the count has shown what a record weighs"
    other.close()
    source.close()
    assert books.wire.total == host.host.sent


def test_a_page_that_outgrows_its_booking_raises_it(host: FakeHost, connect: Connect, books: Books) -> None:
    source = connect(host.url)
    source.page(1, 10)
    host.records[10]["fieldData"]["id"] = "x" * 300_000
    source.page(11, 10)
    booking = books.bookings[-1]
    assert booking.came and booking.came.total <= booking.reserved and booking.reserved > 300_000


def test_a_page_that_does_not_fit_the_limit_is_broken_off(
    host: FakeHost, connect: Connect, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.filemaker.conftest import Booked

    source = connect(host.url)
    source.page(1, 10)
    host.records[10]["fieldData"]["id"] = "x" * 300_000

    def full(self: Booked, total: int) -> None:
        raise LimitReached()

    monkeypatch.setattr(Booked, "raise_to", full)
    with pytest.raises(LimitReached):
        source.page(11, 10)
    came = books.bookings[-1].came
    assert came is not None and came.api >= 300_000, "what the host can have sent"


def test_finds(host: FakeHost, connect: Connect) -> None:
    source = connect(host.url)
    bodies: list[Any] = []

    def found(asked: Asked) -> Script:
        bodies.append(json.loads(asked.body))
        return [fm({"dataInfo": {"foundCount": 1, "totalRecordCount": 25}, "data": host.records[:1]})]

    host.on["POST", "_find"] = found
    page = source.find([{"id": "==ID-1"}], limit=5)
    assert page.records[0].record_id == "1" and page.count == Count(1, 25)
    assert bodies == [{"query": [{"id": "==ID-1"}], "offset": "1", "limit": "5", "portal": [], "dateformats": "2"}]
    host.on["POST", "_find"] = lambda a: [fm(code=401)]
    assert source.find([{"id": "==x"}]).records == ()


def test_portals_lean_layouts_and_sorts(host: FakeHost, connect: Connect) -> None:
    link = row("1")["fieldData"]["photo(1)"]
    for entry in host.records:
        entry["portalData"] = {"Notes": [{"recordId": "5", "Notes::text": "hello", "Notes::scan": link}]}
    source = connect(host.url, portals=("Notes",), response_layout="Lean", sort=(("date", "descend"),))
    record = source.page(1, 1).records[0]
    assert record.portals == {"Notes": ({"recordId": "5", "Notes::text": "hello"},)}
    asked = listed(host)[0]
    assert (asked["portal"], asked["layout.response"], asked["_limit.Notes"]) == ('["Notes"]', "Lean", "10000")
    assert json.loads(asked["_sort"]) == [{"fieldName": "date", "sortOrder": "descend"}]
    assert host.count("GET", "/layouts/Lean") == 1


def test_a_probe_is_asked_once(host: FakeHost, connect: Connect, naps: list[float], books: Books) -> None:
    host.on["GET", "productInfo"] = always(html(502))
    with pytest.raises(GatewayError):
        connect(host.url).ping()
    assert naps == [] and books.passed == [("probe", "trouble")]


def test_metadata_ping_and_weight(host: FakeHost, connect: Connect, books: Books) -> None:
    nested = [
        {"name": "A", "table": ""},
        {"name": "F", "isFolder": True, "folderLayoutNames": [{"name": "B"}, {"name": "-"}]},
    ]
    host.on["GET", "layouts"] = lambda a: [fm({"layouts": nested})]
    source = connect(host.url)
    assert source.ping().version == "21.0.1" and host.logins == 0 and books.bookings[0].kind == "probe"
    assert source.layout_names() == ["A", "B"]
    photo = source.metadata().find("photo(2)")
    assert photo and photo.is_container and (photo.max_repeat, photo.repetition_end) == (2, 2)
    assert source.metadata().find("nowhere") is None
    host.records[0]["fieldData"]["id"] = "x" * 5000
    weight = source.weigh(5)
    assert (
        weight.records == 5 and weight.fattest[0][0] == "id" and 1000 <= weight.fattest[0][1] < weight.bytes_per_record
    )
