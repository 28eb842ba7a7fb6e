"""Whatever is added or deleted while a walk goes on, every record that is there all the time is met."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from unlade.cargo import Count, Page, SourceRecord
from unlade.listing import Walk, windows

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def page(table: list[str], offset: int, limit: int) -> Page:
    records = tuple(SourceRecord(rid, "0", {}, {}, NOW) for rid in table[offset - 1 : offset - 1 + limit])
    return Page(offset, records, Count(len(table)))


@given(
    size=st.integers(0, 60),
    batch=st.integers(1, 9),
    changes=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 3)), max_size=12),
    most=st.none() | st.integers(1, 5),
)
def test_every_record_that_stays_is_met(
    size: int, batch: int, changes: list[tuple[int, int]], most: int | None
) -> None:
    table = [f"r{n}" for n in range(size)]
    stays = set(table)
    met: set[str] = set()
    walk = Walk("new", batch, lambda ids: met)
    added = size
    for _ in range(500):
        request = walk.request(most)
        if request is None:
            break
        assert request.limit <= max(2, batch)
        answer = page(table, request.offset, request.limit)
        walk.took(request, answer)
        met |= {record.record_id for record in answer.records}
        if changes:
            delete, add = changes.pop()
            if delete < len(table):
                stays.discard(table.pop(delete))
            table += [f"r{n}" for n in range(added, added + add)]
            added += add
    else:
        raise AssertionError("the walk never ended")
    assert stays & set(table) <= met


@given(start=st.integers(0, 30), size=st.integers(0, 30), gone=st.integers(0, 30), batch=st.integers(1, 9))
def test_a_resumed_walk_meets_all_that_is_new(start: int, size: int, gone: int, batch: int) -> None:
    known = [f"r{n}" for n in range(start)]
    table = known[min(gone, start) :] + [f"n{n}" for n in range(size)]
    met = set(known)
    walk = Walk("new", batch, lambda ids: met, start=start)
    for _ in range(500):
        request = walk.request()
        if request is None:
            break
        answer = page(table, request.offset, request.limit)
        walk.took(request, answer)
        met |= {record.record_id for record in answer.records}
    else:
        raise AssertionError("the walk never ended")
    assert set(table) <= met


def test_a_plain_walk_asks_for_each_record_once_but_the_anchors() -> None:
    table = [f"r{n}" for n in range(100)]
    met: set[str] = set()
    walk = Walk("new", 10, lambda ids: met)
    requests = 0
    while request := walk.request():
        requests += 1
        answer = page(table, request.offset, request.limit)
        walk.took(request, answer)
        met |= {record.record_id for record in answer.records}
    assert met == set(table)
    assert requests == 11


@given(st.lists(st.integers(1, 500), unique=True), st.integers(1, 50))
def test_windows_cover_every_place_within_the_batch(places: list[int], batch: int) -> None:
    places.sort()
    found = windows(places, batch)
    assert all(1 <= limit <= batch for _, limit in found)
    assert all(any(offset <= place < offset + limit for offset, limit in found) for place in places)
