"""Piers: a simulated clinic, an SQLite file and a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from fmsim import DataSet, Simulator
from tests.databases import use_database
from tests.documents.pier import Pier, PierMaker
from unlade.media import DecoderPool


@pytest.fixture(scope="session")
def pool() -> Iterator[DecoderPool]:
    """Real decoders, started once."""
    with DecoderPool(2) as decoders:
        yield decoders


@pytest.fixture
def pier(sqlite_url: str, tmp_path: Path, pool: DecoderPool, django_db_blocker: DjangoDbBlocker) -> PierMaker:
    """`pier(data, **simulator arguments)`: a context; outside of it no database can be reached."""

    @contextmanager
    def make(data: DataSet, **host: Any) -> Iterator[Pier]:
        with Simulator(data, **host) as sim, django_db_blocker.unblock(), use_database(sqlite_url):
            yield Pier(sim, tmp_path, pool)

    return make
