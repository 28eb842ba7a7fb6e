"""`filemaker_doctor` as a user types it, against the simulated clinic."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from fmsim import Simulator, clinic
from unlade.report.advice import import_command


@pytest.mark.slow
@pytest.mark.django_db
def test_a_clinic_that_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator(clinic.build(images=6, patients=2)) as host:
        values = {
            "FILEMAKER_URL": host.url,
            "FILEMAKER_DATABASE": host.database,
            "FILEMAKER_ACCOUNT": host.account,
            "FILEMAKER_PASSWORD": host.password,
            "UNLADE_STORE": (tmp_path / "store").as_uri(),
            "UNLADE_SPOOL": str(tmp_path / "spool"),
            "UNLADE_SPOOL_MAX": "1KB",
            "UNLADE_DECODERS": "1",
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        text, data = io.StringIO(), io.StringIO()
        call_command("filemaker_doctor", "images", stdout=text)
        call_command("filemaker_doctor", "--json", stdout=data)
        monkeypatch.setenv("FILEMAKER_PASSWORD", "wrong-pass-word")
        with pytest.raises(SystemExit) as ended:
            call_command("filemaker_doctor", stdout=text)
    assert ended.value.code == 1
    assert "wrong-pass-word" not in text.getvalue()
    assert f"{import_command('images')} --pilot 50" in text.getvalue()
    found = json.loads(data.getvalue().strip().splitlines()[-1])
    assert found["exit"] == 0
    assert [line for line in found["lines"] if line["level"] == "error"] == []
    password = next(entry for entry in found["settings"] if entry["name"] == "FILEMAKER_PASSWORD")
    assert (password["value"], password["origin"]) == ("(set)", "environment")
