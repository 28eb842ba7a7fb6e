"""Fixtures for all rooms.

`db` (pytest-django's) is the quick one: SQLite in memory, each test in a transaction that is taken back. `database`
runs a test on an SQLite file and again on PostgreSQL, both really committing, with as many threads as it likes.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.databases import migrate, use_database
from tests.servers import PostgresServer, postgres_programs, start_postgres


def pytest_configure() -> None:
    """A key to sign with, and pages over plain HTTP; neither is a default of the project's settings."""
    from django.conf import settings

    settings.SECRET_KEY = "only for tests, " * 4
    settings.SECURE_SSL_REDIRECT = False


#: Whole runs against a host, processes, many drawings: left out of `make test-fast`.
SLOW = (
    *(
        "voyage",
        "lessons",
        "trace",
        "verify",
        "worklist",
        "fmp12road",
        "notify",
        "folder",
        "fmsim_clinic",
        "standalone",
        "reassign",
        "signin",
    ),
    *(
        "pilot/test_runs.py",
        "owners/test_voyage.py",
        "plan/test_pages.py",
        "media/test_workers.py",
        "fmp12/test_fuzz.py",
        "fmp12/test_source.py",
    ),
    *("desktop/test_script_text.py", "desktop/test_export_script.py", "clinic/test_admin.py", "clinic/test_relink.py"),
    *("schedule/test_daemon.py", "schedule/test_quiet.py", "existing", "bulk", "conformance", "records"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `SLOW` names."""
    here = Path(__file__).parent
    for item in items:
        place = item.path.relative_to(here).as_posix()
        if place in SLOW or place.partition("/")[0] in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    """An SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite3"
    with django_db_blocker.unblock():
        migrate(f"sqlite:///{path.as_posix()}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of an SQLite file with all tables, this test's own."""
    path = tmp_path / "clinic.sqlite3"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path.as_posix()}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server; tests that use it are marked `real`."""
    if postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    server = start_postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer, django_db_blocker: DjangoDbBlocker) -> str:
    """Name of a database with all tables, to be copied."""
    name = "template_unlade"
    _sql(postgres_server, f"CREATE DATABASE {name}")
    with django_db_blocker.unblock():
        migrate(postgres_server.url(name))
    return name


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """URL of a PostgreSQL database with all tables, this test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    _sql(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield postgres_server.url(name)
    _sql(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.real)])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an SQLite file, and in a second round of a PostgreSQL database, each with all tables."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def database(database_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The default database of the test is an SQLite file, and in a second round PostgreSQL. Yields its URL."""
    with django_db_blocker.unblock(), use_database(database_url):
        yield database_url


def _sql(server: PostgresServer, statement: str) -> None:
    import psycopg

    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement)
