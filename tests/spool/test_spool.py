"""The spool: what it keeps, what it gives back after a death at any point, what it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlade.cargo import Wire
from unlade.errors import StoreBusy, StoreError, StoreRefused
from unlade.spool import Leftover, Spool, SpoolFull

DATA = b"0123456789" * 1000
WIRE = Wire(container=10_500, headers=500)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", max_bytes=1_000_000)


def again(spool: Spool) -> Spool:
    return Spool(spool.folder, max_bytes=spool.max_bytes)


def only(spool: Spool, source: str = "images") -> Leftover:
    (left,) = spool.left(source)
    return left


def test_a_finished_download_is_a_parcel(spool: Spool) -> None:
    writer = spool.begin("images", "17", "image_Full", record_id="17", mod_id="3", booking="b-1")
    for start in range(0, len(DATA), 999):
        writer.write(DATA[start : start + 999])
    parcel = writer.finish(content_type="image/jpeg", name="Müller.jpg", wire=WIRE)
    assert parcel.path.read_bytes() == DATA
    assert (parcel.size, parcel.sha256, parcel.md5) == (
        10_000,
        hashlib.sha256(DATA).hexdigest(),
        hashlib.md5(DATA).hexdigest(),
    )
    assert (parcel.field, parcel.wire, parcel.content_type, parcel.name) == (
        "image_Full",
        WIRE,
        "image/jpeg",
        "Müller.jpg",
    )
    left = only(again(spool))
    assert left.parcel == parcel
    assert (left.mark.record_id, left.mark.mod_id, left.mark.booking, left.mark.item_key) == ("17", "3", "b-1", "17")


def test_a_discarded_parcel_is_gone(spool: Spool) -> None:
    writer = spool.begin("images", "17", "f")
    writer.write(DATA)
    parcel = writer.finish(content_type=None, name=None, wire=WIRE)
    assert spool.used == len(DATA)
    for _ in range(2):
        spool.discard(parcel)
    assert spool.used == 0 and list(spool.left("images")) == []
    assert not any(path.is_file() for path in spool.folder.rglob("*"))


def test_an_empty_file_is_a_parcel_too(spool: Spool) -> None:
    parcel = spool.begin("images", "17", "f").finish(content_type=None, name=None, wire=WIRE)
    assert parcel.size == 0
    assert only(again(spool)).parcel == parcel


def test_what_a_broken_download_cost_is_known(spool: Spool) -> None:
    with suppress(ConnectionError), spool.begin("images", "17", "f", booking="b-9") as writer:
        writer.note(wire=Wire(headers=400), content_length=10_000)
        writer.write(DATA[:700])
        writer.note(wire=Wire(container=700, headers=400))
        raise ConnectionError
    left = only(again(spool))
    assert left.parcel is None and left.resumable == 700
    assert (left.mark.wire, left.mark.content_length, left.mark.booking) == (
        Wire(container=700, headers=400),
        10_000,
        "b-9",
    )


def test_a_broken_download_goes_on_where_it_broke(spool: Spool) -> None:
    writer = spool.begin("images", "17", "f")
    writer.write(DATA[:4000])
    writer.note(wire=Wire(container=4000))
    left = writer.abandon(keep_partial=True)
    assert left is not None and left.resumable == 4000
    for resume in (left, only(again(spool))):
        writer = spool.begin("images", "17", "f", resume=resume)
        assert writer.size == 4000 and writer.mark.wire == Wire(container=4000)
        if resume is left:
            writer.abandon(keep_partial=True)
    writer.write(DATA[4000:])
    parcel = writer.finish(content_type=None, name=None, wire=WIRE)
    assert parcel.sha256 == hashlib.sha256(DATA).hexdigest() and parcel.path.read_bytes() == DATA


def test_a_host_that_starts_anew_is_followed(spool: Spool) -> None:
    writer = spool.begin("images", "17", "f")
    writer.write(b"wrong start")
    left = writer.abandon(keep_partial=True)
    writer = spool.begin("images", "17", "f", resume=left)
    writer.restart()
    writer.write(DATA)
    parcel = writer.finish(content_type=None, name=None, wire=WIRE)
    assert parcel.path.read_bytes() == DATA and parcel.sha256 == hashlib.sha256(DATA).hexdigest()


def test_without_a_partial_nothing_is_left(spool: Spool) -> None:
    writer = spool.begin("images", "17", "f")
    writer.write(DATA)
    assert writer.abandon(keep_partial=False) is None
    assert spool.used == 0 and list(spool.left("images")) == []


def test_what_is_under_way_is_not_left_over(spool: Spool) -> None:
    writer = spool.begin("images", "17", "f")
    writer.note(wire=WIRE)
    assert list(spool.left("images")) == [] and spool.clean("images") == 0
    with pytest.raises(StoreError, match="already"):
        spool.begin("images", "17", "f")
    writer.abandon(keep_partial=False)


def test_sources_and_fields_are_kept_apart(spool: Spool) -> None:
    for source, item, field in (
        ("images", "1", "a"),
        ("images", "1", "b"),
        ("images", "2", "a"),
        ("documents", "1", "a"),
    ):
        writer = spool.begin(source, item, field)
        writer.write(f"{source} {item} {field}".encode())
        writer.finish(content_type=None, name=None, wire=WIRE)
    assert {left.mark.item_key + left.mark.field for left in spool.left("images")} == {"1a", "1b", "2a"}
    assert only(spool, "documents").mark.source == "documents"


@pytest.mark.parametrize("damage", [b"", DATA[:-1], DATA[:-1] + b"x", None])
def test_a_complete_mark_is_only_believed_with_its_bytes(spool: Spool, damage: bytes | None) -> None:
    writer = spool.begin("images", "17", "f", booking="b")
    writer.write(DATA)
    parcel = writer.finish(content_type=None, name=None, wire=WIRE)
    if damage is None:
        parcel.path.unlink()
    else:
        parcel.path.write_bytes(damage)
    left = only(again(spool))
    assert left.parcel is None and left.resumable == 0 and not left.mark.complete
    assert left.mark.wire == WIRE and left.mark.booking == "b"
    spool.discard(left)
    assert list(spool.left("images")) == []


def test_after_a_power_cut_only_flushed_bytes_are_believed(spool: Spool) -> None:
    writer = spool.begin("images", "17", "f")
    writer.write(DATA[:300])
    writer.note(wire=WIRE, flush=True)
    writer.write(DATA[300:700])
    writer.note(wire=WIRE)
    left = writer.abandon(keep_partial=True)
    assert left is not None
    mark = left.path.with_suffix(".mark")
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "boot": 1}))
    left = only(again(spool))
    assert left.resumable == 300
    assert again(spool).begin("images", "17", "f", resume=left).size == 300


def test_litter_is_cleaned_and_nothing_else(spool: Spool) -> None:
    writer = spool.begin("images", "1", "f")
    writer.write(DATA)
    parcel = writer.finish(content_type=None, name=None, wire=WIRE)
    folder = parcel.path.parent
    (folder / "alone.body").write_bytes(b"x")
    (folder / "bad.body").write_bytes(b"x")
    (folder / "bad.mark").write_bytes(b"{")
    (folder / "half.new").write_bytes(b"{")
    spool = again(spool)
    assert spool.used == len(DATA) + 2
    assert spool.clean("images") == 4
    assert spool.used == len(DATA)
    assert sorted(path.suffix for path in folder.iterdir()) == [".body", ".mark"]
    assert only(spool).parcel == parcel
    assert spool.clean("never seen") == 0


def test_it_is_bounded(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=25_000)
    parcels = []
    for number in range(2):
        writer = spool.begin("images", str(number), "f", expected=10_000)
        assert spool.room == 25_000 - 10_000 * (number + 1)
        writer.write(DATA)
        parcels.append(writer.finish(content_type=None, name=None, wire=WIRE))
    with pytest.raises(SpoolFull):
        spool.begin("images", "3", "f", expected=10_000)
    assert issubclass(SpoolFull, StoreBusy)
    spool.discard(parcels[0])
    spool.begin("images", "3", "f", expected=10_000).abandon(keep_partial=False)
    assert again(spool).used == 10_000


def test_a_file_that_another_run_stores_meanwhile_is_no_trouble(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "documents"
    folder.mkdir(parents=True)
    (folder / "1-scan.body").symlink_to(folder / "just stored")  # listed, and gone when it is looked at
    (folder / "2-scan.body").write_bytes(b"four")
    assert Spool(tmp_path / "spool", max_bytes=1000).used == 4


def test_a_file_larger_than_the_spool_may_be_there_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=5_000)
    writer = spool.begin("images", "1", "f", expected=10_000)
    with pytest.raises(SpoolFull):
        spool.begin("images", "2", "f")
    writer.write(DATA)
    spool.discard(writer.finish(content_type=None, name=None, wire=WIRE))
    assert spool.room == 5_000


@pytest.mark.skipif(os.name == "nt", reason="no such modes there")
def test_everything_is_private(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir(mode=0o755)
    spool = Spool(tmp_path / "spool", max_bytes=10)
    spool.begin("images", "1", "f").finish(content_type=None, name=None, wire=WIRE)
    for path in [spool.folder, *spool.folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=80))
def test_any_item_key_makes_a_file_name(tmp_path_factory: pytest.TempPathFactory, item_key: str, field: str) -> None:
    spool = Spool(tmp_path_factory.getbasetemp() / "any", max_bytes=1000)
    writer = spool.begin("src", item_key, field)
    writer.write(b"x")
    parcel = writer.finish(content_type=None, name=item_key, wire=WIRE)
    assert parcel.path.parent.parent == spool.folder and len(parcel.path.name) < 120
    assert set(parcel.path.name).isdisjoint(':\\/<>"|?*') and not parcel.path.name.startswith(".")
    left = only(spool, "src")
    assert left.mark.item_key == item_key and left.parcel == parcel
    spool.discard(parcel)


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StoreError):
        Spool(tmp_path / "file" / "spool", max_bytes=1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_says_so(spool: Spool) -> None:
    writer = spool.begin("images", "1", "f")
    writer._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115, PTH123
    with pytest.raises(StoreRefused, match="full"):
        writer.write(DATA)
    writer.abandon(keep_partial=True)


DEATH = """
    import os, signal, sys
    from pathlib import Path
    from unlade import spool as module
    from unlade.cargo import Wire

    folder, where = Path(sys.argv[1]), sys.argv[2]
    die = lambda *_a, **_k: os.kill(os.getpid(), signal.SIGKILL)
    spool = module.Spool(folder, max_bytes=10**6)
    writer = spool.begin("images", "17", "f", booking="b-1")
    if where == "before a note": die()
    writer.note(wire=Wire(headers=400), content_length=10_000)
    if where == "after the head": die()
    writer.write(b"0123456789" * 500)
    writer.note(wire=Wire(container=5000, headers=400))
    writer.write(b"0123456789" * 500)
    if where == "in the body": die()
    if where == "file flushed": module.SpoolWriter._save = die
    if where == "mark written": Path.replace = die
    if where == "mark in place": module.disk.fsync_folder = die
    writer.finish(content_type="image/jpeg", name="n", wire=Wire(container=10_000, headers=400))
    die()
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
@pytest.mark.parametrize(
    ("where", "complete", "wire"),
    [
        ("before a note", False, Wire()),
        ("after the head", False, Wire(headers=400)),
        ("in the body", False, Wire(container=5000, headers=400)),
        ("file flushed", False, Wire(container=5000, headers=400)),
        ("mark written", False, Wire(container=5000, headers=400)),
        ("mark in place", True, Wire(container=10_000, headers=400)),
        ("after the end", True, Wire(container=10_000, headers=400)),
    ],
)
def test_kill_9_at_each_point(tmp_path: Path, where: str, complete: bool, wire: Wire) -> None:
    command = [sys.executable, "-c", textwrap.dedent(DEATH), str(tmp_path / "spool"), where]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    spool = Spool(tmp_path / "spool", max_bytes=10**6)
    left = only(spool)
    assert (left.parcel is not None, left.mark.wire, left.mark.booking) == (complete, wire, "b-1")
    if left.parcel is None:
        assert left.resumable in (0, 5000)
        writer = spool.begin("images", "17", "f", resume=left)
        writer.write(DATA[left.resumable :])
        parcel = writer.finish(content_type=None, name=None, wire=wire)
        assert parcel.sha256 == hashlib.sha256(DATA).hexdigest()
    spool.clean("images")
    assert only(spool).parcel is not None
