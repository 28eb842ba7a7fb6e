"""Where a sample looks, and what it says of the whole."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from unlade.survey.sampling import share_between, spread


@given(st.integers(0, 5000), st.integers(0, 6000), st.integers(1, 200))
def test_no_record_twice_none_beyond_the_end(found: int, sample: int, page: int) -> None:
    places = [place for offset, limit in spread(found, sample, page) for place in range(offset, offset + limit)]
    assert len(places) == len(set(places)) == min(found, sample)
    assert all(1 <= place <= found for place in places)
    assert all(0 < limit <= page for _, limit in spread(found, sample, page))
    if len(places) > 1:
        assert {1, found} <= set(places)


def test_a_sample_reaches_over_the_whole_listing() -> None:
    offsets = [offset for offset, _ in spread(6664, 200, 50)]
    assert len(offsets) == 10
    assert max(b - a for a, b in pairwise(offsets)) < 6664 / 8


def test_none_of_a_hundred_is_not_none_at_all() -> None:
    low, high = share_between(0, 100)
    assert low == 0
    assert 0.02 < high < 0.05
    assert share_between(0, 0) == (0.0, 1.0)
    low, high = share_between(50, 100)
    assert low < 0.5 < high
