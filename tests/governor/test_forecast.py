"""Futures that obey the limits, ranges that hold the middle, and estimates that anybody can check by hand."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlade.governor.budget import Limit, annual, opened
from unlade.governor.estimate import RunFact, mean_of_last_runs
from unlade.governor.forecast import Outlook, Plan, draw, forecast, simulate
from unlade.governor.periods import Period
from unlade.governor.quiet import parse_quiet_hours

NOW = datetime(2026, 5, 1, 2, tzinfo=UTC)
MB, GB = 10**6, 10**9
DAILY = Plan(NOW, every=timedelta(days=1), limit=50)
FREE = opened([], NOW)


def rng() -> random.Random:
    return random.Random(7)


def test_fifty_a_day_takes_as_many_days_as_it_must() -> None:
    future = simulate(Outlook(items=6664, seen=(MB,), rate=1.0, overhead=0), DAILY, FREE, rng())
    assert future.runs == 134 and future.left == 0
    assert future.bytes == 6664 * MB
    assert future.done_at == NOW + timedelta(days=133, seconds=14)
    assert future.working == timedelta(seconds=6664)


def test_a_daily_limit_spreads_it_and_is_never_passed() -> None:
    budget = opened([Limit("day", 10 * MB, Period("day"))], NOW)
    future = simulate(Outlook(items=95, seen=(MB,), overhead=0), Plan(NOW), budget, rng())
    assert future.runs == 10
    assert future.done_at == datetime(2026, 5, 10, tzinfo=UTC) + timedelta(seconds=5)
    assert [point.spent for point in future.points] == [0, *range(10 * MB, 95 * MB, 10 * MB), 95 * MB]


def test_the_year_is_waited_for_when_its_allowance_is_spent() -> None:
    budget = opened([annual(10 * GB, Period("year", 3, 10))], NOW)
    future = simulate(Outlook(items=10_000, seen=(MB,), overhead=0), Plan(NOW), budget, rng())
    assert future.runs == 2
    assert future.done_at is not None and future.done_at.date() == datetime(2027, 3, 10, tzinfo=UTC).date()


def test_a_future_that_cannot_end_says_what_is_left() -> None:
    budget = opened([Limit("day", MB - 1, Period("day"))], NOW)
    future = simulate(Outlook(items=3, seen=(MB,)), Plan(NOW), budget, rng())
    assert future.done_at is None and future.left == 3 and future.runs == 0
    assert simulate(Outlook(items=3, seen=(MB,)), Plan(NOW, max_bytes=10), FREE, rng()).left == 3
    slow = simulate(Outlook(items=1000, seen=(MB,)), DAILY, FREE, rng(), horizon=timedelta(days=10))
    assert slow.done_at is None and slow.left == 1000 - 11 * 50


def test_nothing_left_is_done_already() -> None:
    future = simulate(Outlook(items=0), Plan(NOW), FREE, rng())
    assert future.done_at == NOW and future.runs == 0 and future.bytes == 0


def test_quiet_hours_and_limits_of_time_and_bytes_hold() -> None:
    quiet = parse_quiet_hours("00:00-08:00", UTC)
    future = simulate(Outlook(items=10, seen=(MB,), overhead=0), Plan(NOW, quiet=quiet), FREE, rng())
    assert future.done_at == NOW.replace(hour=8) + timedelta(seconds=10)
    timed = Plan(NOW, every=timedelta(hours=6), max_time=timedelta(seconds=4))
    assert simulate(Outlook(items=10, seen=(MB,)), timed, FREE, rng()).runs == 3
    sized = Plan(NOW, every=timedelta(hours=6), max_bytes=3 * MB + 5)
    assert simulate(Outlook(items=10, seen=(MB,), overhead=0), sized, FREE, rng()).runs == 4


def test_a_daily_run_in_quiet_hours_never_happens_and_says_so() -> None:
    quiet = parse_quiet_hours("00:00-08:00", UTC)
    future = simulate(Outlook(items=10, seen=(MB,)), Plan(NOW, every=timedelta(days=1), quiet=quiet), FREE, rng())
    assert future.done_at is None and future.left == 10


def test_known_sizes_come_first_and_waste_is_added() -> None:
    sizes = draw(Outlook(items=4, seen=(10,), known=(1000, 2000), waste=0.5), rng())
    assert sizes == [1500, 3000, 15, 15]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 30 * MB), min_size=1, max_size=20),
    st.integers(1, 300),
    st.dictionaries(st.sampled_from(["year", "month", "day", "hour"]), st.integers(30 * MB, 2 * GB), max_size=3),
    st.sampled_from([Decimal(0), Decimal("0.25"), Decimal(1)]),
    st.sampled_from([None, timedelta(hours=6), timedelta(days=1)]),
    st.none() | st.integers(1, 100),
    st.randoms(use_true_random=False),
)
def test_no_future_passes_a_limit_and_every_item_is_accounted_for(
    seen: list[int],
    items: int,
    sizes: dict[str, int],
    factor: Decimal,
    every: timedelta | None,
    limit: int | None,
    chance: random.Random,
) -> None:
    chosen = [
        Limit(kind, size + 4000, Period(kind, 3, 10), as_host_counts=kind == "year") for kind, size in sizes.items()
    ]  # type: ignore[arg-type]
    budget = opened(chosen, NOW, container_factor=factor)
    ages = timedelta(days=400 * 366)  # a year may allow one item only
    plan = Plan(NOW, every=every, limit=limit)
    future = simulate(Outlook(items=items, seen=tuple(seen)), plan, budget, chance, horizon=ages)
    assert (future.left == 0) == (future.done_at is not None)
    assert all(room.left >= 0 for room in future.budget.headroom(future.points[-1].at))
    for rooms in future.budget.buckets:
        for bucket in rooms:
            assert all(
                bucket.used.total <= line.size
                for line in chosen
                if line.period.window(bucket.window.start) == bucket.window and not line.as_host_counts
            )
    spent = [point.spent for point in future.points]
    assert spent == sorted(spent) and spent[-1] == future.bytes
    if every is None:
        assert future.left == 0, "nothing stands in the way but time, and there is enough of it"


def test_a_forecast_holds_its_middle_and_is_the_same_for_the_same_seed() -> None:
    chance = random.Random(3)
    outlook = Outlook(items=2000, seen=tuple(int(chance.lognormvariate(14, 0.8)) for _ in range(200)))
    budget = opened([Limit("day", 100 * MB, Period("day"))], NOW)
    one, two = (forecast(outlook, Plan(NOW), budget, rng(), futures=20) for _ in range(2))
    assert one == two
    assert one.done is not None and one.done[0] <= one.done[1] <= one.done[2] and one.done[0] < one.done[2]
    mean = sum(outlook.seen) / len(outlook.seen) + outlook.overhead
    assert one.bytes.low <= mean * 2000 <= one.bytes.high
    assert one.ends == 1 and one.typical.done_at == one.done[1]


def test_a_forecast_that_mostly_does_not_end_names_no_date() -> None:
    result = forecast(Outlook(items=100, seen=(MB,)), DAILY, FREE, rng(), futures=3, horizon=timedelta(hours=1))
    assert result.done is None and result.ends == 0


def runs(*settled: int, every: timedelta = timedelta(days=1)) -> list[RunFact]:
    return [
        RunFact(NOW + place * every, count, count * MB, timedelta(minutes=10)) for place, count in enumerate(settled)
    ]


def test_the_mean_of_the_last_runs_gives_a_date() -> None:
    done = mean_of_last_runs(runs(40, 50, 60), 500, NOW + timedelta(days=2, hours=1))
    assert done is not None
    assert done.runs_left == 10 and done.bytes_left == 500 * MB
    # The fourth run is the first of ten more, and the last of them works ten minutes.
    assert done.done_at == NOW + timedelta(days=3 + 9, minutes=10)
    assert done.early < done.done_at < done.late


def test_one_run_alone_is_followed_by_its_like_at_once() -> None:
    done = mean_of_last_runs(runs(50), 100, NOW)
    assert done is not None and done.done_at == NOW + timedelta(minutes=30) and done.early == done.late == done.done_at


def test_only_the_last_runs_count() -> None:
    done = mean_of_last_runs(runs(*[1] * 20, *[50] * 7), 100, NOW)
    assert done is not None and done.runs_left == 2


@pytest.mark.parametrize(("past", "left"), [([], 5), (runs(0, 0), 5), (runs(50), 0)])
def test_nothing_is_said_where_nothing_is_known(past: list[RunFact], left: int) -> None:
    assert mean_of_last_runs(past, left, NOW) is None
