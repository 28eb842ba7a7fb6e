"""Fields of a layout against a declaration, without a host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.ledgers import plates
from unlade.doctor.fields import check_fields, uncovered
from unlade.doctor.lines import Line
from unlade.filemaker import Layout, LayoutField

RESULTS = ("text", "number", "date", "time", "timeStamp", "container")


def layout(**changes: LayoutField | None) -> Layout:
    known: dict[str, LayoutField | None] = {name: LayoutField(name, "text") for name in ("id", "id_Contact")}
    known["date"] = LayoutField("date", "date")
    known |= {name: LayoutField(name, "container") for name in ("image_Full", "image_large", "image_small")}
    known |= changes
    return Layout("API_Plates", tuple(entry for entry in known.values() if entry is not None))


def checked(shown: Layout, *, marker: str = "", wanted: bool = False, containers: Sequence[str] = ()) -> list[Line]:
    importer = plates()
    importer.marker = marker  # type: ignore[misc]
    if containers:
        importer.containers = containers  # type: ignore[misc]
    return list(check_fields("fields", importer, shown, marker_wanted=wanted))


def test_all_is_well() -> None:
    (line,) = checked(layout())
    assert line.level == "ok" and line.message.startswith("6 declared fields are on layout API_Plates")


@pytest.mark.parametrize(
    ("changes", "level", "said"),
    [
        ({"id": None}, "error", "field id is not on layout"),
        ({"id": LayoutField("id", "container")}, "error", "field id (identity) is a container"),
        ({"id": LayoutField("id", "text", is_global=True)}, "error", "global"),
        ({"id": LayoutField("id", "date")}, "warning", "ids are compared as text"),
        ({"date": LayoutField("date", "time")}, "error", "no day can be read"),
        ({"image_large": LayoutField("image_large", "text")}, "error", "not a container"),
        ({"image_large": LayoutField("image_large", "container", is_global=True)}, "warning", "is global"),
        ({"image_large": LayoutField("image_large", "container", "calculation")}, "warning", "is calculated"),
        ({"image_large": LayoutField("image_large", "container", max_repeat=4)}, "warning", "4 repetitions"),
    ],
)
def test_what_is_not_as_declared(changes: dict[str, Any], level: str, said: str) -> None:
    lines = [line for line in checked(layout(**changes)) if line.level != "ok"]
    assert [line.level for line in lines] == [level]
    assert said in lines[0].message and lines[0].remedy


@pytest.mark.parametrize(
    ("declared", "entry", "level"),
    [
        ("photo(2)", LayoutField("photo", "container", max_repeat=3, repetition_end=3), "ok"),
        ("photo(4)", LayoutField("photo", "container", max_repeat=3, repetition_end=3), "error"),
        ("photo(3)", LayoutField("photo", "container", max_repeat=3, repetition_end=2), "error"),
        ("photo(1)", LayoutField("photo", "container", max_repeat=3, repetition_start=2, repetition_end=3), "error"),
    ],
)
def test_repetitions(declared: str, entry: LayoutField, level: str) -> None:
    lines = checked(layout(photo=entry), containers=[declared])
    assert max((line.level for line in lines), key=("ok", "warning", "error").index) == level


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize(
    ("entry", "good"),
    [
        (LayoutField("done", "date"), True),
        (LayoutField("done", "timeStamp"), True),
        (LayoutField("done", "text"), True),
        (LayoutField("done", "container"), False),
        (LayoutField("done", "date", "calculation"), False),
        (LayoutField("done", "date", is_global=True), False),
        (None, False),
    ],
)
def test_the_marker_matters_only_when_it_is_written(entry: LayoutField | None, good: bool, wanted: bool) -> None:
    changes = {"done": entry} if entry else {}
    (line,) = [line for line in checked(layout(**changes), marker="done", wanted=wanted) if "done" in line.message]
    assert line.level == ("ok" if good else "error" if wanted else "warning")


def test_containers_that_nobody_declares_are_named() -> None:
    shown = layout(portrait=LayoutField("portrait", "container"), photo=LayoutField("photo", "container", max_repeat=2))
    taken = ["image_Full", "image_large", "image_small", "photo(2)"]
    (line,) = uncovered("fields", shown, taken)
    assert line.message.endswith(": portrait")
    assert not list(uncovered("fields", layout(), taken))


@given(
    st.dictionaries(
        st.sampled_from(["id", "id_Contact", "date", "image_Full", "image_small"]), st.sampled_from(RESULTS)
    )
)
def test_every_declared_field_is_spoken_of(results: dict[str, str]) -> None:
    lines = checked(layout(**{name: LayoutField(name, result) for name, result in results.items()}))
    said = " ".join(line.message for line in lines)
    for name in plates().fields_needed():
        assert name in said
