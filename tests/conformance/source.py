"""What every source must do. A source's own test module gives a fixture `stock` and inherits `SourceConformance`.

class TestMySource(SourceConformance):
    @pytest.fixture
    def stock(self, tmp_path):
        data = stock_data()
        with closing(open_my_source(write_it(data, tmp_path))) as source:
            yield Stock(source, expected(data))
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from fmsim import DataSet
from tests.folder.exports import bytes_of
from tests.voyage.harness import FIELDS, FULL, LESSER, cargo, photo
from tests.voyage.harness import record as image
from unlade.cargo import RefStatus, SourceRecord
from unlade.errors import RecordGone
from unlade.source import LocalFiles, Source

NAME = "Größe 日本 «1».jpg"


@dataclass(frozen=True)
class Expected:
    """One record: its identity, some fields that are no containers, and the bytes of its filled containers."""

    identity: str
    fields: Mapping[str, str]
    files: Mapping[str, bytes]


@dataclass
class Stock:
    """A source and what it must show, in its own order. `containers`: those that it can tell to be empty."""

    source: Source
    records: list[Expected]
    containers: tuple[str, ...] = FIELDS
    identity: str = "id"
    unknown: str = "999999"
    seen: list[SourceRecord] = field(default_factory=list)


def stock_data() -> DataSet:
    """Eleven records: an empty one, one with two files, one with odd names, one of several pieces."""
    odd = image(4, **{FULL: photo("odd", name=NAME)})  # type: ignore[arg-type]
    odd.values.update({"id": "Ünï-日本 4", "Type": "Größe, “äußerst”", "Name of file": NAME})
    special = {
        2: image(2, **{FULL: ""}),  # type: ignore[arg-type]
        3: image(3, **{FULL: photo("best"), LESSER: photo("lesser")}),  # type: ignore[arg-type]
        4: odd,
        5: image(5, size=2_500_000),
    }
    return cargo(11, special=special)


def expected(data: DataSet, *, best_only: bool = False) -> list[Expected]:
    """What a source over this data must show."""
    found = []
    for row in data.tables["Images"]:
        files = {name: bytes_of(row.values[name]) for name in FIELDS if row.values[name]}
        if best_only:
            files = dict(list(files.items())[:1])
        names = ("id", "id_Contact", "Type", "Name of file")
        found.append(Expected(str(row.values["id"]), {name: str(row.values[name]) for name in names}, files))
    return found


class SourceConformance:
    """Runs against each kind of source."""

    @pytest.fixture
    def stock(self) -> Stock:
        raise NotImplementedError("give a fixture `stock`")

    def all_of(self, stock: Stock, size: int = 4) -> list[SourceRecord]:
        records: list[SourceRecord] = []
        while page := stock.source.page(len(records) + 1, size).records:
            records += page
        return records

    def test_it_is_one(self, stock: Stock) -> None:
        assert isinstance(stock.source, Source)

    def test_it_counts_what_it_shows(self, stock: Stock) -> None:
        count = stock.source.count()
        assert count.found == len(stock.records) == len(self.all_of(stock))
        assert count.total is None or count.total >= count.found
        assert count.count_is in ("records", "values", "files")

    @pytest.mark.parametrize("size", [1, 3, 100])
    def test_pages_follow_one_another_in_a_stable_order(self, stock: Stock, size: int) -> None:
        first = [record.record_id for record in self.all_of(stock, size)]
        assert first == [record.record_id for record in self.all_of(stock, 5)]
        assert len(set(first)) == len(stock.records)
        page = stock.source.page(2, 3)
        assert (page.offset, [record.record_id for record in page.records]) == (2, first[1:4])

    def test_behind_the_end_is_an_empty_page_with_a_true_count(self, stock: Stock) -> None:
        for offset in (len(stock.records) + 1, len(stock.records) + 1000):
            page = stock.source.page(offset, 10)
            assert page.records == ()
            assert page.count.found == len(stock.records)

    def test_fields_and_odd_names_survive(self, stock: Stock) -> None:
        found = {str(record.fields[stock.identity]): record for record in self.all_of(stock)}
        for wanted in stock.records:
            fields = found[wanted.identity].fields
            assert {name: str(fields[name]) for name in wanted.fields} == wanted.fields

    def test_containers_say_what_they_hold(self, stock: Stock) -> None:
        found = {str(record.fields[stock.identity]): record for record in self.all_of(stock)}
        for wanted in stock.records:
            containers = found[wanted.identity].containers
            assert {name for name, ref in containers.items() if ref.status is RefStatus.FILE} == set(wanted.files)
            for name in stock.containers:
                if name not in wanted.files:
                    assert containers[name].status is RefStatus.EMPTY
            for name in wanted.files:
                assert containers[name].field == name
                assert containers[name].size in (None, len(wanted.files[name]))

    def test_a_locator_is_not_shown(self, stock: Stock) -> None:
        for record in self.all_of(stock):
            for ref in record.containers.values():
                assert not ref.locator or ref.locator not in repr(record)

    def test_a_record_can_be_read_again(self, stock: Stock) -> None:
        for record in self.all_of(stock):
            again = stock.source.read(record.record_id)
            assert (again.record_id, again.mod_id, again.fields) == (record.record_id, record.mod_id, record.fields)
            assert {name: ref.status for name, ref in again.containers.items()} == {
                name: ref.status for name, ref in record.containers.items()
            }
            assert again.read_at.tzinfo is not None

    def test_a_record_that_is_not_there_is_gone(self, stock: Stock) -> None:
        with pytest.raises(RecordGone):
            stock.source.read(stock.unknown)

    def test_downloads_bring_the_bytes(self, stock: Stock) -> None:
        by_identity = {wanted.identity: wanted for wanted in stock.records}
        for record in self.all_of(stock):
            record = stock.source.read(record.record_id)
            for name, data in by_identity[str(record.fields[stock.identity])].files.items():
                with stock.source.download(record, record.containers[name]) as download:
                    assert download.resumed_at == 0
                    assert download.content_length in (None, len(data))
                    assert b"".join(download.chunks()) == data
                    assert download.wire.container in (0, len(data))

    def test_a_download_goes_on_or_starts_anew(self, stock: Stock) -> None:
        wanted = max(stock.records, key=lambda each: len(each.files.get(FULL, b"")))
        data = wanted.files[FULL]
        record = next(r for r in self.all_of(stock) if r.fields[stock.identity] == wanted.identity)
        record = stock.source.read(record.record_id)
        with stock.source.download(record, record.containers[FULL], resume_at=1_000_000) as download:
            assert download.resumed_at in (0, 1_000_000)
            assert b"".join(download.chunks()) == data[download.resumed_at :]
            assert download.content_length in (None, len(data))

    def test_a_download_may_be_left_early(self, stock: Stock) -> None:
        record = next(r for r in self.all_of(stock) if FULL in _filled(r))
        for _ in range(3):
            record = stock.source.read(record.record_id)
            with stock.source.download(record, record.containers[FULL]) as download:
                next(iter(download.chunks()))

    def test_files_on_our_own_disk_are_lent_as_they_are(self, stock: Stock) -> None:
        source = stock.source
        if not isinstance(source, LocalFiles):
            pytest.skip("this source's files come over the network")
        by_identity = {wanted.identity: wanted for wanted in stock.records}
        for record in self.all_of(stock):
            for name, data in by_identity[str(record.fields[stock.identity])].files.items():
                parcel, wrong = source.borrow(record, record.containers[name])
                assert (parcel.sha256, parcel.size, wrong) == (hashlib.sha256(data).hexdigest(), len(data), None)
                assert parcel.path.read_bytes() == data
                assert parcel.borrowed_at == parcel.path.stat().st_mtime_ns
                assert (parcel.held, parcel.body) == (None, parcel.path)
                for hold in (len(data) - 1, len(data), 1 << 30):
                    again, _ = source.borrow(record, record.containers[name], hold=hold)
                    assert again == parcel
                    fits = 0 < len(data) <= min(hold, 1 << 20)
                    assert (again.held, again.body) == ((data, data) if fits else (None, parcel.path))

    def test_many_threads_may_ask_at_once(self, stock: Stock) -> None:
        whole = [record.record_id for record in self.all_of(stock)]
        answers: list[list[str]] = []
        errors: list[BaseException] = []

        def ask() -> None:
            try:
                found = []
                for offset in range(1, len(whole) + 1, 2):
                    found += [record.record_id for record in stock.source.page(offset, 2).records]
                    stock.source.read(whole[offset - 1])
                answers.append(found)
            except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
                errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert errors == []
        assert len(answers) == 6
        assert all(one == other for one, other in pairwise([whole, *answers]))

    def test_it_may_be_closed_twice(self, stock: Stock) -> None:
        stock.source.close()
        stock.source.close()


def _filled(record: SourceRecord) -> set[str]:
    return {name for name, ref in record.containers.items() if ref.status is RefStatus.FILE}
