"""Shares, dates and the line for the boss."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.ledgers import NOW
from unlade.report.figures import Expectation, Groups, OpenFigures, SourceFigures
from unlade.report.outlook import expectation
from unlade.report.words import ago, clock, day, expected, headline, percent
from unlade.states import ItemState


def figures(found: int | None = 6664, **totals: int) -> SourceFigures:
    counted = {state.value: 0 for state in ItemState} | totals
    if found is not None:
        counted["pending"] += found - sum(counted.values())
    return SourceFigures(
        name="images", noun=("image", "images"), group_noun="patient days", owner_noun="patient", layout="API_Images",
        found=found, total=found, count_is="records", counted_at=NOW, totals=counted, gone=0, vanished=0, by_field={},
        open=(), lesser_copies=0, no_thumbnail=0, stored_bytes=0, groups=None, last_runs=(), expectation=Expectation(),
        command="import",
    )  # fmt: skip


def open_line(count: int, *, person: bool, state: str = "failed") -> OpenFigures:
    return OpenFigures(state, "missing", count, "", "", person)


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 6664, "0 %"),
        (1, 6664, "<1 %"),
        (3412, 6664, "51 %"),
        (6663, 6664, "99 %"),
        (6664, 6664, "100 %"),
        (0, 0, "100 %"),
        (3, None, "? %"),
    ],
)
def test_percent(part: int, whole: int | None, said: str) -> None:
    assert percent(part, whole) == said


@given(st.integers(1, 10**12), st.data())
def test_percent_is_never_whole_before_everything_is_there(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole - 1))
    assert "100" not in percent(part, whole)
    assert (percent(part, whole) == "0 %") == (part == 0)


def test_headline_has_all_that_a_boss_asks() -> None:
    source = replace(
        figures(imported=3400, unlinked=12),
        groups=Groups(1204, 1666),
        expectation=Expectation(at=datetime(2026, 12, 14, 9, tzinfo=UTC)),
        open=(open_line(9, person=True), open_line(4, person=False)),
    )
    assert headline(source, NOW) == (
        "3,412 of 6,664 images (51 %), 1,204 of 1,666 patient days complete, done about 14 December, 9 need a person"
    )


def test_headline_leaves_out_patient_days_before_the_listing_is_complete() -> None:
    assert "patient days" not in headline(figures(imported=10), NOW)


def test_headline_counts_what_waits_for_its_owner_apart() -> None:
    source = replace(figures(imported=1, unlinked=3), open=(open_line(3, person=False, state="unlinked"),))
    assert "3 wait for their patient" in headline(source, NOW)
    assert "need" not in headline(source, NOW)


def test_headline_at_the_end() -> None:
    assert headline(figures(10, imported=10), NOW) == "10 of 10 images (100 %), complete"
    # Its denominator stays the source's own count: what has no file is said, not subtracted.
    assert headline(figures(10, imported=7, empty=2, accepted=1), NOW) == (
        "7 of 10 images (70 %), complete: 2 have no file in FileMaker, 1 closed by a person"
    )


def test_headline_before_anything_was_counted() -> None:
    assert headline(figures(None), NOW) == "Images: not counted yet"
    assert headline(figures(1), NOW) == "0 of 1 image (0 %)"


def test_days_are_those_of_the_zone() -> None:
    late = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
    assert day(late, NOW) == "today"
    assert day(late, NOW, ZoneInfo("Europe/Berlin")) == "tomorrow"
    assert day(datetime(2027, 3, 10, tzinfo=UTC), NOW) == "10 March 2027"
    assert clock(late, NOW, ZoneInfo("Europe/Berlin")) == "tomorrow, 00:30 CET"


@pytest.mark.parametrize(
    ("delta", "said"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=7, seconds=3), "7 min ago"),
        (timedelta(hours=3, minutes=20), "3 h ago"),
        (timedelta(days=1, hours=2), "1 day ago"),
        (timedelta(days=9), "9 days ago"),
    ],
)
def test_ago(delta: timedelta, said: str) -> None:
    assert ago(NOW - delta, NOW) == said


def test_a_date_that_is_past_is_today() -> None:
    assert expected(Expectation(at=NOW - timedelta(days=3)), NOW) == "done about today"
    assert expected(Expectation(runs=1), NOW) == "about 1 more run"
    assert "20 years" in expected(Expectation(at=datetime.max.replace(tzinfo=UTC)), NOW)


def test_nothing_is_expected_without_runs_or_work() -> None:
    assert expectation(100, (), NOW) == Expectation()
    assert expectation(0, (), NOW) == Expectation()
