"""Values that are fetched before anybody asks: all of them, in order, and each error where it belongs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlade.ahead import Ahead


@given(values=st.lists(st.integers(), max_size=12), asked=st.lists(st.integers(0, 4), max_size=12))
def test_every_value_once_and_in_order(values: list[int], asked: list[int]) -> None:
    with closing(Ahead(iter(values), "test")) as ahead:
        came, counts = [], iter(asked)
        while True:
            ahead.begin(next(counts, 0))
            value = ahead.take()
            if value is None:
                break
            came.append(value)
        assert came == values
        assert ahead.take() is None


def test_it_is_fetched_before_it_is_asked_for_and_by_another_thread() -> None:
    threads = []

    def values() -> Iterator[int]:
        for number in range(5):
            threads.append(threading.current_thread().name)
            yield number

    with closing(Ahead(values(), "fetching")) as ahead:
        assert not ahead.is_here
        ahead.begin(3)
        ahead.wait()
        assert ahead.is_here and len(threads) == 3
        assert all(name.startswith("fetching") for name in threads)
        assert [ahead.take() for _ in range(6)] == [0, 1, 2, 3, 4, None]


def test_what_goes_wrong_is_raised_in_its_turn() -> None:
    def values() -> Iterator[int]:
        yield 1
        yield 2
        raise ZeroDivisionError

    with closing(Ahead(values(), "test")) as ahead:
        ahead.begin(4)
        ahead.wait()
        assert (ahead.take(), ahead.take()) == (1, 2)
        with pytest.raises(ZeroDivisionError):
            ahead.take()


def test_closed_it_fetches_nothing_more() -> None:
    gate, fetched = threading.Event(), []

    def values() -> Iterator[int]:
        for number in range(5):
            gate.wait(20)
            fetched.append(number)
            yield number

    ahead = Ahead(values(), "closing-test")
    ahead.begin(5)
    threading.Timer(0.05, gate.set).start()
    ahead.close()
    assert len(fetched) < 5
    assert not any(thread.name.startswith("closing-test") for thread in threading.enumerate())
