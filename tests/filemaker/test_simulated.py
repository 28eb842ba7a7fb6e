"""The whole room against the simulated host, under every mode of streaming and what nobody knows for certain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fmsim import Account, BytesBlob, ContainerValue, DataSet, Field, Layout, Record, Simulator
from tests.filemaker.conftest import Books, Clock
from unlade.cargo import Count, RefStatus, SourceRecord, Wire
from unlade.errors import (
    AllowanceSpent,
    ConnectionBroken,
    FieldMissing,
    GatewayError,
    LayoutMissing,
    PrivilegeMissing,
    RecordGone,
    ReferenceOnly,
    SignInRefused,
    SourceError,
    StaleLink,
    Transient,
    Truncated,
)
from unlade.filemaker import DataApiSource
from unlade.filemaker.edit import DataApiMarkerWriter

Connect = Callable[..., DataApiSource]
NUMBER = 40


def content(n: int) -> bytes:
    return bytes((n * 7 + i) % 251 for i in range(997)) * (n + 1)


def data_set(number: int = NUMBER) -> DataSet:
    fields = [Field("id"), Field("date", "date"), Field("n", "number"), Field("stamp", "timeStamp")]
    fields += [Field("photo", "container", max_repeat=2), Field("scan", "container")]
    records = [
        Record(
            str(100 + n),
            "3",
            {
                "id": f"ID-{n}",
                "date": f"04/{n % 28 + 1:02d}/2019",
                "n": n,
                "stamp": "",
                "photo(1)": ContainerValue(BytesBlob(content(n)), f"IMG {n}.jpg", "image/jpeg"),
                "photo(2)": "",
                "scan": ContainerValue(reference="file:a.pdf\rfilewin:/C:/a.pdf")
                if n == 1
                else ContainerValue(missing=True),
            },
        )
        for n in range(number)
    ]
    accounts = [
        Account("reader", "s3cret-Wörd", frozenset({"fmrest"})),
        Account("writer", "pw", frozenset({"fmrest", "write"})),
        Account("nobody", "pw", frozenset()),
    ]
    layouts = [Layout("API_Images", "Images", fields), Layout("Lean", "Images", fields[:2] + fields[4:5])]
    return DataSet("Clinic Data", accounts, layouts, {"Images": records})


@pytest.fixture
def simulate(connect: Connect) -> Callable[..., Any]:
    @contextmanager
    def run(
        *,
        number: int = NUMBER,
        source: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        **options: Any,
    ) -> Iterator[tuple[Simulator, DataApiSource]]:
        with Simulator(data_set(number), **options) as host:
            given: dict[str, Any] = {"database": host.database, "account": host.account, "password": host.password}
            given |= {"ca_file": Path(host.ca_file)} if host.ca_file else {}
            made = connect(host.url, config={**given, **(config or {})}, **(source or {}))
            try:
                yield host, made
            finally:
                made.close()

    return run


def fetch(source: DataApiSource, record: SourceRecord, field: str = "photo") -> tuple[bytes, Wire]:
    with source.download(record, record.containers[field]) as download:
        data = b"".join(download.chunks())
    return data, download.wire


def fetch_all(source: DataApiSource, threads: int = 8) -> Wire:
    records = source.page(1, 100).records
    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(lambda record: fetch(source, record), records))
    assert [data for data, _ in results] == [content(int(r.record_id) - 100) for r in records]
    return sum((wire for _, wire in results), Wire())


def as_wire(stats: dict[str, Any]) -> Wire:
    return Wire(**stats["bytes"])


@pytest.mark.parametrize("mode", ["open", "protected", "bearer", "first-hit"])
def test_every_mode_of_streaming_to_the_byte(simulate: Callable[..., Any], books: Books, mode: str) -> None:
    with simulate(streaming=mode) as (host, source):
        assert source.count() == Count(NUMBER, NUMBER)
        wire = fetch_all(source)
        record = source.read("105")
        policy = source.policy(record, record.containers["photo"])
        assert policy.mode == ("open" if mode == "open" else "protected")
        source.close()
        stats = host.stats()
    assert books.wire + wire == as_wire(stats) or mode == "open", (books.wire + wire, stats["bytes"])
    # The probe of an open host is broken off after the head: what can be under way is booked.
    assert (books.wire + wire).container >= as_wire(stats).container
    assert (stats["logins"], stats["logouts"], stats["open_sessions"], stats["writes"]) == (1, 1, 0, 0)
    assert stats["requests"]["container"] == NUMBER + 1
    assert books.open == []


@pytest.mark.parametrize(
    "switches",
    [{}, {"location": "absolute"}, {"redirect_suffix": "false"}, {"link_host": "files.example.com", "location": "absolute"}, {"link_port": "443"}, {"link_relative": "true"},
     {"link_scheme": "http"}, {"link_folder": "Additional_1", "link_type": "RCFileProcessor"}, {"link_extension": "never"}, {"cookie_uses": "once"}, {"chunked": "true"}, {"range": "lies"},
     {"serial_sessions": "true"}, {"shuffle_members": "true", "token_digits": "51"}, {"missing_at": "redirect"}, {"portal_data_info": "never"}],
    ids=str,
)  # fmt: skip
def test_whatever_nobody_knows_for_certain(
    simulate: Callable[..., Any], books: Books, switches: dict[str, str]
) -> None:
    with simulate(number=8, switches=switches) as (host, source):
        wire = fetch_all(source)
        record = source.read("100")
        with pytest.raises(StaleLink) as caught:
            fetch(source, record, "scan")
        assert caught.value.status == 404
        source.close()
        assert books.wire + wire + caught.value.wire == as_wire(host.stats())


def test_over_tls(simulate: Callable[..., Any], books: Books) -> None:
    with simulate(number=8, tls=True) as (host, source):
        wire = fetch_all(source)
        source.close()
        assert books.wire + wire == as_wire(host.stats())


@pytest.mark.parametrize("mode", ["protected", "bearer"])
def test_a_link_is_good_once_and_a_fresh_one_is_had_by_reading_anew(simulate: Callable[..., Any], mode: str) -> None:
    with simulate(number=2, streaming=mode) as (host, source):
        record = source.page(1, 1).records[0]
        fetch(source, record)
        with pytest.raises(StaleLink) as caught:
            fetch(source, record)
        assert caught.value.status == 401
        assert fetch(source, source.read(record.record_id))[0] == content(0)
        assert host.stats()["logins"] == 1, "a dead link is no reason to sign in again"


@pytest.mark.parametrize("dead", ["401", "404", "302"])
def test_dead_links_of_every_kind(simulate: Callable[..., Any], dead: str) -> None:
    with simulate(number=1, switches={"dead_link": dead}) as (_, source):
        record = source.page(1, 1).records[0]
        fetch(source, record)
        with pytest.raises(StaleLink) as caught:
            fetch(source, record)
        assert caught.value.status == int(dead)


def test_each_download_has_its_own_cookies(simulate: Callable[..., Any]) -> None:
    """One jar for all would let the keys of parallel downloads overwrite each other (FILEMAKER.md 4.3)."""
    with simulate(latency=0.01) as (host, source):
        fetch_all(source, threads=16)
        hops = [entry for entry in host.log() if entry["kind"] == "container"]
    assert [h["cookie"] for h in hops if h["hop"] == 1] == [False] * NUMBER
    assert [h["bearer"] for h in hops if h["hop"] == 1] == [True] * NUMBER
    assert [(h["cookie"], h["bearer"], h["status"]) for h in hops if h["hop"] == 2] == [(True, False, 200)] * NUMBER


def test_a_host_whose_new_cookie_voids_the_former_one(simulate: Callable[..., Any]) -> None:
    with simulate(number=12, latency=0.01, switches={"shared_cookie": "true"}) as (host, source):

        def patiently(record: SourceRecord) -> bytes:
            for _ in range(60):
                try:
                    return fetch(source, record)[0]
                except StaleLink:
                    record = source.read(record.record_id)
            raise AssertionError("never got through")

        records = source.page(1, 12).records
        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(patiently, records)) == [content(n) for n in range(12)]
        assert host.stats()["logins"] == 1


def test_sessions_that_die_under_many_threads_cost_one_sign_in(simulate: Callable[..., Any]) -> None:
    with simulate(latency=0.02) as (host, source):
        source.count()
        together = threading.Barrier(8)
        host.kill_sessions()

        def work(n: int) -> str:
            together.wait(10)
            return str(source.read(str(100 + n)).record_id)

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(8))) == [str(100 + n) for n in range(8)]
        assert host.stats()["logins"] == 2


def test_links_that_died_with_their_session(simulate: Callable[..., Any]) -> None:
    with simulate(number=3, streaming="bearer") as (host, source):
        first, second, _ = source.page(1, 3).records
        host.kill_sessions()
        with pytest.raises(StaleLink):
            fetch(source, first)
        assert fetch(source, source.read(first.record_id))[0] == content(0)
        assert fetch(source, source.read(second.record_id))[0] == content(1)
        assert host.stats()["logins"] == 2


def test_idle_sessions_are_renewed_before_the_host_drops_them(simulate: Callable[..., Any], clock: Clock) -> None:
    with simulate(number=3) as (host, source):
        for minutes in (0, 13, 13.9, 14, 14.9, 20):
            clock.forward(minutes=minutes)
            host.advance(minutes * 60)
            source.count()
        source.close()
        stats = host.stats()
    assert (stats["logins"], stats["open_sessions"], stats["statuses"].get("401", 0)) == (4, 0, 1)
    # One refusal: the goodbye to the session that had died in the 20 minutes.


def test_claris_id_on_cloud(simulate: Callable[..., Any], clock: Clock) -> None:
    class Fresh:
        renewable = True
        host: Simulator

        def headers(self, *, fresh: bool) -> dict[str, str]:
            return {"Authorization": f"FMID {self.host.claris_token()}"}

    identity = Fresh()
    config = {"auth": "claris-id"}
    with simulate(number=3, switches={"cloud": "true"}, config=config, source={"identity": identity}) as (host, source):
        identity.host = host
        for _ in range(22):
            source.count()
            clock.forward(minutes=6)
            host.advance(360)
        stats = host.stats()
        assert stats["logins"] == 3 and "401" not in stats["statuses"], "renewed before the hour"
        # Only the host's clock goes on: it refuses with a web page, and one sign-in cures it.
        host.advance(3601)
        assert source.count().found == 3
        assert host.stats()["statuses"]["401"] >= 1


def test_a_ready_claris_token_works_and_an_expired_one_says_so(simulate: Callable[..., Any], connect: Connect) -> None:
    with simulate(number=3, switches={"cloud": "true"}) as (host, _):
        ready = {"database": host.database, "auth": "claris-id", "account": "", "password": ""}
        assert connect(host.url, config={**ready, "claris_token": host.claris_token()}).count().found == 3
        with pytest.raises(SignInRefused):
            connect(host.url, config={**ready, "claris_token": host.claris_token(-1)}).count()


def test_refused_accounts(simulate: Callable[..., Any], connect: Connect) -> None:
    with simulate(number=1, config={"password": "wrong"}) as (host, source):
        for _ in range(3):
            with pytest.raises(SignInRefused):
                source.count()
        assert host.stats()["requests"]["session"] == 1
        config = {"database": host.database, "account": "nobody", "password": "pw"}
        with pytest.raises(PrivilegeMissing) as caught:
            connect(host.url, config=config).count()
        assert "fmrest" in caught.value.remedy
        with pytest.raises(SourceError) as other:
            connect(host.url, config={**config, "account": "writer", "database": "Elsewhere"}).count()
        assert other.value.code == "802"


def test_what_a_declaration_may_get_wrong(simulate: Callable[..., Any], connect: Connect) -> None:
    with simulate(number=1) as (host, _):
        config = {"database": host.database, "account": host.account, "password": host.password}
        with pytest.raises(LayoutMissing):
            connect(host.url, config=config, layout="API_Image").count()
        with pytest.raises(FieldMissing):
            connect(host.url, config=config, containers=("Photo",)).page(1, 1)


@pytest.mark.parametrize("version", ["17.0.7", "18.0.2.217", "19.2.1", "19.4.2.204", "20.3.1", "21.1.1.41"])
def test_generations_of_the_host(connect: Connect, version: str) -> None:
    data = data_set(7)
    data.product_version = version
    with Simulator(data) as host:
        source = connect(
            host.url, config={"database": host.database, "account": host.account, "password": host.password}
        )
        assert source.ping().version == version
        assert source.count().found == 7
        page = source.page(6, 5)
        assert [r.record_id for r in page.records] == ["105", "106"] and page.count.found == 7
        iso = int(version.partition(".")[0]) >= 20
        assert page.records[0].fields["date"] == ("2019-04-06" if iso else "04/06/2019")
        assert page.records[0].fields["n"] == 5
        assert fetch(source, page.records[0])[0] == content(5)
        source.close()


@pytest.mark.parametrize("past_end", ["101", "401", "empty"])
@pytest.mark.parametrize("empty", ["empty", "401", "101"])
def test_ends_and_empty_tables(simulate: Callable[..., Any], past_end: str, empty: str) -> None:
    for number in (3, 0):
        with simulate(number=number, switches={"past_end": past_end, "empty_table": empty}) as (_, source):
            assert source.count().found == number
            page = source.page(number + 1, 10)
            assert (page.records, page.count.found) == ((), number)


@pytest.mark.parametrize("status", [500, 404])
def test_a_record_that_is_gone(simulate: Callable[..., Any], status: int) -> None:
    with simulate(number=1, switches={"record_missing_status": status}) as (_, source), pytest.raises(RecordGone):
        source.read("999")


def test_an_account_that_does_not_see_everything(simulate: Callable[..., Any]) -> None:
    with simulate(number=10, switches={"hidden_records": 4}) as (_, source):
        assert source.count() == Count(6, 10)


def test_repetitions_and_references(simulate: Callable[..., Any]) -> None:
    with simulate(number=2, source={"containers": ("photo(1)", "photo(2)", "scan")}) as (_, source):
        record = source.page(2, 1).records[0]
        assert {name: ref.status for name, ref in record.containers.items()} == {
            "photo(1)": RefStatus.FILE,
            "photo(2)": RefStatus.EMPTY,
            "scan": RefStatus.REFERENCE,
        }
        with pytest.raises(ReferenceOnly):
            fetch(source, record, "scan")


def test_a_lean_layout_for_the_answers(simulate: Callable[..., Any]) -> None:
    with simulate(number=2, source={"response_layout": "Lean"}) as (_, source):
        record = source.page(1, 1).records[0]
        assert set(record.fields) == {"id", "date"}
        assert fetch(source, record)[0] == content(0)


def test_range_where_the_host_has_it(simulate: Callable[..., Any]) -> None:
    for switch, resumed in (("on", 500), ("off", 0), ("lies", 0)):
        with simulate(number=1, switches={"range": switch}) as (_, source):
            record = source.page(1, 1).records[0]
            with source.download(record, record.containers["photo"], resume_at=500) as download:
                assert download.resumed_at == resumed and download.content_length == len(content(0))
                assert b"".join(download.chunks()) == content(0)[resumed:]


@pytest.mark.parametrize("login_too", ["false", "true"])
def test_over_the_allowance(simulate: Callable[..., Any], login_too: str) -> None:
    with simulate(meter_limit=30_000, switches={"meter_stops_login": login_too}) as (host, source):
        records = source.page(1, 20).records
        with pytest.raises(AllowanceSpent):
            fetch_each(source, records)
        host.kill_sessions()
        with pytest.raises(AllowanceSpent):
            source.count()


def fetch_each(source: DataApiSource, records: tuple[SourceRecord, ...]) -> None:
    for record in records:
        fetch(source, record)


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ({"status": 502, "body": "html"}, GatewayError),
        ({"reset_after": 1000}, ConnectionBroken),
        ({"truncate": 1000}, Truncated),
        ({"code": 812}, Transient),
        ({"stale": True}, StaleLink),
    ],
    ids=str,
)
def test_faults_at_downloads(
    simulate: Callable[..., Any], books: Books, do: dict[str, Any], error: type[Transient]
) -> None:
    with simulate(number=9, faults=[{"on": "container", "nth": 1, "do": do}]) as (host, source):
        record = source.page(9, 1).records[0]
        with pytest.raises(error) as caught:
            fetch(source, record)
        wire = caught.value.wire
        data, more = fetch(source, source.read(record.record_id))
        assert data == content(8)
        source.close()
        host_says, ours = as_wire(host.stats()), books.wire + wire + more
    if "reset_after" in do:
        assert host_says.container <= ours.container <= 2 * len(data) + 100
    else:
        assert ours == host_says


def test_faults_at_pages_are_ridden_out(simulate: Callable[..., Any], books: Books) -> None:
    faults = [
        {"on": "records", "nth": 1, "do": {"status": 502, "body": "html"}},
        {"on": "records", "nth": 2, "do": {"truncate": 50}},
        {"on": "record", "nth": 1, "do": {"reset_after": 0}},
    ]
    with simulate(number=9, faults=faults) as (host, source):
        assert source.count().found == 9
        assert source.read("100").record_id == "100"
        source.close()
        host_says = as_wire(host.stats())
        assert books.wire.headers == host_says.headers and books.wire.api >= host_says.api


def test_the_marker(simulate: Callable[..., Any]) -> None:
    with simulate(number=2, config={"account": "writer", "password": "pw"}) as (host, source):
        writer = DataApiMarkerWriter(source)
        record = source.page(1, 1).records[0]
        assert writer.mark(record, "stamp", "2026-03-10T08:00:00+00:00") == "4"
        assert source.read("100").fields["stamp"] in {"2026-03-10T08:00:00", "2026-03-10 08:00:00"}
        assert writer.mark(record, "date", "2026-03-10") == "5", "edited meanwhile (by ourselves): read once more"
        assert host.stats()["writes"] == 3


def test_nothing_is_downloaded_twice_or_written(simulate: Callable[..., Any]) -> None:
    with simulate(number=10) as (host, source):
        fetch_all(source)
        source.close()
        stats = host.stats()
    assert {record: sum(fields.values()) for record, fields in stats["downloads"].items()} == {
        str(100 + n): 1 for n in range(10)
    }
    assert stats["writes"] == 0 and stats["requests"]["metadata"] == 2
