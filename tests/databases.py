"""Real databases for tests: any URL as this process's default database, for all its threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from clinic.environment import database


@contextmanager
def use_database(url: str) -> Iterator[None]:
    """Let `url` be the default database inside; connections of other threads must be closed by then."""
    from django.db import connections

    old_settings, old_connection = connections.settings["default"], connections["default"]
    connections.settings["default"] = connections.configure_settings({"default": database(url)})["default"]
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = old_connection
        connections.settings["default"] = old_settings


def migrate(url: str) -> None:
    """Bring the database at `url` up to date."""
    from django.core.management import call_command

    with use_database(url):
        call_command("migrate", verbosity=0)


def side_by_side(functions: Sequence[Callable[[], object]]) -> None:
    """Run the functions in threads that start together, each with a connection of its own; raises what they raise."""
    from django.db import connections

    start = threading.Barrier(len(functions))
    errors: list[BaseException] = []

    def run(function: Callable[[], object]) -> None:
        try:
            start.wait(30)
            function()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
