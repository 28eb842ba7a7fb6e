"""The benchmarks' own judgement: what they read out of a host's log, and what they write into the page."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from bench import docs
from bench.__main__ import NAMES
from bench.dataset import Numbered, plates
from bench.figures import at_least, at_most, exactly, told
from bench.report import Report
from bench.stage import middle_rate
from bench.storm import Bursts, bursts


def entry(second: float, status: int = 200, *, complete: bool = True) -> dict[str, Any]:
    minute, rest = divmod(second, 60)
    time = f"2026-05-01T10:{int(minute):02d}:{rest:06.3f}+00:00"
    return {
        "time": time,
        "seconds": 0.01,
        "status": status,
        "kind": "container",
        "complete": complete and status == 200,
    }


def bad(*seconds: float) -> list[dict[str, Any]]:
    return [entry(second, 502) for second in seconds]


def test_what_comes_together_is_one_breakdown() -> None:
    log = [entry(1), *bad(2.0, 2.1, 2.4), entry(8), *bad(9.0)]
    assert bursts(log).fresh == [3, 1]
    assert bursts(log).trials == []


def test_what_comes_after_a_pause_without_a_good_download_is_a_trial() -> None:
    log = [entry(1), *bad(2.0, 2.1, 3.1, 8.1, 8.2), entry(38), *bad(40.0)]
    assert bursts(log).fresh == [2, 1]
    assert bursts(log).trials == [1, 2]


def test_a_probe_and_a_first_hop_are_no_good_downloads() -> None:
    hop, probe = entry(3, 302), {**entry(3.5), "kind": "metadata"}
    assert bursts([entry(1), *bad(2.0), hop, probe, *bad(4.0)]).trials == [1]


def test_a_download_that_was_under_way_when_the_host_fell_says_nothing_of_its_recovery() -> None:
    under_way, fresh = ({**entry(second), "seconds": 0.6} for second in (1.9, 2.2))
    assert bursts([under_way, *bad(2.0, 2.1, 4.0)]) == Bursts([2], [1])
    assert bursts([fresh, *bad(2.0, 2.1, 4.0)]) == Bursts([2, 1], [])


def test_the_rate_leaves_out_ramp_and_tail() -> None:
    log = [entry(0)] * 5 + [entry(10 + number / 10) for number in range(90)] + [entry(200)] * 5
    assert middle_rate(log) == pytest.approx(10, rel=0.001)


def test_a_figure_on_its_bound_passes() -> None:
    assert [f.verdict for f in (at_least("a", 60, 60), at_most("b", 1.01, 1.01), exactly("c", 1, 1))] == ["PASS"] * 3
    assert [f.verdict for f in (at_least("a", 59, 60), at_most("b", 1.02, 1.01), exactly("c", 2, 1))] == ["MISS"] * 3


def test_figures_replace_figures_and_leave_the_text_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    place = "<!-- figures: {} -->\n{}<!-- /figures -->\n"
    page.write_text("Words.\n" + place.format("machine", "") + "More.\n" + place.format("bulk", "old\n") + "End.\n")
    report = Report("bulk", 1.0, 0.0, 2.0, [at_least("files", 61.25, 60, "/s"), told("runs", 3)], 0.031)
    for _ in range(2):
        docs.update(report, page)
    text = page.read_text()
    assert "| files | 61.2 /s | >= 60 | PASS |\n| runs | 3 |  |  |" in text
    assert "others used 3 % of the machine" in text and "old" not in text
    assert text.startswith("Words.\n") and text.count("More.") == text.count("files |") == 1 and text.endswith("End.\n")


def test_a_page_without_a_place_is_said(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Words.\n")
    with pytest.raises(ValueError, match="no place"):
        docs.update(Report("bulk", 1.0, 0.0, 2.0, [], 0.0), page)


def test_pictures_have_the_sizes_that_were_asked_for() -> None:
    sizes = [Numbered(plate, 1).size for plate in plates(8_000, 16_000, pixels=(320, 240))]
    assert 8_000 <= min(sizes) < 9_000
    assert 15_000 < max(sizes) <= 16_000


def test_every_copy_of_a_picture_has_bytes_of_its_own() -> None:
    (plate, *_) = plates(8_000, 16_000, pixels=(320, 240))
    first, second = (b"".join(Numbered(plate, number).chunks()) for number in (1, 2))
    assert first != second
    assert len(first) == Numbered(plate, 1).size
    assert b"".join(Numbered(plate, 1).chunks(100)) == first[100:]


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_can_be_begun(name: str) -> None:
    assert callable(importlib.import_module(f"bench.{name}").run)
