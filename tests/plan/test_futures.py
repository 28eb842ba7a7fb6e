"""Futures of several imports together: their sums, their limits, and that more allowance never means later."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlade.governor.budget import Limit, annual, opened
from unlade.governor.forecast import Outlook, Plan
from unlade.governor.periods import Period
from unlade.governor.quiet import parse_quiet_hours
from unlade.plan.futures import Drawn, Prospect, draws, futures_of, play
from unlade.plan.roads import (
    Ground,
    Market,
    Speeds,
    all_roads,
    at_own_pace,
    blocks_needed,
    by_hand,
    database_file,
    desktop,
    enlarged,
    larger_plan,
    scheduled,
)

NOW = datetime(2026, 11, 25, 2, tzinfo=UTC)
MB, GB = 10**6, 10**9
DAY = timedelta(days=1)
YEAR = Period("year", 3, 10)
FREE = opened([], NOW)


def drawn(*counts: int, size: int = MB, rate: float = 1.0, share: float = 1.0) -> Drawn:
    outlooks = tuple(Outlook(items=count, rate=rate, overhead=0) for count in counts)
    return Drawn(tuple((size,) * count for count in counts), outlooks, share)


def ground(*counts: int, size: int = MB, annual_size: int | None = None, **values: object) -> Ground:
    limits = [] if annual_size is None else [annual(annual_size, YEAR)]
    prospects = tuple(
        Prospect(
            Outlook(items=count, seen=tuple(size * k // 50 for k in range(25, 76)), overhead=1000),
            rates=(1.0, 1.2, 0.8),
        )
        for count in counts
    )
    chances = tuple(draws(prospects, random.Random(1), 12))
    return Ground(NOW, prospects, chances, opened(limits, NOW), **values)  # type: ignore[arg-type]


class TestPlay:
    def test_a_schedule_takes_some_of_each_import(self) -> None:
        future = play(drawn(100, 250), Plan(NOW, every=DAY, limit=50), FREE)
        # Two days with 50 of each, three more with 50 of the second.
        assert (future.runs, future.left, future.bytes) == (5, 0, 350 * MB)
        assert future.done_at == NOW + 4 * DAY + timedelta(seconds=50)
        assert [point.spent for point in future.points][-1] == 350 * MB
        assert future.working == timedelta(seconds=350)

    def test_without_a_limit_all_is_one_run(self) -> None:
        future = play(drawn(100, 250), Plan(NOW), FREE)
        assert (future.runs, future.done_at) == (1, NOW + timedelta(seconds=350))

    def test_runs_that_bring_less_than_their_limit_take_longer(self) -> None:
        assert play(drawn(1000, share=0.5), Plan(NOW, every=DAY, limit=50), FREE).runs == 40

    def test_what_cannot_end_says_how_much_is_left(self) -> None:
        budget = opened([Limit("day", 2 * MB, Period("day"))], NOW)
        future = play(drawn(3000, 5000, size=MB), Plan(NOW, every=DAY, limit=50), budget)
        assert future.done_at is None
        assert future.left == 8000 - future.bytes // MB
        never = play(drawn(5, 8, size=5 * MB), Plan(NOW, every=DAY, limit=50), budget)
        assert (never.done_at, never.left) == (None, 13)

    def test_nothing_to_come_is_done(self) -> None:
        future = play(drawn(0, 0), Plan(NOW, every=DAY, limit=50), FREE)
        assert (future.done_at, future.bytes, future.runs) == (NOW, 0, 0)

    def test_quiet_hours_are_kept(self) -> None:
        quiet = parse_quiet_hours("00:00-12:00", UTC)
        at_night = ground(100, quiet=quiet)
        assert at_night.first == NOW.replace(hour=12)
        for road in (by_hand(at_night), scheduled(at_night), at_own_pace(at_night)):
            assert road.done is not None and road.done[0] >= NOW.replace(hour=12)


@settings(max_examples=80, deadline=None)
@given(
    counts=st.lists(st.integers(0, 400), min_size=1, max_size=3),
    sizes=st.lists(st.integers(1, 50 * MB), min_size=1, max_size=5),
    year=st.integers(1, 20 * GB),
    more=st.integers(0, 20 * GB),
    limit=st.sampled_from([None, 10, 100]),
    every=st.sampled_from([None, timedelta(hours=6), DAY]),
    factor=st.sampled_from(["0", "0.4", "1"]),
    seed=st.integers(0, 10),
)
def test_more_allowance_is_never_later(
    counts: list[int], sizes: list[int], year: int, more: int, limit: int | None, every: timedelta | None, factor: str,
    seed: int,
) -> None:  # fmt: skip
    prospects = [Prospect(Outlook(items=count, seen=tuple(sizes), overhead=2000), rates=(1.0,)) for count in counts]
    chance = draws(prospects, random.Random(seed), 1)[0]
    plan = Plan(NOW, every=every, limit=limit)
    far = NOW + timedelta(days=10_000)
    budget = opened([annual(year, YEAR)], NOW, container_factor=Decimal(factor))
    poor, rich = (play(chance, plan, b) for b in (budget, enlarged(budget, more)))
    assert (rich.done_at or far) <= (poor.done_at or far)
    assert rich.left <= poor.left
    if poor.done_at is not None:
        assert poor.left == 0 and poor.bytes == sum(map(sum, chance.sizes)) + 2000 * sum(counts)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), year=st.integers(200 * MB, 3 * GB))
def test_no_future_passes_the_year(seed: int, year: int) -> None:
    prospects = [Prospect(Outlook(items=600, seen=(MB, 2 * MB, 9 * MB), overhead=0))]
    budget = opened([annual(year, YEAR)], NOW)
    future = play(draws(prospects, random.Random(seed), 1)[0], Plan(NOW, every=DAY, limit=50), budget)
    usable = budget.limits[0].usable
    spent_by_year: dict[datetime, int] = {}
    before = 0
    for point in future.points[1:]:
        start = YEAR.window(point.at - timedelta(seconds=1)).start
        spent_by_year[start] = spent_by_year.get(start, 0) + point.spent - before
        before = point.spent
    assert max(spent_by_year.values()) <= usable


class TestRanges:
    def test_they_are_ordered_and_hold_the_typical(self) -> None:
        found = futures_of(ground(500).chances, Plan(NOW, every=DAY, limit=50), FREE)
        for span in (found.bytes, found.requests, found.working_seconds):
            assert span.low <= span.middle <= span.high
        assert found.done is not None and found.done[0] <= found.done[1] <= found.done[2]
        assert found.typical.done_at == found.done[1]
        assert found.left is None

    def test_few_sizes_leave_more_doubt_than_many(self) -> None:
        def width(seen: tuple[int, ...]) -> float:
            chances = draws([Prospect(Outlook(items=2000, seen=seen))], random.Random(3), 40)
            span = futures_of(chances, Plan(NOW), FREE).bytes
            return span.high / span.low - 1

        spread = tuple(random.Random(5).choices(range(MB // 10, 5 * MB), k=2000))
        assert width(spread[:5]) > 2 * width(spread)

    def test_an_unknown_speed_shows_in_the_time(self) -> None:
        chances = draws([Prospect(Outlook(items=1000, seen=(MB,)))], random.Random(3), 40)
        span = futures_of(chances, Plan(NOW), FREE).working_seconds
        assert span.high > 2 * span.low

    def test_the_same_seed_gives_the_same_plan(self) -> None:
        assert all_roads(ground(300, annual_size=GB)) == all_roads(ground(300, annual_size=GB))


class TestRoads:
    def test_by_hand_and_scheduled_count_as_anybody_would(self) -> None:
        clinic = ground(6664)
        a, b = by_hand(clinic), scheduled(clinic)
        assert (a.runs.middle, b.runs.middle) == (134, 67)
        assert a.done is not None and b.done is not None
        assert (a.done[1] - NOW).days == 133
        assert (b.done[1] - NOW) // timedelta(hours=6) == 66
        assert a.title == "50 a day by hand" and by_hand(ground(10, 10)).title == "50 of each a day by hand"

    def test_a_host_that_rests_is_left_alone(self) -> None:
        until = NOW + 3 * DAY
        for road in (by_hand(ground(10, resting=until)), at_own_pace(ground(10, resting=until))):
            assert road.done is not None and until < road.done[0] < until + timedelta(minutes=1)
        assert ground(10, resting=NOW - DAY).first == NOW

    def test_what_the_host_bears_is_kept_everywhere(self) -> None:
        weak = ground(6664, limit=45)
        assert by_hand(weak).title == "45 a day by hand"
        assert scheduled(weak).runs.middle == 149
        hourly = at_own_pace(weak)
        assert hourly.done is not None
        assert by_hand(ground(50, 50, 0, limit=45)).title == "22 of each a day by hand"
        assert (
            hourly.title == "45 an hour"
            and hourly.runs.middle == 149
            and (hourly.done[1] - NOW) // timedelta(hours=1) == 148
        )

    def test_the_larger_plan_is_as_large_as_it_must_be(self) -> None:
        short = ground(6664, size=2 * MB, annual_size=2 * GB, market=Market(GB, Decimal("59.90")))
        blocks = blocks_needed(short)
        # 13.3 to 14.1 GB, of which 1.8 may be used; of each more GB 0.9.
        assert 13 <= blocks <= 14
        best = at_own_pace(short)
        road = larger_plan(short, best)
        assert (road.cost, road.needed) == (blocks * Decimal("59.90"), True)
        assert road.done is not None and road.done[2] < NOW + DAY
        # 1.8 GB a year are not enough for three years.
        assert (best.done, best.left) == (None, None)
        fewer = replace(short, budget=enlarged(short.budget, (blocks - 1) * GB))
        assert blocks_needed(fewer) == 1

    def test_a_plan_that_is_enough_needs_no_larger_one(self) -> None:
        for enough in (ground(100, annual_size=144 * GB), ground(100)):
            road = larger_plan(enough, at_own_pace(enough))
            assert (blocks_needed(enough), road.cost, road.needed) == (0, 0, False)

    def test_container_bytes_that_do_not_count_need_no_block(self) -> None:
        short = ground(6664, annual_size=GB)
        assert blocks_needed(short) == 1
        free = replace(short, budget=replace(short.budget, container_factor=Decimal(0)))
        assert blocks_needed(free) == 0

    def test_export_and_file_ask_nothing_of_the_data_api(self) -> None:
        clinic = ground(1000, annual_size=GB, here=10 * GB)
        for road in (desktop(clinic), database_file(clinic)):
            assert (road.bytes.high, road.requests.high) == (0, 0)
            assert road.left is not None and road.left.middle == 900 * MB
        assert database_file(clinic).work.low > desktop(clinic).work.low  # the file holds what is here already, too

    @pytest.mark.parametrize("build", [desktop, database_file])
    def test_faster_disks_and_lines_end_sooner(self, build) -> None:  # type: ignore[no-untyped-def]
        slow = build(ground(1000, speeds=Speeds((MB, MB), (MB, MB))))
        fast = build(ground(1000, speeds=Speeds((9 * MB, 9 * MB), (9 * MB, 9 * MB))))
        assert fast.work.high < slow.work.low and fast.done[2] < slow.done[2]

    def test_the_reserve_keeps_its_share(self) -> None:
        limit = enlarged(opened([annual(144 * GB, YEAR)], NOW), 24 * GB).limits[0]
        assert (limit.size, limit.reserve) == (168 * GB, 16_800 * MB)
