"""What others used, derived from the console's readings: our own bytes never count twice or not at all beyond the lag."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unlade.cargo import Wire
from unlade.governor.allowance import LAG
from unlade.governor.budget import Limit, annual
from unlade.governor.periods import Period
from unlade.ledger.allowance import Allowance, share_used
from unlade.ledger.meter import Meter, factor_choice
from unlade.ledger.models import AllowanceSetting, ConsoleReading, Host, TransferUsage

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 10, tzinfo=UTC)
NOW = START + timedelta(days=200, hours=12)
YEAR = Period("year", 3, 10)
GB, MB = 10**9, 10**6
HOUR = timedelta(hours=1)


@pytest.fixture
def host() -> Host:
    return Host.objects.create(key="https://fm.example.com Clinic")


def booked(host: Host, at: datetime, *, container: int = 0, api: int = 0, settled: bool = True, took: timedelta = HOUR,
           kind: str = "container") -> TransferUsage:  # fmt: skip
    return TransferUsage.objects.create(
        host=host, kind=kind, reserved=container + api, charged=container + api, settled=settled, opened_at=at,
        api_bytes=api if settled else 0, container_bytes=container if settled else 0,
        settled_at=at + took if settled else None,
    )  # fmt: skip


def read(host: Host, at: datetime, used: int) -> None:
    ConsoleReading.objects.create(host=host, at=at, used=used)


def allowance(host: Host, *limits: Limit, now: datetime = NOW, others: Meter | int | None = None) -> Allowance:
    meter = Meter(host) if others is None else others
    return Allowance(host, limits or [annual(144 * GB, YEAR)], run=None, clock=lambda: now, others=meter)


def year_used(host: Host, now: datetime = NOW) -> int:
    return allowance(host, now=now).budget().spent(0, now)


moments = st.integers(0, 4 * 24).map(lambda hours: START + timedelta(hours=hours))
transfers = st.tuples(moments, st.integers(1, 3 * GB), st.integers(0, 30), st.booleans())


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ours=st.lists(transfers, max_size=12),
    others=st.lists(st.tuples(moments, st.integers(1, 3 * GB)), max_size=8),
    readings=st.lists(st.tuples(moments, st.integers(0, 24)), min_size=1, max_size=4),
)
def test_our_bytes_never_count_twice_or_not_at_all_beyond_the_lag(
    host: Host,
    ours: list[tuple[datetime, int, int, bool]],
    others: list[tuple[datetime, int]],
    readings: list[tuple[datetime, int]],
) -> None:
    """A host is played: its meter counts everybody's bytes, and the console shows it up to a day late."""
    TransferUsage.objects.all().delete()
    ConsoleReading.objects.all().delete()
    rows = [(at, at + timedelta(hours=hours), size, settled) for at, size, hours, settled in ours]
    for at, end, size, settled in rows:
        booked(host, at, container=size, settled=settled, took=end - at)
    seen = START
    for at, lag in sorted(readings):
        # The meter never runs backwards, however late it is.
        seen = max(seen, at - timedelta(hours=lag), START)
        shown = sum(size for moment, size in others if moment <= seen)
        shown += sum(size for _, end, size, _ in rows if end <= seen)
        read(host, at, shown)
    last = max(at for at, _ in readings)
    by_others = sum(size for moment, size in others if moment <= seen)
    by_us = sum(size for _, _, size, _ in rows)
    in_doubt = sum(size for _, end, size, settled in rows if end > last - timedelta(hours=24) or not settled)
    used = year_used(host)
    assert used >= by_others + by_us, "bytes that the host counted are missing"
    assert used <= by_others + by_us + in_doubt, "bytes beyond the lag count twice"


def test_others_are_what_the_console_shows_beyond_our_own_books(host: Host) -> None:
    booked(host, NOW - timedelta(days=10), container=GB)
    read(host, NOW - timedelta(days=2), 3 * GB)
    booked(host, NOW - HOUR * 3, container=GB)
    assert year_used(host) == 2 * GB + 2 * GB


def test_a_later_reading_takes_the_doubt_away(host: Host) -> None:
    booked(host, NOW - timedelta(hours=20), container=GB)
    read(host, NOW - timedelta(hours=1), GB)
    assert year_used(host) == 2 * GB  # the meter may not have seen our GB yet
    read(host, NOW + timedelta(hours=30), GB)
    assert year_used(host, NOW + timedelta(hours=31)) == GB


def test_without_a_reading_the_setting_speaks(host: Host) -> None:
    assert allowance(host, others=Meter(host, 2 * GB)).budget().spent(0, NOW) == 2 * GB
    read(host, NOW, GB)
    assert allowance(host, others=Meter(host, 2 * GB)).budget().spent(0, NOW) == GB


def test_a_reading_is_of_its_own_host_and_year(host: Host) -> None:
    other = Host.objects.create(key="https://fm2.example.com Clinic")
    read(other, NOW, 9 * GB)
    read(host, START - timedelta(days=1), 7 * GB)
    assert year_used(host) == 0


class TestReset:
    def test_the_first_day_may_still_show_the_old_year(self, host: Host) -> None:
        read(host, START - timedelta(days=3), 100 * GB)
        read(host, START + HOUR * 5, 101 * GB)
        assert year_used(host) == 0
        read(host, START + HOUR * 6, GB)  # it fell: this is the new year's
        assert year_used(host) == GB

    def test_a_day_later_it_is_the_new_years(self, host: Host) -> None:
        read(host, START - timedelta(days=3), GB)
        read(host, START + LAG, 2 * GB)
        assert year_used(host) == 2 * GB

    def test_a_run_over_the_reset_forgets_what_others_used(self, host: Host) -> None:
        time = [START + timedelta(days=364)]
        read(host, time[0], 50 * GB)
        books = Allowance(host, [annual(144 * GB, YEAR)], run=None, clock=lambda: time[0], others=Meter(host))
        assert books.budget().spent(0, time[0]) == 50 * GB
        time[0] = START + timedelta(days=366)
        assert books.budget().spent(0, time[0]) == 0

    @pytest.mark.parametrize(
        ("reset", "zone", "start"),
        [
            ((2, 29), "Europe/Zurich", datetime(2027, 2, 28, 23, tzinfo=UTC)),  # 1 March where there is no 29th
            ((2, 29), "Europe/Zurich", datetime(2028, 2, 28, 23, tzinfo=UTC)),
            ((3, 29), "Europe/Zurich", datetime(2026, 3, 28, 23, tzinfo=UTC)),  # the night of an hour less
            ((10, 25), "Europe/Zurich", datetime(2026, 10, 24, 22, tzinfo=UTC)),  # and of one more
            ((3, 8), "America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC)),
            ((9, 6), "America/Santiago", datetime(2026, 9, 6, 4, tzinfo=UTC)),  # midnight itself is skipped
        ],
    )
    def test_leap_days_and_changed_clocks(self, host: Host, reset: tuple[int, int], zone: str, start: datetime) -> None:
        period = Period("year", *reset, ZoneInfo(zone))
        second = timedelta(seconds=1)
        assert period.window(start).start == start and period.window(start - second).end == start
        booked(host, start - second, container=5 * GB)
        booked(host, start, container=3 * GB)
        read(host, start - timedelta(days=5), 40 * GB)
        before = Allowance(host, [annual(144 * GB, period)], run=None, clock=lambda: start - second, others=Meter(host))
        after = Allowance(host, [annual(144 * GB, period)], run=None, clock=lambda: start, others=Meter(host))
        assert after.budget().spent(0, start) == 3 * GB
        # Booked ahead of a clock that was set back counts as well: better too much.
        assert before.budget().spent(0, start - second) == 48 * GB


class TestFactor:
    def test_container_bytes_weigh_what_was_said_under_the_year_alone(self, host: Host) -> None:
        booked(host, NOW - HOUR, container=GB, api=MB)
        limits = (annual(144 * GB, YEAR), Limit("day", 2 * GB, Period("day")))
        assert [allowance(host, *limits).budget().spent(place, NOW) for place in (0, 1)] == [GB + MB] * 2
        AllowanceSetting.objects.create(host=host, factor=Decimal(0))
        assert [allowance(host, *limits).budget().spent(place, NOW) for place in (0, 1)] == [MB, GB + MB]

    def test_what_was_never_settled_weighs_as_the_file_it_was_for(self, host: Host) -> None:
        AllowanceSetting.objects.create(host=host, factor=Decimal("0.5"))
        booked(host, NOW - HOUR, container=GB, settled=False)
        booked(host, NOW - HOUR, api=MB, settled=False, kind="api")
        assert year_used(host) == (GB - 4000) // 2 + 4000 + MB

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        factor=st.sampled_from(["0", "0.3", "1"]),
        steps=st.lists(
            st.tuples(st.sampled_from(["container", "api"]), st.integers(4000, GB), st.integers(0, GB), st.booleans()),
            max_size=6,
        ),
    )
    def test_memory_and_rows_agree_after_any_bookings(
        self, host: Host, factor: str, steps: list[tuple[str, int, int, bool]]
    ) -> None:
        TransferUsage.objects.all().delete()
        AllowanceSetting.objects.update_or_create(host=host, defaults={"factor": Decimal(factor)})
        books = allowance(host)
        for kind, first, more, settled in steps:
            ticket = books.raise_to(books.reserve(kind, first), first + more)  # type: ignore[arg-type]
            if settled:
                wire = Wire(container=first, headers=90) if kind == "container" else Wire(api=first, headers=90)
                books.settle(ticket, wire)
        room = books.budget().headroom(NOW)[0]
        again = allowance(host).budget().headroom(NOW)[0]
        # Parts of a byte are rounded up for each reservation, and for their sum.
        assert abs((room.used + room.held) - (again.used + again.held)) <= len(steps)

    def test_auto_takes_what_the_readings_show(self, host: Host) -> None:
        for number in range(20):
            booked(host, START + timedelta(days=number), container=200 * MB, api=MB, took=timedelta(minutes=1))
        read(host, START, 0)
        read(host, START + timedelta(days=25), 20 * MB)
        meter, now = Meter(host), START + timedelta(days=26)
        fit = meter.fit(now)
        assert fit is not None and fit.fits == 0
        assert factor_choice(meter, host, now).factor == 1, "it is used only when somebody says so"
        AllowanceSetting.objects.create(host=host, factor_auto=True)
        assert factor_choice(Meter(host), host, now).factor == 0
        read(host, START + timedelta(days=25, hours=1), 5 * GB)
        assert factor_choice(Meter(host), host, now).factor == 1


def test_share_used_counts_everybody_and_what_is_in_hand(host: Host) -> None:
    read(host, START + timedelta(days=2), 72 * GB)
    books = allowance(host)
    assert share_used(books.budget(), NOW) == 0.5
    books.reserve("container", 14_400 * MB)
    assert share_used(books.budget(), NOW) == pytest.approx(0.6)
    assert share_used(allowance(host, Limit("day", GB, Period("day"))).budget(), NOW) == 0.0


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    ConsoleReading.objects.all().delete()
