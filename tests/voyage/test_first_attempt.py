"""The storm that ended the first attempt: 240 records, everything that went wrong then at once, and nothing lost now."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from fmsim import DataSet, Field
from fmsim.clinic import WRITER
from tests.voyage.harness import (
    FULL,
    MISSING,
    Port,
    PortMaker,
    add_patients,
    cargo,
    interrupt_at,
    name_of,
    photo,
    raw,
    record,
)  # fmt: skip
from unlade.ledger.models import Source, edited_since

COUNT = 240
LOST = range(30, COUNT, 28)  # 8 files that are missing
PAPERS = range(11, COUNT, 24)  # 10 PDFs
ODD = range(5, COUNT, 17)  # 14 whose Content-Type means nothing
STORM = {"status": 502, "body": "html"}


def _pdf(number: int) -> bytes:
    body = b"BT /F1 24 Tf 72 700 Td (Paper %d) Tj ET" % number
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(body), body),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]  # fmt: skip
    data, places = b"%PDF-1.4\n", []
    for index, part in enumerate(parts, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (index, part)
    start = len(data)
    data += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return data + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start


def _data() -> DataSet:
    special: dict[int, Any] = {}
    for number in range(1, COUNT + 1):
        full: Any = photo(f"picture {number}")
        if number in LOST:
            full = MISSING
        elif number in PAPERS:
            full = raw(_pdf(number), f"paper {number}.pdf", "application/pdf")
        elif number in ODD:
            full = photo(f"picture {number}", content_type="application/x-filemaker-unknown")
        special[number] = record(number, owner=(number - 1) // 4 % 6, **{FULL: full})
        day = date(2016 + (number - 1) // 24, 1 + (number - 1) // 4 % 12, 1 + (number - 1) // 4 % 28)
        special[number].values["date"] = f"{day.month}/{day.day}/{day.year}"
    data = cargo(COUNT, special=special)
    layout = data.layouts[0]
    layout.fields = [Field(f.name, "date" if f.name == "NexusExportDate" else f.result) for f in layout.fields]
    return data


def _expected_day(number: int) -> date:
    return date(2016 + (number - 1) // 24, 1 + (number - 1) // 4 % 12, 1 + (number - 1) // 4 % 28)


def _marked(port: Port) -> set[str]:
    """Records that carry the marker on the host."""
    return {row.record_id for row in port.sim.host.tables.named("Images").rows if row.values["NexusExportDate"] != ""}


def _nothing_marked_that_is_not_recorded(port: Port) -> None:
    from clinic.images.models import Image

    items, store = port.items(), port.store
    for rid in _marked(port):
        item = items[rid]
        assert item.state in ("imported", "unlinked") and store.head(item.key) is not None
        assert Image.objects.filter(pk=item.row, sha256=item.sha256).exists()


@pytest.mark.slow
def test_the_first_attempts_faults_leave_everything_accounted_for(any_port: Callable[..., Any]) -> None:
    from clinic.images.models import Image, ImageBatch

    data = _data()
    faults = [
        {"on": "container", "nth": {"from": 61, "to": 61}, "for_seconds": 3, "times": 1, "do": STORM},
        {"on": "records", "match": {"path": "_offset=100&"}, "times": 1, "do": STORM},
    ]
    environ = {
        "FILEMAKER_ACCOUNT": WRITER.name, "FILEMAKER_PASSWORD": WRITER.password, "UNLADE_COOLDOWNS": "4s",
        "UNLADE_WRITE_MARKER": "1",
    }  # fmt: skip
    with any_port(data, faults=faults, environ=environ, patients=False) as port:
        add_patients(data, str.lower)
        options: dict[str, Any] = {"batch_size": 100, "write_marker": True}
        runs = []
        for _ in range(3):
            ended = port.run(on_start=interrupt_at(100, port) if len(runs) == 1 else None, **options)
            runs.append((ended["outcome"], ended["exit"]))
            assert sum(ended["totals"].values()) == ended["found"] == COUNT
            _nothing_marked_that_is_not_recorded(port)
            port.check(books="enough", spool_empty=False)
            if ended["exit"] == 75:
                left = datetime.fromisoformat(ended["retry_at"]).timestamp() - time.time()
                time.sleep(max(0.0, left))
            elif ended["exit"] != 130:
                break
        assert runs == [("paused", 75), ("interrupted", 130), ("done", 3)]

        totals = port.check(books="enough")
        assert {state: count for state, count in totals.items() if count} == {"imported": COUNT - 8, "failed": 8}
        items = port.items()
        assert {rid for rid, item in items.items() if item.state == "failed"} == {str(number) for number in LOST}
        assert {items[str(number)].reason for number in LOST} == {"missing"}
        images = {image.filemaker_id: image for image in Image.objects.select_related("batch__patient")}
        for number in range(1, COUNT + 1):
            if number in LOST:
                continue
            image = images[name_of("image", number)]
            assert image.date_taken == image.batch.captured_on == _expected_day(number)
            assert image.batch.patient.filemaker_id == name_of("patient", (number - 1) // 4 % 6).lower()
            assert image.mime_type == ("application/pdf" if number in PAPERS else "image/jpeg")
            assert image.thumbnail_key
        assert ImageBatch.objects.count() == COUNT // 4
        assert not port.twice()
        assert any(line["kind"] == "records" and line["status"] == 502 for line in port.sim.log())
        assert port.sim.stats()["statuses"]["502"] <= 3 + 4 + 1
        assert _marked(port) == {rid for rid, item in items.items() if item.state == "imported"}
        today = {row.values["NexusExportDate"] for row in port.sim.host.tables.named("Images").rows} - {""}
        assert all(datetime.strptime(day, "%m/%d/%Y") for day in today)  # noqa: DTZ007 - a date has no zone
        # Our own writing is no change: another run has nothing to do.
        writes = port.sim.stats()["writes"]
        again = port.run(**options)
        assert (again["exit"], again["requests"], port.sim.stats()["writes"]) == (0, 3, writes)


def test_without_being_asked_nothing_is_written_to_the_host(make_port: PortMaker) -> None:
    with make_port(
        cargo(20), environ={"FILEMAKER_ACCOUNT": WRITER.name, "FILEMAKER_PASSWORD": WRITER.password}
    ) as port:
        port.until_done()
        stats = port.sim.stats()
        assert (stats["writes"], stats["requests"]["edit"]) == (0, 0)
        assert {line["method"] for line in port.sim.log() if line["kind"] != "session"} == {"GET"}


def test_a_marker_that_the_host_refuses_costs_no_item_and_is_not_forgotten(make_port: PortMaker) -> None:
    environ = {"FILEMAKER_ACCOUNT": WRITER.name, "FILEMAKER_PASSWORD": WRITER.password}
    refuse = [{"on": "edit", "match": {"recordId": "4"}, "do": {"code": 301}}]
    with make_port(cargo(12), environ=environ, faults=refuse) as port:
        ended = port.run(write_marker=True)
        assert (ended["totals"]["imported"], _marked(port)) == (12, {str(n) for n in range(1, 13)} - {"4"})
        port.sim.set_faults([])
        port.run(write_marker=True)
        assert _marked(port) == {str(n) for n in range(1, 13)}
        assert not port.twice()
        assert port.run(write_marker=True)["requests"] == 3
        assert not edited_since(Source.objects.get(name="images")).exists(), "our own edits replace no file"
