"""Damage in known places: the strict reader names the page, salvage names what is lost, and only that."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tests.fmp12 import writer
from tests.fmp12.writer import FieldSpec, FileSpec, ObjectSpec, RecordSpec, Ref, TableSpec
from unlade.fmp12 import DamagedFile, DatabaseFile, State, open_file
from unlade.fmp12.tokens import leaf_entries

PAGE = 4096
COUNT = 60


def clinic(shuffle: int | None = 8) -> bytes:
    """60 records of about 500 bytes in table Images, each with a picture of about 9 KB."""
    rng = random.Random(1)
    fields = [FieldSpec(1, "note"), FieldSpec(2, "photo", "container")]
    records = [RecordSpec(n, {(1, 1): f"note {n} " * 60, (2, 1): Ref(n)}) for n in range(1, COUNT + 1)]
    objects = [ObjectSpec(n, writer.picture(rng.randbytes(9000), f"{n}.jpg")) for n in range(1, COUNT + 1)]
    return writer.build(
        FileSpec([TableSpec(129, "Images", fields, records, {}, objects)], layout=writer.Layout(shuffle, 1, 9))
    )


def pages_of(data: bytes, part: bytes) -> list[int]:
    """Leaves that hold nothing but entries of that part of the table, in the file's order of pages."""
    found = []
    for number in range(2, len(data) // PAGE):
        page = data[number * PAGE : (number + 1) * PAGE]
        if page[12:14] == b"\0\0":
            entries = leaf_entries(page, PAGE - int.from_bytes(page[14:16], "big"), number)
            if all(path[:2] == (b"\x80\1", part) for path, _, _ in entries):
                found.append(number)
    return found


def wreck(data: bytes, page: int) -> bytes:
    return data[: page * PAGE] + b"\xee" * PAGE + data[(page + 1) * PAGE :]


def save(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "Clinic.fmp12"
    path.write_bytes(data)
    return path


def ids(database: DatabaseFile) -> list[int]:
    return [record.id or 0 for record in database.records(database.tables[0])]


def test_a_lost_page_of_records(tmp_path: Path) -> None:
    data = clinic()
    page = pages_of(data, b"\5")[1]
    path = save(tmp_path, wreck(data, page))
    with open_file(path) as database:
        with pytest.raises(DamagedFile, match=f"page {page} "):
            ids(database)
        proof = database.proof()
        assert not proof.ok and any(f"page {page} " in fault for fault in proof.faults)
    with open_file(path, salvage=True) as database:
        report = database.salvage_report()
        assert report is not None
        assert [lost.page for lost in report.pages] == [page]
        gone = [int(line.rsplit(" ", 1)[1]) for line in report.lost_records]
        assert gone and sorted(gone + ids(database)) == list(range(1, COUNT + 1))
        torn = [int(line.rsplit(" ", 1)[1]) for line in report.records]
        # Whole records next to the hole may have lost their end or their beginning; nobody else.
        assert set(torn) <= {min(gone) - 1, max(gone) + 1}
        (hole,) = report.holes
        assert "record" in hole.after and "record" in hole.before
        # Objects whose records are lost are all there.
        assert report.values == [] and report.objects == []
        assert not report.nothing_lost and "1 pages" in report.line()


def test_a_lost_page_of_objects_loses_just_those_files(tmp_path: Path) -> None:
    data = clinic()
    page = pages_of(data, b"\x1f")[7]
    raw = data[page * PAGE : (page + 1) * PAGE]
    touched = {path[3][0] for path, _, _ in leaf_entries(raw, PAGE - int.from_bytes(raw[14:16], "big"), page)}
    with open_file(save(tmp_path, wreck(data, page)), salvage=True) as database:
        assert ids(database) == list(range(1, COUNT + 1))
        bad = {one.record for one in database.containers() if database.state(one) is not State.VERIFIED}
        assert bad == touched
        report = database.salvage_report()
        assert report is not None
        assert report.values == [f"Images, record {number}, photo" for number in sorted(touched)]
        assert report.records == [] and report.lost_records == []


def test_swapped_pages_lose_nothing(tmp_path: Path) -> None:
    data = bytearray(clinic())
    one, two = pages_of(bytes(data), b"\5")[0], pages_of(bytes(data), b"\x1f")[11]
    page = data[one * PAGE : (one + 1) * PAGE]
    data[one * PAGE : (one + 1) * PAGE] = data[two * PAGE : (two + 1) * PAGE]
    data[two * PAGE : (two + 1) * PAGE] = page
    path = save(tmp_path, bytes(data))
    with open_file(path) as database:
        assert not database.proof().ok
    with open_file(path, salvage=True) as database:
        report = database.salvage_report()
        assert report is not None
        assert report.nothing_lost, report
        assert all(database.state(one) is State.VERIFIED for one in database.containers())


@pytest.mark.parametrize("shuffle", [None, 3])
def test_a_file_that_was_cut(tmp_path: Path, shuffle: int | None) -> None:
    data = clinic(shuffle)
    with open_file(save(tmp_path, data[: len(data) * 2 // 3 + 100]), salvage=True) as database:
        report = database.salvage_report()
        assert report is not None
        assert report.pages_behind_end == len(data) // PAGE - (len(data) * 2 // 3 + 100) // PAGE
        assert f"ends {report.pages_behind_end} pages early" in report.line()
        assert report.values
        good = {one.record for one in database.containers() if database.state(one) is State.VERIFIED}
        named = {int(re.findall(r"record (\d+)", line)[0]) for line in report.values}
        assert good and not good & named


def test_a_broken_root_costs_nothing(tmp_path: Path) -> None:
    path = save(tmp_path, wreck(clinic(), 1))
    with open_file(path, salvage=True) as database:
        assert ids(database) == list(range(1, COUNT + 1))
        assert all(database.state(one) is State.VERIFIED for one in database.containers())


def test_a_page_that_is_there_twice(tmp_path: Path) -> None:
    data = clinic()
    one, two = pages_of(data, b"\5")[:2]
    data = data[: two * PAGE] + data[one * PAGE : (one + 1) * PAGE] + data[(two + 1) * PAGE :]
    with open_file(save(tmp_path, data), salvage=True) as database:
        report = database.salvage_report()
        assert report is not None
        assert [lost.page for lost in report.pages] in ([one], [two])
        assert report.lost_records
        assert len(set(ids(database))) == len(ids(database))


def test_a_chain_that_runs_in_circles_ends(tmp_path: Path) -> None:
    data = bytearray(clinic(None))
    # The last leaf leads back to an earlier one, and that one agrees.
    last = next(n for n in range(2, len(data) // PAGE) if data[n * PAGE + 8 : n * PAGE + 12] == bytes(4) and n > 2)
    data[last * PAGE + 8 : last * PAGE + 12] = (5).to_bytes(4, "big")
    data[5 * PAGE + 4 : 5 * PAGE + 8] = last.to_bytes(4, "big")
    path = save(tmp_path, bytes(data))
    with open_file(path) as database:
        assert not database.proof().ok
    with open_file(path, salvage=True) as database:
        assert ids(database) == list(range(1, COUNT + 1))


def test_salvage_of_a_sound_file_says_so(tmp_path: Path) -> None:
    with open_file(save(tmp_path, clinic()), salvage=True) as database:
        report = database.salvage_report()
        assert report is not None
        assert report.nothing_lost
        assert report.line() == f"Nothing is lost: every page is sound, {COUNT} records."
        assert report.as_json()["nothing_lost"] is True
    with open_file(tmp_path / "Clinic.fmp12") as database:
        assert database.salvage_report() is None


def test_a_wrong_index_never_hides_an_entry(tmp_path: Path) -> None:
    """Separators that are a little off lead to a neighbour; the reader walks back to where it must begin."""
    data = bytearray(clinic(None))
    for number in range(1, len(data) // PAGE):
        level = int.from_bytes(data[number * PAGE + 12 : number * PAGE + 14], "big")
        if level == 1:
            # Each child pointer one leaf too far to the right.
            page = data[number * PAGE : (number + 1) * PAGE]
            for place in range(20, 4090):
                child = int.from_bytes(page[place : place + 4], "big")
                if page[place - 1 : place] != b"\0" and 2 <= child < 60 and page[place : place + 3] == b"\0\0\0":
                    data[number * PAGE + place + 3] = child + 1
    path = save(tmp_path, bytes(data))
    assert path.read_bytes() != clinic(None)
    with open_file(path) as database:
        assert ids(database) == list(range(1, COUNT + 1))
        assert not database.proof().chain_is_index
