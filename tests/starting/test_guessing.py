"""What is guessed of a layout, by names and a handful of values."""

from __future__ import annotations

import ast

import pytest

from tests.voyage.harness import name_of
from unlade.owners import Owner
from unlade.starting import Seen, Sheet, guess, module_text
from unlade.starting.writing import import_name

IDS = tuple(name_of("image", number) for number in range(5))
OWNERS = tuple(name_of("patient", number // 2) for number in range(5))


def _sheet(*fields: Seen, **more: object) -> Sheet:
    return Sheet("API_Things", tuple(fields), found=5, sample=5, **more)  # type: ignore[arg-type]


def _containers(*names: str) -> tuple[Seen, ...]:
    return tuple(Seen(name, "container", filled=1) for name in names)


@pytest.mark.parametrize(
    ("names", "ranked"),
    [
        (["image_small", "image_Full", "image_medium", "image_Ex_large", "image_large"],
         ["image_Full", "image_Ex_large", "image_large", "image_medium", "image_small"]),
        (["Photo Thumbnail", "Photo", "Photo Original"], ["Photo Original", "Photo", "Photo Thumbnail"]),
        (["PhotoPreview", "PhotoLarge"], ["PhotoLarge", "PhotoPreview"]),
        (["file"], ["file"]),
    ],
)  # fmt: skip
def test_sizes_of_one_picture_come_best_first(names: list[str], ranked: list[str]) -> None:
    found = guess(_sheet(Seen("id", "text", IDS), *_containers(*names)))
    assert list(found.containers) == ranked and not found.each


def test_files_that_share_no_name_are_items_of_their_own() -> None:
    found = guess(_sheet(Seen("id", "text", IDS), *_containers("front", "back")))
    assert found.containers == ("front", "back") and found.each


def test_what_is_no_file_of_the_record_is_left_out_and_said() -> None:
    logo = Seen("g_Logo", "container", is_global=True)
    shown = Seen("c_Photo", "container", calculated=True)
    found = guess(_sheet(Seen("id", "text", IDS), logo, shown, *_containers("photo_full", "photo_small", "signature")))
    assert found.containers == ("photo_full", "photo_small")
    assert {name for name, _ in found.left_out} == {"g_Logo", "c_Photo", "signature"}
    text = module_text(_sheet(*_containers("photo_full", "photo_small")), found, name="things")
    assert all(f"# Left out: {name}" in text for name in ("g_Logo", "c_Photo", "signature"))


def test_the_identity_is_unique_and_its_own() -> None:
    id_, owner = Seen("UUID", "text", IDS), Seen("id_Contact", "text", OWNERS)
    serial = Seen("Serial", "number", tuple("12345"), auto_enter=True)
    found = guess(_sheet(owner, Seen("Notes", "text", ("a",) * 5), serial, id_, *_containers("photo")))
    assert (found.identity, found.owner, found.sure) == ("UUID", "id_Contact", True)
    assert (found.others or {})["identity"] == ("Serial",)


def test_doubles_are_no_identity() -> None:
    found = guess(_sheet(Seen("id", "text", ("1", "1", "2", "3", "4")), Seen("Name", "text", tuple("abcde"))))
    assert found.identity == "id" and not found.sure  # nothing better: it says so
    assert "not known to be there and unique" in module_text(_sheet(), found, name="things")


def test_days_categories_and_file_names() -> None:
    files = tuple(f"IMG {number}.jpg" for number in range(5))
    found = guess(
        _sheet(
            Seen("id", "text", IDS),
            Seen("modified", "timeStamp", ("x",) * 5),
            Seen("Date of birth", "date", ("x",) * 5),
            Seen("date", "date", ("10/18/2016",) * 5),
            Seen("Type", "text", ("Dorsal",) * 5),
            Seen("Label", "text", files),
        )
    )
    assert (found.day, found.category, found.original_name) == ("date", "Type", "Label")


def test_names_are_free() -> None:
    assert import_name(_sheet()) == "things"
    assert import_name(_sheet(), ["things", "things_2"]) == "things_3"
    assert import_name(Sheet('123 "quoted" Übersicht', ())) != ""


@pytest.mark.parametrize("layout", ['a "b" \\ c', "Übersicht {owner}", "2024", "", "two\nlines"])
def test_whatever_a_layout_is_called_the_module_is_python(layout: str) -> None:
    sheet = Sheet(layout, (Seen('id "x" {y}', "text", IDS), *_containers("photo\nfull")), found=5, sample=5)
    found = guess(sheet)
    name = import_name(sheet)
    tree = ast.parse(module_text(sheet, found, name=name, owner=Owner('id "x"', "app.Model", "data__id")))
    values = {
        target.id: node.value
        for each in tree.body
        if isinstance(each, ast.ClassDef)
        for node in each.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert ast.literal_eval(values["layout"]) == layout and ast.literal_eval(values["identity"]) == 'id "x" {y}'
