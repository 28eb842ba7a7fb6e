"""Exports of the ports' cargo, as people make them: by our script, as a plain tree, flat beside a metadata file."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from fmsim import DataSet, Record
from tests.desktop.formulas import Container
from tests.desktop.machine import Machine, Table
from tests.desktop.writers import fmpxml, quoted
from tests.voyage.harness import FIELDS
from unlade.desktop.script import make_bundle, plan_export

PLAIN = ("id", "id_Contact", "date", "Type", "Name of file")
_TYPES = {
    **dict.fromkeys(("id", "id_Contact", "Type", "Name of file"), "Standard Text Indexed 1"),
    "date": "Standard Date Unindexed 1",
    **dict.fromkeys(FIELDS, "Standard Container Unindexed 1"),
}


def bytes_of(value: Any) -> bytes:
    """The file of a container value of the simulator's data set."""
    return b"".join(value.blob.chunks()) if value and value.blob else b""


def day_of(row: Record) -> date:
    month, day, year = map(int, str(row.values["date"]).split("/"))
    return date(year, month, day)


def by_script(
    data: DataSet, documents: Path, *, parameter: str = "", fault: Any = None, all_fields: bool = False
) -> Path:
    """Run the generated script on the records; the folder with the manifest."""
    records = []
    for row in data.tables["Images"]:
        values: dict[str, Any] = {name: row.values[name] for name in ("id", "id_Contact", "Type", "Name of file")}
        values["date"] = day_of(row)
        for name in FIELDS:
            value = row.values[name]
            if value:
                values[name] = Container(bytes_of(value), value.name)
        records.append((row.record_id, row.mod_id, values))
    plan = plan_export(
        "images",
        layout="API_Images",
        identity="id",
        containers=list(FIELDS),
        owner="id_Contact",
        date="date",
        category="Type",
        original_name="Name of file",
        all_fields=all_fields,
    )
    documents.mkdir(parents=True, exist_ok=True)
    machine = Machine(Table("Images", "API_Images", _TYPES, records), documents, parameter)
    if fault:
        machine.fault = fault
    result = json.loads(machine.run(make_bundle(plan).script_xml))
    assert result["outcome"] == "done"
    return documents / "unlade" / "run-1" / "images"


def as_tree(data: DataSet, folder: Path) -> Path:
    """`{owner}/{date}/{identity}.jpg`, the best filled field of each."""
    for row in data.tables["Images"]:
        best = next((row.values[name] for name in FIELDS if row.values[name]), None)
        if best:
            path = folder / str(row.values["id_Contact"]) / day_of(row).isoformat() / f"{row.values['id']}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes_of(best))
    return folder


def flat(data: DataSet, folder: Path, *, by: str = "record") -> Path:
    """`6066.jpg` and so on, without any folders."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in data.tables["Images"]:
        best = next((row.values[name] for name in FIELDS if row.values[name]), None)
        if best:
            name = row.record_id if by == "record" else row.values["id"]
            (folder / f"{name}.jpg").write_bytes(bytes_of(best))
    return folder


def rows_of(data: DataSet) -> list[list[Any]]:
    return [[str(row.values[name]) for name in PLAIN] for row in data.tables["Images"]]


def as_csv(data: DataSet, path: Path) -> Path:
    """A csv with a header, dates in US form."""
    path.write_text(quoted([list(PLAIN), *rows_of(data)]), encoding="utf-8", newline="")
    return path


def as_xml(data: DataSet, path: Path) -> Path:
    """FMPXMLRESULT: it tells record ids."""
    rows = [
        (row.record_id, row.mod_id, values)
        for row, values in zip(data.tables["Images"], rows_of(data), strict=True)
    ]  # fmt: skip
    kinds = [(name, "DATE" if name == "date" else "TEXT") for name in PLAIN]
    path.write_text(fmpxml(kinds, rows), encoding="utf-8")
    return path
