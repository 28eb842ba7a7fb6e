"""What went wrong the first time, a test for each point (docs/reference/LESSONS.md). Longer proofs stand in tests/voyage.

14 and 16 belong to the export script and to the survey.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from fmsim import Field, Record
from fmsim.clinic import WRITER
from tests.voyage.harness import (
    FULL,
    HTML,
    LESSER,
    MISSING,
    HandClock,
    PortMaker,
    add_patients,
    cargo,
    jpeg,
    name_of,
    photo,
    raw,
    record,
)  # fmt: skip

MARKING = {"FILEMAKER_ACCOUNT": WRITER.name, "FILEMAKER_PASSWORD": WRITER.password}
STORM = {"status": 502, "body": "html"}


def test_01_a_set_that_shrinks_under_the_paging_loses_nothing(make_port: PortMaker) -> None:
    """See also tests/voyage/test_changes.py."""
    with make_port(cargo(80), faults=[{"on": "container", "nth": {"every": 3}, "do": {"delete": 1}}]) as port:
        port.run(batch_size=10)
        port.sim.set_faults([])
        port.until_done(batch_size=10)
        alive = {row.record_id for row in port.sim.host.tables.named("Images").rows}
        items = port.items()
        assert {rid for rid, item in items.items() if item.gone_at is None} == alive
        assert {items[rid].state for rid in alive} == {"imported"}
        port.check()


def test_02_a_row_that_cannot_be_written_is_stored_unmarked_and_tried_again(
    make_port: PortMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clinic.images.imports import ImageImport

    real = ImageImport.record

    def broken(self: ImageImport, item: Any, content: Any) -> Any:
        row = real(self, item, content)
        if int(item.record.record_id) % 4 == 0:
            raise RuntimeError("no")
        return row

    with make_port(cargo(24), environ=MARKING) as port:
        monkeypatch.setattr(ImageImport, "record", broken)
        ended = port.run(write_marker=True)
        assert (ended["exit"], ended["totals"]["imported"], ended["totals"]["failed"]) == (3, 18, 6)
        rows = port.sim.host.tables.named("Images").rows
        marked = {row.record_id for row in rows if row.values["NexusExportDate"] != ""}
        assert marked == {rid for rid, item in port.items().items() if item.state == "imported"}
        monkeypatch.setattr(ImageImport, "record", real)
        port.clock = HandClock(timedelta(days=2))
        ended = port.run(write_marker=True)
        assert (ended["exit"], ended["totals"]["imported"]) == (0, 24)
        assert all(row.values["NexusExportDate"] != "" for row in port.sim.host.tables.named("Images").rows)
        assert not port.twice()
        port.check()


@pytest.mark.slow
@pytest.mark.parametrize(
    "do",
    [STORM, {"status": 401, "body": "html"}, {"reset_after": 0}, {"code": 802}, {"status": 200, "body": "html"}],
    ids=str,
)
def test_03_no_answer_is_not_no_records(make_port: PortMaker, do: dict[str, Any]) -> None:
    with make_port(cargo(5), faults=[{"on": "records", "do": do}]) as port:
        ended = port.run()
        assert ended["exit"] in (1, 75) and ended["outcome"] in ("failed", "paused")
        assert ended["found"] is None


def test_03_no_records_is_not_no_answer(make_port: PortMaker) -> None:
    with make_port(cargo(0)) as port:
        ended = port.run()
        assert (ended["outcome"], ended["exit"], ended["found"]) == ("done", 0, 0)


def test_04_a_limit_reads_no_more_than_it_needs(make_port: PortMaker) -> None:
    with make_port(cargo(600)) as port:
        port.run(limit=10, batch_size=100)
        assert port.sim.stats()["requests"]["records"] == 2
        listed = sum(1 for _ in port.items())
        assert listed <= 20


def test_05_long_base64_is_not_kept_twice(make_port: PortMaker) -> None:
    from clinic.images.models import Image

    data = cargo(3)
    data.layouts[0].fields.append(Field("preview_base64"))
    for row in data.tables["Images"]:
        row.values["preview_base64"] = "QUJD" * 11_500
    with make_port(data) as port:
        port.run()
        assert all("preview_base64" not in image.filemaker_metadata for image in Image.objects.all())
        assert all(image.filemaker_metadata["Type"] == "Dorsal" for image in Image.objects.all())


def test_06_what_is_missing_costs_two_questions_once_and_keeps_nobody_waiting(make_port: PortMaker) -> None:
    with make_port(cargo(20, special={n: record(n, **{FULL: MISSING}) for n in (1, 2, 3)})) as port:
        ended = port.run()
        assert (ended["totals"]["imported"], ended["totals"]["failed"]) == (17, 3)
        asked = port.sim.stats()["requests"]["container"]
        assert asked == 17 + 2 * 3
        port.run()
        assert port.sim.stats()["requests"]["container"] == asked


def test_06_an_outage_costs_a_handful_of_requests(make_port: PortMaker) -> None:
    with make_port(cargo(50), faults=[{"on": "container", "do": STORM}], environ={"UNLADE_COOLDOWNS": "1h"}) as port:
        for _ in range(5):
            assert port.run()["exit"] == 75
        assert port.sim.stats()["requests"]["container"] <= 3 + 4


@pytest.mark.parametrize("result", ["date", "text", "timeStamp", "number"])
def test_07_the_marker_is_typed_by_its_field_and_the_ledger_is_the_truth(make_port: PortMaker, result: str) -> None:
    data = cargo(6)
    data.layouts[0].fields = [
        Field(f.name, result if f.name == "NexusExportDate" else f.result) for f in data.layouts[0].fields
    ]
    with make_port(data, environ=MARKING) as port:
        port.run(write_marker=True)
        rows = port.sim.host.tables.named("Images").rows
        assert all(row.values["NexusExportDate"] != "" for row in rows)
        for row in list(rows):
            port.sim.host.tables.named("Images").change(row, {"NexusExportDate": ""})  # somebody cleared them
        asked = port.sim.stats()["requests"]["container"]
        port.run(write_marker=True)
        assert port.sim.stats()["requests"]["container"] == asked


@pytest.mark.parametrize("version", ["21.1.1.41", "19.6.3.302"])
def test_08_us_dates_are_read_by_every_host(make_port: PortMaker, version: str) -> None:
    from clinic.images.models import Image

    data = cargo(3)
    data.product_version = version
    for row, text in zip(data.tables["Images"], ["4/4/2019", "12/31/2016", ""], strict=True):
        row.values["date"] = text
    with make_port(data) as port:
        port.run()
        days = {image.filemaker_id: image for image in Image.objects.select_related("batch")}
        found = [days[name_of("image", n)] for n in (1, 2, 3)]
        assert [image.batch.captured_on for image in found] == [date(2019, 4, 4), date(2016, 12, 31), None]
        assert "/2019-04-04/" in found[0].key and "/no-date/" in found[2].key
        assert found[0].filemaker_metadata["date"] in ("4/4/2019", "04/04/2019", "2019-04-04")


def test_09_ids_are_compared_without_case_and_unlinked_is_a_state(make_port: PortMaker) -> None:
    data = cargo(24)
    data.tables["Images"][1].values["id_Contact"] = "{" + name_of("patient", 1).lower() + "}"
    data.tables["Images"][2].values["id_Contact"] = name_of("patient", 77)
    with make_port(data, patients=False) as port:
        add_patients(data, str.lower)
        ended = port.run()
        assert (ended["totals"]["imported"], ended["totals"]["unlinked"], ended["exit"]) == (23, 1, 0)
        assert port.items()["3"].reason == "owner_missing"
        port.check()


def test_10_patients_made_anew_get_their_images_back_without_new_batches(make_port: PortMaker) -> None:
    from clinic.images.models import ImageBatch
    from clinic.patients.models import Patient
    from unlade.importer import get_import
    from unlade.linking import relink

    data = cargo(24)
    with make_port(data) as port:
        port.run()
        batches = ImageBatch.objects.count()
        Patient.objects.all().delete()
        for _ in range(3):
            relink(get_import("images"))
        assert port.check()["unlinked"] == 24
        add_patients(data)
        for _ in range(3):
            relink(get_import("images"))
        assert port.check()["imported"] == 24
        assert ImageBatch.objects.count() == batches


def test_11_the_original_is_stored_whatever_becomes_of_its_thumbnail(make_port: PortMaker) -> None:
    special = {
        1: record(1, **{FULL: raw(b"plain words", "a.txt", "text/plain")}),
        2: record(2, **{FULL: raw(jpeg("cut", 4000)[:-900])}),
        3: record(3, **{FULL: raw(b"PK\x03\x04" + bytes(200), "a.zip", "application/zip")}),
    }
    special[1].values["Name of file"], special[3].values["Name of file"] = "a.txt", "a.zip"
    with make_port(cargo(4, special=special)) as port:
        port.run()
        items = port.items()
        assert [items[n].state for n in ("1", "2", "3", "4")] == ["imported", "quarantined", "imported", "imported"]
        assert [bool(items[n].thumbnail_key) for n in ("1", "2", "3", "4")] == [
            False,
            items["2"].thumbnail_key != "",
            False,
            True,
        ]
        port.check()


def test_12_keys_are_derived_and_objects_say_whose_they_are(make_port: PortMaker) -> None:
    with make_port(cargo(8)) as port:
        port.run()
        for key, facts in port.stored().items():
            item = port.items()[facts.record_id]
            assert key == f"patients/filemaker-import/images/{item.owner_ref}/{item.day}/{item.identity}.jpg"
            assert (facts.source, facts.identity, facts.sha256) == ("images", item.identity, item.sha256)


@pytest.mark.real
@pytest.mark.slow
def test_13_a_listing_goes_on_behind_a_thousand_objects(make_big_port: PortMaker) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with make_big_port(cargo(1)) as port:
        store = port.store
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda n: store.put_run_mark("listing", n), range(1, 1041)))
        assert store.newest_run("listing") == 1040
        assert len(list(store.list(".unlade/listing"))) == 1040


def test_15_the_denominator_is_the_sources_own_count(make_port: PortMaker) -> None:
    with make_port(cargo(60)) as port:
        ended = port.run(limit=6)
        assert (ended["found"], ended["totals"]["imported"], ended["totals"]["pending"]) == (60, 6, 54)


def test_17_an_unknown_certificate_is_refused_before_a_password_is_said(make_port: PortMaker) -> None:
    with make_port(cargo(3), tls=True) as port:
        ended = port.run()
        assert ended["exit"] in (1, 75) and ended["totals"]["imported"] == 0
        assert port.sim.stats()["requests"]["session"] == 0
        port.clock = HandClock(timedelta(days=1))
        ended = port.run(env={"FILEMAKER_CA_FILE": str(port.sim.ca_file)})
        assert (ended["exit"], ended["totals"]["imported"]) == (0, 3)


def test_17_a_password_never_goes_to_another_host_in_the_clear(make_port: PortMaker) -> None:
    from unlade.errors import SettingsError

    with make_port(cargo(3)) as port, pytest.raises(SettingsError, match="unencrypted"):
        port.run(env={"FILEMAKER_URL": "http://fm.example.com"})


@pytest.mark.parametrize(
    "switches",
    [{"link_relative": True}, {"link_scheme": "https"}, {"link_port": "443"}, {"link_port": "none"},
     {"link_host": "fm.example.com"}, {"location": "absolute"}, {"dead_link": "404"}, {"dead_link": "302"}],
    ids=str,
)  # fmt: skip
def test_18_odd_links(make_port: PortMaker, switches: dict[str, str]) -> None:
    with make_port(cargo(5), switches=switches) as port:
        assert port.run()["totals"]["imported"] == 5
        port.check()


def test_18_odd_values(make_port: PortMaker) -> None:
    data = cargo(6)
    rows = data.tables["Images"]
    rows[0].values |= {"Name of file": "", "Type": "", "date": "?"}
    rows[1].values |= {FULL: "?", LESSER: photo("lesser")}
    rows[2].values |= {"id": "{" + name_of("image", 3).lower() + "} "}
    rows[3].values |= {"Name of file": "a/b\\c:d\r\n\x07.jpg", "Type": "x" * 300}
    rows[4].values |= {"id": ""}
    rows[5] = Record("6", "1", dict(rows[5].values) | {FULL: raw(HTML), LESSER: ""})
    with make_port(data) as port:
        ended = port.run()
        items = port.items()
        assert [items[str(n)].state for n in range(1, 7)] == [
            "imported", "imported", "imported", "imported", "failed", "quarantined",
        ]  # fmt: skip
        assert (items["2"].field, items["5"].reason) == (LESSER, "no_identity")
        assert ended["exit"] == 3
        port.check()


def test_18_a_layout_that_loses_a_field_while_a_run_is_under_way_ends_in_a_sentence(make_port: PortMaker) -> None:
    data = cargo(40)
    with make_port(data) as port:
        port.run(limit=5)
        layout = port.sim.host.tables.layouts["API_Images"]
        layout.fields = [f for f in layout.fields if f.name != FULL]
        ended = port.run()
        assert (ended["outcome"], ended["exit"]) == ("failed", 1)
        assert FULL in ended["reason"]
        port.check()
