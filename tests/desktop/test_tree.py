"""Folders of files: what is cargo, whose it is, and what looks like it but is not."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlade.desktop.read import (
    FolderIndex,
    FolderKind,
    Form,
    Kind,
    external_paths,
    folded,
    inside,
    read_name,
    recognise,
    scan,
    storage_place,
)
from unlade.errors import SourceError

MAGIC = bytes.fromhex("000100000002000100050002 0002c0") + b"HBAM7"


def fill(root: Path, *paths: str, data: bytes = b"x") -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def kinds(root: Path) -> dict[str, Kind]:
    return {found.path: found.kind for found in scan(root)}


def test_litter_is_known(tmp_path: Path) -> None:
    fill(tmp_path, ".DS_Store", "a/Thumbs.db", "a/desktop.ini", "a/b.jpg", "__MACOSX/a/b.jpg", ".unlade/journal/x.json")
    fill(tmp_path, "a/._b.jpg", data=bytes.fromhex("0005160700020000"))
    fill(tmp_path, "a/._c.jpg", data=b"\xff\xd8\xff a picture")
    fill(tmp_path, "STOP", "manifest-00001.jsonl", "clinic.fmp12", "Secure/a.jpg")
    fill(tmp_path, "a/stop.txt", "a/b.fmp12", "a/.unlade/c.jpg")
    assert kinds(tmp_path) == {
        ".DS_Store": Kind.LITTER,
        "a/Thumbs.db": Kind.LITTER,
        "a/desktop.ini": Kind.LITTER,
        "a/._b.jpg": Kind.LITTER,
        "a/._c.jpg": Kind.CARGO,
        "__MACOSX/": Kind.LITTER,
        ".unlade/": Kind.OWN,
        "a/b.jpg": Kind.CARGO,
        "STOP": Kind.OWN,
        "manifest-00001.jsonl": Kind.OWN,
        "clinic.fmp12": Kind.DATABASE,
        "Secure/a.jpg": Kind.CARGO,
        "a/stop.txt": Kind.CARGO,
        "a/b.fmp12": Kind.CARGO,
        "a/.unlade/c.jpg": Kind.CARGO,
    }


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links_are_told_and_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, "out/secret.jpg", "in/a.jpg")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "file.jpg").symlink_to(tmp_path / "out" / "secret.jpg")
    assert kinds(tmp_path / "in") == {"a.jpg": Kind.CARGO, "link": Kind.LINK, "file.jpg": Kind.LINK}
    with pytest.raises(SourceError, match="by a link"):
        inside(tmp_path / "in", "link/secret.jpg")
    assert inside(tmp_path / "in", "a.jpg").read_bytes() == b"x"
    fill(tmp_path, "out/deep/er/b.jpg", "in/real/c/d.jpg")
    (tmp_path / "in" / "real" / "away").symlink_to(tmp_path / "out" / "deep")
    (tmp_path / "in" / "near").symlink_to(tmp_path / "in" / "real")
    with pytest.raises(SourceError, match="by a link"):
        inside(tmp_path / "in", "real/away/er/b.jpg")
    with pytest.raises(SourceError, match="by a link"):
        inside(tmp_path / "in", "file.jpg")
    for within in ("real/c/d.jpg", "near/c/d.jpg"):
        assert inside(tmp_path / "in", within).read_bytes() == b"x"


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        list(scan(tmp_path / "gone"))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="twins cannot lie there")
def test_index_gives_a_stable_order_pages_and_twins(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "b/2.jpg",
        "a/1.jpg",
        "a/10.jpg",
        "z.jpg",
        ".DS_Store",
        "u/o\u0308.jpg",
        "u/\u00f6.jpg",
        "u/x.JPG",
        "u/X.jpg",
    )
    with FolderIndex.build(tmp_path) as index:
        assert index.counts() == {Kind.CARGO: 8, Kind.LITTER: 1}
        paths = [found.path for found in index.all_files()]
        assert paths == sorted(paths) and len(paths) == 8
        assert [found.path for found in index.files(after="a/10.jpg", limit=2)] == ["b/2.jpg", "u/X.jpg"]
        assert index.twins() == [("u/X.jpg", "u/x.JPG"), ("u/o\u0308.jpg", "u/\u00f6.jpg")]
        found = index.find("A/1.JPG")
        assert found is not None and (found.path, found.size) == ("a/1.jpg", 1)
        assert index.find("u/\u00d6.jpg") is None, "two candidates: not guessed"
        exact = index.find("u/x.JPG")
        assert exact is not None and exact.path == "u/x.JPG"


def test_finds_by_the_end_of_a_path(tmp_path: Path) -> None:
    fill(tmp_path, "Clinic/Files/Images/photo/IMG_1.JPG", "Clinic/Other/photo/IMG_1.JPG", "Clinic/x/xphoto/IMG_1.JPG")
    with FolderIndex.build(tmp_path) as index:
        assert [f.path for f in index.find_ending("images/PHOTO/img_1.jpg")] == ["Clinic/Files/Images/photo/IMG_1.JPG"]
        assert len(index.find_ending("photo/IMG_1.JPG")) == 2
        assert index.find_ending("IMG_2.JPG") == []


def test_thousands_of_files_in_pages(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{n % 7}/{n}.jpg" for n in range(1203)))
    with FolderIndex.build(tmp_path) as index:
        assert len({found.path for found in index.all_files()}) == 1203


# Names.


@pytest.mark.parametrize(
    ("path", "form", "identity", "owner", "day", "record"),
    [
        ("P1/2019-04-18/I7.jpg", Form.TREE, "I7", "P1", date(2019, 4, 18), ""),
        ("exports/P1/2019-04-18/6066.JPG", Form.TREE, "6066", "P1", date(2019, 4, 18), ""),
        ("P1/18.4.2019/a.jpg", Form.TREE, "a", "P1", date(2019, 4, 18), ""),
        ("P1/4_18_2019/a.jpg", Form.TREE, "a", "P1", date(2019, 4, 18), ""),
        ("P1/no-date/a.jpg", Form.TREE, "a", "P1", None, ""),
        ("no-owner/2019-04-18/a.jpg", Form.TREE, "a", "", date(2019, 4, 18), ""),
        ("6066.jpg", Form.RECORD, "6066", "", None, "6066"),
        ("x/1B4E28BA-2FA1-11D2-883F-0016D3CCA427.png", Form.UUID, "1B4E28BA-2FA1-11D2-883F-0016D3CCA427", "", None, ""),
        ("P1/2019-04-18/I7~6001-2-3.jpg", Form.EXPORT, "I7", "P1", date(2019, 4, 18), "6001"),
        ("no-owner/no-date/no-identity~6001-1-1.bin", Form.EXPORT, "", "", None, "6001"),
        ("~6001-1-1.bin", Form.EXPORT, "", "", None, "6001"),
        ("some/where/scan 4.pdf", Form.OTHER, "scan 4", "", None, ""),
        ("P1/2019-13-45/a.jpg", Form.OTHER, "a", "", None, ""),
    ],
)
def test_names(path: str, form: Form, identity: str, owner: str, day: date | None, record: str) -> None:
    name = read_name(path)
    assert name.form is Form.EXPORT or (name.identity + name.extension).lower() == path.split("/")[-1].lower()


@settings(deadline=None)
@given(st.text())
def test_folding_is_settled(text: str) -> None:
    assert folded(folded(text)) == folded(text)


# Whole folders.


def test_recognises_an_export(tmp_path: Path) -> None:
    fill(tmp_path, "unlade/run-1/images/manifest-00001.jsonl", "unlade/run-1/images/files/a.jpg")
    found = recognise(tmp_path)
    assert (found.kind, found.root) == (FolderKind.EXPORT, tmp_path / "unlade/run-1/images")
    assert recognise(found.root) == found
    fill(tmp_path, "unlade/run-2/images/manifest-00001.jsonl")
    with pytest.raises(SourceError, match="unlade/run-1/images, unlade/run-2/images"):
        recognise(tmp_path)


def test_recognises_a_tree_and_a_database(tmp_path: Path) -> None:
    fill(tmp_path, "P1/2019-04-18/a.jpg")
    assert recognise(tmp_path).kind is FolderKind.TREE
    fill(tmp_path, "clinic.fmp12", data=MAGIC)
    fill(tmp_path, "a.txt")
    assert recognise(tmp_path / "clinic.fmp12").kind is FolderKind.DATABASE
    with pytest.raises(SourceError, match="is a file"):
        recognise(tmp_path / "a.txt")
    with pytest.raises(SourceError, match="does not exist"):
        recognise(tmp_path / "gone")


@pytest.mark.parametrize("inner", ["", "RC_Data_FMS", "RC_Data_FMS/Clinic", "RC_Data_FMS/Clinic/Files"])
def test_recognises_open_storage(tmp_path: Path, inner: str) -> None:
    fill(tmp_path, "RC_Data_FMS/Clinic/Files/Images/photo/IMG_1.JPG")
    found = recognise(tmp_path / inner)
    assert found.kind is FolderKind.STORAGE and found.advice == ""


def test_secure_storage_is_explained(tmp_path: Path) -> None:
    fill(tmp_path, "RC_Data_FMS/Clinic/Secure/4D/A1B2C3")
    found = recognise(tmp_path)
    assert found.kind is FolderKind.SECURE and "Transfer Data" in found.advice
    assert recognise(tmp_path / "RC_Data_FMS/Clinic/Secure").kind is FolderKind.SECURE
    fill(tmp_path, "RC_Data_FMS/Clinic/Files/Images/photo/IMG_1.JPG")
    found = recognise(tmp_path)
    assert found.kind is FolderKind.STORAGE and "Transfer Data" in found.advice
    assert kinds(tmp_path)["RC_Data_FMS/Clinic/Secure/"] is Kind.SECURE
    assert kinds(tmp_path / "RC_Data_FMS/Clinic")["Secure/"] is Kind.SECURE


def test_the_servers_live_folder_is_warned_of(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "Databases/RC_Data_FMS/Clinic/Files/a/b/c.jpg",
        "Backups/1/Databases/RC_Data_FMS/Clinic/Files/a/b/c.jpg",
    )
    assert "backup" in recognise(tmp_path).advice
    assert recognise(tmp_path / "Backups/1").advice == ""


def test_places_in_storage() -> None:
    place = storage_place("D:\\Data\\Databases\\RC_Data_FMS\\Clinic\\Themes\\PDF\\a b.pdf")
    assert place is not None and (place.database, place.below) == ("Clinic", "Themes/PDF/a b.pdf")
    assert storage_place("/x/y/z.jpg") is None and storage_place("RC_Data_FMS/Clinic") is None


def test_external_paths() -> None:
    text = "remote:cat.jpg\rsize:320,240\rJPEG:Images/Animals/cat.jpg"
    assert external_paths(text) == ("Images/Animals/cat.jpg",)
    assert external_paths("Images/Animals/cat.jpg\nImages/b.jpg") == ("Images/Animals/cat.jpg", "Images/b.jpg")
    assert external_paths("") == ()
