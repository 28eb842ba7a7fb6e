"""A store that asks for pauses in the middle of an upload: nothing is lost, and nothing is there twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.folder.exports import as_tree
from tests.servers import S3Server
from tests.store.slow import SlowStore
from tests.voyage.conftest import _port
from tests.voyage.harness import cargo
from tests.voyage.harness import record as make_record
from unlade import stowing
from unlade.media import DecoderPool


@pytest.mark.real
def test_a_store_that_asks_for_pauses(
    s3: S3Server,
    sqlite_url: str,
    tmp_path: Path,
    pool: DecoderPool,
    django_db_blocker: DjangoDbBlocker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stowing, "PAUSES", (0.05,) * 40)
    data = cargo(40, special={7: make_record(7, size=9_000_000)})
    folder = as_tree(data, tmp_path / "export")
    with SlowStore(s3.endpoint, every=5, bursts=((30, 70),)) as slow:
        for name, value in {**s3.env, "AWS_ENDPOINT_URL": slow.url, "AWS_ALLOW_HTTP": "true"}.items():
            monkeypatch.setenv(name, value)
        url = s3.url(f"slow-{tmp_path.name}")
        with _port(data, tmp_path, sqlite_url, url, pool, django_db_blocker, {}) as port:
            code, said, err = port.command("--from", str(folder), crash="unlade.store.base:Store.put@before#15")
            assert code == -9, (said, err[-500:])
            ended = port.run(from_path=str(folder))
            assert (ended["outcome"], ended["exit"], ended["totals"]["imported"]) == ("done", 0, 40), ended
            port.check(books="")
            assert port.run(from_path=str(folder))["this_run"]["skipped"] == 40
        assert slow.refused > 40
        assert slow.refused_after > 10
