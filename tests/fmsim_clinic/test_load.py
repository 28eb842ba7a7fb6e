"""Large sets: exact shares, honest sizes, little memory."""

from __future__ import annotations

import base64
import re
import statistics
import tracemalloc
from collections import Counter
from datetime import datetime
from random import Random

import pytest

from fmsim import clinic
from fmsim.clinic import words
from fmsim.clinic.images import PLAIN
from fmsim.dataset import DataSet
from tests.fmsim_clinic.conftest import FIELDS, full, identity, opened, read

pytestmark = pytest.mark.slow

Truth = dict[str, clinic.Expected]
UUID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


def of(truth: Truth, table: str) -> list[clinic.Expected]:
    return [expected for expected in truth.values() if expected.table == table]


def test_most_are_normal(load_truth: Truth) -> None:
    images = of(load_truth, "Images")
    normal = [e for e in images if e.case in PLAIN and e.state == "imported" and not e.traits - {"no_type"}]
    assert len(images) == 2_000
    assert len(normal) >= 0.85 * len(images)


def test_every_case_occurs(load_truth: Truth) -> None:
    cases = Counter(expected.case for expected in of(load_truth, "Images"))
    assert cases.keys() == clinic.images.CASES.keys()
    reasons = {expected.reason for expected in load_truth.values() if expected.state == "failed"}
    assert reasons == {"missing", "reference_only"}


def test_lost_owners_are_three_of_a_hundred(load_truth: Truth) -> None:
    for table in ("Images", "Documents"):
        rows = of(load_truth, table)
        lost = sum("owner_missing" in expected.traits for expected in rows)
        assert 0.02 * len(rows) <= lost <= 0.04 * len(rows)


def test_sizes_of_a_load(load: DataSet, load_truth: Truth) -> None:
    rows = [
        row
        for row in load.tables["Images"]
        if load_truth[identity(row)].field == "image_Full" and load_truth[identity(row)].state == "imported"
    ]
    sizes = [full(row).blob.size for row in rows]
    assert min(sizes) >= 50_000 and max(sizes) <= 130_000
    assert 80_000 <= statistics.mean(sizes) <= 100_000
    types = Counter(load_truth[identity(row)].mime_type for row in rows)
    assert types["image/jpeg"] > 0.9 * len(rows)
    assert len(types) >= 8


def test_every_good_file_is_its_own_but_for_the_duplicates(load_truth: Truth) -> None:
    found = Counter(e.sha256 for e in load_truth.values() if e.state in ("imported", "unlinked"))
    copies = sum(count - 1 for count in found.values())
    marked = sum("duplicate" in e.traits for e in load_truth.values())
    assert 0 < copies <= marked


def test_a_sample_decodes(load: DataSet, load_truth: Truth) -> None:
    orientations = set()
    for row in load.tables["Images"][:150]:
        expected = load_truth[identity(row)]
        if expected.state == "imported" and (expected.mime_type or "").startswith("image/"):
            assert expected.field
            picture = opened(read(row.values[expected.field].blob))
            orientations.add(picture.getexif().get(0x0112, 1))
    assert orientations == set(range(1, 9))


def test_patient_days(load_truth: Truth) -> None:
    groups = Counter((e.owner, e.date) for e in of(load_truth, "Images") if e.owner and e.date)
    assert statistics.median(groups.values()) in (3, 4, 5)
    assert max(groups.values()) <= 30
    days = sorted(e.date for e in of(load_truth, "Images") if e.date)
    assert days[0][:4] == "2016" and days[-1][:4] == "2025"


def test_ids_and_dates_as_the_host_sends_them(load: DataSet, load_truth: Truth) -> None:
    for row in load.tables["Images"] + load.tables["Documents"]:
        expected = load_truth[identity(row)]
        assert UUID.fullmatch(identity(row))
        if expected.date:
            assert datetime.strptime(row.values["date"], "%m/%d/%Y").date().isoformat() == expected.date  # noqa: DTZ007
        else:
            assert expected.traits & {"date_missing", "date_invalid"}
    for table in load.tables.values():
        numbers = [int(row.record_id) for row in table]
        assert numbers == sorted(set(numbers))
        assert len(numbers) < 2 or numbers[-1] > 0


def test_type_is_free_text() -> None:
    rng = Random(1)
    typed = [words.image_type(rng) for _ in range(6_664)]
    assert 200 <= len(set(typed)) <= 400
    assert 0 < typed.count("") < 150
    assert max(map(len, typed)) == 36


def test_layouts_name_what_the_records_hold(load: DataSet) -> None:
    fields = {layout.name: {field.name: field for field in layout.fields} for layout in load.layouts}
    assert fields.keys() == {"API_Images", "Images_Fat", "API_Documents", "API_Patients", "API_Clinics"}
    assert {"id", "id_Contact", "Type", "Name of file", "date", "NexusExportDate", *FIELDS} <= fields[
        "API_Images"
    ].keys()
    assert fields["API_Images"]["date"].result == "date"
    assert fields["API_Images"]["NexusExportDate"].result == "timeStamp"
    for layout in load.layouts:
        for row in load.tables[layout.table][:20]:
            assert fields[layout.name].keys() <= row.values.keys()
    fat = load.tables["Images"][0].values["preview_base64"]
    assert len(fat) == 46_000
    assert load.tables["Images"][1].values["preview_base64"] is fat


def test_fat_text_is_a_picture(load: DataSet) -> None:
    assert opened(base64.b64decode(load.tables["Images"][0].values["preview_base64"])).format == "JPEG"


def test_accounts() -> None:
    assert clinic.READER.privileges == {"fmrest"}
    assert clinic.WRITER.privileges == {"fmrest", "write"}


def test_memory_does_not_follow_the_bytes(load_truth: Truth) -> None:
    """2,000 images are 180 MB of files; what a set of them holds in memory stays a fraction of that (the stock is drawn already)."""
    tracemalloc.start()
    try:
        data = clinic.build(images=2_000, patients=300)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(data.tables["Images"]) == 2_000
    assert held < 20_000_000
