"""What an export's own word says against what lies in its folder: each difference is found and named, and only it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.folder.faults import FIELD, identity, named, tampered, write_export
from unlade.cargo import RefStatus
from unlade.desktop.source import FileTrouble, FolderSource, open_folder
from unlade.errors import RecordGone, UsageError
from unlade.importer import get_import
from unlade.options import RunOptions


def opened(folder: Path, **options: Any) -> FolderSource:
    return open_folder(folder, get_import("images"), RunOptions(**options))


def read_all(source: FolderSource) -> dict[str, str]:
    """What is wrong with each record's file, by record id."""
    found = {}
    for record in source.page(1, 100_000).records:
        try:
            _, wrong = source.borrow(record, record.containers[FIELD])
        except FileTrouble as error:
            wrong = error.reason
        if wrong:
            found[record.record_id] = wrong
    return found


def test_a_whole_export_has_no_findings(tmp_path: Path) -> None:
    write_export(tmp_path / "export", 30)
    with closing(opened(tmp_path / "export")) as source:
        assert (source.count().found, source.notes, source.catalogue.found()) == (30, (), {})
        assert read_all(source) == {}


def test_each_change_is_named_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    swapped: dict[int, dict[str, Any]] = {
        17: {"owner": "P1"},
        18: {"st": "error", "err": 800},
        19: {"st": "too_big"},
        20: {"verify": "0"},
    }
    write_export(folder, 600, swapped)
    files = {path.name.partition("~")[2].partition("-")[0]: path for path in folder.rglob("*.jpg")}
    files["100"].unlink()
    flipped = bytearray(files["200"].read_bytes())
    flipped[7] ^= 4
    files["200"].write_bytes(flipped)
    files["300"].write_bytes(b"")
    files["400"].with_name(files["400"].name.replace("~", "-COPY~")).write_bytes(b"stray")
    files["500"].unlink()
    files["500"].symlink_to(files["499"])
    report = tmp_path / "report.json"
    with closing(opened(folder, report=str(report))) as source:
        wrong = read_all(source)
    told = json.loads(report.read_text())
    assert wrong == {
        "17": "wrong_owner",
        "18": "export_error",
        "19": "too_big",
        "100": "file_missing",
        "200": "its digest is not the one that FileMaker told",
        "300": "truncated",
        "500": "file_missing",
    }
    by_kind: dict[str, set[str]] = {}
    for entry in told["findings"]:
        if entry["what"] != "matched":
            by_kind.setdefault(entry["what"], set()).add(entry["record_id"] or entry["path"].rpartition("~")[2])
    assert by_kind == {
        "wrong_owner": {"17"},
        "export_error": {"18"},
        "too_big": {"19"},
        "broken_in_source": {"20"},
        "row_without_file": {"100", "500"},
        "damaged": {"200", "300"},
        "zero_bytes": {"300-1-1.jpg"},
        # What the script called an error left its files behind; they are nobody's.
        "file_without_row": {"18-1-1.jpg", "19-1-1.jpg", "400-1-1.jpg"},
        "link": {"500-1-1.jpg"},
        "manifest": {""},
    }


def test_a_manifest_that_was_cut_is_said_to_be(tmp_path: Path) -> None:
    parts = write_export(tmp_path / "export", 400)
    text = parts[1].read_bytes()
    parts[1].write_bytes(text[: len(text) - 700])
    with closing(opened(tmp_path / "export")) as source:
        told = [finding.detail for finding in source.catalogue.findings() if finding.what == "manifest"]
        assert any(parts[1].name in text for text in told)
        assert any("breaks off" in text or "was not closed" in text for text in told)
        assert source.notes
    parts[0].unlink()
    with closing(opened(tmp_path / "export")) as source:
        assert any("parts are missing: 1" in f.detail for f in source.catalogue.findings())
        assert source.count().found == 200


def test_twins_that_overwrote_each_other_are_taken_by_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    name = "files/P1/2019-04-01/a~{}-1-1.jpg"
    twin = name.format(1).upper().replace("FILES", "files")
    write_export(folder, 4, {1: {"path": name.format(1)}, 2: {"path": twin, "owner": "P1"}})
    with closing(opened(folder)) as source:
        # This disk keeps them apart: two files, named as a danger.
        assert source.catalogue.found() == {"twins": 2}
    if (folder / twin).samefile(folder / name.format(1)):
        pytest.skip("this disk ignores case")
    (folder / twin).unlink()  # as on a disk that ignores case
    with closing(opened(folder)) as source:
        assert source.catalogue.found() == {"shared_file": 2}
        assert read_all(source) == {"1": "shared_file", "2": "shared_file"}


def test_records_are_read_under_any_of_their_ids(tmp_path: Path) -> None:
    write_export(tmp_path / "export", 3)
    with closing(opened(tmp_path / "export")) as source:
        assert source.read(f"id={identity(2).lower()}").record_id == "2"
        assert source.read("2").containers[FIELD].status is RefStatus.FILE
        with pytest.raises(RecordGone):
            source.read("id=nobody")


def test_a_report_that_cannot_be_written_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    write_export(tmp_path / "export", 3)
    with pytest.raises(UsageError, match="cannot be written"):
        opened(tmp_path / "export", report=str(tmp_path / "no" / "such" / "report.csv"))


def test_a_report_is_no_spreadsheet_formula(tmp_path: Path) -> None:
    folder = tmp_path / "tree" / "P1" / "2019-04-01"
    folder.mkdir(parents=True)
    (folder / "A1.jpg").write_bytes(b"x")
    (tmp_path / "tree" / "=cmd.jpg").write_bytes(b"x")
    report = tmp_path / "report.csv"
    opened(tmp_path / "tree", report=str(report)).close()
    assert ",'=cmd.jpg," in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_a_rate_is_kept(tmp_path: Path) -> None:
    write_export(tmp_path / "export", 5)
    with closing(opened(tmp_path / "export", max_rate=100)) as source:
        naps: list[float] = []
        source.nap = naps.append
        assert read_all(source) == {}
        size = len(b"file 1" * 20)
    # Nobody slept, so each file waits behind all before it: the first not at all.
    assert [round(nap / (size / 100), 1) for nap in naps] == [1.0, 2.0, 3.0, 4.0]


def test_a_fault_of_each_kind_among_thousands(tmp_path: Path) -> None:
    export = tampered(tmp_path / "export", 2000)
    report = tmp_path / "report.json"
    with closing(opened(export.folder, report=str(report))) as source:
        wrong = read_all(source)
    assert set(wrong) == export.failed | export.damaged
    assert named(json.loads(report.read_text())["findings"]) == export.findings
