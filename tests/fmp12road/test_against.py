"""A finished import against the database file: exactly the sabotage is named, no more and no less."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from fmsim import DataSet
from tests.fmp12 import writer
from tests.fmp12.writer import FileSpec, ObjectSpec, RecordSpec, Ref, TableSpec
from tests.fmp12road.files import NAMES, as_database, fields
from tests.voyage.harness import FULL, LESSER, PATH_ONLY, ROOT, Port, PortMaker, cargo, jpeg, photo, raw
from tests.voyage.harness import record as make_record
from unlade.against import Against, compare
from unlade.fileroad import open_database
from unlade.importer import get_import
from unlade.ledger.events import DAMAGED
from unlade.options import RunOptions


def against(port: Port, *paths: Path, **more: Any) -> Against:
    importer = get_import("images")
    with ExitStack() as stack:
        store = stack.enter_context(closing(port.store))
        files = [stack.enter_context(closing(open_database(path, importer, RunOptions(yes=True)))) for path in paths]
        return compare(importer, store, *files, **more)


def kinds(found: Against) -> set[tuple[str, str]]:
    return {(one.kind, one.record_id) for one in found.findings}


def stored(port: Port, number: int) -> Path:
    return port.folder / "store" / port.items()[str(number)].key


@pytest.mark.parametrize("by", ["api", "file"])
def test_exactly_the_sabotage(make_port: PortMaker, tmp_path: Path, by: str) -> None:
    from clinic.images.models import Image

    data = cargo(24, special={24: make_record(24, **{FULL: ""})})
    path = as_database(data, tmp_path / "Clinic.fmp12")
    with make_port(data) as port:
        port.run(**({} if by == "api" else {"from_path": str(path), "yes": True}))
        asked = port.sim.stats()["requests"]
        untouched = against(port, path)
        assert untouched.findings == [] and untouched.exit_code == 0
        assert (untouched.same, untouched.empty, untouched.found) == (23, 1, 24)
        assert untouched.line().startswith("24 of 24 records agree with Clinic.fmp12: 23 are stored byte for byte")
        flipped = bytearray(stored(port, 2).read_bytes())
        flipped[500] ^= 1
        stored(port, 2).chmod(0o600)
        stored(port, 2).write_bytes(flipped)
        stored(port, 5).unlink()
        items = port.items()
        one, other = (Image.objects.get(pk=items[number].row) for number in ("8", "12"))
        assert one.batch.patient_id != other.batch.patient_id
        one.batch_id, other.batch_id = other.batch_id, one.batch_id
        one.save()
        other.save()
        Image.objects.get(pk=items["17"].row).delete()
        found = against(port, path)
        assert kinds(found) == {
            ("object_differs", "2"),
            ("object_missing", "5"),
            ("row_owner", "8"),
            ("row_owner", "12"),
            ("row_missing", "17"),
        }
        assert (found.same, found.exit_code) == (18, 1)
        assert port.sim.stats()["requests"] == asked


def test_the_command(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(4)
    path = as_database(data, tmp_path / "Clinic.fmp12")
    with make_port(data) as port:
        port.run()
        environ = {**os.environ, **port.settings(), "DJANGO_DEBUG": "1"}

        def verify(*more: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "manage.py", "filemaker_verify", "images", "--against", str(path), *more]
            return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

        assert verify().returncode == 2
        proven = verify("--yes")
        assert (proven.returncode, "4 of 4 records agree" in proven.stdout) == (0, True), proven.stderr
        stored(port, 3).unlink()
        told = verify("--yes", "--json")
        assert (told.returncode, json.loads(told.stdout)["counts"]) == (1, {"object_missing": 1}), told.stderr
        said = verify("--yes").stdout
        assert "record 3: its object is gone" in said and "images 3 --again && " in said and "--from" in said


def test_what_was_never_imported_or_is_better_in_the_file(make_port: PortMaker, tmp_path: Path) -> None:
    thin = cargo(6, special={3: make_record(3, **{FULL: ""}), 4: make_record(4, **{LESSER: photo("small")})})
    full = cargo(7, special={4: make_record(4, **{FULL: photo("large"), LESSER: photo("small")})})
    path = as_database(full, tmp_path / "Clinic.fmp12")
    with make_port(thin) as port:
        port.run()
        assert kinds(against(port, path)) == {("left_out", "3"), ("better_in_file", "4"), ("not_imported", "7")}
        short = as_database(
            cargo(5, special={3: thin.tables["Images"][2], 4: full.tables["Images"][3]}), tmp_path / "S.fmp12"
        )
        found = against(port, short)
        assert kinds(found) == {("better_in_file", "4"), ("not_in_file", "6")}


def test_damage_and_references_prove_nothing(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(4)
    file_data = cargo(4, special={3: make_record(3, **{FULL: PATH_ONLY})})
    path = as_database(file_data, tmp_path / "Clinic.fmp12", damaged=[("2", FULL)])
    with make_port(data) as port:
        port.run()
        found = against(port, path)
        assert kinds(found) == {("unproven", "2"), ("unproven", "3")}
        assert (found.same, found.exit_code) == (2, 0)


def renditions(data: DataSet, path: Path, number: int, preview: bytes) -> Path:
    """The record's object holds a preview besides its file."""
    row = data.tables["Images"][number - 1]
    values = {(at, 1): str(row.values[name]) for at, name in enumerate(NAMES, 1) if row.values[name] and name != FULL}
    values[NAMES.index(FULL) + 1, 1] = Ref(1)  # type: ignore[assignment]
    streams = {**writer.picture(jpeg("the original"), "IMG.jpg", type_=b"TIFF"), b"JPEG": preview, b"MAIN": b"TIFF"}
    table = TableSpec(129, "Images", fields(), [RecordSpec(number, values)], {}, [ObjectSpec(1, streams)])  # type: ignore[arg-type]
    writer.write(path, FileSpec([table]))
    return path


def test_another_rendition_is_told_from_other_bytes(make_port: PortMaker, tmp_path: Path) -> None:
    preview = jpeg("what the host served")
    data = cargo(1, special={1: make_record(1, **{FULL: photo("what the host served")})})
    with make_port(data) as port:
        port.run()
        found = against(port, renditions(data, tmp_path / "A.fmp12", 1, preview))
        assert (kinds(found), found.exit_code) == ({("another_rendition", "1")}, 0)
        found = against(port, renditions(data, tmp_path / "B.fmp12", 1, jpeg("something else")))
        assert (kinds(found), found.exit_code) == ({("different", "1")}, 1)


def test_what_was_read_is_proven_and_a_broken_comparison_goes_on(make_port: PortMaker, tmp_path: Path) -> None:
    from clinic.images.models import Image

    data = cargo(430)
    path = as_database(data, tmp_path / "Clinic.fmp12")
    with make_port(data) as port:
        port.run(from_path=str(path), yes=True, batch_size=200)
        stored(port, 7).write_bytes(b"other bytes")

        class Enough(Exception):
            pass

        def stop(done: int, total: int, size: int) -> None:
            if done >= 200:
                raise Enough

        with pytest.raises(Enough):
            against(port, path, tick=stop)
        proven = {number for number, item in port.items().items() if item.proven_at}
        assert proven == {str(number) for number in range(1, 201)} - {"7"}
        stored(port, 300).write_bytes(b"other bytes")
        Image.objects.get(pk=port.items()["9"].row).delete()
        rest = against(port, path)
        assert kinds(rest) == {("object_differs", "7"), ("row_missing", "9"), ("object_differs", "300")}
        assert (rest.before, rest.same) == (199, 427)
        assert sum(item.proven_at is not None for item in port.items().values()) == 428
        anew = against(port, path)
        assert (anew.before, kinds(anew)) == (0, kinds(rest))
        damaged = port.items()["7"].events.filter(what=DAMAGED)
        assert damaged.count() >= 1


def test_several_files_hold_one_table(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(9)
    rows = data.tables["Images"]
    whole = as_database(data, tmp_path / "All.fmp12")
    data.tables["Images"] = rows[:5]
    one = as_database(data, tmp_path / "A.fmp12")
    data.tables["Images"] = rows[5:8]
    other = as_database(data, tmp_path / "B.fmp12")
    data.tables["Images"] = rows
    with make_port(data) as port:
        port.run(from_path=str(whole), yes=True)
        found = against(port, one, other)
        assert (kinds(found), found.same, found.found, found.exit_code) == ({("not_in_file", "9")}, 8, 8, 0)
        assert found.file == "A.fmp12 and B.fmp12"


def test_better_bytes_in_the_file_are_named(make_port: PortMaker, tmp_path: Path) -> None:
    """A lesser copy and a quarantined one over the API, whole in the file; and the same damage in both."""
    cut = {number: raw(jpeg(f"picture {number}", 4000)[:-700]) for number in (2, 3, 4)}
    special = {
        2: make_record(2, **{FULL: cut[2], LESSER: photo("lesser 2")}),
        3: make_record(3, **{FULL: cut[3]}),
        4: make_record(4, **{FULL: cut[4], LESSER: photo("lesser 4")}),
    }
    whole = {
        **special,
        2: make_record(2, **{FULL: photo("picture 2", 4000), LESSER: photo("lesser 2")}),
        3: make_record(3, **{FULL: photo("picture 3", 4000)}),
    }
    path = as_database(cargo(5, special=whole), tmp_path / "Clinic.fmp12")
    with make_port(cargo(5, special=special)) as port:
        port.run()
        before = {number: (item.state, item.key, item.sha256) for number, item in port.items().items()}
        ended = port.run(from_path=str(path), yes=True)
        assert (ended["this_run"]["imported"], ended["this_run"]["skipped"]) == (0, 5)
        assert {number: (item.state, item.key, item.sha256) for number, item in port.items().items()} == before
        found = against(port, path)
        assert kinds(found) == {("better_in_file", "2"), ("better_in_file", "3")}
        assert found.same == 3
        # What the command tells to type takes the quarantined one over; a lesser copy is not replaced by itself.
        environ = {**os.environ, **port.settings(), "DJANGO_DEBUG": "1"}
        command = [sys.executable, "manage.py", "filemaker_resolve", "images", "3", "--again"]
        subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=True)
        ended = port.run(from_path=str(path), yes=True)
        assert (ended["this_run"]["imported"], ended["totals"]["imported"]) == (1, 5)
        assert kinds(against(port, path)) == {("better_in_file", "2")}
