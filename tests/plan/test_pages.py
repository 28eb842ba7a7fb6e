"""The plan as a page, as JSON, as Markdown and as a picture, and the command end to end."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from PIL import Image

from tests.plan.ledger import GB, MB, NOW, half_way, host, importer
from unlade.errors import SettingsError, UsageError
from unlade.governor.budget import annual, opened
from unlade.governor.forecast import Future, Point
from unlade.governor.periods import Period
from unlade.ledger.models import Run
from unlade.plan import markdown, text
from unlade.plan.as_json import plan_json
from unlade.plan.compare import Comparison, compare
from unlade.plan.next import command_for
from unlade.plan.plot import in_year, write_plot
from unlade.rigging import utc_now

YEAR = Period("year", 3, 10)


def compared(size: int | None = 144 * GB, *names: str) -> Comparison:
    limits = [] if size is None else [annual(size, YEAR)]
    imports: dict[str, Any] = {name: importer(name, (name[:-1], name)) for name in names or ("plates", "sheets")}
    return compare(imports, opened(limits, NOW), NOW, UTC, host=host(), futures=8)


@pytest.mark.django_db
class TestPages:
    def test_a_page_of_eighty_columns_with_every_road(self) -> None:
        half_way("plates", 6664, 4)
        half_way("sheets", 11396, 4, size=MB // 2)
        page = text.render(compared(), "python manage.py go")
        lines = page.splitlines()
        assert max(map(len, lines)) <= 80
        assert lines[0].startswith("6,264 plates and 10,996 sheets still to come, 11")
        for key, title in (
            ("A ", "50 of each a day by hand"), ("B ", "100 of each every 6 h"), ("G*", "the governor's own pace"),
            ("C ", "desktop export"), ("D ", "larger plan"), ("E ", "the database file"),
        ):  # fmt: skip
            assert any(line.startswith(key) and title in line for line in lines), title
        sections = [line for line in lines if line in ("What each asks of you", "Recommended", "What this rests on")]
        assert sections == ["What each asks of you", "Recommended", "What this rests on"]
        assert "    python manage.py go" in lines
        assert "not needed" in page and page.count("none") == 2

    def test_long_dates_and_sizes_keep_every_road_on_its_line(self) -> None:
        half_way("plates", 66_640, 2, size=900 * MB)
        half_way("sheets", 113_960, 2, size=900 * MB)
        page = text.render(compared(400_000 * GB, *("plates", "sheets")))
        rows = [line for line in page.splitlines() if line[:3].rstrip("* ") in set("ABGCDE") and "  " in line[3:]][:6]
        assert [row[0] for row in rows] == ["A", "B", "G", "C", "D", "E"] and max(map(len, rows)) <= 80
        assert rows[0].startswith("A   50 of each a day by hand  in over 3 years")

    def test_json_and_markdown_say_the_same(self) -> None:
        half_way("plates", 6664, 4)
        found = compared(1 * GB, "plates")
        data = json.loads(json.dumps(plan_json(found, "go")))
        assert list(data["roads"]) == ["A", "B", "G", "C", "D", "E"]
        assert (data["recommended"], data["next"], data["exit"]) == ("C", "go", 0)
        assert data["sources"]["plates"] == {
            "counted": True, "items": 6264, "sizes_seen": 400, "sizes_known": 0, "a_second": 1.0,
        }  # fmt: skip
        low, middle, high = data["roads"]["B"]["bytes"]
        assert low <= middle <= high
        page = markdown.render(found, "go")
        assert page.count("\n| ") == 7 and "**Recommended:** C, desktop export." in page and "`go`" in page

    def test_an_import_that_was_never_counted_is_left_out_and_said(self) -> None:
        half_way("plates", 1000, 2)
        found = compared(None, "plates", "sheets")
        page = text.render(found)
        assert "sheets: not counted yet" in page and "No annual allowance is set" in page
        assert "left then" not in page

    def test_nothing_known_at_all(self) -> None:
        found = compared(None, "plates")
        assert text.render(found).startswith("Nothing is counted yet")
        assert command_for(found).endswith("import_filemaker plates --limit 20")
        half_way("plates", 200, 2)
        done = compared(None, "plates")
        assert done.advice.key == "" and command_for(done) == "" and "Nothing is left" in text.render(done)

    def test_guesses_are_called_so(self) -> None:
        half_way("plates", 1000, 0)
        page = " ".join(text.render(compared(None, "plates")).split())
        assert "sizes are a guess" in page and "18 to 120 a minute is a guess" in page and "--upload-speed" in page

    def test_a_host_in_trouble_shapes_every_road(self) -> None:
        half_way("plates", 6664, 6)
        for run in Run.objects.all():
            run.troubles = [50 + run.number]
            run.save()
        found = compared(144 * GB, "plates")
        assert (found.ground.limit, found.advice.key) == (45, "B")
        assert "45 every 6 h" in text.render(found) and "--limit 45" in command_for(found)


@pytest.mark.django_db
class TestPlot:
    @pytest.mark.parametrize("size", [None, 144 * GB, 2 * GB])
    def test_png_and_svg(self, tmp_path: Path, size: int | None) -> None:
        half_way("plates", 3000, 2)
        found, past = compared(size, "plates"), (Point(NOW - timedelta(days=3), MB), Point(NOW, 150 * MB))
        write_plot(found, tmp_path / "plan.png", past)
        with Image.open(tmp_path / "plan.png") as picture:
            assert picture.size == (1500, 840)
            assert len(picture.convert("RGB").getcolors(10**6) or ()) > 20
        write_plot(found, tmp_path / "plan.SVG", past)
        assert ElementTree.parse(tmp_path / "plan.SVG").getroot().tag.endswith("svg")

    def test_a_plot_of_nothing(self, tmp_path: Path) -> None:
        write_plot(compared(None, "plates"), tmp_path / "plan.png")
        assert (tmp_path / "plan.png").stat().st_size > 1000

    def test_what_cannot_be_drawn_is_said(self, tmp_path: Path) -> None:
        found = compared(None, "plates")
        with pytest.raises(UsageError, match=r"plan\.pdf is neither"):
            write_plot(found, tmp_path / "plan.pdf")
        with pytest.raises(SettingsError, match="cannot be written"):
            write_plot(found, tmp_path / "nowhere" / "plan.png")


@pytest.mark.django_db
def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SettingsError) as caught:
        write_plot(compared(None, "plates"), tmp_path / "plan.png")
    assert "unlade[plot]" in caught.value.remedy


def test_a_reset_begins_at_nought() -> None:
    end = YEAR.window(NOW).end
    points = tuple(
        Point(moment, spent) for moment, spent in ((NOW, 0), (NOW, 5), (end, 7), (end + timedelta(days=1), 9))
    )
    future = Future(points[-1].at, 0, 9, 3, 0, timedelta(0), points, opened([], NOW))
    assert [(p.at, p.spent) for p in in_year(future, 100, YEAR, NOW)] == [
        (NOW, 100), (NOW, 105), (end, 105), (end, 0), (end, 2), (end + timedelta(days=1), 4),
    ]  # fmt: skip
    assert [p.spent for p in in_year(future, 100, None, NOW)] == [100, 105, 107, 109]


@pytest.fixture
def _clinic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILEMAKER_URL", "https://fm.example.com")
    monkeypatch.setenv("FILEMAKER_DATABASE", "Clinic")
    monkeypatch.delenv("UNLADE_ALLOWANCE", raising=False)


def called(*args: str) -> str:
    out = io.StringIO()
    call_command("filemaker_plan", *args, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.usefixtures("_clinic")
def test_the_command_on_both_databases(database: str, tmp_path: Path) -> None:
    half_way("images", 6664, 3, now=utc_now())
    call_command("filemaker_allowance", "set", "--annual", "2GB", "--reset", "03-10", stdout=io.StringIO())
    data = json.loads(
        called("images", "--json", "--block-price", "59.90", "--block-size", "1GB", "--plot", str(tmp_path / "p.svg"))
    )
    assert data["sources"]["images"]["items"] == 6364
    assert Decimal(data["roads"]["D"]["cost"]) % Decimal("59.90") == 0 and data["roads"]["D"]["needed"]
    assert (tmp_path / "p.svg").stat().st_size > 1000
    slow, fast = (
        json.loads(called("images", "--json", "--upload-speed", s, "--disk-speed", s)) for s in ("1MB/s", "50MB/s")
    )
    assert slow["roads"]["C"]["work"][0] > 10 * fast["roads"]["C"]["work"][0]
    assert called("images", "--markdown").startswith("**6,364 images still to come")


@pytest.mark.django_db
@pytest.mark.usefixtures("_clinic")
@pytest.mark.parametrize(
    "wrong", [["--upload-speed", "fast"], ["--disk-speed", "0MB/s"], ["--block-price", "-1"], ["--block-size", "0GB"]]
)
def test_wrong_values_are_refused(wrong: list[str]) -> None:
    with pytest.raises(CommandError):
        called(*wrong)


@pytest.mark.django_db
def test_a_plan_before_anybody_said_which_host_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FILEMAKER_URL", raising=False)
    assert "Nothing is counted yet" in called("images")
