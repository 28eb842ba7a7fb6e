"""The contact sheet: one private file that asks nobody for anything and names nobody."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from tests.report.ledgers import NOW, items, plates, source
from unlade.errors import StoreBusy
from unlade.report.sheet import write_sheet
from unlade.report.sheet_page import Card, card, kind_of


def picture(format: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), (200, 120, 60)).save(out, format)
    return out.getvalue()


class Shelf:
    """A store of a dictionary."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects

    @contextmanager
    def open(self, key: str) -> Iterator[Iterator[bytes]]:
        if key not in self.objects:
            raise StoreBusy("not now")
        yield iter([self.objects[key][:100], self.objects[key][100:]])


class Page(HTMLParser):
    """Counts what a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "srcset", "background")]
        self.links += [value or "" for name, value in attrs if name in ("href", "action", "data")]


@pytest.fixture
def page(db: None, tmp_path: Path) -> str:
    row = source(found=12)
    common = {"field": "image_Full", "size": 1_800_000, "mime_type": "image/jpeg", "original_name": "Erika M.jpg"}
    items(row, "imported", 2, key="a/b.jpg", thumbnail_key="good", width=4032, height=3024, **common)
    items(row, "imported", key="a/c.png", thumbnail_key="png", **common)
    items(row, "unlinked", key="a/d.pdf", thumbnail_key="lost", reason="owner_missing", **common)
    items(row, "quarantined", key="a/e.jpg", reason="damaged", detail="SECRET", category="SECRET", **common)
    items(row, "imported", key="a/f.txt", thumbnail_key="script", **common)
    items(row, "failed", reason="missing", final=True, owner_ref="SECRET", identity="SECRET")
    items(row, "imported", key="a/g.jpg", gone_at=NOW, thumbnail_key="good", **common)
    items(row, "pending", 2)
    shelf = Shelf(good=picture(), png=picture("PNG"), script=b"<svg onload=alert(1)>")
    sheet = write_sheet(plates(), shelf, tmp_path / "new" / "sheet.html", now=NOW)
    assert (sheet.shown, sheet.total) == (7, 7)
    return sheet.path.read_text(encoding="utf-8")


def test_it_shows_every_settled_item_once(page: str) -> None:
    parsed = Page(page)
    assert parsed.tags.count("figure") == 7
    assert parsed.tags.count("img") == 3


def test_it_refers_to_nothing_outside_itself(page: str) -> None:
    parsed = Page(page)
    assert all(re.match(r"data:image/(jpeg|png);base64,", each) for each in parsed.sources)
    assert parsed.links == []
    assert "script" not in parsed.tags and "link" not in parsed.tags and "iframe" not in parsed.tags
    without_pictures = re.sub(r"data:[^\"]*", "", page)
    assert "http:" not in without_pictures and "https:" not in without_pictures
    assert "url(" not in without_pictures and "@import" not in without_pictures
    assert "default-src &#x27;none&#x27;" in page


def test_it_names_nobody(page: str) -> None:
    assert "Erika" not in page and "SECRET" not in page
    assert "OWNER" not in page and "ID-" not in page


def test_it_tells_what_each_is(page: str) -> None:
    assert "JPG · 1.8 MB · 4032×3024" in page
    assert "image_Full · 2019-04-04" in page
    assert "the thumbnail could not be read" in page
    assert "The host says that the file is not there." in page
    assert ">quarantined<" in page and ">unlinked<" in page
    assert "6 of 12 plates" not in page and "5 of 12 plates (41 %)" in page


@pytest.mark.skipif(sys.platform == "win32", reason="the folder's rights hold there")
def test_only_its_owner_can_read_it(db: None, tmp_path: Path) -> None:
    path = tmp_path / "sheet.html"
    path.write_text("old")
    path.chmod(0o644)
    before = os.umask(0)
    try:
        write_sheet(plates(), Shelf(), path, now=NOW)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["sheet.html"]


def test_a_sheet_that_cannot_be_finished_leaves_the_old_one(db: None, tmp_path: Path) -> None:
    class Broken(Shelf):
        def open(self, key: str):  # type: ignore[no-untyped-def]
            raise OSError("disk")

    items(source(found=1), "imported", key="a.jpg", thumbnail_key="a")
    path = tmp_path / "sheet.html"
    path.write_text("old")
    with pytest.raises(OSError, match="disk"):
        write_sheet(plates(), Broken(), path, now=NOW)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["sheet.html"]


def test_the_limit_holds_and_is_said(db: None, tmp_path: Path) -> None:
    items(source(found=50), "imported", 50, key="a.jpg", thumbnail_key="good")
    sheet = write_sheet(plates(), Shelf(good=picture()), tmp_path / "sheet.html", 40, now=NOW)
    text = sheet.path.read_text(encoding="utf-8")
    assert (sheet.shown, sheet.total, Page(text).tags.count("img")) == (40, 50, 40)
    assert "10 more are not shown" in text


def test_what_a_card_says_is_escaped() -> None:
    nasty = '"><script>alert(1)</script>'
    made = card(Card(nasty, nasty, nasty, nasty, 1, nasty, None, date(2020, 1, 1), b"", nasty))
    assert "<script>" not in made


@pytest.mark.parametrize(
    ("key", "mime", "kind"),
    [("a/b.heic", "image/heic", "HEIC"), ("a/b", "image/png", "PNG"), (".jpg", "image/svg+xml", "SVG"), ("", "", "")],
)
def test_kinds(key: str, mime: str, kind: str) -> None:
    assert kind_of(key, mime) == kind
