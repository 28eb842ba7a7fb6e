"""Real files, written by FileMaker and published by their owners; they are not part of this project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NAMES = (
    "proofkit.fmp12", "contacts.fmp12", "test_external.fmp12", "color_picker.fmp12",
    "testdb.fmp12", "timestamp_ja.fmp12", "code39.fmp12", "standards.fp7",
)  # fmt: skip


def folder() -> Path:
    if named := os.environ.get("UNLADE_FMP12_SAMPLES"):
        return Path(named)
    return Path(__file__).resolve().parents[3] / "shared" / "samples" / "fmp12"


def sample(name: str) -> Path:
    """The sample's path; skips the test where it is missing."""
    path = folder() / name
    if not path.is_file():
        pytest.skip(f"the real file {name} is not here; name its folder in UNLADE_FMP12_SAMPLES")
    return path
