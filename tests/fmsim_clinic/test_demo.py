"""The 24 images of the demo: every format and every special case, upright, small, and true."""

from __future__ import annotations

import io
import subprocess
import sys
from collections import Counter

import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat, UnidentifiedImageError

from fmsim import clinic
from fmsim.clinic.images import CASES, SCRIPT
from fmsim.dataset import ContainerValue, DataSet, Record
from tests.fmsim_clinic.conftest import FIELDS, filled, full, identity, opened, read, sha256

Truth = dict[str, clinic.Expected]
SCRIPTED = {
    "full_empty",
    "full_damaged",
    "full_missing",
    "full_reference",
    "full_zero",
    "small_only",
    "all_empty",
    "all_damaged",
}


def images(data: DataSet) -> list[Record]:
    return data.tables["Images"]


def test_formats_and_cases(demo: DataSet, demo_truth: Truth) -> None:
    of_images = [expected for expected in demo_truth.values() if expected.table == "Images"]
    assert len({expected.mime_type for expected in of_images if expected.sha256}) >= 8
    assert {expected.case for expected in of_images} >= SCRIPTED
    traits = Counter(trait for expected in of_images for trait in expected.traits)
    assert {
        "wrong_extension",
        "wrong_content_type",
        "duplicate",
        "braces",
        "name_none",
        "date_missing",
        "date_invalid",
    } <= traits.keys()
    assert traits["owner_missing"] == traits["owner_empty"] == 1
    states = Counter(expected.state for expected in of_images)
    assert states == {"imported": 20, "unlinked": 2, "quarantined": 1, "empty": 1}


def test_all_orientations_occur_and_all_are_upright(demo: DataSet, demo_truth: Truth) -> None:
    seen = {}
    for record in images(demo):
        expected = demo_truth[identity(record)]
        if expected.mime_type != "image/jpeg" or expected.state == "quarantined" or not expected.field:
            continue
        picture = opened(read(record.values[expected.field].blob))
        seen[picture.getexif().get(0x0112, 1)] = picture
        upright = ImageOps.exif_transpose(picture).convert("RGB")
        assert upright.width > upright.height
        unit = min(upright.size)
        arrow = upright.crop((unit * 95 // 1000, unit * 95 // 1000, unit * 113 // 1000, unit * 113 // 1000))
        red, green, _ = ImageStat.Stat(arrow).mean
        if picture.mode == "RGB":  # the arrow beside TOP, in the upper left corner
            assert red > green + 80
    assert set(seen) == set(range(1, 9))


def test_gps_lies_in_the_open_sea(demo: DataSet) -> None:
    place = opened(read(full(images(demo)[0]).blob)).getexif().get_ifd(0x8825)
    assert place[1] == "N" and float(place[2][0]) == 30
    assert place[3] == "W" and float(place[4][0]) == 40


def test_camera_date_is_the_record_date(demo: DataSet, demo_truth: Truth) -> None:
    record = images(demo)[1]
    taken = opened(read(full(record).blob)).getexif().get_ifd(0x8769)[0x9003]
    assert taken[:10].replace(":", "-") == demo_truth[identity(record)].date


def test_good_files_decode_and_damaged_ones_are_refused(demo: DataSet, demo_truth: Truth) -> None:
    refused = 0
    for record in images(demo):
        expected = demo_truth[identity(record)]
        for field in FIELDS:
            value = record.values[field]
            if not value or not value.blob:
                continue
            data = read(value.blob)
            bad = field in expected.spares or expected.state == "quarantined"
            if bad:
                with pytest.raises((OSError, UnidentifiedImageError)):
                    opened(data)
                refused += 1
            elif data.startswith(b"%PDF"):
                with pypdfium2.PdfDocument(data) as paper:
                    assert len(paper) == 3
            elif expected.mime_type != "text/plain" or field != "image_Full":
                assert opened(data).size[0] >= 100
    assert refused == 4  # one damaged and one empty Full, and both of the record without a good file


def test_a_thumbnail_decoder_refuses_the_damaged_ones_too(demo: DataSet, demo_truth: Truth) -> None:
    record = next(row for row in images(demo) if demo_truth[identity(row)].case == "full_damaged")
    picture = Image.open(io.BytesIO(read(full(record).blob)))
    with pytest.raises(OSError, match="truncated"):
        picture.thumbnail((300, 300))


def test_truth_is_what_the_containers_hold(demo: DataSet, demo_truth: Truth) -> None:
    rows = [*demo.tables["Images"], *demo.tables["Documents"]]
    assert list(demo_truth) == [identity(row) for row in rows]
    for row in rows:
        expected = demo_truth[identity(row)]
        assert expected.record_id == row.record_id
        if expected.field:
            blob = row.values[expected.field].blob
            assert (sha256(blob), blob.size) == (expected.sha256, expected.size)
            if expected.table == "Images" and expected.state != "quarantined":  # everything better is no good
                for better in FIELDS[: FIELDS.index(expected.field)]:
                    value = row.values[better]
                    assert value == "" or value.missing or value.reference or better in expected.spares
        else:
            assert expected.state in ("empty", "failed")
        assert expected.original_name == row.values["Name of file"]


def test_owners_and_states_agree_with_the_patients(demo: DataSet, demo_truth: Truth) -> None:
    known = {row.values["id"] for row in demo.tables["Patients"]}
    for expected in demo_truth.values():
        if expected.state in ("imported", "unlinked"):
            assert (expected.owner in known) == (expected.state == "imported")


def test_odd_texts(demo: DataSet) -> None:
    names = [row.values["Name of file"] for row in images(demo)]
    assert (
        "左前腕 3.png" in names
        and "Rücken über Kopf äöü.jpg" in names
        and "" in names
        and any(" " in name for name in names)
    )
    braced = [row for row in images(demo) if row.values["id"].startswith("{")]
    assert len(braced) == 1
    assert braced[0].values["id_Contact"] == braced[0].values["id_Contact"].lower() != ""
    disguised = next(row for row in images(demo) if row.values["Name of file"] == "IMG_0016.jpg")
    assert opened(read(full(disguised).blob)).format == "PNG"
    assert full(disguised).content_type == "image/jpeg"


def test_only_the_duplicate_is_double(demo: DataSet, demo_truth: Truth) -> None:
    found = Counter(
        expected.sha256 for expected in demo_truth.values() if expected.sha256 and expected.table == "Images"
    )
    assert [count for count in found.values() if count > 1] == [2]


def test_sizes(demo: DataSet, demo_truth: Truth) -> None:
    whole = [
        full(row).blob.size
        for row in images(demo)
        if full(row) and full(row).blob and demo_truth[identity(row)].mime_type != "text/plain"
    ]
    assert all(20_000 <= size <= 300_000 for size in whole if size)
    assert (
        sum(
            value.blob.size
            for row in images(demo)
            for key, value in row.values.items()
            if key in FIELDS and value and value.blob
        )
        < 5_000_000
    )


def test_pictures_are_colourful_and_differ(demo: DataSet) -> None:
    small = [opened(read(row.values["image_small"].blob)).convert("RGB").resize((40, 30)) for row in images(demo)[:6]]
    for index, picture in enumerate(small):
        assert max(ImageStat.Stat(picture).stddev) > 15
        for other in small[index + 1 :]:
            assert sum(ImageStat.Stat(ImageChops.difference(picture, other)).mean) > 20


def test_small_sets_are_the_beginning_of_larger_ones(demo_truth: Truth) -> None:
    few = clinic.truth(images=5)
    assert few == {key: demo_truth[key] for key in list(few)}
    assert clinic.build(images=0, patients=0).tables["Images"] == []


def test_a_build_can_be_edited_alone(demo: DataSet) -> None:
    mine = clinic.build()
    mine.tables["Images"][0].values["Type"] = "edited"
    assert images(demo)[0].values["Type"] != "edited"


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        clinic.build(images=-1)


def test_script_and_cases_fit() -> None:
    assert len(SCRIPT) == 24
    assert {role.case for role in SCRIPT} <= CASES.keys()


PRINT_DIGEST = """
import json
from fmsim import clinic
truth = clinic.truth(documents=24)
data = clinic.build(documents=24)
rest = [sorted(row.values.items(), key=lambda item: item[0]) for rows in data.tables.values() for row in rows]
plain = [[(k, v if isinstance(v, (str, int)) else [v.name, v.content_type, v.missing, v.reference]) for k, v in row] for row in rest]
print(json.dumps([[k, e.sha256, e.state] for k, e in truth.items()] + plain), end="")
"""


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_in_another_process(capsys: pytest.CaptureFixture[str]) -> None:
    other = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST], capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout
    exec(PRINT_DIGEST, {})
    assert capsys.readouterr().out == other
    assert len(other) > 10_000


def test_another_seed_gives_other_records() -> None:
    assert not clinic.truth(images=3, seed=2).keys() & clinic.truth(images=3, seed=1).keys()


def test_every_container_value_says_one_thing(demo: DataSet) -> None:
    for value in filled(demo):
        assert isinstance(value, ContainerValue)
        assert sum((value.blob is not None, value.missing, value.reference is not None)) == 1
