"""Kill -9 at any instant, again and again: nothing is fetched twice, nothing is stored twice, nothing is left."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.store.crash_child import body_of, facts_of
from unlade.spool import Spool
from unlade.store import LocalStore, open_store

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")]

COUNT = 160


def rows_in(folder: Path) -> int:
    try:
        return (folder / "rows").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def storm(folder: Path, url: str, environ: dict[str, str], seed: int) -> int:
    """Run the importer, killing it after every few rows, until it gets through; how many deaths it took."""
    dice = random.Random(seed)
    command = [sys.executable, "-m", "tests.store.crash_child", str(folder), url, str(COUNT)]
    for death in range(COUNT):
        child = subprocess.Popen(command, env={**os.environ, **environ}, stderr=subprocess.PIPE)
        enough = rows_in(folder) + dice.randint(3, 40)
        while child.poll() is None and rows_in(folder) < enough:
            time.sleep(0.001)
        time.sleep(dice.random() * 0.01)
        child.kill()
        _, errors = child.communicate()
        assert b"Traceback" not in errors, errors.decode()
        if child.returncode == 0:
            return death
        assert child.returncode == -signal.SIGKILL
    raise AssertionError("it never gets through")


def settle(folder: Path, url: str, environ: dict[str, str]) -> None:
    rows = Counter((folder / "rows").read_text().split())
    assert set(rows) == {str(number) for number in range(COUNT)}
    assert max(Counter((folder / "fetched").read_text().split()).values()) == 1
    store = open_store(url, environ={**os.environ, **environ})
    cargo = {info.key for info in store.list(cargo_only=True)}
    assert cargo == {f"{number // 4}/id-{number}.jpg" for number in range(COUNT)}
    for number in range(COUNT):
        key = f"{number // 4}/id-{number}.jpg"
        info = store.head(key)
        assert info is not None and info.facts == facts_of(number)
        assert store.sha256(key) == hashlib.sha256(body_of(number)).hexdigest()
        thumbnail = store.head(key.replace(".jpg", ".thumb.jpg"))
        assert thumbnail is not None and thumbnail.facts is not None and thumbnail.facts.identity == f"id-{number}"
    spool = Spool(folder / "spool", max_bytes=1)
    for left in spool.left("images"):  # the last death may have been between row and discard
        assert left.mark.item_key in rows
    if isinstance(store, LocalStore):
        assert list((store.root / ".unlade" / "tmp").iterdir()) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_a_folder_after_many_deaths(tmp_path: Path, seed: int) -> None:
    deaths = storm(tmp_path, str(tmp_path / "store"), {}, seed)
    assert deaths > 0
    settle(tmp_path, str(tmp_path / "store"), {})


@pytest.mark.real
def test_s3_after_many_deaths(seaweed: S3Server, tmp_path: Path) -> None:
    url = seaweed.url(f"crash/{uuid.uuid4().hex}")
    assert storm(tmp_path, url, seaweed.env, 3) > 0
    settle(tmp_path, url, seaweed.env)
