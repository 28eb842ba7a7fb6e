"""The doctor before a run from a disk: what would go wrong there is said first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.doctor.hosts import of, only, visited
from tests.fmp12 import writer
from tests.fmp12.writer import FieldSpec, FileSpec, ObjectSpec, RecordSpec, Ref, Styled, TableSpec
from tests.fmp12road.files import as_database
from tests.folder.exports import by_script
from tests.voyage.harness import FULL, PATH_ONLY, cargo, name_of, record
from unlade.doctor.lines import Examination, Line
from unlade.doctor.road import look_at_road
from unlade.importer import get_import
from unlade.options import RunOptions
from unlade.rigging import Rigging
from unlade.settings import Settings

pytestmark = pytest.mark.django_db


def seen(path: Path, folder: Path, *, expect: int | None = None) -> list[Line]:
    """What the doctor finds on this road for the clinic's images."""
    found = Examination()
    values = {"UNLADE_STORE": (folder / "store").as_uri(), "UNLADE_SPOOL": str(folder / "spool")}
    rig = Rigging(Settings(environ=values))
    look_at_road(found, [get_import("images")], rig, path, RunOptions(yes=True), expect=expect)
    return found.lines


def test_a_file_that_is_ready(tmp_path: Path) -> None:
    from clinic.patients.models import Patient

    Patient.objects.bulk_create(Patient(filemaker_id=name_of("patient", n), last_name="X") for n in range(6))
    lines = seen(as_database(cargo(12), tmp_path / "clinic.fmp12"), tmp_path, expect=12)
    assert {line.level for line in lines} == {"ok"}
    assert only(lines, "records").message == "12 records, 12 with a file"
    assert only(lines, "files").message.startswith("12 files inside the database")
    assert only(lines, "owners").message == "12 of 12 records find their patient"
    assert "are to be stored" in only(lines, "room").message


def test_what_would_end_badly_is_counted(tmp_path: Path) -> None:
    odd = {3: record(3, **{FULL: PATH_ONLY}), 4: record(4, **{FULL: ""}), 5: record(2, owner=1)}
    odd[5].record_id = "5"
    lines = seen(as_database(cargo(6, special=odd), tmp_path / "clinic.fmp12"), tmp_path, expect=7)
    said = [line.message for line in of(lines, "records")]
    assert "6 records are there; --expect says 7" in said
    assert "6 records, 4 with a file, 1 empty" in said
    assert any("1 record holds only a path" in message for message in said)
    assert any("1 record has an identity that another record has" in message for message in said)
    assert any("1 value with only a path" in line.message for line in of(lines, "files"))
    assert only(lines, "owners").message.startswith("there is no patient yet")


def test_a_field_that_is_on_the_layout_alone_is_missing(tmp_path: Path) -> None:
    lines = seen(as_database(cargo(2), tmp_path / "c.fmp12", left_out=("id_Contact",)), tmp_path)
    line = only(lines, "table")
    assert line.level == "error"
    assert "id_Contact" in line.message
    assert "Fields of other tables and layouts are not in a table" in line.remedy
    assert [line.topic for line in lines] == ["source", "source", "images table"]


def test_secure_storage_stops_before_it_fails(tmp_path: Path) -> None:
    names = ("id", "id_Contact", "Type", "Name of file", "date", "image_Full", "image_Ex_large", "image_large",
             "image_medium", "image_small")  # fmt: skip
    fields = [
        FieldSpec(n, name, "container" if name.startswith("image") else "text") for n, name in enumerate(names, 1)
    ]
    values: dict[tuple[int, int], Any] = {(1, 1): "A", (6, 1): Ref(1), (7, 1): Styled("image:x.jpg")}
    secure = ObjectSpec(1, {b"FNAM": writer.fnam(("image", "", "a.jpg")), b"REMO": bytes(16)})
    path = tmp_path / "secure.fmp12"
    writer.write(path, FileSpec([TableSpec(129, "Images", fields, [RecordSpec(1, values)], {}, [secure])]))
    lines = of(seen(path, tmp_path), "files")
    assert any(line.level == "error" and "1 value in secure storage" in line.message for line in lines)
    assert any("self-contained copy" in line.remedy for line in lines)


def test_open_storage_that_was_left_behind(tmp_path: Path) -> None:
    names = ("id", "id_Contact", "Type", "Name of file", "date", "image_Full", "image_Ex_large", "image_large",
             "image_medium", "image_small")  # fmt: skip
    fields = [
        FieldSpec(n, name, "container" if name.startswith("image") else "text", flags=0x30 * name.startswith("image"))
        for n, name in enumerate(names, 1)
    ]
    data = b"\xff\xd8\xff a picture"
    streams = writer.outside_streams(data, "far.jpg", "Images/photo/")
    records = [RecordSpec(1, {(1, 1): "A", (6, 1): Ref(1)})]
    path = tmp_path / "open.fmp12"
    objects = [ObjectSpec(1, streams, outside=data)]
    writer.write(path, FileSpec([TableSpec(129, "Images", fields, records, {}, objects)]))
    lines = of(seen(path, tmp_path), "files")
    assert any(line.level == "error" and "not where the database says" in line.message for line in lines)
    far = tmp_path / "Images" / "photo" / "far.jpg"
    far.parent.mkdir(parents=True)
    far.write_bytes(data)
    assert {line.level for line in of(seen(path, tmp_path), "files")} == {"ok"}


def test_what_is_no_readable_file_says_so(tmp_path: Path) -> None:
    assert only(seen(tmp_path / "gone.fmp12", tmp_path), "source").level == "error"
    (tmp_path / "text.fmp12").write_bytes(b"hello" * 5000)
    line = only(seen(tmp_path / "text.fmp12", tmp_path), "source")
    assert (line.level, line.remedy != "") == ("error", True)
    path = as_database(cargo(3), tmp_path / "cut.fmp12")
    path.write_bytes(path.read_bytes()[:-8192])
    assert [line.level for line in seen(path, tmp_path)][-1] == "error"


def test_a_folder_is_joined_before_the_run(tmp_path: Path) -> None:
    lines = seen(by_script(cargo(4), tmp_path / "export"), tmp_path)
    assert only(lines, "records").message == "4 files, 4 with a file"
    assert [line for line in lines if line.level == "error"] == []
    (tmp_path / "empty").mkdir()
    assert seen(tmp_path / "empty", tmp_path)[-1].level == "error"


def test_the_count_that_full_access_shows(tmp_path: Path) -> None:
    from fmsim import Simulator
    from tests.doctor.hosts import data_set, settings_for
    from tests.report.ledgers import plates
    from unlade.doctor.examine import look_there

    with Simulator(data_set()) as host:
        assert "12 records" in only(visited(host, tmp_path, plates()), "records").message
        found = Examination()
        look_there(found, [plates()], Rigging(settings_for(host, tmp_path)), expect=13)
    assert "this account sees 12 records; --expect says 13" in [line.message for line in found.lines]
