"""Sizes, durations and counts: what people write is read, what we write can be read again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlade.units import format_count, format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GB", 10**9),
        ("2.4 GB", 2_400_000_000),
        ("1GiB", 2**30),
        ("1 gib", 2**30),
        ("500MB", 500_000_000),
        ("144 gb", 144 * 10**9),
        ("10k", 10_000),
        ("4096", 4096),
        (" 12 B ", 12),
        ("0", 0),
        (7, 7),
        ("0.3 B", 0),
    ],
)
def test_sizes_are_read(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GB", "-1GB", "1 XB", "1,5 GB", "1e9", "NaN", "inf", "1.GB", -1, True, "1 GB x", "٣GB"]
)
def test_what_is_no_size_is_named(text: str | int) -> None:
    with pytest.raises(ValueError, match="is no size") as caught:
        parse_size(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (1_800_000, "1.8 MB"),
        (999_499, "999 KB"),
        (999_500, "1 MB"),
        (999_999_999, "1 GB"),
        (144 * 10**9, "144 GB"),
        (99_960, "100 KB"),
        (263_400, "263 KB"),
        (129_600_000_000, "129.6 GB"),
        (999_960_000_000, "1 TB"),
        (12_050_000_000, "12.1 GB"),
        (5 * 10**18, "5,000 PB"),
        (-1500, "-1.5 KB"),
    ],
)
def test_sizes_are_written(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(0, 10**17))
def test_a_written_size_can_be_read_and_is_close(size: int) -> None:
    text = format_size(size)
    assert len(text) <= 9
    assert abs(parse_size(text) - size) <= size * 0.05


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("5min", 300),
        ("6h", 21_600),
        ("2d", 172_800),
        ("1h30m", 5400),
        ("1 h 30 min", 5400),
        ("1w", 604_800),
        ("0.5s", 0.5),
        ("250ms", 0.25),
        ("0s", 0),
        ("2D", 172_800),
        (timedelta(seconds=4), 4),
    ],
)
def test_durations_are_read(text: str | timedelta, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", " ", "90", "h", "-5m", "1y", "5m!", "1h30", "999999999999d", timedelta(seconds=-1), None]
)
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration") as caught:
        parse_duration(text)
    assert str(text).strip() in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (1.23, "1.2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (45, "45 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (86_399, "1 d"),
        (86_400, "1 d"),
        (183_600, "2 d 3 h"),
        (172_799, "2 d"),
        (-90, "-1 min 30 s"),
    ],
)
def test_durations_are_written(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text
    assert format_duration(seconds) == text


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4000)))
def test_a_written_duration_can_be_read_and_is_close(duration: timedelta) -> None:
    again = parse_duration(format_duration(duration))
    assert abs(again - duration) <= max(timedelta(seconds=0.06), duration * 0.06)


def test_counts_are_written() -> None:
    assert format_count(6664) == "6,664"
