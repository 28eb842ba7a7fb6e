"""Parts that the tests of this room share."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fmsim import Simulator
from tests.fmsim.sample import data_set
from unlade.cargo import Wire
from unlade.errors import HostTrouble
from unlade.filemaker import DataApiSource, FileMakerConfig
from unlade.source import Booking, RequestKind


@dataclass
class Clock:
    """A wall clock and a machine's own clock that tests move."""

    now: datetime = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
    mono: float = 1000.0

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.mono

    def forward(self, **delta: float) -> None:
        step = timedelta(**delta)
        self.now += step
        self.mono += step.total_seconds()


@dataclass
class Booked:
    """One booking of the `Books`."""

    kind: RequestKind
    reserved: int
    came: Wire | None = None
    limit: int | None = None

    def raise_to(self, total: int) -> None:
        self.reserved = total

    def settle(self, wire: Wire) -> None:
        assert self.came is None, "settled twice"
        self.came = wire


@dataclass
class Books:
    """A toll that remembers, and a gate that knows who is inside."""

    bookings: list[Booked] = field(default_factory=list)
    passed: list[tuple[RequestKind, str]] = field(default_factory=list)
    refuse: Callable[[RequestKind], Exception | None] = lambda kind: None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _inside: threading.local = field(default_factory=threading.local)

    def reserve(self, kind: RequestKind, expected: int) -> Booking:
        with self._lock:
            self.bookings.append(Booked(kind, expected))
            return self.bookings[-1]

    def passage(self, kind: RequestKind) -> AbstractContextManager[None]:
        return self._passage(kind)

    @contextmanager
    def _passage(self, kind: RequestKind) -> Iterator[None]:
        if (error := self.refuse(kind)) is not None:
            raise error
        # With one permit a passage inside a passage would wait for ever.
        assert not getattr(self._inside, "now", False), "a passage inside a passage"
        self._inside.now = True
        result = "good"
        try:
            yield
        except HostTrouble:
            result = "trouble"
            raise
        except BaseException:
            result = "other"
            raise
        finally:
            self._inside.now = False
            with self._lock:
                self.passed.append((kind, result))

    @property
    def wire(self) -> Wire:
        return sum((b.came for b in self.bookings if b.came is not None), Wire())

    @property
    def open(self) -> list[Booked]:
        return [b for b in self.bookings if b.came is None]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture
def connect(clock: Clock, books: Books, naps: list[float]) -> Iterator[Callable[..., DataApiSource]]:
    """A factory of sources that are closed at the end."""
    opened: list[DataApiSource] = []

    def build(url: str, *, config: dict[str, Any] | None = None, **options: Any) -> DataApiSource:
        given = {"database": "Clinic", "account": "reader", "password": "s3cret-Wörd", **(config or {})}
        options = {
            "layout": "API_Images",
            "containers": ("photo",),
            "toll": books,
            "gate": books,
            "clock": clock,
            "monotonic": clock.monotonic,
            "sleep": naps.append,
            "rng": random.Random(7),
            **options,
        }
        opened.append(DataApiSource(FileMakerConfig(url=url, **given), **options))
        return opened[-1]

    yield build
    for source in opened:
        source.close()


@pytest.fixture
def cloud() -> Iterator[Callable[..., Any]]:
    opened: list[Simulator] = []

    def make(**switches: str) -> Simulator:
        opened.append(Simulator(data_set(), switches={"cloud": "true", **switches}))
        opened[-1].start()
        return opened[-1]

    yield make
    for simulator in opened:
        simulator.stop()
