"""`unlade dataset`: the same data over the simulated Data API and from the file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fmsim import Simulator
from fmsim.folder import read
from tests.fmp12.samples import sample
from tests.fmp12.test_samples import COUNTS
from tests.standalone.files import Unlade, images
from unlade.fmp12 import open_file


@pytest.mark.parametrize("name", COUNTS)
def test_real_files_can_be_served(unlade: Unlade, tmp_path: Path, name: str) -> None:
    path = sample(name)
    code, told = unlade("dataset", path, tmp_path / "host", "--yes")
    assert code == (3 if name == "test_external.fmp12" else 0)
    data = read(tmp_path / "host")
    assert (len(data.layouts), sum(len(rows) for rows in data.tables.values())) == (COUNTS[name][0], COUNTS[name][2])
    assert told["records"] == COUNTS[name][2]
    with Simulator(data) as sim:
        assert sim.database == path.stem


def test_values_and_files_are_the_same(unlade: Unlade, tmp_path: Path) -> None:
    path = images(tmp_path / "Clinic.fmp12", reference=6)
    assert unlade("dataset", path, tmp_path / "host", "--yes")[0] == 3
    rows = {row.record_id: row.values for row in read(tmp_path / "host").tables["Images"]}
    assert rows["1"]["id"] == "id 1" and rows["1"]["taken"] == "05/31/2024" and rows["1"]["weight"] == ""
    assert rows["6"]["photo"].reference == "image:x.jpg"
    with open_file(path) as database:
        for one in database.containers():
            if one.object_key is None or one.record is None:
                continue
            with database.open(one) as stream:
                expected = hashlib.sha256(stream.read()).hexdigest()
            value = rows[str(one.record)][one.field_name]
            assert hashlib.sha256(b"".join(value.blob.chunks())).hexdigest() == expected
            assert value.name == stream.file_name
    assert unlade("dataset", path, tmp_path / "host", "--yes")[0] == 2
