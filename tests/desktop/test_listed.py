"""A store's listing and the rows of a metadata file are entered side by side; the outcome is that of one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from unlade.desktop import listed
from unlade.desktop.catalogue import Catalogue
from unlade.desktop.joining import metadata
from unlade.desktop.listed import join_listing
from unlade.errors import StoreError
from unlade.options import RunOptions

Listing = list[tuple[str, int, str]]


class Plates:
    name = "plates"
    identity = "id"
    containers: ClassVar[list[str]] = ["photo"]
    owner = None
    taken_on = None
    category = original_name = digest_field = ""


def table(folder: Path, count: int) -> RunOptions:
    lines = ['"id"', *(f'"ID-{number}"' for number in range(count))]
    (folder / "plates.csv").write_text("\r\n".join(lines) + "\r\n")
    return RunOptions(metadata=str(folder / "plates.csv"))


def files(count: int) -> Listing:
    """One is not there, one no row knows, one is empty, and two differ by case."""
    listing = [(f"a/ID-{number}.jpg", 0 if number == 7 else number + 1, "") for number in range(count) if number != 3]
    return [*listing, ("a/ID-1000.jpg", 5, ""), ("a/x/TWIN.jpg", 5, ""), ("a/x/twin.jpg", 5, "")]


def contents(catalogue: Catalogue) -> list[list[str]]:
    tables = ("rows", "refs", "files", "findings")
    told = [sorted(map(repr, catalogue.db.execute(f"SELECT * FROM {name}"))) for name in tables]
    catalogue.close()
    return told


@pytest.mark.parametrize(("page", "breath"), [(1, 1), (3, 2), (7, 1000), (1000, 1)])
def test_pages_and_rows_may_come_in_any_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int, breath: int
) -> None:
    options = table(tmp_path, 40)
    whole = contents(join_listing(Plates(), files(40), options)[0])
    # A row without its file, an empty file, three without a row, two of which differ by case.
    assert [len(part) for part in whole] == [40, 40, 42, 1 + 1 + 3 + 2]
    monkeypatch.setattr(listed, "_PAGE", page)
    monkeypatch.setattr(listed, "_BATCH", 5)
    monkeypatch.setattr(metadata, "_BREATH", breath)
    assert contents(join_listing(Plates(), files(40), options)[0]) == whole


@pytest.mark.parametrize("after", [0, 2, 30])
def test_a_store_that_fails_meanwhile_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    def breaks() -> Iterator[tuple[str, int, str]]:
        yield from files(40)[:after]
        raise StoreError("the store does not answer")

    monkeypatch.setattr(listed, "_PAGE", 4)
    monkeypatch.setattr(metadata, "_BREATH", 3)
    with pytest.raises(StoreError, match="does not answer"):
        join_listing(Plates(), breaks(), table(tmp_path, 40))
    assert not any(thread.name.startswith("unlade-list") for thread in threading.enumerate())
