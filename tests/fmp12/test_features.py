"""Every feature of a file, one by one, on files made for it."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fmp12 import writer
from tests.fmp12.writer import FieldSpec, FileSpec, ObjectSpec, RecordSpec, Ref, Styled, TableSpec
from unlade.errors import ItemError, ReferenceOnly, Unreadable
from unlade.fmp12 import (
    DamagedObject,
    DatabaseFile,
    ObjectLost,
    OutsideMissing,
    SecureStorage,
    State,
    Storage,
    open_file,
)

PHOTO = [FieldSpec(1, "id"), FieldSpec(2, "photo", "container", repetitions=200)]


@pytest.fixture
def make(tmp_path: Path):
    @contextmanager
    def opened(spec: FileSpec, **options) -> Iterator[DatabaseFile]:
        path = tmp_path / "Clinic.fmp12"
        writer.write(path, spec)
        with open_file(path, **options) as database:
            yield database

    return opened


def images(values: dict, objects: list[ObjectSpec], **more) -> FileSpec:
    return FileSpec([TableSpec(129, "Images", PHOTO, [RecordSpec(17, values, 3)], {}, objects)], **more)


def test_a_record_and_its_file(make) -> None:
    data = random.Random(1).randbytes(123_456)
    thing = ObjectSpec(260, writer.picture(data, "Füße.jpg", (640, 480)) | {b"ROT8": b"\0\6", b"DPI_": b"\0\x48\0\x60"})
    with make(images({(1, 1): "a", (2, 1): Ref(260), (2, 130): Ref(260)}, [thing])) as database:
        (record,) = database.records(database.table("images"))
        assert (record.id, record.modification, record.complete, record.strays) == (17, 3, True, 0)
        assert record.values["id"].text == "a"
        assert list(record.containers) == ["photo", "photo(130)"]
        container = record.containers["photo"]
        assert str(container) == "Images, record 17, photo"
        found = database.object(container)
        assert found is not None
        assert (found.file_name, found.size, found.dpi, found.orientation) == ("Füße.jpg", (640, 480), (72, 96), 6)
        assert (found.main, found.stored_size) == ("JPEG", len(data))
        with database.open(container) as stream:
            assert stream.state is None
            assert stream.read() == data
            assert (stream.state, stream.size, stream.file_name) == (State.VERIFIED, len(data), "Füße.jpg")


def test_unknown_tables_and_fields_are_named(make) -> None:
    with make(images({}, [])) as database:
        with pytest.raises(KeyError, match="Images"):
            database.table("Documents")
        assert database.table("IMAGES").field("Photo").id == 2
        with pytest.raises(KeyError):
            database.table("Images").field("x")


def test_globals_and_calculations(make) -> None:
    fields = [
        FieldSpec(1, "logo", "container", is_global=True),
        FieldSpec(2, "name", is_global=True),
        FieldSpec(3, "thumb", "container", kind=2),
    ]
    table = TableSpec(
        200,
        "Settings",
        fields,
        [RecordSpec(1, {(3, 1): Ref(1)})],
        {(1, 1): Ref(2), (2, 1): "x"},
        [ObjectSpec(1, {b"JPEG": b"a"}), ObjectSpec(2, {b"PNGf": b"b"})],
    )
    with make(FileSpec([table])) as database:
        assert [str(one) for one in database.containers()] == ["Settings, record 1, thumb", "Settings, global, logo"]
        assert [one.record_name for one in database.containers()] == ["1", "global"]
        assert database.globals(database.tables[0]).values["name"].text == "x"
        assert [field.kind for field in database.tables[0].fields] == ["normal", "normal", "calculation"]
        assert all(database.state(one) is State.VERIFIED for one in database.containers())


def test_long_and_styled_texts(make) -> None:
    texts = {(1, 1): "日本語 " * 900, (1, 2): Styled("styled"), (1, 3): "x" * 200_000, (1, 4): Styled("")}
    spec = FileSpec([TableSpec(129, "T", [FieldSpec(1, "t", repetitions=9)], [RecordSpec(1, texts)])])
    for spec.manner in (0, 1, 2):
        with make(spec) as database:
            (record,) = database.records(database.tables[0])
            assert [value.text for value in record.values.values()] == ["日本語 " * 900, "styled", "x" * 200_000, ""]
            assert record.misfits == ()


def test_values_of_fields_that_are_gone_are_counted(make) -> None:
    with make(images({(9, 1): "left behind", (1, 1): "a"}, [])) as database:
        (record,) = database.records(database.tables[0])
        assert (list(record.values), record.strays) == (["id"], 1)


@pytest.mark.parametrize(
    ("cell", "objects", "error", "state"),
    [
        (Styled("file:IMG 1.jpg\rfilewin:/C:/IMG 1.jpg"), [], ReferenceOnly, State.REFERENCE_ONLY),
        (Styled("nothing\ue000"), [], Unreadable, State.UNREADABLE),
        (Ref(5), [], ObjectLost, State.OBJECT_MISSING),
        (Ref(5), [ObjectSpec(5, {b"REMO": bytes(8) + b"Secure/ab/\0", b"FNAM": writer.fnam(("image", "", "a.jpg"))})], SecureStorage, State.SECURE),
        (Ref(5), [ObjectSpec(5, {b"FNAM": writer.fnam(("image", "", "a.jpg"))})], DamagedObject, State.MISMATCH),
        (Ref(5), [ObjectSpec(5, {b"JPEG": b"x"}, digest=bytes(16))], DamagedObject, State.MISMATCH),
        (Ref(5), [ObjectSpec(5, writer.outside_streams(b"x", "a.jpg", "pics/"), outside=b"x")], OutsideMissing, State.OUTSIDE_MISSING),
    ],
)  # fmt: skip
def test_what_cannot_be_read_ends_with_a_reason_and_a_remedy(make, cell, objects, error, state) -> None:
    with make(images({(2, 1): cell}, objects, bases=("Clinic/",))) as database:
        (container,) = database.containers()
        with pytest.raises(error) as caught, database.open(container) as stream:
            stream.read()
        assert isinstance(caught.value, ItemError)
        assert "Images, record 17, photo" in str(caught.value)
        assert caught.value.remedy
        assert "IMG" not in str(caught.value)
        assert database.state(container) is state
        json.dumps(database.proof().as_json())


def test_left_over_objects_are_offered_apart(make) -> None:
    with make(
        images({(2, 1): Ref(1)}, [ObjectSpec(1, {b"JPEG": b"a"}), ObjectSpec(2, {b"JPEG": b"b"}, references=0)])
    ) as database:
        (thing,) = database.left_over(database.tables[0])
        assert thing.key == b"\2"
        with database.open_object(database.tables[0], thing) as stream:
            assert stream.read() == b"b"
        proof = database.proof()
        assert proof.ok and proof.left_over == 1


def test_reference_counts_that_differ_are_noted(make) -> None:
    with make(images({(2, 1): Ref(1)}, [ObjectSpec(1, {b"JPEG": b"a"}, references=4)])) as database:
        proof = database.proof()
        assert proof.ok
        assert "the file counts 4" in proof.notes[0]


def test_compressed_files(make) -> None:
    data = b"compressible " * 100_000
    with make(images({(2, 1): Ref(1)}, [ObjectSpec(1, {b"ZLIB": gzip.compress(data)})])) as database:
        (container,) = database.containers()
        with database.open(container) as stream:
            assert stream.size is None and not stream.seekable()
            assert stream.read() == data
            assert (stream.state, stream.size) == (State.VERIFIED, len(data))
    broken = gzip.compress(data)[:-20]
    with make(images({(2, 1): Ref(1)}, [ObjectSpec(1, {b"ZLIB": broken})])) as database:
        assert database.state(next(database.containers())) is State.MISMATCH


@pytest.mark.parametrize("where", ["Clinic/pics/a.jpg", "RC_Data_FMS/Clinic/pics/a.jpg", "pics/a.jpg"])
def test_open_storage_is_found_beside_the_file(make, tmp_path: Path, where: str) -> None:
    data = random.Random(2).randbytes(400_000)
    fields = [FieldSpec(2, "photo", "container", flags=0x30)]
    table = TableSpec(
        129,
        "Images",
        fields,
        [RecordSpec(1, {(2, 1): Ref(1)})],
        {},
        [ObjectSpec(1, writer.outside_streams(data, "a.jpg", "pics/", b"jpeg"), outside=data)],
    )
    (tmp_path / where).parent.mkdir(parents=True)
    (tmp_path / where).write_bytes(data)
    with make(FileSpec([table], bases=("Clinic/",))) as database:
        assert database.tables[0].fields[0].storage is Storage.OPEN
        (container,) = database.containers()
        with database.open(container) as stream:
            assert (stream.type, stream.size) == ("JPEG", len(data))
            stream.seek(399_990)
            assert stream.read() == data[-10:]
            stream.seek(0)
            assert stream.read() == data
            assert stream.state is State.VERIFIED_OUTSIDE
        assert database.proof().objects == {State.VERIFIED_OUTSIDE: 1}
        (tmp_path / where).write_bytes(data[:-1] + b"!")
        with database.open(container) as stream, pytest.raises(DamagedObject, match="is not the one"):
            stream.read()


def test_more_folders_for_open_storage(make, tmp_path: Path) -> None:
    (tmp_path / "backup" / "pics").mkdir(parents=True)
    (tmp_path / "backup" / "pics" / "a.jpg").write_bytes(b"x")
    thing = ObjectSpec(1, writer.outside_streams(b"x", "a.jpg", "pics/"), outside=b"x")
    with make(images({(2, 1): Ref(1)}, [thing]), outside=[tmp_path / "backup"]) as database:
        assert database.state(next(database.containers())) is State.VERIFIED_OUTSIDE


@pytest.mark.parametrize(
    ("directory", "name"),
    [("../", "a.jpg"), ("pics/", "../../a.jpg"), ("", ".."), ("C:/", "a.jpg"), ("link/", "a.jpg")],
)
def test_a_path_never_leads_out_of_its_folder(make, tmp_path: Path, directory: str, name: str) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    inner = tmp_path / "inner"
    (inner / "pics").mkdir(parents=True)
    (inner / "link").symlink_to(tmp_path)
    thing = ObjectSpec(1, writer.outside_streams(b"x", name, directory), outside=b"x")
    writer.write(inner / "b.fmp12", images({(2, 1): Ref(1)}, [thing], bases=("../",)))
    with open_file(inner / "b.fmp12") as database:
        assert database.state(next(database.containers())) is State.OUTSIDE_MISSING


def test_streams_seek_and_never_show_a_damaged_end(make) -> None:
    data = random.Random(3).randbytes(700_123)
    with make(images({(2, 1): Ref(1)}, [ObjectSpec(1, writer.picture(data))])) as database:
        stream = database.open(next(database.containers()))
        rng = random.Random(4)
        for _ in range(200):
            place, length = rng.randrange(len(data) + 10), rng.choice((0, 1, 999, 1000, 1001, 5000, 70_000))
            assert stream.seek(place) == stream.tell() == place
            assert stream.read(length) == data[place : place + length]
        assert stream.state is None
        assert stream.seek(-5, 2) == len(data) - 5 and stream.read() == data[-5:]
        assert stream.seek(0) == 0
        assert b"".join(iter(lambda: stream.read(77_777), b"")) == data
        assert stream.state is State.VERIFIED
    for flaw in ({"digest": bytes(16)}, {"references": 1}):
        with make(images({(2, 1): Ref(1)}, [ObjectSpec(1, writer.picture(data), **flaw)])) as database:
            got = bytearray()
            try:
                for chunk in database.open(next(database.containers())).chunks():
                    got += chunk
            except DamagedObject:
                assert len(got) < len(data)
                assert "digest" in flaw
            else:
                assert bytes(got) == data and "digest" not in flaw
    with make(images({(2, 1): Ref(1)}, [ObjectSpec(1, writer.picture(data), digest=bytes(16))])) as database:
        with database.open(next(database.containers()), keep_damaged=True) as kept:
            assert kept.read() == data
            assert (kept.state, bool(kept.why)) == (State.MISMATCH, True)
        proof = database.proof()
        assert not proof.ok and "NOT proven" in proof.line() and "object 01" in proof.line()


def test_several_readers_at_once(make) -> None:
    rng = random.Random(5)
    objects = [ObjectSpec(n, writer.picture(rng.randbytes(30_000), f"{n}.jpg")) for n in range(1, 40)]
    sums = {n.key: hashlib.sha256(n.streams[b"JPEG"]).hexdigest() for n in objects}
    records = [RecordSpec(n, {(2, 1): Ref(n)}) for n in range(1, 40)]
    with make(FileSpec([TableSpec(129, "Images", PHOTO, records, {}, objects)])) as database:
        from concurrent.futures import ThreadPoolExecutor

        def digest(container) -> tuple[int, str]:
            with database.open(container) as stream:
                return container.record, hashlib.sha256(stream.read()).hexdigest()

        with ThreadPoolExecutor(8) as pool:
            assert dict(pool.map(digest, [*database.containers(), *database.containers()])) == sums


def test_open_mark_is_a_warning(make) -> None:
    with make(images({(1, 1): "a"}, [], closed=False)) as database:
        assert database.header.closed is False
        assert "backup copy" in database.header.warnings[0]
        assert database.proof().ok


def test_the_table_s_own_list_of_records(make) -> None:
    fields = [FieldSpec(1, "a")]
    records = [RecordSpec(n, {}, 0) for n in (1, 2, 31, 32, 64, 7999)]
    with make(FileSpec([TableSpec(129, "T", fields, records)])) as database:
        assert [record.id for record in database.records(database.tables[0])] == [1, 2, 31, 32, 64, 7999]
        assert database.proof().listed_tables == 1 and database.proof().ok
    wrong = [((b"\x80\1", b"\x0d"), b"\0", (0b1110).to_bytes(4, "big"))]
    spec = FileSpec(
        [TableSpec(129, "T", fields, [RecordSpec(1, {(1, 1): "a"}), RecordSpec(2, {(1, 1): "b"})], listed=False)],
        extra=wrong,
    )
    with make(spec) as database:
        proof = database.proof()
        assert not proof.ok
        assert "1 records of its own list are not there, the first is 3" in proof.faults[0]
