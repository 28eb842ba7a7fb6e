"""The reporting commands as a user types them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.report.ledgers import items, run, source
from unlade.cargo import Facts
from unlade.ledger.models import Host, TransferUsage
from unlade.report.advice import import_command
from unlade.rigging import utc_now
from unlade.store import open_store
from unlade.units import format_size

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILEMAKER_URL", "https://fm.example.com")
    monkeypatch.setenv("FILEMAKER_DATABASE", "Clinic")
    monkeypatch.setenv("FILEMAKER_ACCOUNT", "reader")
    monkeypatch.setenv("FILEMAKER_PASSWORD", "hush-hush")
    monkeypatch.setenv("UNLADE_STORE", (tmp_path / "store").as_uri())
    monkeypatch.setenv("UNLADE_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("UNLADE_ALLOWANCE", "144GB")
    monkeypatch.setenv("UNLADE_ALLOWANCE_RESET", "03-10")


def called(*args: str) -> str:
    out = io.StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_status_speaks_of_every_declared_import() -> None:
    row = source("images", layout="API_Images", found=10)
    items(row, "imported", 5, field="image_Full", size=1000)
    run(row, 1, imported=5)
    text = called("filemaker_status")
    assert text.startswith("5 of 10 images (50 %)")
    assert "0 B of 144 GB used" in text
    assert text.rstrip().endswith(import_command("images"))


def test_status_as_json_is_one_object_on_the_last_line() -> None:
    items(source("images", found=10), "imported", 5, field="image_Full")
    data = json.loads(called("filemaker_status", "--json").strip().splitlines()[-1])
    assert data["sources"]["images"]["by_field"] == {"image_Full": 5}
    assert data["allowance"]["size"] == 144 * 10**9
    assert data["breaker"]["phase"] == "closed"


def test_status_before_anybody_said_which_host_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FILEMAKER_URL")
    assert "Images: not counted yet" in called("filemaker_status", "images")


def test_status_as_markdown() -> None:
    source("images", found=10)
    assert called("filemaker_status", "--markdown").startswith("**0 of 10 images (0 %)")


def test_an_import_that_nobody_declared() -> None:
    error = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("filemaker_status", "nonsense", stdout=io.StringIO(), stderr=error)
    assert ended.value.code == 2
    assert "images" in error.getvalue()


def test_a_sheet_through_the_real_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    store = open_store((tmp_path / "store").as_uri())
    facts = Facts("images", "1", "1", "A", 0, "0" * 64, "imported")
    store.put_thumbnail("a.thumb.jpg", b"\xff\xd8\xff picture", content_type="image/jpeg", facts=facts)
    items(source("images", found=2), "imported", key="a.jpg", thumbnail_key="a.thumb.jpg")
    path = tmp_path / "sheet.html"
    assert str(path) in called("filemaker_status", "images", "--sheet", str(path))
    assert "data:image/jpeg;base64," in path.read_text(encoding="utf-8")


def test_the_allowance(settings: object) -> None:
    host = Host.objects.create(key="https://fm.example.com Clinic")
    row = source("images", found=2)
    for of_run, charged, settled in ((run(row, 7), 5_000_000, True), (None, 3_000, False)):
        TransferUsage.objects.create(
            host=host, run=of_run, kind="api", reserved=charged, charged=charged, settled=settled, opened_at=utc_now(),
            container_bytes=charged if settled else 0,
        )  # fmt: skip
    text = " ".join(called("filemaker_allowance").split())
    assert "year 144 GB 5 MB 3 KB 129.6 GB 10 March" in text
    assert "images #7" in text and "no run" in text
    assert f"{format_size(3_000)} of it reserved and not settled" in text
    data = json.loads(called("filemaker_allowance", "--json"))
    assert (data["used"], data["reserved"], data["booked"]) == (5_000_000, 3_000, 5_003_000)
    assert {entry["run"] for entry in data["runs"]} == {7, None}


def test_the_allowance_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNLADE_ALLOWANCE")
    assert "No allowance is set" in called("filemaker_allowance")


def test_the_least_policy_of_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLADE_STORE", "s3://bucket/prefix")
    assert "s3:PutObject" in called("filemaker_doctor", "--iam-policy")
