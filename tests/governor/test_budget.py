"""The books: no limit is passed by what was reserved, and a refusal always says when it ends."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from unlade.cargo import Wire
from unlade.errors import AllowanceSpent, LimitReached
from unlade.governor.budget import Budget, Limit, annual, opened, reserve, settle, spend
from unlade.governor.periods import Period

MB, GB = 10**6, 10**9
NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
HOUR, DAY, YEAR, RUN = Period("hour"), Period("day"), Period("year", 3, 10), Period("run")

limits = st.lists(
    st.builds(
        lambda kind, size, share, host: Limit(
            kind, size, Period(kind, 3, 10, ZoneInfo("Europe/Zurich")), int(size * share), host
        ),
        st.sampled_from(["year", "month", "day", "hour", "run"]),
        st.integers(0, 500 * MB),
        st.sampled_from([0, 0.1, 0.5]),
        st.booleans(),
    ),
    max_size=4,
    unique_by=lambda limit: limit.name,
)
wires = st.builds(Wire, st.integers(0, 5 * MB), st.integers(0, 30 * MB), st.integers(0, 4000))
factors = st.sampled_from([Decimal(0), Decimal("0.33"), Decimal(1), Decimal("1.5")])


def test_a_year_keeps_its_reserve() -> None:
    budget = opened([annual(144 * GB, YEAR)], NOW, used={"year": Wire(container=129 * GB)})
    assert budget.fits(600 * MB, NOW).ok
    verdict = budget.fits(600 * MB + 1, NOW)
    assert not verdict.ok and verdict.retry_at == datetime(2027, 3, 10, tzinfo=UTC)
    error = verdict.error()
    assert isinstance(error, AllowanceSpent) and error.exit_code == 75 and not error.by_host
    assert error.retry_at == verdict.retry_at
    assert "600 MB of 129.6 GB are left" in str(error)
    assert "2027-03-10" in error.remedy


def test_what_others_used_counts() -> None:
    budget = opened([annual(144 * GB, YEAR)], NOW, others={"year": 129 * GB})
    assert not budget.fits(GB, NOW).ok


def test_a_runs_own_cap_ends_it_well() -> None:
    budget = opened([Limit("run", 10 * MB, RUN)], NOW)
    budget = spend(budget, Wire(container=9 * MB), NOW)
    verdict = budget.fits(2 * MB, NOW + timedelta(days=900))
    assert verdict.retry_at is None
    assert isinstance(verdict.error(), LimitReached) and verdict.error().exit_code == 0


def test_the_limit_that_lasts_longest_is_named_and_the_runs_own_only_alone() -> None:
    full = {"run": Wire(api=MB), "hour": Wire(api=MB), "day": Wire(api=MB)}
    budget = opened([Limit("run", MB, RUN), Limit("hour", MB, HOUR), Limit("day", MB, DAY)], NOW, used=full)
    verdict = budget.fits(1, NOW)
    assert verdict.limit is not None and verdict.limit.name == "day"
    assert verdict.retry_at == datetime(2026, 5, 2, tzinfo=UTC)


def test_what_can_never_fit_says_so() -> None:
    budget = opened([Limit("hour", 10 * MB, HOUR)], NOW)
    verdict = budget.fits(11 * MB, NOW)
    assert verdict.never and verdict.retry_at is None
    assert (
        "smaller than one transfer" in str(verdict.error()) and "Raise the limit for one hour" in verdict.error().remedy
    )


def test_container_bytes_weigh_by_the_factor_only_where_the_host_counts() -> None:
    budget = opened(
        [annual(10 * MB, YEAR, reserve_share=0), Limit("day", 10 * MB, DAY)], NOW, container_factor=Decimal("0.25")
    )
    budget = spend(budget, Wire(api=1, container=4 * MB + 1, headers=2), NOW)
    year, day = budget.headroom(NOW)
    assert year.used == MB + 1 + 3
    assert day.used == 4 * MB + 4
    assert budget.room(NOW) == day.left


def test_a_factor_of_zero_leaves_container_bytes_free() -> None:
    budget = opened([annual(MB, YEAR)], NOW, container_factor=Decimal(0))
    assert budget.room(NOW) is None
    assert budget.fits(Wire(container=GB), NOW).ok
    assert not budget.fits(Wire(headers=GB), NOW).ok


def test_an_open_reservation_counts_until_it_is_settled_and_can_be_raised() -> None:
    budget = opened([Limit("day", 10 * MB, DAY)], NOW)
    budget, verdict = reserve(budget, "a", 6 * MB, NOW)
    assert verdict.ok
    same, verdict = reserve(budget, "b", 5 * MB, NOW)
    assert not verdict.ok and same is budget
    raised, verdict = reserve(budget, "a", 10 * MB, NOW)
    assert verdict.ok and raised.headroom(NOW)[0].held == 10 * MB
    assert not reserve(raised, "a", 10 * MB + 1, NOW)[1].ok
    done = settle(raised, "a", Wire(container=2 * MB, headers=500), NOW)
    assert done.headroom(NOW)[0].used == 2 * MB + 500 and done.headroom(NOW)[0].held == 0
    with pytest.raises(KeyError):
        settle(done, "a", Wire(container=1), NOW)


def test_a_new_period_is_empty_but_for_what_is_still_held() -> None:
    budget = opened([Limit("day", 10 * MB, DAY)], NOW)
    budget = spend(budget, Wire(api=3 * MB), NOW)
    budget, _ = reserve(budget, "a", 4 * MB, NOW)
    tomorrow = NOW + timedelta(days=1)
    assert budget.headroom(tomorrow)[0].left == 6 * MB
    assert settle(budget, "a", Wire(api=MB), tomorrow).headroom(tomorrow)[0].used == MB


def test_a_clock_that_is_set_forward_and_back_forgets_nothing() -> None:
    budget = spend(opened([Limit("day", 10 * MB, DAY)], NOW), Wire(api=9 * MB), NOW)
    ahead = NOW + timedelta(days=40)
    assert budget.fits(2 * MB, ahead).ok
    budget = spend(budget, Wire(api=MB), ahead)
    assert not budget.fits(1, NOW).ok
    assert budget.fits(9 * MB, ahead).ok


@pytest.mark.parametrize(("size", "reserve_bytes"), [(-1, 0), (10, 11), (10, -1)])
def test_a_limit_that_makes_no_sense_is_refused(size: int, reserve_bytes: int) -> None:
    with pytest.raises(ValueError, match="limit 'x'"):
        Limit("x", size, DAY, reserve_bytes)


@given(limits, factors, st.lists(st.tuples(wires, st.timedeltas(timedelta(0), timedelta(days=40))), max_size=30))
def test_progress_whenever_a_limit_allows_it(
    chosen: list[Limit], factor: Decimal, steps: list[tuple[Wire, timedelta]]
) -> None:
    budget, now = opened(chosen, NOW, container_factor=factor), NOW
    for wire, pause in steps:
        verdict = budget.fits(wire, now)
        if not verdict.ok and verdict.retry_at is not None:
            # Nothing is held, so waiting until the named moment is enough, and not needed longer.
            assert verdict.retry_at > now
            again = budget.fits(wire, verdict.retry_at)
            assert again.ok or again.retry_at is None
            assert not budget.fits(wire, verdict.retry_at - timedelta(microseconds=1)).ok
        elif not verdict.ok:
            assert verdict.limit is not None and (verdict.never or verdict.limit.period.kind == "run")
        else:
            budget = spend(budget, wire, now)
        now += pause


@given(limits, factors, st.lists(wires, max_size=5), st.integers(0, 60 * MB))
def test_room_is_exactly_what_fits(chosen: list[Limit], factor: Decimal, before: list[Wire], size: int) -> None:
    budget = opened(chosen, NOW, container_factor=factor)
    for wire in before:
        budget = spend(budget, wire, NOW)
    room = budget.room(NOW)
    if all(line.left >= 0 for line in budget.headroom(NOW)):
        assert budget.fits(Wire(container=size), NOW).ok == (room is None or size <= room)
    else:
        assert not budget.fits(Wire(container=size), NOW).ok


class Books(RuleBasedStateMachine):
    """Reservations, kills, and a clock that jumps: the budget against books that are kept line by line."""

    @initialize(chosen=limits, factor=factors)
    def open_books(self, chosen: list[Limit], factor: Decimal) -> None:
        self.now = NOW
        self.budget = opened(chosen, NOW, container_factor=factor)
        self.lines: list[tuple[datetime, Wire]] = []
        self.held: dict[str, Wire] = {}
        self.ticket = 0

    @rule(want=wires)
    def ask(self, want: Wire) -> None:
        self.ticket += 1
        self.budget, verdict = reserve(self.budget, str(self.ticket), want, self.now)
        if verdict.ok:
            self.held[str(self.ticket)] = want

    @precondition(lambda self: self.held)
    @rule(data=st.data(), part=st.sampled_from([0, 1, 2, 3]))
    def settle_at_most_what_is_held(self, data: st.DataObject, part: int) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.held)))
        want = self.held.pop(ticket)
        wire = Wire(want.api * part // 3, want.container * part // 3, want.headers * part // 3)
        self.budget = settle(self.budget, ticket, wire, self.now)
        self.lines.append((self.now, wire))

    @precondition(lambda self: self.held)
    @rule()
    def the_process_is_killed(self) -> None:
        """What it held stays spent; the next process opens the budget from the books."""
        self.lines += [(self.now, wire) for wire in self.held.values()]
        self.held.clear()
        self.read_the_books()

    def read_the_books(self) -> None:
        used: dict[str, Wire] = defaultdict(Wire)
        ahead: dict[str, tuple[datetime, Wire]] = {}
        for limit in self.budget.limits:
            window = limit.period.window(self.now)
            for at, wire in sorted(self.lines, key=lambda line: line[0]):
                if at in window:
                    used[limit.name] += wire
                elif at >= window.end:
                    ahead[limit.name] = (at, ahead.get(limit.name, (at, Wire()))[1] + wire)
        factor = self.budget.container_factor
        self.budget = opened(self.budget.limits, self.now, used=used, ahead=ahead, container_factor=factor)
        for ticket, want in self.held.items():
            self.budget = replace(self.budget, holds={**self.budget.holds, ticket: want})

    @rule(
        step=st.sampled_from(
            [timedelta(minutes=7), timedelta(hours=1), timedelta(days=1), timedelta(days=33), timedelta(days=400)]
        )
    )
    def time_passes(self, step: timedelta) -> None:
        self.now += step

    @rule(step=st.sampled_from([timedelta(minutes=7), timedelta(hours=2), timedelta(days=2), timedelta(days=60)]))
    def the_clock_is_set_back(self, step: timedelta) -> None:
        self.now -= step
        if not self.budget.knows(self.now):
            self.read_the_books()

    @invariant()
    def no_limit_is_passed_in_the_present_period(self) -> None:
        for limit, room in zip(self.budget.limits, self.budget.headroom(self.now), strict=True):
            start = limit.period.window(self.now).start
            booked = sum(limit.charge(wire, self.budget.container_factor) for at, wire in self.lines if at >= start)
            held = sum(limit.charge(wire, self.budget.container_factor) for wire in self.held.values())
            # Rounding up happens on each line here and on sums there: a byte a line.
            assert booked - len(self.lines) <= room.used
            assert room.held == held

    @invariant()
    def no_period_ever_got_more_than_its_limit(self) -> None:
        for limit in self.budget.limits:
            spent: dict[datetime, int] = defaultdict(int)
            for at, wire in self.lines:
                spent[limit.period.window(at).start] += limit.charge(wire, self.budget.container_factor)
            assert all(total <= limit.usable + len(self.lines) for total in spent.values())


Books.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestBooks = Books.TestCase


def test_a_clock_set_back_past_the_opening_is_noticed() -> None:
    budget = opened([Limit("hour", MB, HOUR), Limit("run", MB, RUN)], NOW)
    assert budget.knows(NOW - timedelta(minutes=30)) and not budget.knows(NOW - timedelta(minutes=31))


def test_a_clock_set_back_past_all_that_is_remembered_loses_nothing() -> None:
    budget = opened([Limit("hour", 10 * MB, HOUR)], NOW)
    later = [NOW + timedelta(hours=hours) for hours in range(8, 13)]
    for moment in later:
        budget = spend(budget, Wire(api=MB), moment)
    budget = spend(budget, Wire(api=MB), NOW)
    assert budget.headroom(NOW)[0].used >= 5 * MB
    assert all(budget.headroom(moment)[0].used >= MB for moment in later)


def test_what_is_booked_ahead_counts_now_and_then() -> None:
    ahead = NOW + timedelta(hours=3)
    budget = opened(
        [Limit("hour", MB, HOUR)], NOW, used={"hour": Wire(api=100)}, ahead={"hour": (ahead, Wire(api=MB - 100))}
    )
    assert not budget.fits(1, NOW).ok and budget.fits(100, ahead).ok and not budget.fits(101, ahead).ok
    assert budget.fits(MB, ahead + timedelta(hours=1)).ok


def test_an_empty_budget_refuses_nothing() -> None:
    assert Budget().fits(10**18, NOW).ok and Budget().room(NOW) is None
