"""Simulated hosts to examine, and settings that lead to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fmsim import Account, BytesBlob, ContainerValue, DataSet, Field, Layout, Record, Simulator
from unlade.doctor.examine import look_there
from unlade.doctor.lines import Examination, Line
from unlade.importer import ContainerImport
from unlade.rigging import Rigging
from unlade.settings import Settings

PASSWORD = "anchor-9-quay"


def layout_fields(**results: str) -> list[Field]:
    """The fields that `plates()` of the reports declares; `results` change a type, None takes a field away."""
    known = {
        "id": "text", "id_Contact": "text", "date": "date",
        "image_Full": "container", "image_large": "container", "image_small": "container",
    } | results  # fmt: skip
    return [Field(name, result) for name, result in known.items() if result]


def data_set(
    fields: Sequence[Field] | None = None,
    *,
    records: int = 12,
    accounts: Sequence[Account] | None = None,
    **values: Any,
) -> DataSet:
    """A database of plates; `values` are set in every record."""
    small = ContainerValue(BytesBlob(b"\xff\xd8\xff small"), "a.jpg", "image/jpeg")
    rows = [
        Record(
            str(n), "1", {"id": f"ID-{n}", "id_Contact": f"P-{n}", "date": "04/04/2019", "image_small": small} | values
        )
        for n in range(1, records + 1)
    ]
    return DataSet(
        database="Plates",
        accounts=list(accounts or [Account("reader", PASSWORD)]),
        layouts=[Layout("API_Plates", "Plates", list(layout_fields() if fields is None else fields))],
        tables={"Plates": rows},
    )


def settings_for(host: Simulator, tmp_path: Path, **more: str) -> Settings:
    """Settings that lead to `host`, and to folders of this test."""
    values = {
        "FILEMAKER_URL": host.url,
        "FILEMAKER_DATABASE": host.database,
        "FILEMAKER_ACCOUNT": host.account,
        "FILEMAKER_PASSWORD": PASSWORD,
        "UNLADE_STORE": (tmp_path / "store").as_uri(),
        "UNLADE_SPOOL": str(tmp_path / "spool"),
        "UNLADE_PACE": "off",
    } | more
    if host.ca_file:
        values = {"FILEMAKER_CA_FILE": host.ca_file} | values
    return Settings(environ=values)


def visited(host: Simulator, tmp_path: Path, *imports: ContainerImport, **more: str) -> list[Line]:
    """What the doctor finds on the host's side."""
    found = Examination()
    look_there(found, imports, Rigging(settings_for(host, tmp_path, **more)))
    return found.lines


def of(lines: Iterable[Line], topic: str) -> list[Line]:
    """The lines of one topic, by its last word."""
    return [line for line in lines if line.topic.split()[-1] == topic]


def only(lines: Iterable[Line], topic: str) -> Line:
    """The one line of a topic."""
    (line,) = of(lines, topic)
    return line
