"""The status: its sums, its words, its JSON."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.report.ledgers import NOW, campaign, items, plates, run, source
from unlade.cargo import Wire
from unlade.governor.breaker import BreakerState, allowance_spent, sign_in_refused
from unlade.governor.budget import Limit, annual, opened, reserve
from unlade.governor.periods import Period
from unlade.ledger.models import Host, Item, Source, TransferUsage
from unlade.report import status_markdown, status_text
from unlade.report.status import gather
from unlade.report.status_json import status_json
from unlade.states import STORED, ItemState

pytestmark = pytest.mark.django_db

YEAR = annual(144 * 10**9, Period("year", 3, 10))


def gathered(**options: object):  # type: ignore[no-untyped-def]
    return gather({"plates": plates()}, NOW, **options)  # type: ignore[arg-type]


def flat(text: str) -> str:
    return " ".join(text.split())


class TestCounts:
    def test_every_number_of_a_campaign(self) -> None:
        campaign()
        figures = gathered().sources[0]
        assert figures.totals == {
            "pending": 6294, "imported": 342, "empty": 3, "unlinked": 13, "quarantined": 2, "failed": 9, "accepted": 1,
        }  # fmt: skip
        assert sum(figures.totals.values()) == figures.found == 6664
        assert figures.gone == 2
        assert figures.by_field == {"image_Full": 315, "image_large": 40, "image_small": 2}
        assert (figures.need_person, figures.waiting_for_owner, figures.lesser_copies) == (9, 12, 2)
        assert figures.remaining == 6294 + 3

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        found=st.integers(0, 30),
        states=st.lists(st.tuples(st.sampled_from(list(ItemState)), st.booleans(), st.booleans()), max_size=25),
    )
    def test_totals_add_up_whatever_the_ledger_holds(self, found: int, states: list[tuple[str, bool, bool]]) -> None:
        Source.objects.all().delete()
        row = source(found=found, listing_complete=True)
        brought = run(row, 1)
        for state, gone, final in states:
            items(
                row, state, gone_at=NOW if gone else None, final=final, owner_key="A", settled_in=brought,
                field="image_large" if final else "image_Full", reason="missing" if final else "",
            )  # fmt: skip
        figures = gathered().sources[0]
        known, gone = sum(not gone for _, gone, _ in states), sum(gone for _, gone, _ in states)
        assert set(figures.totals) == {state.value for state in ItemState}
        assert sum(figures.totals.values()) == found
        assert min(figures.totals.values()) >= 0
        # What the ledger knows and the source no longer counts is said, never lost.
        unsettled = sum(state == ItemState.PENDING and not gone for state, gone, _ in states)
        assert figures.gone == gone + max(0, known - unsettled - found)
        assert figures.here <= found
        # What a total is made of never says more than the total, also while nobody knows which ones went.
        stored = sum(figures.totals[state] for state in STORED)
        assert sum(figures.by_field.values()) == sum(figures.by_road.values()) == stored
        for state in (ItemState.FAILED, ItemState.QUARANTINED, ItemState.UNLINKED):
            assert sum(line.count for line in figures.open if line.state == state) == figures.totals[state]
        json.dumps(status_json(gathered()))

    def test_lists_of_open_items_agree_with_the_totals(self) -> None:
        campaign()
        figures = gathered().sources[0]
        for state in ("failed", "quarantined", "unlinked"):
            assert sum(line.count for line in figures.open if line.state == state) == figures.totals[state]

    def test_records_that_vanished_are_said(self) -> None:
        items(source(found=3), "imported", 5, field="image_Full")
        status = gathered()
        assert status.sources[0].totals["imported"] == 3
        assert status.sources[0].gone == 2
        assert status.sources[0].by_field == {"image_Full": 3}
        assert "2 records fewer than are known" in status.warnings[0]

    def test_an_import_that_never_ran(self) -> None:
        status = gathered()
        assert status.sources[0].found is None
        assert status.next_command == "python manage.py import_filemaker plates --limit 20"
        assert "no run yet" in status_text.render(status)

    def test_an_account_that_does_not_see_everything(self) -> None:
        source(found=90, total=100)
        assert "sees 90 records, the table has 100" in gathered().warnings[0]

    def test_queries_do_not_grow_with_items(self, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
        campaign()
        with django_assert_max_num_queries(16):
            gathered()


class TestPatientDays:
    def test_a_day_is_complete_when_every_file_is_here_and_linked(self) -> None:
        row = source(found=8, listing_complete=True)
        monday, tuesday = date(2019, 4, 1), date(2019, 4, 2)
        items(row, "imported", 2, owner_key="A", day=monday)
        items(row, "empty", owner_key="A", day=monday)
        items(row, "imported", owner_key="A", day=tuesday)
        items(row, "pending", owner_key="A", day=tuesday)
        items(row, "unlinked", owner_key="B", day=monday, reason="owner_missing")
        items(row, "empty", owner_key="C", day=monday)
        items(row, "imported", owner_key="", day=monday)
        groups = gathered().sources[0].groups
        assert groups is not None
        assert (groups.complete, groups.total) == (1, 3)

    def test_days_wait_for_the_listing(self) -> None:
        row = source(found=3, listing_complete=False)
        items(row, "imported", 3)
        assert gathered().sources[0].groups is None
        Source.objects.update(listing_complete=True, found=4)
        assert gathered().sources[0].groups is None


class TestOutlook:
    def test_the_date_is_the_mean_of_the_last_runs(self) -> None:
        row = source(found=1000)
        items(row, "imported", 300)
        for number in (1, 2, 3):
            run(row, number, hours_ago=24 * (4 - number), imported=100)
        # 700 to go, 100 a day, the last run a day ago: the next is due now, the seventh in six days, for half an hour.
        assert gathered().sources[0].expectation.at == NOW + timedelta(days=6, minutes=30)

    def test_one_run_tells_only_how_many_more(self) -> None:
        row = source(found=1000)
        items(row, "imported", 100)
        run(row, 1, imported=100)
        assert (gathered().sources[0].expectation.at, gathered().sources[0].expectation.runs) == (None, 9)

    def test_a_run_under_way_tells_by_its_rate(self) -> None:
        row = source(found=1000)
        items(row, "imported", 100)
        run(row, 1, hours_ago=1, finished_at=None, heartbeat_at=NOW, outcome="running", imported=100, exit_code=None)
        status = gathered()
        assert status.sources[0].expectation.at == NOW + timedelta(hours=9)
        assert "under way" in status.next

    def test_a_silent_run_is_dead(self) -> None:
        row = source(found=10)
        run(row, 1, hours_ago=5, finished_at=None, heartbeat_at=NOW - timedelta(hours=4), outcome="running")
        status = gathered()
        assert status.sources[0].last_runs[0].outcome == "died"
        assert "ended without a word" in status.warnings[0]
        assert "last run 4 h ago" in status_text.render(status)

    def test_runs_that_bring_nothing_promise_nothing(self) -> None:
        row = source(found=10)
        run(row, 1)
        run(row, 2)
        assert gathered().sources[0].expectation.at is None


class TestNext:
    def test_goes_on(self) -> None:
        row = source(found=10)
        run(row, 1, imported=5, outcome="limit")
        assert gathered().next == "Go on with: python manage.py import_filemaker plates"

    def test_waits_for_a_resting_host(self) -> None:
        source(found=10)
        breaker = {"phase": "open", "cause": "gateway", "retry_at": (NOW + timedelta(minutes=40)).isoformat()}
        Host.objects.create(key="h", breaker=breaker, retry_at=NOW + timedelta(minutes=40))
        status = gathered()
        assert "after 12:40 UTC" in status.next
        assert "rests until 12:40 UTC" in flat(status_text.render(status))

    def test_asks_for_another_password(self) -> None:
        source(found=10)
        Host.objects.create(key="h", breaker=sign_in_refused(BreakerState(), NOW, "hash").to_json())
        assert "FILEMAKER_PASSWORD" in gathered().next
        assert gathered().next_command.endswith("filemaker_doctor")

    def test_waits_for_the_reset(self) -> None:
        source(found=10)
        budget = opened([YEAR], NOW, used={"year": Wire(container=YEAR.usable)})
        assert "10 March 2027" in gathered(budget=budget).next

    def test_a_host_that_said_953(self) -> None:
        source(found=10)
        Host.objects.create(key="h", breaker=allowance_spent(BreakerState(), NOW, NOW + timedelta(days=9)).to_json())
        assert "4 December" in gathered().next

    def test_failures_that_need_a_person(self) -> None:
        row = source(found=4)
        items(row, "imported", 3)
        items(row, "failed", reason="missing", final=True)
        run(row, 1, imported=3, failed=1)
        assert gathered().next_command == "python manage.py import_filemaker plates --retry-failed"

    def test_failures_that_are_due_later(self) -> None:
        row = source(found=4)
        items(row, "imported", 3)
        items(row, "failed", reason="gateway", next_try_at=NOW + timedelta(hours=2))
        run(row, 1, imported=3, failed=1)
        assert "1 plate is due again at 14:00 UTC" in gathered().next

    def test_a_run_that_failed(self) -> None:
        row = source(found=4)
        items(row, "imported", 4)
        run(row, 1, outcome="failed", reason="The layout is missing.", exit_code=1)
        assert gathered().next_command == "python manage.py filemaker_doctor"

    def test_all_is_done(self) -> None:
        row = source(found=4)
        items(row, "imported", 4)
        run(row, 1, imported=4)
        assert gathered().next_command == ""
        assert gathered().next.startswith("Nothing:")


class TestAllowance:
    def test_open_reservations_of_others_are_told_apart(self) -> None:
        host = Host.objects.create(key="h")
        for charged, settled in ((1000, True), (300, False)):
            TransferUsage.objects.create(
                host=host, kind="api", reserved=charged, charged=charged, settled=settled, opened_at=NOW
            )
        budget, _ = reserve(opened([YEAR], NOW, used={"year": Wire(api=1300)}), "mine", 50, NOW)
        year = gathered(budget=budget, host_key="h").allowance.year
        assert year is not None
        assert (year.used, year.held, year.left) == (1050, 300, YEAR.usable - 1350)

    def test_the_longest_of_full_limits_counts(self) -> None:
        limits = [Limit("day", 10, Period("day")), Limit("hour", 10, Period("hour"))]
        full = gathered(budget=opened(limits, NOW, used={"day": Wire(api=10), "hour": Wire(api=10)})).allowance.full
        assert full is not None and full.name == "day"

    def test_json_has_the_year_flat(self) -> None:
        data = status_json(gathered(budget=opened([YEAR], NOW)))["allowance"]
        assert (data["size"], data["left"], data["reserve"]) == (144 * 10**9, YEAR.usable, YEAR.reserve)
        assert data["resets_at"] == "2027-03-10T00:00:00+00:00"


class TestForms:
    def test_json_keys(self) -> None:
        campaign()
        data = json.loads(json.dumps(status_json(gathered())))
        assert {"generated_at", "sources", "allowance", "breaker", "next"} <= data.keys()
        plate = data["sources"]["plates"]
        assert {"found", "totals", "gone", "by_field", "failures", "last_runs", "not_covered"} <= plate.keys()
        assert {"reason", "count", "remedy"} <= plate["failures"][0].keys()
        assert sum(entry["count"] for entry in plate["failures"]) == plate["totals"]["failed"]
        assert plate["last_runs"][0]["run"] == 4
        assert plate["last_runs"][0]["this_run"]["imported"] == 80

    @pytest.mark.parametrize("width", [60, 80, 100])
    def test_text_fits_its_width(self, width: int) -> None:
        campaign()
        text = status_text.render(gathered(budget=opened([YEAR], NOW)), width=width)
        commands = [line for line in text.splitlines() if "manage.py" in line]
        assert commands
        for line in text.splitlines():
            assert len(line) <= width or line in commands

    def test_plain_text_is_plain(self) -> None:
        campaign()
        text = status_text.render(gathered())
        assert text.isascii()
        assert text.splitlines()[0].startswith("355 of 6,664 plates (5 %), ")
        assert text.rstrip().endswith("python manage.py import_filemaker plates")

    def test_a_terminal_gets_colours_and_a_bar(self) -> None:
        campaign()
        text = status_text.render(gathered(), fancy=True)
        assert "\x1b[" in text and "━" in text

    def test_reasons_stand_with_their_remedies(self) -> None:
        campaign()
        text = flat(status_text.render(gathered()))
        assert "5 failed missing The host says that the file is not there. -> Open the record in FileMaker." in text
        assert "3 failed gateway" in text and "tried again by itself, due 14:00 UTC" in text
        assert "last run 9 days ago" in text

    def test_markdown_tables_are_whole(self) -> None:
        campaign()
        text = status_markdown.render(gathered(budget=opened([YEAR], NOW)))
        assert text.startswith("**355 of 6,664 plates (5 %)")
        assert "| **found** | **6,664** |" in text
        block: list[str] = []
        for line in [*text.splitlines(), ""]:
            if line.startswith("|"):
                block.append(line)
            elif block:
                assert len({row.replace("\\|", "").count("|") for row in block}) == 1, block
                block = []

    def test_no_form_holds_what_a_record_says(self) -> None:
        row = source(found=2)
        items(
            row, "failed", reason="missing", final=True, original_name="SECRET.jpg", category="SECRET",
            identity="SECRET", owner_ref="SECRET", detail="SECRET", key="SECRET",
        )  # fmt: skip
        status = gathered()
        for form in (status_text.render(status), status_markdown.render(status), json.dumps(status_json(status))):
            assert "SECRET" not in form
        assert Item.objects.filter(original_name="SECRET.jpg").exists()
