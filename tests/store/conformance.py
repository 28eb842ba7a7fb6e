"""What every store must do. A store's own test module gives fixtures `store` and `reopen` and inherits `Conformance`."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from unlade import keys
from unlade.cargo import Facts
from unlade.errors import KeyCollision, StoreError
from unlade.store import Store, same_item

KEY = "patients/images/%C3%A9/2016-10-18/A-1.jpg"


def make(folder: Path, data: bytes, name: str = "body") -> Path:
    path = folder / name
    path.unlink(missing_ok=True)  # it may be linked into a store
    path.write_bytes(data)
    return path


def facts_of(data: bytes, **changes: object) -> Facts:
    facts = Facts("images", "17", "3", "Ünï ~ 100 %", 0, hashlib.sha256(data).hexdigest(), "imported")
    return replace(facts, **changes)  # type: ignore[arg-type]


def content(store: Store, key: str) -> bytes:
    with store.open(key) as chunks:
        return b"".join(chunks)


class Conformance:
    """Runs against each kind of store."""

    def test_an_object_comes_back_with_its_facts(self, store: Store, tmp_path: Path) -> None:
        data = b"bytes" * 1000
        stored = store.put(KEY, make(tmp_path, data), content_type="image/jpeg", facts=facts_of(data))
        assert (stored.key, stored.size, stored.sha256, stored.existed) == (
            KEY,
            5000,
            hashlib.sha256(data).hexdigest(),
            False,
        )
        info = store.head(KEY)
        assert info is not None
        assert (info.size, info.content_type, info.facts) == (5000, "image/jpeg", facts_of(data))
        assert content(store, KEY) == data
        assert store.read(KEY, tmp_path / "copy") == 5000
        assert (tmp_path / "copy").read_bytes() == data
        assert store.sha256(KEY) == stored.sha256

    def test_a_small_file_may_be_given_as_its_bytes(self, store: Store, tmp_path: Path) -> None:
        for data, mod_id, key in ((b"one", "3", "a/1.jpg"), (b"two", "7", "a/1~7.jpg"), (b"one", "3", "a/1.jpg")):
            known = store.head(key) is not None
            stored = store.put("a/1.jpg", data, content_type="image/jpeg", facts=facts_of(data, mod_id=mod_id))
            assert (stored.key, stored.size, stored.existed) == (key, 3, known)
            info = store.head(key)
            assert info is not None and (info.size, info.facts) == (3, facts_of(data, mod_id=mod_id))
            assert content(store, key) == data
        with pytest.raises(KeyCollision, match="record 17 of images"):
            store.put("a/1.jpg", b"one", content_type="image/jpeg", facts=facts_of(b"one", identity="other"))
        same = store.put("a/1.jpg", make(tmp_path, b"one"), content_type="image/jpeg", facts=facts_of(b"one"))
        assert same.existed

    def test_who_looks_first_sends_nothing_that_is_there(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[str] = []
        offer = store._offer
        monkeypatch.setattr(store, "_offer", lambda key, *rest: sent.append(key) or offer(key, *rest))
        for data, key, expected in (
            (b"one", "a/1.jpg", ["a/1.jpg"]),  # nothing there
            (b"one", "a/1.jpg", []),
            (b"two", "a/1~3.jpg", ["a/1~3.jpg"]),  # other bytes of the same modification
            (b"two", "a/1~3.jpg", []),
        ):
            sent.clear()
            facts = facts_of(data)
            stored = store.put("a/1.jpg", data, content_type="image/jpeg", facts=facts, look_first=True)
            assert (stored.key, stored.existed, sent) == (key, not expected, expected)
            assert content(store, key) == data
        other = facts_of(b"one", identity="other")
        with pytest.raises(KeyCollision, match="record 17 of images"):
            store.put("a/1.jpg", b"one", content_type="image/jpeg", facts=other, look_first=True)

    def test_what_is_not_there(self, store: Store, tmp_path: Path) -> None:
        assert store.head("no/such.jpg") is None
        assert list(store.list("no")) == []
        assert store.newest_run("images") is None
        with pytest.raises(StoreError, match="not in the store"), store.open("no/such.jpg"):
            pass
        store.delete("no/such.jpg")

    def test_the_same_put_again_is_success(self, store: Store, tmp_path: Path) -> None:
        data = b"same"
        for existed in (False, True):
            stored = store.put("a/1.jpg", make(tmp_path, data), content_type="image/jpeg", facts=facts_of(data))
            assert (stored.key, stored.existed) == ("a/1.jpg", existed)
        moved = facts_of(data, record_id="99", mod_id="4")
        assert store.put("a/1.jpg", make(tmp_path, data), content_type="image/jpeg", facts=moved).existed

    def test_other_bytes_of_the_same_item_get_a_key_of_their_own(self, store: Store, tmp_path: Path) -> None:
        found = []
        for data, mod_id in ((b"one", "3"), (b"two", "7"), (b"three", "7"), (b"two", "7")):
            stored = store.put(
                "a/1.jpg", make(tmp_path, data), content_type="image/jpeg", facts=facts_of(data, mod_id=mod_id)
            )
            assert content(store, stored.key) == data
            found.append(stored.key)
        assert found[:2] == ["a/1.jpg", "a/1~7.jpg"]
        assert found[2] == f"a/1~7-{hashlib.sha256(b'three').hexdigest()[:12]}.jpg"
        assert found[3] == found[1]

    @pytest.mark.parametrize("change", [{"identity": "other"}, {"source": "documents"}, {"slot": "photo(2)"}])
    def test_another_items_key_is_never_taken(self, store: Store, tmp_path: Path, change: dict[str, str]) -> None:
        store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))
        with pytest.raises(KeyCollision, match="record 17 of images"):
            store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x", **change))
        with pytest.raises(KeyCollision):
            store.put_thumbnail("a/1.jpg", b"thumb", content_type="image/jpeg", facts=facts_of(b"x", **change))
        assert content(store, "a/1.jpg") == b"x"

    def test_an_empty_file_is_an_object(self, store: Store, tmp_path: Path) -> None:
        store.put(
            "a/0",
            make(tmp_path, b""),
            content_type="application/octet-stream",
            facts=facts_of(b"", state="quarantined"),
        )
        info = store.head("a/0")
        assert info is not None and info.size == 0 and info.facts == facts_of(b"", state="quarantined")
        assert content(store, "a/0") == b""

    def test_a_thumbnail_has_facts_and_can_be_replaced(self, store: Store, tmp_path: Path) -> None:
        key = keys.thumbnail_key("a/1.jpg")
        original = facts_of(b"original")
        for data, existed in ((b"first", False), (b"second", False), (b"second", True)):
            stored = store.put_thumbnail(key, data, content_type="image/jpeg", facts=original)
            assert (stored.existed, stored.size) == (existed, len(data))
            info = store.head(key)
            assert info is not None and info.facts is not None
            assert (info.facts.state, info.facts.sha256, info.facts.identity) == (
                "thumbnail",
                hashlib.sha256(data).hexdigest(),
                original.identity,
            )
            assert content(store, key) == data

    def test_listings_tell_cargo_from_the_rest(self, store: Store, tmp_path: Path) -> None:
        for key in ("a/1.jpg", "a/10.jpg", "a/b/2.jpg", "ab/3.jpg"):
            store.put(key, make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x", identity=key))
        store.put_thumbnail("a/1.thumb.jpg", b"t", content_type="image/jpeg", facts=facts_of(b"x", identity="a/1.jpg"))
        store.put_run_mark("images", 1)
        assert sorted(info.key for info in store.list(cargo_only=True)) == [
            "a/1.jpg",
            "a/10.jpg",
            "a/b/2.jpg",
            "ab/3.jpg",
        ]
        assert sorted(info.key for info in store.list("a")) == ["a/1.jpg", "a/1.thumb.jpg", "a/10.jpg", "a/b/2.jpg"]
        assert [info.size for info in store.list("ab")] == [1]
        assert "a/1.thumb.jpg" in {info.key for info in store.list()}

    def test_an_item_is_found_by_its_stem_and_facts(self, store: Store, tmp_path: Path) -> None:
        pattern = "{owner}/{identity}{ext}"
        wanted = facts_of(b"x", identity="1.5")
        for identity, extension, data in (
            ("1.5", ".jpg", b"x"),
            ("1.5", "", b"y"),
            ("1", ".jpg", b"z"),
            ("1.55", ".jpg", b"u"),
        ):
            key = keys.render(pattern, {"owner": "7", "identity": identity}, extension)
            store.put(key, make(tmp_path, data), content_type="image/jpeg", facts=facts_of(data, identity=identity))
        store.put_thumbnail("7/1.5.thumb.jpg", b"t", content_type="image/jpeg", facts=wanted)
        stems = keys.stems(pattern, {"owner": "7", "identity": "1.5"})
        found = store.find(stems, lambda facts: same_item(facts, wanted))
        assert [info.key for info in found] == ["7/1%2E5", "7/1.5.jpg"] or [info.key for info in found] == [
            "7/1.5",
            "7/1.5.jpg",
        ]
        assert all(info.facts is not None and info.facts.identity == "1.5" for info in found)
        assert store.find(keys.stems(pattern, {"owner": "8", "identity": "1.5"}), lambda facts: True) == ()

    def test_run_marks(self, store: Store) -> None:
        for number in (1, 9, 10, 9):
            store.put_run_mark("images", number)
        store.put_run_mark("journal", 99)
        assert store.newest_run("images") == 10
        assert store.newest_run("journal") == 99
        assert store.newest_run("imag") is None
        assert list(store.list(cargo_only=True)) == []

    def test_the_probe_leaves_nothing(self, store: Store) -> None:
        report = store.probe()
        assert [(finding.name, finding.detail) for finding in report.findings if finding.level == "error"] == []
        assert report.ok and report.conditional and report.metadata
        assert list(store.list()) == []
        report.check()

    def test_two_writers_race_for_one_key(self, store: Store, tmp_path: Path) -> None:
        won, lost = [], []
        gate = threading.Barrier(8)

        def write(number: int) -> None:
            data = f"bytes of {number % 2}".encode()
            path = make(tmp_path, data, f"body-{number}")
            gate.wait()
            try:
                won.append(
                    store.put(
                        "a/1.jpg", path, content_type="image/jpeg", facts=facts_of(data, identity=str(number % 2))
                    )
                )
            except KeyCollision:
                lost.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 4 and len(lost) == 4
        assert [stored.existed for stored in won].count(False) == 1
        info = store.head("a/1.jpg")
        assert info is not None and info.facts is not None
        assert content(store, "a/1.jpg") == f"bytes of {info.facts.identity}".encode()

    def test_a_large_file(self, store: Store, tmp_path: Path) -> None:
        data = bytes(range(256)) * (20 * 4096)
        stored = store.put("a/big.tif", make(tmp_path, data), content_type="image/tiff", facts=facts_of(data))
        assert not stored.existed and store.sha256("a/big.tif") == stored.sha256
        info = store.head("a/big.tif")
        assert info is not None and info.facts == facts_of(data) and info.content_type == "image/tiff"
        assert store.put("a/big.tif", tmp_path / "body", content_type="image/tiff", facts=facts_of(data)).existed
        with pytest.raises(KeyCollision):
            store.put("a/big.tif", tmp_path / "body", content_type="image/tiff", facts=facts_of(data, identity="2"))

    def test_a_very_long_identity_is_recognised(self, store: Store, tmp_path: Path) -> None:
        long = facts_of(b"x", identity="ä" * 2000)
        for existed in (False, True):
            assert store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=long).existed == existed
        with pytest.raises(KeyCollision):
            store.put(
                "a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=replace(long, identity="ä" * 1999)
            )

    def test_another_process_sees_it(self, store: Store, reopen: Callable[[], Store], tmp_path: Path) -> None:
        store.put(KEY, make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))
        info = reopen().head(KEY)
        assert info is not None and info.facts == facts_of(b"x")
