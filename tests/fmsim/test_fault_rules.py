"""How fault rules count and trigger: the exact words of CONTRACT A5."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmsim.faults import Plan
from fmsim.ledger import Entry


def entry(
    kind: str = "container",
    record: str | None = "17",
    field: str | None = "photo",
    path: str = "/x",
    first: bool = True,
) -> Entry:
    return Entry(0, 0.0, "GET", path, kind, record, field, first=first)


def struck(rules: list[Any], requests: list[Entry], times: list[float] | None = None) -> list[int]:
    """Numbers (from 1) of the requests that the first rule acts on, each answered as it comes."""
    plan = Plan(rules, seed=1)
    hits = []
    for number, request in enumerate(requests, 1):
        now = times[number - 1] if times else 0.0
        if plan.acting(plan.arrive(request), now, hop=1 if request.kind == "container" else None):
            hits.append(number)
    return hits


def rule(**members: Any) -> dict[str, Any]:
    return {"on": "container", "do": {"status": 502}, **members}


@pytest.mark.parametrize(
    ("nth", "expected"),
    [
        ({"from": 3, "to": 5}, [3, 4, 5]),
        ({"from": 8}, [8, 9, 10]),
        ({"to": 2}, [1, 2]),
        ({"every": 4}, [4, 8]),
        ({"from": 5, "every": 3}, [6, 9]),
        ({}, list(range(1, 11))),
    ],
)
def test_nth(nth: dict[str, int], expected: list[int]) -> None:
    assert struck([rule(nth=nth)], [entry()] * 10) == expected


def test_only_fitting_requests_are_counted() -> None:
    mixed = [entry(), entry("records", None, None), entry(record="18"), entry(field="other"), entry(), entry()]
    assert struck([rule(nth={"from": 2, "to": 2}, match={"recordId": "17", "field": "photo"})], mixed) == [5]
    assert struck([rule(on="any", nth={"from": 2, "to": 2})], mixed) == [2]


def test_a_repeating_field_matches_by_its_name_or_one_repetition() -> None:
    requests = [entry(field="photo(1)"), entry(field="photo(2)"), entry(field="photos")]
    assert struck([rule(match={"field": "photo"})], requests) == [1, 2]
    assert struck([rule(match={"field": "photo(2)"})], requests) == [2]


def test_path_is_a_regular_expression_on_path_and_query_raw_or_decoded() -> None:
    requests = [
        entry("records", None, None, "/a/API%20Images/records?_offset=101"),
        entry("records", None, None, "/a/records?_offset=1"),
    ]
    assert struck([rule(on="records", match={"path": r"_offset=101$"})], requests) == [1]
    assert struck([rule(on="records", match={"path": "API Images"})], requests) == [1]


def test_times_is_how_often_it_may_trigger() -> None:
    assert struck([rule(times=2)], [entry()] * 5) == [1, 2]
    assert struck([rule(nth={"every": 2}, times=2)], [entry()] * 9) == [2, 4]


def test_for_seconds_holds_for_every_fitting_request_and_a_window_is_one_trigger() -> None:
    times = [0.0, 1.0, 2.0, 11.9, 12.1, 13.0]
    storm = rule(nth={"from": 3, "to": 3}, for_seconds=10, times=1)
    assert struck([storm], [entry()] * 6, times) == [3, 4]
    again = rule(nth={"every": 2}, for_seconds=1, times=2)
    assert struck([again], [entry()] * 6, [0, 0, 0.5, 0.9, 5, 9]) == [2, 3, 4, 6]


def test_requests_in_a_window_have_their_numbers_too() -> None:
    storm = rule(nth={"from": 1, "to": 4}, for_seconds=1)
    assert struck([storm], [entry()] * 6, [0, 0.5, 2, 2.5, 9, 9]) == [1, 2, 3, 4]


def test_share_is_seeded_and_does_not_depend_on_the_order_of_threads() -> None:
    first = struck([rule(nth={"share": 0.25})], [entry()] * 400)
    assert first == struck([rule(nth={"share": 0.25})], [entry()] * 400)
    assert 60 < len(first) < 140
    plan = Plan([rule(nth={"share": 0.25})], seed=1)
    tickets = [plan.arrive(entry()) for _ in range(400)]
    backwards = [number for number in range(400, 0, -1) if plan.acting(tickets[number - 1], 0.0, hop=1)]
    assert sorted(backwards) == first


def test_a_rule_acts_on_the_answer_with_the_body_unless_it_names_the_hop() -> None:
    plan = Plan([rule(), rule(hop=1), rule(hop=2)])
    tickets = plan.arrive(entry())
    assert [r.index for r in plan.acting(tickets, 0.0, hop=1, final=False)] == [1]
    assert [r.index for r in plan.acting(tickets, 0.0, hop=2, final=True)] == [0, 2]
    assert [r.index for r in plan.acting(tickets, 0.0, hop=1, final=True)] == [0, 1]  # open mode


def test_a_second_hop_is_not_counted_again() -> None:
    plan = Plan([rule(nth={"from": 2, "to": 2})])
    plan.arrive(entry())
    assert plan.arrive(entry(first=False)) == []
    assert plan.rules[0].seen == 1


def test_numbers_go_on_from_the_requests_before_the_plan() -> None:
    plan = Plan([rule(nth={"from": 4, "to": 4})], past=[entry(), entry(), entry("find"), entry(first=False), entry()])
    assert plan.acting(plan.arrive(entry()), 0.0, hop=1)
    plan.reset()
    assert not plan.acting(plan.arrive(entry()), 0.0, hop=1)


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        {"on": "container"},
        {"on": "nothing", "do": {}},
        {"on": "find", "do": {"explode": 1}},
        {"on": "find", "nth": {"form": 3}, "do": {}},
        {"on": "find", "match": {"record": 3}, "do": {}},
        {"on": "find", "hop": 3, "do": {}},
        {"on": "find", "when": 3, "do": {}},
    ],
)
def test_what_is_not_understood_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="fault rule 0"):
        Plan([bad])


@given(
    first=st.integers(1, 30),
    length=st.integers(0, 30),
    times=st.one_of(st.none(), st.integers(0, 5)),
    count=st.integers(0, 60),
)
def test_from_to_and_times_together(first: int, length: int, times: int | None, count: int) -> None:
    expected = [n for n in range(1, count + 1) if first <= n <= first + length][: count if times is None else times]
    assert struck([rule(nth={"from": first, "to": first + length}, times=times)], [entry()] * count) == expected
