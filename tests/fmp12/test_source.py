"""A table of a file as a source: the seam's promises, and what is said before anything starts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.fmp12 import writer
from tests.fmp12.writer import FieldSpec, FileSpec, ObjectSpec, RecordSpec, Ref, Styled, TableSpec
from unlade.cargo import RefStatus, Road
from unlade.errors import FieldMissing, LayoutMissing, RecordGone, ReferenceOnly, UsageError
from unlade.fmp12 import DamagedObject, FileSource, State, choose_table, open_file
from unlade.source import Source

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FIELDS = [
    FieldSpec(1, "id"),
    FieldSpec(2, "photo", "container", repetitions=2),
    FieldSpec(3, "taken", "date"),
    FieldSpec(4, "weight", "number"),
    FieldSpec(5, "sum", "number", kind=3),
    FieldSpec(6, "thumb", "container", kind=2),
]
COUNT = 1200


@pytest.fixture
def source(tmp_path: Path) -> Iterator[FileSource]:
    records = [
        RecordSpec(
            n * 2, {(1, 1): f"id {n}", (2, 1): Ref(n % 3 + 1), (3, 1): "5/31/2024", (4, 1): "1.50", (6, 1): Ref(1)}, n
        )
        for n in range(1, COUNT + 1)
    ]
    records[1].values.update({(2, 1): Styled("file:x.jpg"), (2, 2): Ref(4), (3, 1): "?", (4, 1): "7"})
    objects = [ObjectSpec(n, writer.picture(random.Random(n).randbytes(5000), f"{n}.jpg")) for n in (1, 2, 3)]
    objects.append(ObjectSpec(4, writer.picture(b"x" * 5000), digest=bytes(16)))
    tables = [TableSpec(129, "Images", FIELDS, records, {}, objects), TableSpec(130, "Notes", [FieldSpec(1, "id")])]
    writer.write(tmp_path / "Clinic.fmp12", FileSpec(tables))
    database = open_file(tmp_path / "Clinic.fmp12")
    made = FileSource(
        database, database.table("images"), containers=["Photo", "photo(2)"], fields=["ID"], clock=lambda: NOW
    )
    yield made
    made.close()
    made.close()


def test_it_is_a_source(source: FileSource) -> None:
    assert isinstance(source, Source)
    assert source.road is Road.FILE
    assert (source.count().found, source.count().total, source.count().count_is) == (COUNT, COUNT, "records")


@pytest.mark.parametrize("limit", [2, 7, 100, 5000])
def test_pages_that_overlap_by_one_see_every_record_once(source: FileSource, limit: int) -> None:
    seen: list[str] = []
    offset = 1
    while len(seen) < COUNT:
        page = source.page(offset, limit)
        ids = [record.record_id for record in page.records]
        assert page.offset == offset and page.count.found == COUNT
        assert not seen or ids[0] == seen[-1]
        seen += ids if not seen else ids[1:]
        offset = len(seen)
    assert seen == [str(n * 2) for n in range(1, COUNT + 1)]
    assert source.page(COUNT + 1, limit).records == ()


def test_pages_in_any_order(source: FileSource) -> None:
    rng = random.Random(1)
    for _ in range(60):
        offset, limit = rng.randrange(1, COUNT + 20), rng.randrange(1, 30)
        expected = [str(n * 2) for n in range(offset, min(offset + limit, COUNT + 1))]
        assert [record.record_id for record in source.page(offset, limit).records] == expected


def test_a_record_as_the_api_would_tell_it(source: FileSource) -> None:
    first, second = source.page(1, 2).records
    assert (first.record_id, first.mod_id, first.read_at) == ("2", "1", NOW)
    assert first.fields == {"id": "id 1", "taken": "2024-05-31", "weight": Decimal("1.50"), "sum": ""}
    assert (second.fields["taken"], second.fields["weight"]) == ("?", 7)
    assert list(first.containers) == ["Photo", "photo(2)"]
    photo = first.containers["Photo"]
    assert (photo.status, photo.name, photo.size) == (RefStatus.FILE, "2.jpg", 5000)
    assert photo.locator not in repr(photo)
    assert first.containers["photo(2)"].status is RefStatus.EMPTY
    assert second.containers["Photo"].status is RefStatus.REFERENCE
    assert source.read("4").fields == second.fields


def test_downloads(source: FileSource) -> None:
    first, second = source.page(1, 2).records
    with source.download(first, first.containers["Photo"], resume_at=1000) as download:
        assert (download.content_length, download.name, download.resumed_at) == (5000, "2.jpg", 0)
        assert b"".join(download.chunks()) == random.Random(2).randbytes(5000)
        assert download.wire.total == 0
    with pytest.raises(ReferenceOnly), source.download(second, second.containers["Photo"]):
        pass
    with source.download(second, second.containers["photo(2)"]) as download, pytest.raises(DamagedObject):
        list(download.chunks())
    keeping = FileSource(source.database, source.table, containers=["photo(2)"], keep_damaged=True)
    with keeping.download(second, second.containers["photo(2)"]) as download:
        assert b"".join(download.chunks()) == b"x" * 5000
        assert download.state is State.MISMATCH
    with pytest.raises(RecordGone), source.download(first, first.containers["photo(2)"]):
        pass


@pytest.mark.parametrize("number", ["3", "999999999", "x", "-1", "0"])
def test_records_that_are_not_there(source: FileSource, number: str) -> None:
    with pytest.raises(RecordGone):
        source.read(number)


def test_declarations_are_checked_before_anything_starts(source: FileSource) -> None:
    database = source.database
    images = database.table("Images")
    with pytest.raises(FieldMissing, match="Patients::name"):
        FileSource(database, images, fields=["Patients::name"])
    with pytest.raises(FieldMissing, match="does not store"):
        FileSource(database, images, fields=["sum"])
    assert FileSource(database, images, containers=["thumb"]).page(1, 1).records[0].containers["thumb"].name == "1.jpg"
    assert choose_table(database, "IMAGES", []) == images
    assert choose_table(database, "", ["id", "photo(2)"]) == images
    with pytest.raises(LayoutMissing, match="no table Docs"):
        choose_table(database, "Docs", [])
    with pytest.raises(UsageError, match="Images, Notes"):
        choose_table(database, "", ["id"])
    with pytest.raises(LayoutMissing, match="Images lacks pdf"):
        choose_table(database, "", ["id", "photo", "pdf"])
