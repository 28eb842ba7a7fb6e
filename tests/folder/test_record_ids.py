"""Record and modification ids across roads: used after twenty shared items agreed on both, and the run says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmsim import DataSet
from tests.desktop.writers import fmpxml
from tests.existing.test_metadata_only import command, put
from tests.folder.exports import PLAIN, flat, rows_of
from tests.voyage.harness import FULL, MISSING, PortMaker, cargo, record
from unlade.ledger.models import Item, Run

NAMELESS = 24  #: this record's identity is blank in the export


def as_xml(data: DataSet, path: Path, *, shift: int = 0, edited: int = 0) -> Path:
    """FMPXMLRESULT with record ids: `shift` as of a copy of the file, the first `edited` records edited since."""
    rows = []
    for number, (row, values) in enumerate(zip(data.tables["Images"], rows_of(data), strict=True), 1):
        if number == NAMELESS:
            values = ["", "", "", "", ""]
        mod_id = row.mod_id if number > edited else "77"
        rows.append((str(int(row.record_id) + shift), mod_id, values))
    kinds = [(name, "DATE" if name == "date" else "TEXT") for name in PLAIN]
    path.write_text(fmpxml(kinds, rows), encoding="utf-8")
    return path


def without_its_file(count: int) -> DataSet:
    """The host's records: all but one have their picture there."""
    return cargo(count, special={NAMELESS: record(NAMELESS, **{FULL: MISSING})})  # type: ignore[arg-type]


@pytest.mark.parametrize(("shift", "edited", "used"), [(0, 0, True), (0, 3, True), (0, 9, False), (100, 0, False)])
def test_a_record_without_identity(make_port: PortMaker, tmp_path: Path, shift: int, edited: int, used: bool) -> None:
    data = cargo(26)
    folder = flat(data, tmp_path / "export")
    if shift:
        for path in sorted(folder.glob("*.jpg"), key=lambda path: -int(path.stem)):
            path.rename(path.with_stem(str(int(path.stem) + shift)))
    metadata = as_xml(data, tmp_path / "rows.xml", shift=shift, edited=edited)
    with make_port(without_its_file(26)) as port:
        port.run()
        before = port.items()[str(NAMELESS)]
        assert before.state == "failed"
        port.run(from_path=str(folder), metadata=str(metadata))
        run = Run.objects.get(road="folder")
        assert run.options["ids"] == {
            "shared": 25, "agreed": 0 if shift else 25 - edited, "others": 25 if shift else 0, "record_ids_used": used,
        }  # fmt: skip
        item = Item.objects.get(pk=before.pk)
        told = ("identity", "owner_ref", "day", "category", "record_id", "road")
        assert [getattr(item, name) for name in told] == [getattr(before, name) for name in told]
        assert item.state == ("imported" if used else "failed")
        assert Item.objects.filter(reason="no_identity").exists() is not used
        if used:
            assert port.check(books="")["imported"] == 26
            assert port.run(from_path=str(folder), metadata=str(metadata))["this_run"]["skipped"] == 26


def test_the_same_from_a_listing(make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = cargo(26)
    with make_port(without_its_file(26)) as port:
        port.run()
        put(port, flat(data, tmp_path / "export"), "up")
        metadata = as_xml(data, tmp_path / "rows.xml")
        code, said = command(port, monkeypatch, "--prefix", "up", "--metadata", str(metadata), "--no-thumbnails")
        assert (code, said["totals"]["imported"]) == (0, 26)
        item = port.items()[str(NAMELESS)]
        assert (item.key, item.identity) == (f"up/{NAMELESS}.jpg", data.tables["Images"][NAMELESS - 1].values["id"])
