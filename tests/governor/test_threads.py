"""The gate under real threads: permits hold, nobody starves or hangs, and everybody wakes at once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from unlade.errors import GatewayError, HostResting, Interrupted, NotNow, UnladeError
from unlade.governor.governor import Governor
from unlade.governor.settings import settings_for
from unlade.source import RequestKind

#: Far beyond anything that a working gate needs; a hang fails here instead of at the suite's end.
PATIENCE = 30


def run_threads(*jobs: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if failures:
        raise failures[0]


def test_many_threads_on_a_host_that_fails_now_and_then() -> None:
    """Cool-downs of milliseconds, faults at random, probes, nested logins: all items arrive and permits hold."""
    gate = Governor(settings_for(pace="off", concurrency=3, cool_downs=[timedelta(milliseconds=2)]))

    def probe() -> None:
        with gate.passage("probe"):
            pass

    gate.probe = probe
    lock, inside, worst, arrived = threading.Lock(), 0, 0, 0

    def download(rng: random.Random) -> None:
        nonlocal inside, worst, arrived
        with gate.passage("container"):
            with lock:
                inside += 1
                worst = max(worst, inside)
            try:
                if rng.random() < 0.1:
                    with gate.passage("login"):
                        pass
                if rng.random() < 0.3:
                    raise GatewayError()
            finally:
                with lock:
                    inside -= 1
        with lock:
            arrived += 1

    def worker(seed: int) -> Callable[[], None]:
        def job() -> None:
            rng, left = random.Random(seed), 60
            while left:
                try:
                    with gate.passage("api"):
                        pass
                    download(rng)
                    left -= 1
                except (GatewayError, NotNow):
                    time.sleep(0.001)

        return job

    run_threads(*(worker(seed) for seed in range(8)))
    assert arrived == 8 * 60
    assert worst <= 3 and gate.peak <= 3
    assert gate.permits_in_use == 0 and gate.state.openings > 0


def waiting_threads(gate: Governor, kinds: list[RequestKind]) -> tuple[list[threading.Thread], list[UnladeError]]:
    errors: list[UnladeError] = []

    def wait_in_line(kind: RequestKind) -> None:
        try:
            with gate.passage(kind):
                pass
        except UnladeError as error:
            errors.append(error)

    threads = [threading.Thread(target=wait_in_line, args=(kind,), daemon=True) for kind in kinds]
    for thread in threads:
        thread.start()
    return threads, errors


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)


def test_all_who_wait_wake_when_the_run_stops() -> None:
    gate = Governor(settings_for(pace="off", concurrency=1))
    with gate.passage("container"):
        threads, errors = waiting_threads(gate, ["container"] * 6)
        gate.stop()
        join(threads)
        assert gate.permits_in_use == 1
    assert len(errors) == 6 and all(isinstance(error, Interrupted) for error in errors)


def test_all_who_wait_wake_when_the_breaker_opens() -> None:
    gate = Governor(settings_for(pace="off", concurrency=1, threshold=1))
    with pytest.raises(GatewayError), gate.passage("container"):  # noqa: PT012
        threads, errors = waiting_threads(gate, ["container"] * 6)
        raise GatewayError()
    join(threads)
    assert len(errors) == 6 and all(isinstance(error, HostResting) for error in errors)


def test_a_signal_that_interrupts_a_holder_of_the_lock_can_stop_it() -> None:
    gate = Governor(settings_for(pace="off", concurrency=1), on_change=lambda state: gate.stop())
    with gate._turn:
        gate.stop()
    with pytest.raises(Interrupted):
        gate.check()


def test_only_one_thread_tries_a_host_that_rested() -> None:
    """The probe, and then each request of the trial, holds on until all the others wait in line."""
    lock, line_grew = threading.Lock(), threading.Condition()
    in_line: set[int] = set()
    inside, worst, probes, left = 0, 0, 0, 8

    def wait(condition: threading.Condition, seconds: float) -> None:
        with line_grew:
            in_line.add(threading.get_ident())
            line_grew.notify_all()
        condition.wait(seconds)

    def all_others_wait() -> None:
        with line_grew:
            in_line.clear()
            line_grew.wait_for(lambda: len(in_line) >= left - 1, timeout=5)

    gate = Governor(settings_for(pace="off", concurrency=8, cool_downs=[timedelta(0)]), wait=wait)

    def probe() -> None:
        nonlocal probes
        with lock:
            probes += 1
        all_others_wait()
        with gate.passage("probe"):
            pass

    gate.probe = probe
    for _ in range(3):
        with pytest.raises(GatewayError), gate.passage("container"):
            raise GatewayError()

    def job(kind: RequestKind) -> Callable[[], None]:
        def ask() -> None:
            nonlocal inside, worst, left
            with gate.passage(kind):
                with lock:
                    inside += 1
                if gate.on_trial:
                    all_others_wait()
                    worst = max(worst, inside)
                with lock:
                    inside, left = inside - 1, left - 1

        return ask

    run_threads(*[job("container"), job("api")] * 4)
    assert probes == 1 and worst == 1
    assert gate.state.phase == "closed"
