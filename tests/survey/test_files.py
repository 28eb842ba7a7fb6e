"""The survey of database files: exact, with bytes and places; and what declarations cover of them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from fmsim import Simulator
from fmsim.folder import read
from tests.fmp12road.files import as_database
from tests.standalone.files import images
from tests.survey.hosts import environ
from tests.voyage.harness import FIELDS, cargo
from unlade.ledger.models import Host
from unlade.standalone.__main__ import main
from unlade.survey.values import SurveyFound

pytestmark = pytest.mark.django_db


def survey(*words: str | Path) -> dict[str, Any]:
    out = io.StringIO()
    call_command("filemaker_survey", *map(str, words), "--yes", "--json", stdout=out)
    return json.loads(out.getvalue().strip().splitlines()[-1])  # type: ignore[no-any-return]


def test_a_file_is_counted_to_the_last_value(tmp_path: Path) -> None:
    told = survey("--from", images(tmp_path / "a.fmp12", 10, reference=3))
    photo, logo = ({one["field"]: one for one in told["fields"]}[name] for name in ("photo", "logo"))
    assert (photo["filled"], photo["values"], photo["records"], photo["exact"]) == (10, 11, 10, True)
    assert photo["by_repetition"] == {"1": 10, "2": 1}
    assert photo["where"] == {"inside": 10, "reference": 1}
    assert photo["types"] == {".jpg": 9, ".txt": 1}
    assert photo["bytes"] > 9 * 3000
    assert (logo["state"], logo["filled"]) == ("set apart", 1)
    assert (photo["state"], photo["repetitions_not_covered"]) == ("not covered", [1, 2])
    kept = SurveyFound.from_json(Host.objects.get().survey)
    assert (kept.road, kept.place, kept.full) == ("file", "a.fmp12", True)


def test_the_declaration_that_reads_its_table_covers_it(tmp_path: Path) -> None:
    told = survey("--from", as_database(cargo(5), tmp_path / "clinic.fmp12"))
    assert {one["field"]: one["state"] for one in told["fields"]} == {
        FIELDS[0]: "covered", **dict.fromkeys(FIELDS[1:], "covered")
    }  # fmt: skip
    assert told["not_covered"] == []


def test_both_roads_count_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = images(tmp_path / "Plates.fmp12", 30, reference=4)
    main(["dataset", str(path), str(tmp_path / "host"), "--yes"])
    by_file = {one["name"]: one for one in survey("--from", path)["fields"]}
    with Simulator(read(tmp_path / "host")) as host:
        for name, value in environ(host, tmp_path, FILEMAKER_ACCOUNT=host.account).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FILEMAKER_PASSWORD", host.password)
        by_host = {one["name"]: one for one in survey("--full")["fields"]}
    assert by_host.keys() == by_file.keys()
    for name, one in by_file.items():
        same = ("filled", "records", "by_repetition", "repetitions", "global", "state")
        assert {key: by_host[name][key] for key in same} == {key: one[key] for key in same}, name


def test_several_files_are_one_solution(tmp_path: Path) -> None:
    images(tmp_path / "in" / "a.fmp12", 3)
    as_database(cargo(2), tmp_path / "in" / "b.fmp12")
    told = survey("--from", tmp_path / "in")
    assert told["place"] == "a.fmp12, b.fmp12"
    assert {one["field"] for one in told["fields"]} >= {"photo", FIELDS[0]}


def test_an_export_folder_cannot_tell_what_was_left(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    err = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("filemaker_survey", "--from", str(tmp_path), stdout=io.StringIO(), stderr=err)
    assert ended.value.code == 2
    assert "cannot tell what was not" in err.getvalue()
