"""Values from an iterator, some of them before anybody asks: whoever works on one need not wait for the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Runs `values`, which yields no None, in a thread of its own called `name`; only that thread ever touches it.

    To be used from one thread, and to be closed.
    """

    def __init__(self, values: Iterator[T], name: str) -> None:
        self._values = values
        self._pool = ThreadPoolExecutor(1, name)
        self._begun: deque[Future[T | None]] = deque()

    def begin(self, count: int = 1) -> None:
        """Let `count` values be here or on their way."""
        while len(self._begun) < count:
            self._begun.append(self._pool.submit(next, self._values, None))

    @property
    def is_here(self) -> bool:
        """Whether a value was begun that `take` need not wait for."""
        return bool(self._begun) and self._begun[0].done()

    def take(self) -> T | None:
        """The next value, None at the end. Raises what went wrong over this one: earlier ones are not to blame."""
        self.begin()
        return self._begun.popleft().result()

    def wait(self) -> None:
        """Until nothing is on its way."""
        wait(self._begun)

    def close(self) -> None:
        """Let the thread end; what is on its way is waited for, what is not begun is left."""
        self._pool.shutdown(wait=True, cancel_futures=True)
