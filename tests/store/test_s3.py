"""S3 on a real server: conformance, and what only object storage must care about."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest

from tests.servers import S3Server, start_seaweed
from tests.store.conformance import Conformance, content, facts_of, make
from unlade import keys
from unlade.errors import KeyCollision, StoreBusy, StoreRefused
from unlade.store import Store, aws, open_store
from unlade.store.remote import RemoteStore

pytestmark = pytest.mark.real


@pytest.fixture
def url(seaweed: S3Server) -> str:
    return seaweed.url(f"tests/{uuid.uuid4().hex}")


@pytest.fixture
def reopen(seaweed: S3Server, url: str) -> Callable[[], Store]:
    return lambda: open_store(url, environ=seaweed.env)


@pytest.fixture
def store(reopen: Callable[[], Store]) -> Store:
    return reopen()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No retries: tests do not wait."""
    monkeypatch.setitem(aws.RETRIES, "max_retries", 0)


class TestS3(Conformance):
    pass


def test_few_large_files_are_sent_at_a_time(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds parts of it in memory, so how many workers there are must not matter."""
    put, lock, at_once, most = obstore.put, threading.Lock(), 0, 0

    def counted(*given: Any, **more: Any) -> Any:
        nonlocal at_once, most
        with lock:
            at_once += more["use_multipart"]
            most = max(most, at_once)
        try:
            return put(*given, **more)
        finally:
            with lock:
                at_once -= more["use_multipart"]

    monkeypatch.setattr(obstore, "put", counted)
    data = b"0123456789" * 900_000
    path, facts, start = make(tmp_path, data), facts_of(data), threading.Barrier(9)

    def send(number: int) -> None:
        start.wait(20)
        store.put(f"large/{number}.bin", path, content_type="application/octet-stream", facts=facts)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(store.list("large"))) == 9
    assert 1 < most <= 4


class TestS3WithoutConditionalPuts(Conformance):
    """Some stores that speak S3 ignore the condition; then each key is looked at first, and races are lost to luck."""

    @pytest.fixture
    def store(self, reopen: Callable[[], Store]) -> Store:
        store = reopen()
        store.conditional = False
        return store

    def test_the_probe_leaves_nothing(self, store: Store) -> None:
        report = store.probe()
        assert report.ok and not report.conditional
        assert [f.level for f in report.findings if f.name == "conditional write"] == ["warning"]

    @pytest.mark.skip(reason="two machines at once are what such a store cannot keep apart")
    def test_two_writers_race_for_one_key(self, store: Store, tmp_path: Path) -> None: ...


class TestS3WithoutMetadata(Conformance):
    """A store that drops metadata: the facts lie in the journal."""

    @pytest.fixture
    def reopen(self, seaweed: S3Server, url: str) -> Callable[[], Store]:
        def open_it() -> Store:
            store = open_store(url, environ=seaweed.env)
            assert isinstance(store, RemoteStore)
            store._attributes = lambda content_type, facts: {"Content-Type": content_type}  # type: ignore[method-assign]
            store.learn_metadata(False)
            return store

        return open_it

    def test_the_probe_leaves_nothing(self, store: Store) -> None:
        store.learn_metadata(True)
        report = store.probe()
        assert report.ok and not report.metadata
        assert list(store.list()) == []

    def test_what_the_probe_learnt_is_acted_on(self, store: Store, tmp_path: Path) -> None:
        store.learn_metadata(True)
        store.probe()
        facts = facts_of(b"x")
        store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts)
        info = store.head("a/1.jpg")
        assert info is not None and info.facts == facts


def test_a_foreign_object_with_the_same_bytes_is_adopted(store: RemoteStore, tmp_path: Path) -> None:
    obstore.put(store._store, "a/1.jpg", b"x")
    assert store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x")).existed
    info = store.head("a/1.jpg")
    assert info is not None and info.facts == facts_of(b"x")
    assert [info.key for info in store.list(cargo_only=True)] == ["a/1.jpg"]
    assert store.head(keys.journal_key("a/1.jpg")) is not None


def test_a_foreign_object_with_other_bytes_is_left_alone(store: RemoteStore, tmp_path: Path) -> None:
    obstore.put(store._store, "a/1.jpg", b"y")
    with pytest.raises(KeyCollision, match="unknown origin"):
        store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))
    assert content(store, "a/1.jpg") == b"y"


@pytest.mark.slow
def test_a_listing_goes_on_to_the_last_page(store: RemoteStore) -> None:
    def fill(start: int) -> None:
        for number in range(start, 2345, 4):
            obstore.put(store._store, f"many/{number:05}", b"x")

    threads = [threading.Thread(target=fill, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(info.key for info in store.list("many")) == [f"many/{number:05}" for number in range(2345)]


def test_credentials_endpoint_and_region_from_a_profile(
    seaweed: S3Server, url: str, tmp_path: Path, impatient: None
) -> None:
    """As the AWS command line reads them, over a plain http endpoint."""
    (tmp_path / "credentials").write_text(
        f"[clinic]\naws_access_key_id = {seaweed.access_key}\naws_secret_access_key = {seaweed.secret_key}\n"
    )
    (tmp_path / "config").write_text(f"[profile clinic]\nregion = eu-central-1\nendpoint_url = {seaweed.endpoint}\n")
    environ = {
        "AWS_PROFILE": "clinic",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    report = open_store(url, environ=environ).probe()
    assert report.ok, report.findings
    services = "[profile clinic]\nservices = here\n[services here]\ns3 =\n    endpoint_url = " + seaweed.endpoint + "\n"
    (tmp_path / "config").write_text(services)
    assert open_store(url, environ=environ).probe().ok
    wrong = open_store(url, environ={**environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    with pytest.raises(StoreBusy, match="does not answer"):  # the variable wins over the profile
        wrong.head("a")
    with pytest.raises(StoreRefused, match="no credentials in the profile nobody"):
        open_store(url, environ={**environ, "AWS_PROFILE": "nobody"})


def test_the_bucket_is_missing(seaweed: S3Server) -> None:
    store = open_store("s3://no-such-bucket/x", environ=seaweed.env)
    report = store.probe()
    assert not report.ok
    with pytest.raises(StoreRefused, match="bucket no-such-bucket does not exist"):
        report.check()


@pytest.mark.parametrize(
    ("change", "message", "remedy"),
    [
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "access key does not exist", "AWS_ACCESS_KEY_ID"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "secret key is wrong", "AWS_SECRET_ACCESS_KEY"),
        (
            {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "reader-secret"},
            "s3:PutObject is missing",
            "--iam-policy",
        ),
    ],
)
def test_wrong_credentials_are_named(
    seaweed: S3Server, url: str, tmp_path: Path, change: dict[str, str], message: str, remedy: str
) -> None:
    store = open_store(url, environ={**seaweed.env, **change})
    with pytest.raises(StoreRefused, match=message) as caught:
        store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))
    assert remedy in caught.value.remedy
    for text in (str(caught.value), caught.value.remedy, *[finding.detail for finding in store.probe().findings]):
        assert seaweed.secret_key not in text and "reader-secret" not in text
    assert caught.value.__cause__ is None


def test_a_store_that_is_away_may_come_back(seaweed: S3Server, url: str, tmp_path: Path, impatient: None) -> None:
    store = open_store(url, environ={**seaweed.env, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    with pytest.raises(StoreBusy, match="does not answer"):
        store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))


def test_a_bucket_that_does_not_encrypt_is_said(store: Store) -> None:
    report = store.probe()
    assert report.ok and report.encryption == ""
    assert [f.level for f in report.findings if f.name == "encryption"] == ["warning"]
    assert report.public is False


@pytest.fixture(scope="module")
def encrypting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = start_seaweed(tmp_path_factory.mktemp("seaweed-sse"), sse_key="a key for tests", public=True)
    yield server
    server.stop()


def test_encryption_is_asked_for_where_the_store_can(encrypting: S3Server, tmp_path: Path) -> None:
    store = open_store(encrypting.url("x"), environ=encrypting.env)
    report = store.probe()
    assert report.encryption == "AES256"
    data = b"secret" * 100
    store.put("a/1.jpg", make(tmp_path, data), content_type="image/jpeg", facts=facts_of(data))
    assert store.encryption_of("a/1.jpg") == "AES256"
    assert content(store, "a/1.jpg") == data
    big = bytes(9_000_000)
    store.put("a/2.tif", make(tmp_path, big), content_type="image/tiff", facts=facts_of(big))
    assert store.encryption_of("a/2.tif") == "AES256" and store.sha256("a/2.tif") == facts_of(big).sha256
    info = store.head("a/2.tif")
    assert info is not None and info.facts == facts_of(big)


def test_a_public_bucket_is_refused(encrypting: S3Server) -> None:
    report = open_store(encrypting.url("x"), environ=encrypting.env).probe()
    assert report.public and not report.ok
    with pytest.raises(StoreRefused, match="Anybody can read"):
        report.check()


def test_a_store_that_ignores_the_condition_is_found_out(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = obstore.put

    def ignoring(*args: Any, mode: object = None, **kwargs: Any) -> object:
        return real(*args, mode="overwrite", **kwargs)

    monkeypatch.setattr(obstore, "put", ignoring)
    report = store.probe()
    assert report.ok and not report.conditional and not store.conditional
    assert list(store.list()) == []
    store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))
    with pytest.raises(KeyCollision):
        store.put("a/1.jpg", make(tmp_path, b"y"), content_type="image/jpeg", facts=facts_of(b"y", identity="2"))
    assert content(store, "a/1.jpg") == b"x"
