"""Every reason that an item can end with has words and a remedy."""

from __future__ import annotations

import pytest

from unlade import errors, linking, owners, waterfall
from unlade.report.reasons import REASONS, reason, remedy


def _tree(cls: type[errors.ItemError]) -> list[type[errors.ItemError]]:
    return [cls, *(found for sub in cls.__subclasses__() for found in _tree(sub))]


@pytest.mark.parametrize("cls", _tree(errors.ItemError), ids=lambda cls: cls.__name__)
def test_every_error_of_an_item_is_in_the_table(cls: type[errors.ItemError]) -> None:
    assert cls.reason in REASONS


def test_reasons_that_are_no_errors_are_in_the_table() -> None:
    ledger = {"duplicate_identity", "no_identity", "not_wanted", "record_failed", "internal"}
    assert ledger | set(waterfall.DAMAGED) | set(linking.REASONS) <= REASONS.keys()
    assert {owners.OwnerMatch(reason=code).detail != "" for code in ("no_owner_reference", "owner_missing")} == {True}


@pytest.mark.parametrize("code", sorted(REASONS))
def test_words_are_sentences(code: str) -> None:
    known = REASONS[code]
    assert known.sentence[0].isupper() and known.sentence.endswith(".")
    assert known.remedy.endswith(".")


def test_final_reasons_want_a_person_and_passing_ones_do_not() -> None:
    for cls in _tree(errors.Final):
        assert REASONS[cls.reason].person, cls.reason
    for cls in _tree(errors.Transient):
        assert not REASONS[cls.reason].person, cls.reason


def test_an_unknown_reason_still_reads() -> None:
    assert reason("lost_at_sea").sentence == "Lost at sea."
    assert remedy("lost_at_sea", "run again").endswith("then `run again`.")
    assert reason("").sentence
