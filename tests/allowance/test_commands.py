"""`filemaker_allowance` as a user types it: it shows, sets, unsets, and takes what the console says."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from unlade.errors import SettingsError
from unlade.ledger.models import ConsoleReading, Host, TransferUsage
from unlade.report.console import console_figures, console_note
from unlade.rigging import Rigging, load_settings, utc_now

GB, MB = 10**9, 10**6

#: A contract year that began a hundred days ago, whenever the test runs.
LONG_AGO = (utc_now() - timedelta(days=100)).strftime("%m-%d")


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILEMAKER_URL", "https://fm.example.com")
    monkeypatch.setenv("FILEMAKER_DATABASE", "Clinic")
    monkeypatch.setenv("UNLADE_TIME_ZONE", "Europe/Zurich")
    for name in ("UNLADE_ALLOWANCE", "UNLADE_ALLOWANCE_RESET", "UNLADE_MAX_BYTES_DAY"):
        monkeypatch.delenv(name, raising=False)


def called(*args: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("filemaker_allowance", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def told(*args: str) -> dict[str, Any]:
    data = json.loads(called(*args, "--json")[0].strip().splitlines()[-1])
    assert isinstance(data, dict)
    return data


def refused(*args: str) -> tuple[int, str]:
    err = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("filemaker_allowance", *args, stdout=io.StringIO(), stderr=err)
    assert isinstance(ended.value.code, int)
    return ended.value.code, err.getvalue()


def rig() -> Rigging:
    return Rigging(load_settings())


@pytest.mark.django_db
class TestSet:
    def test_what_is_set_holds_without_a_single_setting(self) -> None:
        text, _ = called(
            "set", "--annual", "144GB", "--reset", "3-10", "--reserve", "20%", "--day", "500MB", "--used", "2 GB"
        )
        assert "144 GB" in text and "500 MB" in text and "28.8 GB of the year untouched" in text
        limits = {limit.name: (limit.size, limit.reserve) for limit in rig().limits()}
        assert limits == {"year": (144 * GB, 28_800 * MB), "day": (500 * MB, 0)}
        year = rig().year()
        assert (year.month, year.day, str(year.zone)) == (3, 10, "Europe/Zurich")
        assert told()["used"] == 2 * GB and told()["terms"]["reset"] == {
            "value": "03-10",
            "origin": "filemaker_allowance",
        }

    def test_one_thing_at_a_time_leaves_the_others(self) -> None:
        called("set", "--annual", "144GB", "--reset", "03-10")
        called("set", "--hour", "1GB")
        assert [limit.name for limit in rig().limits()] == ["year", "hour"]
        called("unset", "annual", "reset")
        assert [limit.name for limit in rig().limits()] == ["hour"]

    def test_it_goes_before_the_settings_and_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UNLADE_ALLOWANCE", "200GB")
        monkeypatch.setenv("UNLADE_ALLOWANCE_RESET", "03-10")
        assert told()["size"] == 200 * GB
        text, _ = called("set", "--annual", "144GB", "--reset", "03-10")
        assert "UNLADE_ALLOWANCE=200GB does not hold" in " ".join(text.split())
        assert "UNLADE_ALLOWANCE_RESET=" not in text  # both say the same
        assert told()["size"] == 144 * GB
        out = io.StringIO()
        call_command("filemaker_status", stdout=out)
        assert "UNLADE_ALLOWANCE=200GB does not hold" in " ".join(out.getvalue().split())
        called("unset", "annual")
        assert told()["size"] == 200 * GB and told()["terms"]["annual"]["origin"] == "environment"

    def test_a_setting_that_cannot_be_read_is_passed_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        called("set", "--annual", "144GB", "--reset", "03-10")
        monkeypatch.setenv("UNLADE_ALLOWANCE", "much")
        assert rig().limits()[0].size == 144 * GB
        assert rig().terms().conflicts() and "much" in rig().terms().conflicts()[0]

    def test_a_year_without_a_date_is_doubted(self) -> None:
        assert "begin on 1 January" in called("set", "--annual", "144GB")[1]

    def test_of_another_host_nothing_is_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        called("set", "--annual", "144GB")
        monkeypatch.setenv("FILEMAKER_DATABASE", "Other")
        assert not rig().limits()
        monkeypatch.delenv("FILEMAKER_DATABASE")
        assert not rig().limits()
        assert refused("set", "--annual", "1GB")[0] == SettingsError("").exit_code

    @pytest.mark.parametrize(
        "wrong",
        [
            ["set", "--annual", "much"],
            ["set", "--reset", "02-30"],
            ["set", "--reserve", "100%"],
            ["set", "--reserve", "some"],
            ["factor", "2"],
            ["factor", "half"],
            ["unset", "everything"],
            ["console"],
        ],
    )
    def test_wrong_values_are_named_and_change_nothing(self, wrong: list[str]) -> None:
        with pytest.raises(CommandError):
            called(*wrong)
        assert not rig().limits()

    def test_nothing_to_set(self) -> None:
        assert refused("set")[0] == 2


@pytest.mark.django_db
class TestConsole:
    def test_a_reading_shows_what_others_used(self) -> None:
        called("set", "--annual", "144GB", "--reset", LONG_AGO)
        host, then = Host.objects.get(), utc_now() - timedelta(hours=1)
        text, _ = called("console", "2.4 GB")
        assert "2.4 GB read" in text and "at most 2.4 GB by others" in text
        TransferUsage.objects.create(host=host, kind="api", reserved=MB, charged=MB, opened_at=then)
        assert told()["used"] == 2_400 * MB and told()["reserved"] == MB

    def test_a_time_is_of_the_zone_and_never_to_come(self) -> None:
        called("console", "2 GB", "--at", "2026-01-05 09:00")
        assert ConsoleReading.objects.get().at == datetime(2026, 1, 5, 8, tzinfo=UTC)
        called("console", "3 GB", "--at", "2026-01-05T08:00+00:00")
        assert ConsoleReading.objects.get().used == 3 * GB
        assert refused("console", "2 GB", "--at", "2100-01-01")[0] == 2
        assert refused("console", "2 GB", "--at", "yesterday")[0] == 2

    def test_a_meter_that_falls_is_doubted(self) -> None:
        called("set", "--annual", "144GB", "--reset", "01-01")
        called("console", "3 GB", "--at", "2026-02-05")
        assert "Was the meter reset?" in " ".join(called("console", "1 GB", "--at", "2026-02-06")[1].split())
        assert not called("console", "4 GB", "--at", "2026-02-07")[1]

    def test_an_old_reading_is_said_in_the_status_too(self) -> None:
        called("set", "--annual", "144GB", "--reset", LONG_AGO)
        called("console", "2 GB", "--at", (utc_now() - timedelta(days=9)).isoformat())
        host = Host.objects.get()
        assert "9 days ago" in console_note(console_figures(host, rig().budget(), utc_now()), utc_now())
        out = io.StringIO()
        call_command("filemaker_status", stdout=out)
        assert "filemaker_allowance console SIZE" in out.getvalue()
        called("console", "2 GB")
        assert not console_note(console_figures(host, rig().budget(), utc_now()), utc_now())

    def test_less_than_we_moved_ourselves_is_pointed_at(self) -> None:
        called("set", "--annual", "144GB", "--reset", LONG_AGO)
        then = utc_now() - timedelta(days=3)
        TransferUsage.objects.create(
            host=Host.objects.get(), kind="container", reserved=GB, charged=GB, container_bytes=GB, settled=True,
            opened_at=then, settled_at=then,
        )  # fmt: skip
        assert "less than the 1 GB that we alone had moved" in " ".join(called("console", "0.1 GB")[0].split())

    def test_the_factor_that_fits_is_shown_and_used_when_somebody_says_so(self) -> None:
        called("set", "--annual", "144GB", "--reset", LONG_AGO)
        host, now = Host.objects.get(), utc_now()
        for number in range(10):
            then = now - timedelta(days=20 - number)
            TransferUsage.objects.create(
                host=host, kind="container", reserved=GB, charged=GB, container_bytes=GB, settled=True,
                opened_at=then, settled_at=then,
            )  # fmt: skip
        called("console", "0 GB", "--at", (now - timedelta(days=30)).isoformat())
        text, _ = called("console", "0.1 GB")
        assert "do not seem to count" in text and text.count("filemaker_allowance factor 0") == 1
        assert told()["used"] == 10 * GB and told()["console"]["container_factor"] == 1
        called("factor", "0")
        assert told()["used"] < GB and told()["console"]["container_factor_chosen"] == "0"
        called("factor", "auto")
        assert told()["console"]["container_factor"] == 0
        called("unset", "factor")
        assert told()["used"] == 10 * GB


def test_both_databases_keep_what_is_set(database: str) -> None:
    called("set", "--annual", "144GB", "--reset", LONG_AGO, "--reserve", "12.5%", "--used", "2 GB")
    called("factor", "0.25")
    host, then = Host.objects.get(), utc_now() - timedelta(minutes=5)
    for kind, settled in (("container", True), ("container", False), ("api", True)):
        TransferUsage.objects.create(
            host=host, kind=kind, reserved=MB, charged=MB, settled=settled, opened_at=then,
            container_bytes=MB if settled and kind == "container" else 0,
            api_bytes=MB if settled and kind == "api" else 0,
            settled_at=then if settled else None,
        )  # fmt: skip
    data = told()
    assert data["reserve"] == 18 * GB
    assert data["used"] + data["reserved"] == 2 * GB + MB // 4 + ((MB - 4000) // 4 + 4000) + MB
    assert rig().share_used(utc_now()) == pytest.approx(2 / 144, rel=0.01)
