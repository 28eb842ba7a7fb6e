"""The folder as a store: conformance, and what only a folder must care about."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.store.conformance import Conformance, content, facts_of, make
from unlade import keys
from unlade.cargo import Facts
from unlade.errors import KeyCollision, StoreError, StoreRefused
from unlade.store import LocalStore, Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri())


@pytest.fixture
def reopen(tmp_path: Path) -> Callable[[], Store]:
    return lambda: open_store((tmp_path / "store").as_uri())


class TestFolder(Conformance):
    pass


class TestFolderWithoutLinks(Conformance):
    """exFAT and some network drives know no hard links."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        def no_link(_source: Path, _target: Path) -> None:
            raise OSError(errno.EPERM, "no links here")

        return LocalStore(tmp_path / "store", link=no_link)


class TestFolderLinkedToTheSpool(Conformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return LocalStore(tmp_path / "store", link_from=tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="no such modes there")
def test_everything_is_private(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o755)
    store = LocalStore(tmp_path / "store")
    store.put("a/b/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))
    store.put_thumbnail("a/b/1.thumb.jpg", b"t", content_type="image/jpeg", facts=facts_of(b"x"))
    for path in [store.root, *store.root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.skipif(os.name == "nt", reason="no such modes there")
def test_a_folder_that_others_use_keeps_its_mode(tmp_path: Path) -> None:
    root = tmp_path / "media"
    root.mkdir(mode=0o755)
    (root / "logo.png").write_bytes(b"x")
    store = LocalStore(root)
    assert stat.S_IMODE(root.stat().st_mode) == 0o755
    assert store.head("logo.png") is not None
    report = store.probe()
    assert report.ok and [f.remedy for f in report.findings if f.level == "warning"] == [f"chmod 700 {root}"]


def test_a_file_of_the_spool_is_linked_and_others_are_copied(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    store = LocalStore(tmp_path / "store", link_from=spool)
    inside, outside = make(spool, b"in"), make(tmp_path, b"out")
    store.put("a/1.jpg", inside, content_type="image/jpeg", facts=facts_of(b"in"))
    store.put("a/2.jpg", outside, content_type="image/jpeg", facts=facts_of(b"out"))
    assert inside.samefile(store.root / "a" / "1.jpg")
    assert not outside.samefile(store.root / "a" / "2.jpg")
    inside.unlink()
    assert content(store, "a/1.jpg") == b"in"


def test_a_file_that_changed_since_it_was_fetched_is_not_stored(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="changed on disk"):
        store.put("a/1.jpg", make(tmp_path, b"rotten"), content_type="image/jpeg", facts=facts_of(b"fresh!"))
    assert store.head("a/1.jpg") is None
    assert no_litter(store)


def test_a_foreign_file_with_the_same_bytes_is_adopted(store: LocalStore, tmp_path: Path) -> None:
    (store.root / "a").mkdir()
    make(store.root / "a", b"x", "1.jpg")
    info = store.head("a/1.jpg")
    assert info is not None and info.facts is None
    assert store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x")).existed
    info = store.head("a/1.jpg")
    assert info is not None and info.facts == facts_of(b"x")


def test_a_foreign_file_with_other_bytes_is_left_alone(store: LocalStore, tmp_path: Path) -> None:
    (store.root / "a").mkdir()
    make(store.root / "a", b"theirs", "1.jpg")
    with pytest.raises(KeyCollision, match="unknown origin"):
        store.put("a/1.jpg", make(tmp_path, b"ours"), content_type="image/jpeg", facts=facts_of(b"ours"))
    assert content(store, "a/1.jpg") == b"theirs"


def test_a_sidecar_of_another_size_is_not_believed(store: LocalStore, tmp_path: Path) -> None:
    store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))
    (store.root / "a" / "1.jpg").write_bytes(b"somebody else's")
    info = store.head("a/1.jpg")
    assert info is not None and info.facts is None


def test_a_damaged_sidecar_is_as_good_as_none(store: LocalStore, tmp_path: Path) -> None:
    store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))
    (store.root / keys.journal_key("a/1.jpg")).write_bytes(b'{"facts": 3')
    assert store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x")).existed


def test_links_are_not_followed_by_listings(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    make(tmp_path / "elsewhere", b"x", "secret")
    (store.root / "way").symlink_to(tmp_path / "elsewhere")
    assert list(store.list()) == []


@pytest.mark.parametrize("key", ["", "../x", "/etc/passwd", "a//b", "a/./b", "a\\b"])
def test_no_key_leads_out_of_the_folder(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        store.head(key)


CRASH = """
    import os, signal, sys
    from pathlib import Path
    from unlade.cargo import Facts
    from unlade.store import LocalStore
    from unlade.store import local

    where = sys.argv[3]
    def die(*_a, **_k):
        os.kill(os.getpid(), signal.SIGKILL)
    if where == "before the object":
        LocalStore._place = die
    elif where == "between object and sidecar":
        LocalStore._finish = die
    elif where == "after the sidecar":
        wrapped = LocalStore._finish
        LocalStore._finish = lambda *a: (wrapped(*a), die())
    elif where == "before its facts":
        LocalStore._write_pending = die
    elif where == "while it is copied":
        local._copy = lambda path, target: (target.write_bytes(b"ha"), die())
    store = LocalStore(Path(sys.argv[1]))
    facts = Facts("images", "17", "3", "A-1", 0, sys.argv[4], "imported")
    store.put("a/1.jpg", Path(sys.argv[2]), content_type="image/jpeg", facts=facts)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
@pytest.mark.parametrize(
    "where",
    ["before the object", "before its facts", "while it is copied", "between object and sidecar", "after the sidecar"],
)
def test_kill_9_leaves_an_object_that_says_whose_it_is_or_none(tmp_path: Path, where: str) -> None:
    body = make(tmp_path, b"half")
    facts = facts_of(b"half", identity="A-1")
    command = [sys.executable, "-c", textwrap.dedent(CRASH), str(tmp_path / "store"), str(body), where, facts.sha256]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    store = LocalStore(tmp_path / "store")
    assert no_litter(store)
    info = store.head("a/1.jpg")
    stored_then = where in ("between object and sidecar", "after the sidecar")
    assert (info is not None) == stored_then
    if info is not None:
        assert info.facts == facts and info.content_type == "image/jpeg"
        found = store.find(["a/1"], lambda other: other.identity == "A-1")
        assert [each.key for each in found] == ["a/1.jpg"]
    assert store.put("a/1.jpg", body, content_type="image/jpeg", facts=facts).existed == stored_then


def test_facts_of_a_live_writer_are_found_before_it_is_done(tmp_path: Path) -> None:
    """A reader between object and sidecar finishes the writer's work, and the writer does not mind."""
    store = LocalStore(tmp_path / "store")
    seen = []

    class Slow(LocalStore):
        def _finish(self, key: str, pending: Path | None, target: Path | None) -> None:
            info = store.head(key)
            seen.append(info.facts if info else None)
            super()._finish(key, pending, target)

    slow = Slow(tmp_path / "store")
    slow.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))
    assert seen == [facts_of(b"x")]
    info = store.head("a/1.jpg")
    assert info is not None and info.facts == facts_of(b"x")
    assert no_litter(store)


def test_litter_of_the_dead_is_cleaned_and_work_of_the_living_is_not(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    store = LocalStore(tmp_path / "store", clock=lambda: now)
    mine = store._temporary("copy")
    mine.write_bytes(b"x")
    store.clean()
    assert mine.exists()
    LocalStore(tmp_path / "store", clock=lambda: now + 3 * 86400)
    assert not mine.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux to mount a small disk")
    mount = tmp_path / "disk"
    mount.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)], check=False, capture_output=True
    ).returncode:
        pytest.skip("cannot mount here")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def test_a_full_disk_stops_the_run_and_leaves_nothing_half_done(small_disk: Path, tmp_path: Path) -> None:
    store = LocalStore(small_disk / "store")
    body = make(tmp_path, b"x" * 300_000)
    facts = facts_of(b"x" * 300_000)
    with pytest.raises(StoreRefused, match="full"):
        store.put("a/1.jpg", body, content_type="image/jpeg", facts=facts)
    assert store.head("a/1.jpg") is None
    assert no_litter(store)
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert not store.put("a/1.jpg", body, content_type="image/jpeg", facts=facts).existed


def test_a_store_whose_disk_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """After an unmount the mount point is an empty folder of another disk."""
    store = LocalStore(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "away")
    (tmp_path / "store").mkdir()
    with pytest.raises(StoreRefused, match="gone"):
        store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))
    assert list((tmp_path / "store").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    make(tmp_path, b"x", "file")
    with pytest.raises((StoreRefused, StoreError)):
        LocalStore(tmp_path / "file" / "store")


def no_litter(store: Store) -> bool:
    assert isinstance(store, LocalStore)
    return [path.name for path in (store.root / ".unlade" / "tmp").iterdir() if path.name != "claim.lock"] == []


def test_facts_are_whole(store: Store, tmp_path: Path) -> None:
    facts = Facts("images", "1", "2", "i", 4, facts_of(b"x").sha256, "quarantined", "photo(2)")
    store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts)
    info = store.head("a/1.jpg")
    assert info is not None and info.facts == facts
