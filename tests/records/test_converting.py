"""Converters: what fits, what does not, and that nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlade.records import Invalid, boolean, day, day_first, decimal, email, one_line, phone, whole
from unlade.records.converting import plain

GOOD: list[tuple[Callable[[str], Any], str, Any]] = [
    (whole, "-12", -12),
    (whole, "12.0", 12),
    (decimal, "1234.5", Decimal("1234.5")),
    (decimal, "1,5", Decimal("1.5")),
    (decimal, "1,234.50", Decimal("1234.50")),
    (decimal, "1.234,50", Decimal("1234.50")),
    (decimal, "0,125", Decimal("0.125")),
    (decimal, ".5", Decimal("0.5")),
    (day, "02/03/1970", date(1970, 2, 3)),
    (day, "1970-02-03", date(1970, 2, 3)),
    (day, "3.2.1970", date(1970, 2, 3)),
    (day, "02/03/1970 12:00:00", date(1970, 2, 3)),
    (day_first, "02/03/1970", date(1970, 3, 2)),
    (boolean, "1", True),
    (boolean, "0", False),
    (boolean, "-0.5", True),
    (boolean, "No", False),
    (email, "a.b@patients.example", "a.b@patients.example"),
    (phone, "+49 (0)30 / 12-34 ext. 5", "+49 (0)30 / 12-34 ext. 5"),
    (one_line, "  van  der\tBerg ", "van der Berg"),
]

BAD: list[tuple[Callable[[str], Any], str]] = [
    (whole, "12.5"),
    (whole, "twelve"),
    (whole, "9" * 50),
    (decimal, "1,234"),
    (decimal, "1.2.3"),
    (decimal, "?"),
    (day, "31.02.1970"),
    (day, "soon"),
    (boolean, "perhaps"),
    (email, "nobody"),
    (phone, "call me"),
    (phone, "12"),
]


@pytest.mark.parametrize(("convert", "raw", "value"), GOOD)
def test_what_fits(convert: Callable[[str], Any], raw: str, value: Any) -> None:
    assert convert(raw) == value


@pytest.mark.parametrize(("convert", "raw"), BAD)
def test_what_does_not(convert: Callable[[str], Any], raw: str) -> None:
    with pytest.raises(Invalid) as caught:
        convert(raw)
    assert raw not in str(caught.value)


@given(st.sampled_from([whole, decimal, day, day_first, boolean, email, phone, one_line]), st.text(min_size=1))
def test_any_text_is_converted_or_refused(convert: Callable[[str], Any], raw: str) -> None:
    if value := plain(raw):
        with suppress(Invalid):  # any other error is a bug
            convert(value)


def test_texts_that_no_database_takes() -> None:
    assert plain("a\x00b\ud800") == "a\ufffdb\ufffd"
    assert plain(" one\rtwo ") == "one\ntwo"
