"""The doctor against a simulated host, over real HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmsim import Account, BytesBlob, ContainerValue, Field, Simulator
from tests.doctor.hosts import data_set, layout_fields, of, only, visited
from tests.report.ledgers import plates
from unlade.doctor.lines import exit_code
from unlade.ledger.models import TransferUsage

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("streaming", ["protected", "bearer", "first-hit"])
def test_a_healthy_host(tmp_path: Path, streaming: str) -> None:
    with Simulator(data_set(), streaming=streaming) as host:
        lines = visited(host, tmp_path, plates())
        stats = host.stats()
    assert {line.level for line in lines} == {"ok"}
    assert exit_code(lines) == 0
    assert "21.1.1.41" in only(lines, "version").message
    assert "12 records, all that the table has" in only(lines, "records").message
    assert only(lines, "files").message.startswith("protected")
    # It costs a sign-in and a few small pages, fetches no file, writes nothing and logs out.
    assert (stats["logins"], stats["open_sessions"], stats["writes"]) == (1, 0, 0)
    assert stats["bytes"]["container"] == 0 and stats["downloads"] == {}
    assert stats["requests"]["container_hops"] == 1


def test_every_byte_is_booked(tmp_path: Path) -> None:
    with Simulator(data_set()) as host:
        visited(host, tmp_path, plates())
        sent = host.stats()["bytes"]
    rows = list(TransferUsage.objects.all())
    assert all(row.settled for row in rows)
    assert sum(row.api_bytes for row in rows) == sent["api"]
    assert sum(row.header_bytes for row in rows) == sent["headers"]


def test_an_open_host_is_left_after_the_head(tmp_path: Path) -> None:
    large = ContainerValue(BytesBlob(bytes(30_000_000)), "a.jpg", "image/jpeg")
    with Simulator(data_set(image_small=large), streaming="open") as host:
        line = only(visited(host, tmp_path, plates()), "files")
        stats = host.stats()
    assert stats["downloads"] == {} and stats["bytes"]["container"] < 20_000_000
    assert line.level == "warning" and line.message.startswith("open")
    assert "AuthenticatedStream" in line.remedy


def test_a_wrong_password(tmp_path: Path) -> None:
    with Simulator(data_set()) as host:
        lines = visited(host, tmp_path, plates(), FILEMAKER_PASSWORD="wrong-pass-word")
    line = only(lines, "login")
    assert line.level == "error" and "212" in line.message and "FILEMAKER_PASSWORD" in line.remedy
    assert all("wrong-pass-word" not in f"{each.message}{each.remedy}" for each in lines)
    assert [each.message for each in lines if each.topic.startswith("plates")] == [
        "skipped: it needs login", *["skipped: it needs plates layout"] * 4,
    ]  # fmt: skip
    assert exit_code(lines) == 1


def test_a_refused_password_is_not_tried_again(tmp_path: Path) -> None:
    with Simulator(data_set()) as host:
        visited(host, tmp_path, plates(), FILEMAKER_PASSWORD="wrong-pass-word")
        asked = host.stats()["requests"]["session"]
        again = visited(host, tmp_path, plates(), FILEMAKER_PASSWORD="wrong-pass-word")
        assert host.stats()["requests"]["session"] == asked == 1
        assert exit_code(again) == 1
        assert exit_code(visited(host, tmp_path, plates())) == 0


def test_a_missing_privilege(tmp_path: Path) -> None:
    accounts = [Account("reader", "anchor-9-quay", frozenset())]
    with Simulator(data_set(accounts=accounts)) as host:
        line = only(visited(host, tmp_path, plates()), "login")
    assert line.level == "error"
    assert "fmrest" in line.remedy or "212" in line.message


def test_a_wrong_database(tmp_path: Path) -> None:
    with Simulator(data_set()) as host:
        lines = visited(host, tmp_path, plates(), FILEMAKER_DATABASE="Nowhere")
    assert only(lines, "address").level == "ok"
    assert only(lines, "login").level == "error"
    assert "FILEMAKER_DATABASE" in only(lines, "login").remedy


def test_a_missing_layout(tmp_path: Path) -> None:
    importer = plates()
    importer.layout = "API_Elsewhere"  # type: ignore[misc]
    with Simulator(data_set()) as host:
        lines = visited(host, tmp_path, importer)
    assert only(lines, "layout").level == "error"
    assert "API_Elsewhere" in only(lines, "layout").message
    assert [line.skipped for line in of(lines, "records")] == [True]


def test_what_is_wrong_with_fields_does_not_stop_the_rest(tmp_path: Path) -> None:
    fields = layout_fields(image_large="", image_small="text", date="number")
    with Simulator(data_set(fields, image_small="a.jpg")) as host:
        lines = visited(host, tmp_path, plates())
    said = [line.message for line in of(lines, "fields") if line.level == "error"]
    assert said == [
        "field image_large is not on layout API_Plates",
        "field image_small is a text field, not a container",
        "field date is a number field; no day can be read from it",
    ]
    assert only(lines, "records").level == "ok"
    assert only(lines, "weight").level == "ok"
    assert "cannot be seen" in only(lines, "files").message


def test_a_fat_layout(tmp_path: Path) -> None:
    fields = [*layout_fields(), Field("notes_b64"), Field("history")]
    with Simulator(data_set(fields, notes_b64="A" * 46_000, history="B" * 3_000)) as host:
        line = only(visited(host, tmp_path, plates()), "weight")
    assert line.level == "warning"
    assert "notes_b64 46" in line.message and "history 3" in line.message
    assert line.message.index("notes_b64") < line.message.index("history")
    assert "not needed" in line.message and "one full listing" in line.message
    assert "response_layout" in line.remedy
    assert "AAAA" not in line.message


def test_an_account_that_does_not_see_everything(tmp_path: Path) -> None:
    accounts = [Account("reader", "anchor-9-quay", hides={"Plates": frozenset({"1", "2"})})]
    with Simulator(data_set(accounts=accounts)) as host:
        line = only(visited(host, tmp_path, plates()), "records")
    assert (line.level, line.message) == ("warning", "this account sees 10 of 12 records")


def test_an_empty_table(tmp_path: Path) -> None:
    with Simulator(data_set(records=0)) as host:
        lines = visited(host, tmp_path, plates())
    assert only(lines, "records").message == "there are no records"
    assert exit_code(lines) == 0


def test_two_imports_cover_a_layout_together(tmp_path: Path) -> None:
    portraits = plates("portraits")
    portraits.containers = ["portrait"]  # type: ignore[misc]
    fields = [*layout_fields(), Field("portrait", "container"), Field("signature", "container")]
    with Simulator(data_set(fields)) as host:
        lines = visited(host, tmp_path, plates(), portraits)
        stats = host.stats()
    warned = [line.message for line in of(lines, "fields") if line.level == "warning"]
    assert warned == ["layout API_Plates shows containers that no declaration takes: signature"] * 2
    assert stats["open_sessions"] == 0


def test_a_host_that_is_not_there(tmp_path: Path) -> None:
    with Simulator(data_set()) as host:
        url = host.url
    lines = visited(host, tmp_path, plates(), FILEMAKER_URL=url)
    assert only(lines, "address").level == "error"
    assert only(lines, "login").message == "skipped: it needs address"


def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    with Simulator(data_set(), tls=True) as host:
        good = only(visited(host, tmp_path, plates()), "address")
        authority, host.ca_file = host.ca_file, None
        bad = only(visited(host, tmp_path, plates()), "address")
        host.ca_file = authority
    assert good.level == "ok" and "certificate" in good.message
    assert bad.level == "error" and "certificate" in bad.message.lower()


def test_plain_http_to_somewhere_else_is_refused_unasked(tmp_path: Path) -> None:
    with Simulator(data_set()) as host:
        lines = visited(host, tmp_path, plates(), FILEMAKER_URL="http://fm.example.com")
    assert only(lines, "address").level == "error" and "unencrypted" in only(lines, "address").message


def test_a_resting_host_is_left_alone(tmp_path: Path) -> None:
    from datetime import timedelta

    from unlade.ledger.models import Host
    from unlade.rigging import utc_now

    with Simulator(data_set()) as host:
        until = (utc_now() + timedelta(hours=1)).isoformat()
        breaker = {"phase": "open", "cause": "gateway", "opened_at": utc_now().isoformat(), "retry_at": until}
        Host.objects.create(key=f"{host.url} {host.database}", breaker=breaker)
        lines = visited(host, tmp_path, plates())
        assert sum(host.stats()["requests"].values()) == 0
    assert only(lines, "address").level == "warning"
    assert exit_code(lines) == 0


def test_a_spent_allowance_is_respected(tmp_path: Path) -> None:
    with Simulator(data_set()) as host:
        lines = visited(host, tmp_path, plates(), UNLADE_MAX_BYTES_DAY="1KB")
        assert host.stats()["requests"]["session"] == 0
    assert only(lines, "address").level == "warning"


def test_without_an_import_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    with Simulator(data_set()) as host:
        assert only(visited(host, tmp_path), "imports").level == "error"
