"""The exported marker, written back; and that nothing else can write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta, timezone
from typing import Any

import pytest

from tests.filemaker.rawhost import CLOSE, Asked, FakeHost, Script, always, fm, html
from unlade.cargo import FieldValue
from unlade.errors import FieldMissing, GatewayError, ItemError, MarkRefused, Transient
from unlade.filemaker import DataApiSource
from unlade.filemaker.edit import DataApiMarkerWriter
from unlade.source import MarkerWriter

Connect = Callable[..., DataApiSource]
MOMENT = "2026-03-10T22:05:06+00:00"


class Editable(FakeHost):
    """A host that takes edits as FileMaker does, dates in US form alone."""

    edits: list[dict[str, Any]]

    def __init__(self) -> None:
        self.edits = []
        super().__init__()
        self.on["PATCH", "1"] = self.edit

    def edit(self, asked: Asked) -> Script:
        body = json.loads(asked.body)
        self.edits.append(body)
        entry = self.records[0]
        if body.get("modId") != entry["modId"]:
            return [fm(code=306)]
        entry["fieldData"] |= body["fieldData"]
        entry["modId"] = str(int(entry["modId"]) + 1)
        return [fm({"modId": entry["modId"]})]


@pytest.fixture
def host() -> Iterator[Editable]:
    with Editable() as fake:
        yield fake


@pytest.mark.parametrize(
    ("field", "value", "sent"),
    [
        ("date", MOMENT, "03/10/2026"),
        ("stamp", MOMENT, "03/10/2026 22:05:06"),
        ("at", MOMENT, "22:05:06"),
        ("n", MOMENT, 20260310),
        ("id", MOMENT, MOMENT),
        ("date", "2026-03-10", "03/10/2026"),
        ("date", "03/10/2026", "03/10/2026"),
        ("n", "20260310", "20260310"),
        ("n", 7, 7),
        ("id", 7, "7"),
        ("id", "yes", "yes"),
    ],
)
def test_the_marker_is_typed_from_metadata(
    host: Editable, connect: Connect, field: str, value: FieldValue, sent: FieldValue
) -> None:
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    writer: MarkerWriter = DataApiMarkerWriter(source)
    assert writer.mark(record, field, value) == "2"
    assert host.edits == [{"fieldData": {field: sent}, "modId": "1"}]


def test_moments_are_wall_time_of_the_file(host: Editable, connect: Connect) -> None:
    source = connect(host.url)
    writer = DataApiMarkerWriter(source, zone=timezone(timedelta(hours=2)))
    writer.mark(source.page(1, 1).records[0], "stamp", MOMENT)
    assert host.edits[0]["fieldData"] == {"stamp": "03/11/2026 00:05:06"}


@pytest.mark.parametrize("value", ["yes", "", 7])
def test_what_does_not_fit_is_not_sent(host: Editable, connect: Connect, value: FieldValue) -> None:
    source = connect(host.url)
    with pytest.raises(MarkRefused):
        DataApiMarkerWriter(source).mark(source.page(1, 1).records[0], "date", value)
    assert host.edits == []


@pytest.mark.parametrize("field", ["photo", "sum", "nowhere"])
def test_fields_that_cannot_be_written(host: Editable, connect: Connect, field: str) -> None:
    source = connect(host.url)
    with pytest.raises(FieldMissing) as caught:
        DataApiMarkerWriter(source).mark(source.page(1, 1).records[0], field, MOMENT)
    assert field in str(caught.value) and host.edits == []


def test_a_record_that_was_edited_meanwhile_is_read_again_once(host: Editable, connect: Connect) -> None:
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    host.records[0]["modId"] = "7"
    assert DataApiMarkerWriter(source).mark(record, "date", MOMENT) == "8"
    assert [e["modId"] for e in host.edits] == ["1", "7"]
    host.on["PATCH", "1"] = always(fm(code=306))
    host.records[0]["fieldData"]["date"] = ""
    with pytest.raises(Transient):
        DataApiMarkerWriter(source).mark(record, "date", MOMENT)


@pytest.mark.parametrize("shown", ["03/10/2026 22:05:06", "2026-03-10T22:05:06", "2026-03-10 22:05:06"])
def test_our_own_write_whose_answer_was_lost_is_recognised(host: Editable, connect: Connect, shown: str) -> None:
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    host.records[0]["modId"], host.records[0]["fieldData"]["stamp"] = "2", shown
    assert DataApiMarkerWriter(source).mark(record, "stamp", MOMENT) == "2"
    assert len(host.edits) == 1


def test_edits_are_not_tried_again_by_themselves(host: Editable, connect: Connect, naps: list[float]) -> None:
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    for script, error in (
        ([html(502)], GatewayError),
        ([CLOSE], Transient),
        ([fm(code=301)], Transient),
        ([fm(code=504)], MarkRefused),
        ([fm(code=201)], MarkRefused),
    ):
        host.on["PATCH", "1"] = always(*script)
        with pytest.raises(error) as caught:
            DataApiMarkerWriter(source).mark(record, "date", MOMENT)
        assert isinstance(caught.value, ItemError)
    assert naps == [] and host.count("PATCH", "/records/1") == 5


def test_a_dead_session_did_nothing_so_the_edit_is_sent_once_more(host: Editable, connect: Connect) -> None:
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    answers = iter([[fm(code=952)]])
    host.on["PATCH", "1"] = lambda asked: next(answers, None) or host.edit(asked)
    assert DataApiMarkerWriter(source).mark(record, "date", MOMENT) == "2"
    assert host.logins == 2


def test_an_answer_without_a_modification_id(host: Editable, connect: Connect) -> None:
    source = connect(host.url)
    record = source.page(1, 1).records[0]
    host.records[0]["modId"] = "5"
    host.on["PATCH", "1"] = always(fm({}))
    assert DataApiMarkerWriter(source).mark(record, "date", MOMENT) == "5"


def test_a_source_alone_cannot_write(host: Editable, connect: Connect) -> None:
    source = connect(host.url)
    names = {name for name in dir(source) if not name.startswith("_")}
    assert not any(
        word in name for name in names for word in ("mark", "write", "edit", "create", "delete", "patch", "upload")
    )
