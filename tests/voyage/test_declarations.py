"""Declarations of other shapes: one item for each filled value, repetitions, another order, records left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clinic.images.imports import ImageImport
from fmsim import DataSet, Record
from fmsim.dataset import Account, Field, Layout
from tests.voyage.harness import FULL, LESSER, Port, PortMaker, cargo, photo, raw, record
from unlade.cargo import SourceRecord
from unlade.importer import ContainerImport, Owner
from unlade.importing import run_import
from unlade.ledger.models import Source
from unlade.options import RunOptions
from unlade.progress import QuietReporter
from unlade.report.runs import run_json


def _run(port: Port, importer: ContainerImport, **options: Any) -> dict[str, Any]:
    options = {"concurrency": 3, "batch_size": 5, **options}
    return run_json(run_import(importer, port.rigging(), RunOptions(**options), QuietReporter()).books.run)


class _Each(ContainerImport):
    """Nameless, so that nobody finds it by itself."""

    layout = "API_Images"
    containers: Sequence[str] = [FULL, LESSER]
    each = True
    owner = Owner("id_Contact", "patients.Patient")
    key = "each/{identity}/{field}{ext}"


def test_each_filled_value_is_an_item_of_its_own(make_port: PortMaker) -> None:
    special = {
        1: record(1, **{FULL: photo("one"), LESSER: photo("another")}),
        2: record(2, **{FULL: photo("alone")}),
        3: record(3, **{FULL: raw(b"not a picture", "x.jpg"), LESSER: photo("good")}),
    }
    importer = _Each()
    importer.name = "values"  # type: ignore[misc]
    with make_port(cargo(4, special=special)) as port:
        result = _run(port, importer)
        items = {(item.record_id, item.slot): item for item in Source.objects.get(name="values").items.all()}
        assert set(items) == {("1", FULL), ("1", LESSER), ("2", FULL), ("3", FULL), ("3", LESSER), ("4", FULL)}
        assert result["count_is"] == "values" and result["found"] == 6 == sum(result["totals"].values())
        assert items["1", FULL].sha256 != items["1", LESSER].sha256
        keys = {item.key for item in items.values()}
        assert len(keys) == 6 and {info.key for info in port.store.list("each", cargo_only=True)} == keys
        assert _run(port, importer)["requests"] == 3


def test_repetitions_are_fields_of_their_own(make_port: PortMaker) -> None:
    fields = [Field("id"), Field("photo", "container", max_repeat=3)]
    rows = [
        Record("1", "1", {"id": "A", "photo(1)": photo("first"), "photo(2)": photo("second"), "photo(3)": ""}),
        Record("2", "1", {"id": "B", "photo(1)": "", "photo(2)": photo("only second"), "photo(3)": ""}),
    ]
    data = DataSet("Clinic", [Account("unlade", "secret")], [Layout("Photos", "Photos", fields)], {"Photos": rows})

    class Repeated(ContainerImport):
        layout = "Photos"
        containers = ("photo(1)", "photo(2)")
        key = "photos/{identity}{ext}"

    importer = Repeated()
    importer.name = "repeated"  # type: ignore[misc]
    with make_port(data, patients=False) as port:
        result = _run(port, importer)
        taken = {item.identity: item.field for item in Source.objects.get(name="repeated").items.all()}
        assert taken == {"A": "photo(1)", "B": "photo(2)"} and result["totals"]["imported"] == 2


def test_another_order_is_the_hosts_sort_and_loses_nothing(make_port: PortMaker) -> None:
    with make_port(cargo(30)) as port:
        first = port.run(order="newest first", limit=5, batch_size=10)
        assert first["this_run"]["imported"] == 5
        done = [item.day for item in port.items().values() if item.state == "imported" and item.day]
        rest = [item.day for item in port.items().values() if item.state != "imported" and item.day]
        assert len(done) == 5 and (not rest or min(done) >= max(rest))
        port.until_done(order="newest first", batch_size=10)
        assert {item.state for item in port.items().values()} == {"imported"} and len(port.items()) == 30
        assert not port.twice()
        port.check()


def test_what_the_declaration_leaves_out_is_accepted_with_its_reason(make_port: PortMaker) -> None:
    class Few(ImageImport):
        name = ""

        def wants(self, record: SourceRecord) -> bool:
            return int(record.record_id) % 2 == 0

    importer = Few()
    importer.name = "few"  # type: ignore[misc]
    with make_port(cargo(6)) as port:
        result = _run(port, importer)
        assert result["totals"]["imported"] == 3 and result["totals"]["accepted"] == 3
        left = Source.objects.get(name="few").items.filter(state="accepted")
        assert {item.reason for item in left} == {"not_wanted"} and all(item.accepted_why for item in left)
        assert len(port.downloads()) == 3


def test_a_hook_that_fails_after_the_commit_costs_nobody_anything(make_port: PortMaker) -> None:
    told: list[str] = []

    class Telling(ImageImport):
        name = ""

        def after_commit(self, item: Any, row: Any) -> None:
            told.append(item.identity)
            raise RuntimeError("the project's own code")

    importer = Telling()
    importer.name = "telling"  # type: ignore[misc]
    with make_port(cargo(6)) as port:
        result = _run(port, importer)
        assert result["outcome"] == "done" and result["totals"]["imported"] == 6
        assert len(set(told)) == 6


def test_a_layout_without_a_declared_field_says_which_before_anything_starts(make_port: PortMaker) -> None:
    data = cargo(3)
    for layout in data.layouts:
        if layout.name == "API_Images":
            layout.fields = [field for field in layout.fields if field.name != "image_medium"]
    with make_port(data) as port:
        result = port.run()
        assert (result["exit"], result["outcome"]) == (1, "failed") and "image_medium" in result["reason"]
        assert not port.downloads()
