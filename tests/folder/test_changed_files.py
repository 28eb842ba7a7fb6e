"""What was changed in an export since the last run: sent again under a new key, and nothing else is read."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from tests.folder.exports import as_tree, by_script
from tests.voyage.harness import Port, PortMaker, cargo, jpeg
from unlade.desktop.source import FolderSource, _whole


def change(path: Path, data: bytes, seconds: int = 60) -> None:
    """Write other bytes, as if it were so many seconds later."""
    before = path.stat().st_mtime_ns
    path.write_bytes(data)
    os.utime(path, ns=(before, before + seconds * 10**9))


def count_reads(patched: pytest.MonkeyPatch) -> list[str]:
    reads: list[str] = []
    borrow = FolderSource.borrow

    def counted(self: Any, record: Any, ref: Any, **more: Any) -> Any:
        reads.append(record.fields["id"])
        return borrow(self, record, ref, **more)

    patched.setattr(FolderSource, "borrow", counted)
    return reads


def row_of(port: Port, identity: str) -> Any:
    from clinic.images.models import Image

    return Image.objects.get(filemaker_id=identity)


@pytest.mark.parametrize("kind", ["tree", "script"])
def test_a_changed_file_is_sent_again_and_the_row_moves(
    make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    data = cargo(6)
    folder = as_tree(data, tmp_path / "export") if kind == "tree" else by_script(data, tmp_path / "export")
    identity = str(data.tables["Images"][2].values["id"])
    path = next(path for path in folder.rglob("*.jpg") if path.name.upper().startswith(identity))
    with make_port(data) as port:
        port.run(from_path=str(folder))
        old = row_of(port, identity)
        reads = count_reads(monkeypatch)
        change(path, jpeg("another picture", 5000))
        ended = port.run(from_path=str(folder))
        assert reads == [identity]
        if kind == "script":  # the manifest tells what FileMaker had: what lies there now is not it
            assert row_of(port, identity).key == old.key
            assert ended["totals"]["imported"] == 6
            return
        assert (ended["this_run"]["imported"], ended["this_run"]["skipped"]) == (1, 5)
        new = row_of(port, identity)
        assert new.pk == old.pk
        assert "~" in new.key
        assert port.store.sha256(new.key) == new.sha256 != old.sha256
        assert port.store.sha256(old.key) == old.sha256
        item = next(item for item in port.items().values() if item.identity == identity)
        assert item.notes == [f"earlier version: {old.key}"]
        reads.clear()
        assert port.run(from_path=str(folder))["this_run"]["skipped"] == 6
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))  # touched, not changed
        assert port.run(from_path=str(folder))["exit"] == 0
        assert (reads, row_of(port, identity).key) == ([identity], new.key)
        port.run(from_path=str(folder))
        assert reads == [identity]


def test_killed_while_a_changed_file_is_sent(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(5)
    folder = as_tree(data, tmp_path / "export")
    paths = sorted(folder.rglob("*.jpg"))
    with make_port(data) as port:
        port.run(from_path=str(folder))
        for number, path in enumerate(paths[:3]):
            change(path, jpeg(f"another {number}", 4000 + number))
        for spot in ("unlade.store.base:Store.put@after#2", "unlade.ledger.books:Books.settle@before"):
            code, said, err = port.command("--from", str(folder), crash=spot)
            assert code == -9, (said, err[-500:])
        assert port.run(from_path=str(folder))["exit"] == 0
        for path in paths[:3]:
            row = row_of(port, path.stem)
            with port.store.open(row.key) as chunks:
                assert b"".join(chunks) == path.read_bytes()
        assert port.run(from_path=str(folder))["this_run"]["skipped"] == 5


def test_a_second_file_of_an_identity_leaves_the_first_one_its_item(make_port: PortMaker, tmp_path: Path) -> None:
    data = cargo(4)
    folder = as_tree(data, tmp_path / "export")
    first = sorted(folder.rglob("*.jpg"))[0]
    with make_port(data) as port:
        port.run(from_path=str(folder))
        elsewhere = folder / "SOMEBODY" / "2020-01-01" / first.name
        elsewhere.parent.mkdir(parents=True)
        elsewhere.write_bytes(jpeg("a second one"))
        ended = port.run(from_path=str(folder))
        assert (ended["found"], ended["gone"], ended["totals"]["imported"], ended["totals"]["failed"]) == (5, 0, 4, 1)
        failed = next(item for item in port.items().values() if item.state == "failed")
        assert (failed.reason, failed.identity, failed.owner_ref) == ("duplicate_identity", first.stem, "SOMEBODY")
        elsewhere.unlink()
        ended = port.run(from_path=str(folder))
        assert (ended["totals"]["imported"], ended["totals"]["failed"], ended["gone"]) == (4, 0, 1)


class Thrifty(FileIO):
    """A file behind a network: never more than seven bytes at a time."""

    def read(self, size: int | None = -1, /) -> bytes:  # type: ignore[override]
        return super().read(7 if size is None or size < 0 else min(size, 7))


def test_a_small_file_is_read_whole_however_its_disk_gives_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    for data in (b"x", b"0123456", b"0123456789" * 5):
        path.write_bytes(data)
        for kind in (FileIO, Thrifty):
            with kind(path) as file:
                assert _whole(file, len(data)) == data
        with FileIO(path) as file:
            assert len(_whole(file, len(data) - 1)) == len(data)  # it grew: whoever compares sizes sees it
        with Thrifty(path) as file:
            assert _whole(file, len(data) + 9) == data  # it shrank
