"""The contact sheet in a real browser: every picture on it is drawn, and nothing is asked of anybody."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.report.ledgers import items, plates, source
from tests.report.test_sheet import Shelf, picture
from unlade.report.sheet import write_sheet

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.real, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]

#: Appended to a copy of the page: what the browser itself says of its pictures.
PROBE = """
<script>
addEventListener("load", () => {
  const all = [...document.images];
  document.title = `drawn ${all.filter((i) => i.complete && i.naturalWidth > 0).length} of ${all.length}, wide ` +
    (document.documentElement.scrollWidth <= innerWidth);
});
</script>
"""


@pytest.mark.parametrize("width", [1280, 400])
def test_every_picture_is_drawn_and_the_page_fits(db: None, tmp_path: Path, width: int) -> None:
    row = source(found=6)
    facts = {"field": "image_Full", "size": 1_800_000, "mime_type": "image/jpeg", "width": 4032, "height": 3024}
    items(row, "imported", 3, key="a/b.jpg", thumbnail_key="good", **facts)
    items(row, "imported", 2, key="a/c.png", thumbnail_key="png", **facts)
    items(row, "quarantined", key="a/e.jpg", reason="damaged", **facts)
    page = tmp_path / "sheet.html"
    write_sheet(plates(), Shelf(good=picture(), png=picture("PNG")), page)
    text = page.read_text(encoding="utf-8")
    assert "Content-Security-Policy" in text, "the page itself runs no script"
    page.write_text(re.sub(r"<meta[^>]*Content-Security-Policy[^>]*>", "", text) + PROBE, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    command = [str(CHROMIUM), *flags, f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900"]
    run = subprocess.run(
        [*command, "--virtual-time-budget=5000", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    title = re.search(r"<title>([^<]*)</title>", run.stdout)
    assert title and title[1] == "drawn 5 of 5, wide true", (title and title[1], run.stderr[-500:])
