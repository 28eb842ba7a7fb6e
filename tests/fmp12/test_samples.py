"""Real files: counts as two independent readings found them, every embedded object proven, pictures decode."""

from __future__ import annotations

import io
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from tests.fmp12 import naive
from tests.fmp12.samples import NAMES, sample
from unlade.fmp12 import DatabaseFile, FieldKind, FieldType, OutsideMissing, State, open_file

#: tables, fields, records, container values, objects
COUNTS = {
    "proofkit.fmp12": (2, 12, 2, 2, 2),
    "contacts.fmp12": (2, 40, 1, 1, 1),
    "test_external.fmp12": (2, 16, 4, 8, 2),
    "color_picker.fmp12": (2, 13, 141, 141, 139),
    "testdb.fmp12": (31, 176, 5048, 0, 0),
    "timestamp_ja.fmp12": (1, 10, 5, 0, 0),
    "code39.fmp12": (1, 3, 1, 0, 0),
    "standards.fp7": (4, 19, 0, 0, 0),
}


@pytest.mark.parametrize("name", NAMES)
def test_counts_and_proof(name: str) -> None:
    with open_file(sample(name)) as database:
        tables = database.tables
        counts = (
            len(tables),
            sum(len(table.fields) for table in tables),
            sum(1 for table in tables for _ in database.records(table)),
            sum(1 for _ in database.containers()),
            sum(1 for table in tables for _ in database.objects(table)),
        )
        assert counts == COUNTS[name]
        proof = database.proof()
        assert proof.ok, proof.faults
        assert proof.chain_is_index and proof.keys_in_order and proof.size_fits and proof.all_leaves_in_chain
        inside = counts[4] - (name == "test_external.fmp12")
        assert proof.objects.get(State.VERIFIED, 0) == inside
        # The file's own reference counts and lists of records agree as well.
        assert proof.notes == [] and proof.listed_tables == counts[0]


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_the_naive_reading(name: str) -> None:
    path = sample(name)
    expected = naive.read(path)
    with open_file(path) as database:
        assert as_naive(database) == {
            table: {"records": one["records"], "globals": one["globals"]} for table, one in expected.items()
        }
        for table in database.tables:
            for thing in database.objects(table):
                twin = expected[table.name]["objects"][thing.key]
                for stream in thing.streams:
                    with database.open_object(table, thing, stream=stream.type) as opened:
                        assert opened.read() == twin["streams"][stream.type.encode("latin-1")]
                assert twin["ok"] or thing.outside


def as_naive(database: DatabaseFile) -> dict:
    """Records and globals in the shape of the naive reader: text by field number and repetition."""
    found = {}
    for table in database.tables:
        slots = {
            field.spelt(repetition): (field.id, repetition)
            for field in table.fields
            for repetition in range(1, max(field.repetitions, 50) + 1)
        }

        def texts(record, slots=slots):
            out = {slots[name]: value.text for name, value in record.values.items()}
            for name, one in record.containers.items():
                key = one.object_key
                out[slots[name]] = key.hex().upper() + "\ue000" if key is not None else one.reference
            return out

        found[table.name] = {
            "records": {record.id: (texts(record), record.modification) for record in database.records(table)},
            "globals": texts(database.globals(table)),
        }
    return found


@pytest.mark.parametrize(("name", "count"), [("proofkit.fmp12", 2), ("contacts.fmp12", 1), ("color_picker.fmp12", 139)])
def test_pictures_decode(name: str, count: int) -> None:
    decoded = 0
    with open_file(sample(name)) as database:
        for table in database.tables:
            for thing in database.objects(table):
                with database.open_object(table, thing) as stream, Image.open(io.BytesIO(stream.read())) as image:
                    image.load()
                    assert thing.size in (None, image.size)
                    decoded += 1
    assert decoded == count


def test_states_and_programs() -> None:
    with open_file(sample("testdb.fmp12")) as database:
        header = database.header
        assert (header.kind, header.closed, header.bases) == ("fmp12", True, ("Files/TestDB/",))
        assert header.programs[0] == "ProAdvanced 12.0v5" and header.programs[-1] == "Pro 26.0.1"
        assert header.locale.language_name == "Japanese" and header.locale.date_order == "ymd"
        assert (header.locale.morning, header.locale.afternoon) == ("午前", "午後")
        assert header.warnings == ()
    with open_file(sample("code39.fmp12")) as database:
        assert database.header.closed is False
        assert "not closed cleanly" in database.header.warnings[0]
    with open_file(sample("standards.fp7")) as database:
        assert (database.header.kind, database.header.closed) == ("fp7", None)


def test_dates_by_the_file_and_misfits_with_their_text() -> None:
    with open_file(sample("timestamp_ja.fmp12")) as database:
        records = list(database.records(database.tables[0]))
    named = {name: value for name, value in records[0].values.items() if isinstance(value.value, datetime)}
    assert datetime(2020, 1, 14, 14, 35, 38) in {value.value for value in named.values()}  # noqa: DTZ001
    assert timedelta(hours=11, minutes=22, seconds=33) in {value.value for value in records[0].values.values()}
    assert {value.text for record in records for value in record.values.values() if value.misfit} == {"?"}


def test_external_open_storage(tmp_path: Path) -> None:
    path = tmp_path / "test_external.fmp12"
    shutil.copyfile(sample("test_external.fmp12"), path)
    outside = tmp_path / "test" / "table" / "external_container" / "container_text.txt"
    with open_file(path) as database:
        table = database.table("TABLE")
        field = next(one for one in table.containers if one.storage == "open")
        assert (field.base, field.directory) == (0, "table/external_container/")
        external = [one for one in database.containers(table) if one.field == field]
        assert len(external) == 2
        assert {database.state(one) for one in external} == {State.OUTSIDE_MISSING}
        with pytest.raises(OutsideMissing, match="is not there"):
            database.open(external[0])
        outside.parent.mkdir(parents=True)
        outside.write_bytes(b"text\n")
        with database.open(external[0]) as stream:
            assert stream.read() == b"text\n"
            assert (stream.state, stream.file_name) == (State.VERIFIED_OUTSIDE, "container_text.txt")
        outside.write_bytes(b"tex!\n")
        assert database.state(external[0]) is State.MISMATCH
        outside.write_bytes(b"longer")
        with pytest.raises(OutsideMissing, match="another file"):
            database.open(external[0])


def test_repetitions_and_calculations() -> None:
    with open_file(sample("test_external.fmp12")) as database:
        names = [one.field_name for one in database.containers() if one.repetition > 1]
        assert len(names) == 3
        assert all(name.endswith(("(2)", "(3)")) for name in names)
    with open_file(sample("color_picker.fmp12")) as database:
        calculated = [one for one in database.containers() if one.field.kind is FieldKind.CALCULATION and one.record]
        assert len(calculated) == 140
        thing = database.object(calculated[0])
        assert thing is not None and thing.main == "BMPf"
        assert {stream.type for stream in thing.streams} >= {"BMPf", "JPEG"}
        assert all(one.field.type is FieldType.CONTAINER for one in calculated)
