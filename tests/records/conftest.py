"""Desks: a simulated clinic and a database for runs of record imports in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from fmsim import DataSet, Simulator
from tests.databases import use_database
from tests.records.desk import Desk
from unlade.media import DecoderPool

DeskMaker = Callable[..., AbstractContextManager[Desk]]


@pytest.fixture(scope="session")
def pool() -> Iterator[DecoderPool]:
    """Real decoders, started once, for the runs over files."""
    with DecoderPool(1) as decoders:
        yield decoders


@pytest.fixture
def desk(sqlite_url: str, tmp_path: Path, pool: DecoderPool, django_db_blocker: DjangoDbBlocker) -> DeskMaker:
    """`desk(data, **simulator arguments)`: a context; outside of it no database can be reached."""
    return maker(sqlite_url, tmp_path, pool, django_db_blocker)


@pytest.fixture
def any_desk(database_url: str, tmp_path: Path, pool: DecoderPool, django_db_blocker: DjangoDbBlocker) -> DeskMaker:
    """The same on SQLite, and in a second round on PostgreSQL."""
    return maker(database_url, tmp_path, pool, django_db_blocker)


def maker(url: str, folder: Path, pool: DecoderPool, blocker: DjangoDbBlocker) -> DeskMaker:
    @contextmanager
    def make(data: DataSet, **host: Any) -> Iterator[Desk]:
        with Simulator(data, **host) as sim, blocker.unblock(), use_database(url):
            yield Desk(sim, folder, pool, {"DATABASE_URL": url})

    return make
