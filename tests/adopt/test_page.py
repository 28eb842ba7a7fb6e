"""docs/adopt.md is followed to the letter, and ends where it says."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from tests.adopt.conftest import IMAGES, Followed
from tests.adopt.page import PAGE, blocks

HERE = Path(__file__).parent / "project"


def _declaration() -> str:
    return next(block.text for block in blocks() if block.path == "gallery/imports.py")


def test_the_page_declares_what_the_example_project_has() -> None:
    assert _declaration() == (HERE / "gallery" / "imports.py").read_text(encoding="utf-8")


def test_the_declaration_is_as_short_as_the_page_says() -> None:
    classes = [node for node in ast.parse(_declaration()).body if isinstance(node, ast.ClassDef)]
    lines = sum((node.end_lineno or 0) - node.lineno + 1 for node in classes)
    told = re.search(r"It takes (\d+) lines of declaration", PAGE)
    assert told is not None
    assert lines == int(told[1]) < 30


def test_every_file_came_to_its_row_owner_and_storage(followed: Followed) -> None:
    told = followed.project.ask(
        "import hashlib, json; from gallery.models import *\n"
        "def tell(row):\n"
        "    with row.file.open() as file: digest = hashlib.sha256(file.read()).hexdigest()\n"
        "    return [digest == row.digest, row.owner and row.owner.name, row.file.name]\n"
        "print(json.dumps([[tell(p) for p in Photo.objects.order_by('title')],"
        " [[*tell(p), p.side, p.kind] for p in Paper.objects.order_by('file')]]))"
    )
    photos, papers = json.loads(told)
    assert len(photos) == IMAGES and all(same for same, *_ in photos)
    assert [name for _, name, _ in photos] == ["P1", "P2", "P3", "P0", "P1", None, "P3", "P0"]
    assert all(name.startswith(("people/", "people/no-owner/")) and name.endswith(".jpg") for *_, name in photos)
    assert [(name, side, kind) for _, name, _, side, kind in papers if name == "P2"] == [("P2", "front", "Consent")]
    assert sorted((name, side) for _, name, _, side, _ in papers) == [
        ("P1", "back"), ("P1", "front"), ("P2", "front"), ("P3", "back"), ("P3", "front")
    ]  # fmt: skip
    assert all(same for same, *_ in papers)


def test_pictures_are_measured_and_keep_what_filemaker_said(followed: Followed) -> None:
    told = followed.project.ask(
        "import json; from gallery.models import Photo; p = Photo.objects.get(title='IMG 5.jpg')\n"
        "print(json.dumps([p.width, p.height, p.source['Type'], str(p.taken), p.preview.open().read(2).hex()]))"
    )
    assert json.loads(told) == [64, 48, "Dorsal", "2021-06-06", "ffd8"]


def test_owners_that_came_later_are_linked(followed: Followed) -> None:
    assert followed.said["relink_filemaker photos"].startswith("2 of 3 files without a patient linked.")
    assert followed.said["relink_filemaker papers"].startswith("2 of 2 ")


def test_the_draft_of_the_page_names_what_the_page_decides(followed: Followed) -> None:
    (draft,) = followed.drafts
    for line in ('identity = "id"', 'taken_on = DateField("date")', 'match = "source_id"', '"file": "key"',
                 'owner = Owner("id_Contact", "people.Patient", match="data__filemaker_id")',
                 'owner_column = "owner"', '"preview": "thumbnail_key"', '"digest": "sha256"'):  # fmt: skip
        assert line in draft, draft


def test_receivers_hear_of_each_item_after_its_commit_and_may_raise(followed: Followed) -> None:
    program = (
        "import gallery.receivers, json; from unlade.signals import *; from gallery.models import Photo\n"
        "from django.core.management import call_command\n"
        "from django.db import connection\n"
        "def bad(**kwargs): raise RuntimeError('a receiver of the project')\n"
        "item_settled.connect(bad)\n"
        "Photo.objects.filter(title='IMG 1.jpg').delete()\n"
        "from unlade.ledger.models import Item; Item.objects.filter(record_id='1', source__name='photos').delete()\n"
        "def good(item, row, **kwargs): print('seen', row.title, connection.in_atomic_block)\n"
        "item_settled.connect(good)\n"
        "call_command('import_filemaker', 'photos', '--changed', verbosity=0)\n"
    )
    said = followed.project.ask(program).splitlines()
    assert "photos 1: imported" in said and "seen IMG 1.jpg False" in said and "photos ended: done" in said
