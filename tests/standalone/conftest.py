"""The command, and a real S3 server."""

import pytest

from tests.standalone.files import Unlade
from tests.voyage.conftest import s3

__all__ = ["s3", "unlade"]


@pytest.fixture
def unlade(capsys: pytest.CaptureFixture[str]) -> Unlade:
    return Unlade(capsys)
