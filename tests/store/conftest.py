"""One SeaweedFS for all tests of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import S3Server, start_seaweed


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = start_seaweed(tmp_path_factory.mktemp("seaweed"))
    yield server
    server.stop()
