"""`filemaker_export_script`: the clinic's own declaration, and what comes back."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.desktop.formulas import Container
from tests.desktop.machine import Machine, Table
from unlade.desktop.read import PATH, RECORD_ID, FolderIndex, FolderKind, open_metadata, recognise


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = 0
    try:
        call_command("filemaker_export_script", *arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_writes_the_files_and_compares_what_came_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "images", "--to", str(tmp_path / "a"))
    assert code == 0 and str(tmp_path / "a" / "export.md") in out
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["export-steps.xml", "export.md", "export.txt", "export.xml"]
    script = tmp_path / "a" / "export.xml"
    assert "image_Ex_large" in script.read_text(encoding="utf-8")
    assert run(capsys, "images", "--compare", str(script))[0] == 0

    script.write_text(script.read_text(encoding="utf-8").replace("::image_small", "::image_tiny"), encoding="utf-8")
    code, out, _ = run(capsys, "images", "--compare", str(script), "--json")
    answer = json.loads(out)
    assert (code, answer["exit"], answer["outcome"]) == (1, 1, "failed")
    assert any("calculation is another" in line for line in answer["differences"])


def test_the_clinics_script_runs_and_its_export_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "images", "--to", str(tmp_path / "script"))
    fields = [
        "id",
        "id_Contact",
        "Type",
        "Name of file",
        "image_Ex_large",
        "image_large",
        "image_medium",
        "image_small",
    ]
    types = dict.fromkeys(fields, "Standard Text Unindexed 1")
    types |= {"date": "Standard Date Unindexed 1", "image_Full": "Standard Container Unindexed 1"}
    picture = Container(b"\xff\xd8\xff", "IMG 1.JPG")
    values = {"id": "I1", "id_Contact": "P1", "Type": "ortho", "date": date(2019, 4, 18), "image_large": picture}
    table = Table("Images", "API_Images", types, [("6066", "7", values), ("6067", "0", {"id": "I2"})])
    Machine(table, tmp_path / "out").run((tmp_path / "script" / "export.xml").read_text(encoding="utf-8"))

    found = recognise(tmp_path / "out")
    assert found.kind is FolderKind.EXPORT
    file = open_metadata(found.root)
    assert file.notes == () and file.found == 2
    first, second = file
    assert (first.values["id"], first.values["date"], first.values[RECORD_ID]) == ("I1", "2019-04-18", "6066")
    assert (second.values["id"], second.values[PATH]) == ("I2", "")
    with FolderIndex.build(found.root) as index:
        assert [entry.path for entry in index.all_files()] == [first.values[PATH]]


def test_options_reach_the_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(
        capsys,
        *("images", "--to", str(tmp_path), "--variant", "export-field", "--table", "Images", "--all-fields", "--json"),
        *("--layout", "Slim", "--field-id", "image_Full=12", "--also", "Stage"),
    )
    answer = json.loads(out)
    assert (code, answer["files"][0], answer["copied"]) == (0, "export-field.xml", False)
    xml = (tmp_path / "export-field.xml").read_text(encoding="utf-8")
    assert '<Field table="Images" id="12" name="image_Full"/>' in xml
    assert '"Slim"' in xml and "::Stage" in xml and '"all"' in xml


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no import is named"),
        (["images", "--variant", "export-field"], "table occurrence"),
        (["images", "--field-id", "wrong=1"], "--field-id"),
        (["images", "--for-version", "18"], "FileMaker 19"),
        (["images", "--compare", "/nowhere/at/all"], "cannot be read"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, *arguments)
    assert code == 2 and message in err
