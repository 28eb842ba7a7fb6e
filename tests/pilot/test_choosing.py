"""Which items a pilot takes."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from unlade.pilot.choosing import Candidate, choose
from unlade.pilot.sizes import sizes_of, stands_for


def one(place: int, best: str = "full", **more: str) -> Candidate:
    day = date(2016, 1, 1) + timedelta(days=place)
    traits = (
        {("best field", best), *((kind.replace("_", " "), value) for kind, value in more.items())} if best else set()
    )
    return Candidate(place, best, frozenset(traits), day, 1000 + place)


def test_every_kind_is_there_when_the_sample_has_room() -> None:
    listing = [one(place) for place in range(1000)]
    listing[400] = one(400, "small")
    listing[500] = one(500, type=".heic")
    listing[600] = one(600, owner="not named")
    listing[700] = Candidate(700, "", frozenset({("odd value", "only a path")}))
    choice = choose(listing, 20)
    assert {400, 500, 600, 700} <= set(choice.places)
    # Oldest and smallest are the first, newest and largest the last.
    assert {0, 999} <= set(choice.places)
    assert len(choice.places) == 20
    assert choice.best == {"full": 998, "small": 1}


def test_half_of_it_lies_evenly_over_the_listing() -> None:
    places = choose([one(place) for place in range(1000)], 40).places
    assert all(any(start <= place < start + 100 for place in places) for start in range(0, 1000, 100))


def test_the_same_listing_gives_the_same_sample() -> None:
    listing = [one(place, type=f".{place % 7}", category=str(place % 31)) for place in range(300)]
    assert choose(listing, 25) == choose(list(listing), 25)


@given(st.lists(st.sampled_from(["full", "small", ""]), max_size=60), st.integers(1, 80))
def test_never_more_than_there_are_and_none_twice(fields: list[str], number: int) -> None:
    listing = [one(place, best) for place, best in enumerate(fields)]
    choice = choose(listing, number)
    filled = sum(bool(best) for best in fields)
    assert len(set(choice.places)) == len(choice.places) == min(number, filled)


def test_sizes_stand_for_the_listing_not_for_the_sample() -> None:
    # The sample has as many small as full ones, the listing hardly any small ones.
    taken = [("full", 2_000_000)] * 10 + [("small", 30_000)] * 10
    seen = stands_for({"full": 990, "small": 10}, taken)
    assert 1_950_000 < sum(seen) / len(seen) < 2_000_000
    assert stands_for({}, taken) == [size for _, size in taken]
    figures = sizes_of("full", [1, 2, 3, 4, 100])
    assert figures is not None
    assert (figures.mean, figures.median, figures.largest, figures.count) == (22, 3, 100, 5)
    assert sizes_of("full", []) is None
