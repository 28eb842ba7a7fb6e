"""Each rule of the format, broken alone: everything else about the file is right."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from tests.fmp12 import writer
from tests.fmp12.test_salvage import pages_of
from tests.fmp12.writer import FieldSpec, FileSpec, Layout, ObjectSpec, RecordSpec, Ref, TableSpec
from unlade.fmp12 import CutShort, DamagedFile, DamagedObject, State, open_file
from unlade.fmp12.index import index_leaves
from unlade.fmp12.pages import PageFile
from unlade.fmp12.tokens import leaf_entries

PAGE = 4096
PHOTO = FieldSpec(1, "photo", "container")


def records_file(tmp_path: Path, **layout) -> tuple[Path, bytearray]:
    records = [RecordSpec(n, {(1, 1): f"{n} " * 250, (2, 1): "x" * 700, (3, 1): "y" * 900}) for n in range(1, 41)]
    fields = [FieldSpec(n, f"f{n}") for n in (1, 2, 3)]
    spec = FileSpec([TableSpec(129, "T", fields, records)], layout=Layout(**layout))
    return tmp_path / "a.fmp12", bytearray(writer.build(spec))


def photo_file(tmp_path: Path, thing: ObjectSpec, **spec) -> tuple[Path, bytearray]:
    table = TableSpec(129, "T", [PHOTO], [RecordSpec(1, {(1, 1): Ref(thing.key)})], {}, [thing])
    return tmp_path / "a.fmp12", bytearray(writer.build(FileSpec([table], **spec)))


def state_of(path: Path, data: bytes) -> State:
    path.write_bytes(data)
    with open_file(path) as database:
        return database.state(next(database.containers()))


def test_each_leaf_leads_back(tmp_path: Path) -> None:
    path, data = records_file(tmp_path)
    data[9 * PAGE + 4 : 9 * PAGE + 8] = (3).to_bytes(4, "big")
    path.write_bytes(data)
    with open_file(path) as database, pytest.raises(DamagedFile, match=r"page 9 .*lead back"):
        list(database.records(database.tables[0]))


def test_keys_rise_from_leaf_to_leaf(tmp_path: Path) -> None:
    """Two leaves change what they hold, not their links: within each the order is right."""
    path, data = records_file(tmp_path)
    for part in (slice(14, 16), slice(20, PAGE)):
        one, two = bytes(data[9 * PAGE : 10 * PAGE][part]), bytes(data[10 * PAGE : 11 * PAGE][part])
        data[9 * PAGE + part.start : 9 * PAGE + part.stop] = two
        data[10 * PAGE + part.start : 10 * PAGE + part.stop] = one
    path.write_bytes(data)
    with open_file(path) as database:
        proof = database.proof()
        assert not proof.keys_in_order
        assert "page 10 " in proof.line() and "out of order with the leaf before" in proof.line()


def test_every_leaf_is_in_the_chain(tmp_path: Path) -> None:
    path, data = records_file(tmp_path, free_pages=1)
    last = len(data) - PAGE
    data[last + 12 : last + 14] = b"\0\0"
    path.write_bytes(data)
    with open_file(path) as database:
        proof = database.proof()
        assert proof.chain_is_index and not proof.all_leaves_in_chain
        assert proof.faults == [f"Page {last // PAGE} is a leaf that is not in the chain."]


def test_the_file_is_as_long_as_it_says(tmp_path: Path) -> None:
    path, data = records_file(tmp_path)
    path.write_bytes(data[:-PAGE])
    with pytest.raises(CutShort, match=f"should have {len(data)} by its own word"):
        open_file(path)
    path.write_bytes(data + bytes(PAGE))
    with pytest.raises(CutShort, match="should have"):
        open_file(path)


def test_an_index_visits_no_more_pages_than_there_are(tmp_path: Path) -> None:
    path, data = records_file(tmp_path)
    page = writer.index_payload([((bytes([n]),), 2) for n in range(1, 200)], root=True)
    data[PAGE : 2 * PAGE] = writer.page_bytes(page, 0, len(data) // PAGE - 1, 1)
    path.write_bytes(data)
    with PageFile(path) as file, pytest.raises(DamagedFile, match="circles"):
        list(index_leaves(file))


def test_texts_have_the_characters_that_are_stated(tmp_path: Path) -> None:
    text = "日本" * 300
    writer.write(
        tmp_path / "a.fmp12", FileSpec([TableSpec(129, "T", [FieldSpec(1, "a")], [RecordSpec(1, {(1, 1): text})])])
    )
    data = (tmp_path / "a.fmp12").read_bytes()
    right, wrong = struct.pack(">II", 1201, 600), struct.pack(">II", 1201, 599)
    assert data.count(right) == 1
    (tmp_path / "a.fmp12").write_bytes(data.replace(right, wrong))
    with open_file(tmp_path / "a.fmp12") as database:
        (record,) = database.records(database.tables[0])
        assert (record.complete, record.values["a"].damaged, record.values["a"].text) == (False, True, text)
        assert not database.proof().ok


def test_streams_are_as_long_as_the_list_says(tmp_path: Path) -> None:
    """The MD5 alone would not see a byte that moves from one stream to the next."""
    path, data = photo_file(tmp_path, ObjectSpec(1, {b"JPEG": b"abc", b"SIZE": b"\0\1\0\2"}))
    assert state_of(path, data) is State.VERIFIED
    assert state_of(path, data.replace(b"JPEG\0\0\0\3", b"JPEG\0\0\0\4")) is State.MISMATCH
    assert state_of(path, data.replace(b"JPEG\0\0\0\3", b"JPEH\0\0\0\3")) is State.MISMATCH


def test_segments_are_whole(tmp_path: Path) -> None:
    """A short part in the middle is refused even where all bytes are there and fit the MD5."""
    content = bytes(range(250)) * 58
    digest = hashlib.md5(b"JPEG" + content).digest()
    where = (b"\x80\x01", b"\x1f", b"\x05", b"\x01")
    node = (*where, b"JPEG")
    short = [[1000] * place + [500] + [1000] * (14 - place) for place in range(15)]
    for cuts in (short[14], [1000, 2000] + [1000] * 11 + [500], *short):
        items = [
            (where, b"\x02", b"\0\1JPEG" + struct.pack(">I", len(content))),
            (where, b"\x04", digest),
            (node, b"\0", struct.pack(">I", len(content))),
        ]
        place = 0
        for number, size in enumerate(cuts, 1):
            items.append((node, writer.integer(number), content[place : place + size]))
            place += size
        assert place == len(content)
        table = TableSpec(129, "T", [PHOTO], [RecordSpec(1, {(1, 1): Ref(1)})])
        data = writer.build(FileSpec([table], extra=items))
        expected = State.VERIFIED if cuts == short[14] else State.MISMATCH
        assert state_of(tmp_path / "a.fmp12", data) is expected, cuts


def test_an_outside_file_fits_the_object_s_md5_as_well(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    thing = ObjectSpec(1, writer.outside_streams(b"x", "a.jpg", ""), outside=b"x")
    path, data = photo_file(tmp_path, thing)
    assert state_of(path, data) is State.VERIFIED_OUTSIDE
    path, data = photo_file(tmp_path, ObjectSpec(1, thing.streams, digest=bytes(16), outside=b"x"))
    assert state_of(path, data) is State.MISMATCH


@pytest.mark.parametrize("name", ["a\\b.jpg", "C:b.jpg"])
def test_names_that_are_paths_elsewhere_are_refused_here_too(tmp_path: Path, name: str) -> None:
    try:
        (tmp_path / name).write_bytes(b"x")
    except OSError:
        pytest.skip("this system has no such names")
    path, data = photo_file(tmp_path, ObjectSpec(1, writer.outside_streams(b"x", name, ""), outside=b"x"))
    assert state_of(path, data) is State.OUTSIDE_MISSING


def test_values_that_name_no_object_are_faults(tmp_path: Path) -> None:
    writer.write(tmp_path / "a.fmp12", FileSpec([TableSpec(129, "T", [PHOTO], [RecordSpec(1, {(1, 1): Ref(260)})])]))
    with open_file(tmp_path / "a.fmp12") as database:
        assert database.proof().faults == ["T: a value names object 8084, which the file does not hold."]


def test_salvage_names_exactly_the_records_that_a_page_touched(tmp_path: Path) -> None:
    """Records of three values that straddle pages: what is wholly in the lost page is lost, what is partly in it torn."""
    path, data = records_file(tmp_path, shuffle=4)
    for page in pages_of(bytes(data), b"\5")[1:6]:
        raw = bytes(data[page * PAGE : (page + 1) * PAGE])
        inside: dict[int, set] = {}
        for where, key, _ in leaf_entries(raw, PAGE - int.from_bytes(raw[14:16], "big"), page):
            inside.setdefault(where[2][0], set()).add(key)
        whole = {number for number, keys in inside.items() if len(keys) == 4}
        torn = set(inside) - whole
        path.write_bytes(data[: page * PAGE] + b"\xee" * PAGE + data[(page + 1) * PAGE :])
        with open_file(path, salvage=True) as database:
            report = database.salvage_report()
            assert report is not None
            numbers = {
                kind: {int(line.rsplit(" ", 1)[1]) for line in getattr(report, kind)}
                for kind in ("records", "lost_records")
            }
        assert numbers["lost_records"] == whole
        assert torn <= numbers["records"] <= torn | {min(inside) - 1, max(inside) + 1}


def test_a_page_with_a_wrong_address_costs_only_itself(tmp_path: Path) -> None:
    """Its keys rise, but they claim to be of a later record: the pages behind it are the majority."""
    path, data = records_file(tmp_path, fill=1000)
    page = pages_of(bytes(data), b"\5")[20]
    raw = bytes(data[page * PAGE : (page + 1) * PAGE])
    entries = leaf_entries(raw, PAGE - int.from_bytes(raw[14:16], "big"), page)
    number = entries[0][0][2]
    opening = b"\x28\x80\x01\x20\x05\x20" + number
    assert raw[20 : 20 + len(opening)] == opening and len({path[2] for path, _, _ in entries}) == 1
    data[page * PAGE + 20 + len(opening) - 1] = 0x77
    path.write_bytes(data)
    with open_file(path, salvage=True) as database:
        report = database.salvage_report()
        assert report is not None
        assert [(lost.page, "neighbours" in lost.why) for lost in report.pages] == [(page, True)]
        assert f"T, record {number[0]}" in report.records
        assert {record.id for record in database.records(database.tables[0])} == set(range(1, 41))


def test_random_access_to_what_is_not_there(tmp_path: Path) -> None:
    path, data = photo_file(tmp_path, ObjectSpec(1, {b"JPEG": bytes(9000)}))
    # The list and the header claim more than there is.
    path.write_bytes(data.replace(struct.pack(">I", 9000), struct.pack(">I", 90000)))
    with open_file(path) as database:
        stream = database.open(next(database.containers()), keep_damaged=True)
        stream.seek(8990)
        assert stream.read(10) == bytes(10)
        with pytest.raises(DamagedObject):
            stream.read(10)
