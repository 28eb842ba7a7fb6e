"""What the plan takes from the ledger: files to come, sizes, speed, troubles; and the forecast of the status."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from tests.plan.ledger import GB, KEY, MB, NOW, half_way, host, importer
from unlade.governor.budget import Limit, annual, opened
from unlade.governor.periods import Period
from unlade.ledger.models import Item, Run
from unlade.plan.bar import time_left_of
from unlade.plan.compare import compare
from unlade.plan.past import used_so_far
from unlade.plan.roads import Speeds
from unlade.plan.stock import file_rates, outlook_of, stock_of, to_come, upload_speed
from unlade.plan.troubles import past_runs, safe_limit, trouble_line
from unlade.report import status_text
from unlade.report.outlook import expectation, forecast_line
from unlade.report.runs import run_figures
from unlade.report.status import gather
from unlade.report.status_json import status_json
from unlade.rigging import Rigging, load_settings, utc_now

pytestmark = pytest.mark.django_db


class TestTheDatabaseFile:
    def test_its_speed_is_learnt_and_is_none_of_the_hosts(self) -> None:
        half_way("plates", 1000, 2, road="file", every=timedelta(hours=1))
        assert file_rates(["plates"]) == (1.0, 1.0)
        assert file_rates(["others"]) is None
        assert stock_of(importer("plates")).prospect.rates == ()
        half_way("others", 1000, 1)
        assert file_rates(["others"]) is None

    def test_the_plan_says_where_its_time_comes_from(self) -> None:
        half_way("plates", 1000, 1)
        imports = {"plates": importer("plates")}
        guess = compare(imports, opened([], NOW), NOW, UTC)
        learnt = compare(imports, opened([], NOW), NOW, UTC, speeds=Speeds(file=(90.0, 90.0), file_from="as measured"))
        assert dict(guess.assumptions)["database file"].startswith("10 to 80 files a second, assumed (import some")
        assert dict(learnt.assumptions)["database file"] == "90 files a second, as measured."
        assert guess.road("E").work.high > learnt.road("E").work.high
        assert "closed, unencrypted copy" in guess.road("E").how and "MB of disk" in guess.road("E").how

    def test_the_status_tells_by_which_road_items_came(self) -> None:
        row = half_way("plates", 300, 2, per_run=3)
        first, second = row.runs.order_by("number")
        Run.objects.filter(pk=second.pk).update(road="file")
        for place, item in enumerate(row.items.order_by("pk")):
            Item.objects.filter(pk=item.pk).update(settled_in=first if place < 2 else second)
        status = gather({"plates": importer("plates")}, NOW)
        assert status_json(status)["sources"]["plates"]["by_road"] == {"file": 4, "api": 2}
        assert "came by     4 the database file, 2 the Data API" in status_text.render(status)


class TestStock:
    def test_what_a_campaign_tells(self) -> None:
        half_way("plates", 1000, 3)
        stock = stock_of(importer("plates"))
        outlook = stock.outlook
        assert (outlook.items, stock.sampled, stock.counted) == (700, 300, True)
        assert (outlook.rate, outlook.overhead, outlook.waste) == (1.0, 1500, 0.0)
        assert outlook.requests_per_item == 1.06
        assert stock.prospect.rates == (1.0,) * 3 and stock.prospect.shares == (1.0,) * 3
        assert stock.here == sum(outlook.seen) and outlook.seen[-1] == MB // 2
        assert upload_speed(["plates"]) == pytest.approx(stock.here / 300)

    def test_an_import_that_never_ran(self) -> None:
        stock = stock_of(importer("plates"))
        assert (stock.outlook.items, stock.counted, stock.prospect.rates) == (0, False, ())
        assert upload_speed(["plates"]) is None

    def test_sizes_that_are_known_beforehand(self) -> None:
        row = half_way("plates", 103, 1)
        for place, (state, final) in enumerate([("pending", False), ("failed", False), ("failed", True)]):
            Item.objects.create(
                source=row, record_id=f"new {place}", state=state, final=final, known_size=place + 1, position=place,
                seen_at=NOW,
            )  # fmt: skip
        stock = stock_of(importer("plates"))
        assert stock.outlook.known == (1, 2)
        assert stock.outlook.items == 2  # one pending and one that is tried again; the final one is a person's

    def test_the_share_of_empty_records_is_expected_of_those_to_come(self) -> None:
        assert to_come({"pending": 1000, "imported": 75, "empty": 25}, 3) == 753
        assert to_come({"pending": 1000, "imported": 0, "empty": 0}, 0) == 1000

    def test_broken_downloads_and_short_runs_show(self) -> None:
        half_way("plates", 1000, 2, container_bytes=150 * MB, kept_bytes=100 * MB, downloads=60)
        stock = stock_of(importer("plates"))
        assert stock.outlook.waste == 0.5
        assert stock.prospect.shares == (0.6, 0.6) and stock.prospect.rates == (0.6, 0.6)


class TestTroubles:
    def test_a_pattern_is_said_and_its_limit_known(self) -> None:
        half_way("plates", 5000, 7, downloads=100)
        for number, first in zip(range(1, 7), (50, 61, 70, 80, 93, 100), strict=True):
            Run.objects.filter(number=number).update(troubles=[first, first + 1], outcome="paused")
        line = trouble_line(host(), UTC)
        assert line == "502s and the like began after 50-100 downloads in 6 of 7 runs: run with --limit 45"
        assert safe_limit(past_runs(host())) == 45
        status = gather({"plates": importer("plates")}, NOW, host_key=KEY)
        assert status.warnings == (f"{line}.",)
        assert line in " ".join(status_text.render(status).split())

    def test_runs_on_another_host_tell_nothing_of_this_one(self) -> None:
        half_way("plates", 5000, 5, troubles=[50], downloads=50)
        other = host().__class__.objects.create(key="another")
        assert trouble_line(other, UTC) == "" and trouble_line(host(), UTC) and safe_limit(past_runs(other)) is None

    def test_runs_under_way_and_other_roads_are_left_out(self) -> None:
        half_way("plates", 5000, 3, troubles=[50], outcome="running")
        half_way("sheets", 5000, 3, troubles=[50], road="folder")
        assert past_runs(host()) == []


class TestForecast:
    def runs(self):  # type: ignore[no-untyped-def]
        return tuple(run_figures(run, NOW) for run in Run.objects.order_by("-number"))

    def test_a_limit_that_binds_moves_the_date(self) -> None:
        half_way("plates", 1000, 3)
        outlook = outlook_of(0, [MB])
        free = expectation(700, self.runs(), NOW, outlook=outlook)
        tight = opened([Limit("day", 150 * MB, Period("day"))], NOW)
        bound = expectation(700, self.runs(), NOW, outlook=outlook, budget=tight)
        assert free.at == NOW + timedelta(hours=36, seconds=100)
        assert bound.at is not None and free.at is not None and bound.at > free.at + timedelta(days=2)

    def test_the_end_says_what_is_left_then(self) -> None:
        half_way("plates", 1000, 3)
        year = opened([annual(144 * GB, Period("year", 3, 10))], NOW)
        found = expectation(700, self.runs(), NOW, outlook=outlook_of(0, [MB]), budget=year)
        assert found.left == 129_600 * MB - 700 * (MB + 4000)
        assert (
            forecast_line(found, NOW, UTC)
            == "done 27 Nov, 703 MB over the network, 128.9 GB of the allowance left then"
        )

    def test_runs_that_differ_leave_a_range(self) -> None:
        half_way("plates", 5000, 6)
        runs = [replace(run, this_run={"imported": 40 + 30 * place}) for place, run in enumerate(self.runs())]
        found = expectation(4000, runs, NOW)
        assert found.done is not None and found.done[0] < found.done[1] < found.done[2]
        assert found.bytes is None and "network" not in forecast_line(found, NOW, UTC)

    def test_a_rest_is_waited_for(self) -> None:
        half_way("plates", 1000, 3)
        newest, *older = self.runs()
        later = NOW + timedelta(days=9)
        found = expectation(700, [replace(newest, retry_at=later), *older], NOW)
        assert found.at == later + timedelta(hours=36, seconds=100)

    def test_very_many_items_are_only_reckoned(self) -> None:
        half_way("plates", 1000, 3)
        found = expectation(3_000_000, self.runs(), NOW)
        assert found.done is None and found.at == NOW + timedelta(hours=6) * 29_999

    def test_it_stands_in_the_status(self) -> None:
        half_way("plates", 1000, 3)
        budget = opened([annual(144 * GB, Period("year", 3, 10))], NOW)
        status = gather({"plates": importer("plates")}, NOW, budget=budget, host_key=KEY)
        text = status_text.render(status)
        assert text.startswith("300 of 1,000 plates (30 %), done about 27 November")
        assert "if it goes on so: done 27 Nov" in text
        forecast = status_json(status)["sources"]["plates"]["forecast"]
        assert len(forecast["done_at"]) == len(forecast["bytes"]) == 3


def test_a_bar_is_told_by_the_ledger_and_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILEMAKER_URL", "https://fm.example.com")
    monkeypatch.setenv("FILEMAKER_DATABASE", "Clinic")
    monkeypatch.setenv("UNLADE_MAX_BYTES_DAY", "200MB")
    now = utc_now()
    half_way("plates", 1000, 1, now=now)
    left = time_left_of(importer("plates"), Rigging(load_settings()))
    assert left(900, None) == ""
    assert left(900, 3.0).endswith("(limit of the day)") and left(900, 3.0).startswith("done about")
    monkeypatch.delenv("UNLADE_MAX_BYTES_DAY")
    assert time_left_of(importer("plates"), Rigging(load_settings()))(900, 3.0) == "5 min left"


def test_used_so_far_ends_with_what_is_used_now() -> None:
    half_way("plates", 1000, 3, every=timedelta(days=2))
    period = Period("year", 3, 10)
    budget = opened([annual(144 * GB, period)], NOW, others={"year": GB})
    assert used_so_far(host(), budget, NOW)[-1].spent == GB
    from unlade.ledger.allowance import Allowance

    budget = Allowance(host(), [annual(144 * GB, period)], run=None, clock=lambda: NOW, others=GB).budget()
    points = used_so_far(host(), budget, NOW)
    spent = [point.spent for point in points]
    assert spent == sorted(spent) and spent[0] > GB and spent[-1] == budget.spent(0, NOW)
    assert [point.at.day for point in points] == [19, 21, 23, 25]
