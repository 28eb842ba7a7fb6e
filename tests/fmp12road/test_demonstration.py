"""The demonstration of `bench/demonstration.py` with a few images: killed twice, stormed, proven, tampered with."""

from __future__ import annotations

from bench import demonstration


def test_exactly_what_was_tampered_with_is_named() -> None:
    figures = demonstration.run(0.01)
    assert [figure for figure in figures if figure.ok is False] == []
    told = {figure.what: figure.value for figure in figures}
    assert told["untouched: records that agree with the file"] == 120
    assert told["sabotage: acts that were named by record"] == 5
