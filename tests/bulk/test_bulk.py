"""Rows by the thousand are the rows that the ORM would have written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from clinic.images.models import Image, ImageBatch
from clinic.patients.models import Patient
from unlade import bulk

TEXTS = [
    "plain",
    "",
    "tab\there",
    "line\nfeed\rreturn",
    "back\\slash \\N \\.",
    "\\N",
    'it\'s "so", 100 %s %',
    "名前🦶",
    "\b\v\f\x01",
]


def batch(name: str = "a batch") -> ImageBatch:
    return ImageBatch.objects.create(name=name, owner_ref=name)


def columns(home: ImageBatch) -> dict[str, list[Any]]:
    count = len(TEXTS)
    return {
        "batch_id": [home.pk] * count,
        "key": [f"{number}/{text}" for number, text in enumerate(TEXTS)],
        "caption": TEXTS,
        "filemaker_id": [None if number == 3 else f"ID {number}" for number in range(count)],
        "width": [None, *range(1, count)],
        "date_taken": [None, *[date(2019, 4, day) for day in range(1, count)]],
        "quarantined": [number % 2 == 0 for number in range(count)],
        "filemaker_metadata": [{"text": text, "day": date(2020, 1, 2), "list": [1, None, text]} for text in TEXTS],
        "uploaded_at": [datetime(2026, 1, 1, 12, 0, 0, number, tzinfo=UTC) for number in range(count)],
    }


def told(image: Image) -> dict[str, Any]:
    left_out = ("id", "batch_id")
    return {f.attname: getattr(image, f.attname) for f in Image._meta.concrete_fields if f.attname not in left_out}


def test_the_same_rows_as_by_the_orm(database: str) -> None:
    first, second = batch(), batch("another")
    given = columns(first)
    keys = bulk.insert(Image, given)
    names = list(given)
    for values in zip(*columns(second).values(), strict=True):
        row = dict(zip(names, values, strict=True))
        row["filemaker_id"] = row["filemaker_id"] and row["filemaker_id"] + " again"
        Image.objects.create(**row)
    mine = list(Image.objects.filter(pk__in=keys).order_by("pk"))
    theirs = list(Image.objects.filter(batch=second).order_by("pk"))
    assert [image.pk for image in mine] == keys
    for one, other in zip(mine, theirs, strict=True):
        other.filemaker_id = one.filemaker_id
        assert told(one) == told(other)
    first.refresh_from_db()
    assert first.image_count == len(TEXTS)  # triggers see them
    assert Image.objects.create(batch=first, key="next").pk > max(keys)


def test_rows_are_updated_by_their_keys(database: str) -> None:
    home = batch()
    keys = bulk.insert(Image, columns(home))
    changed = keys[2:6]
    bulk.update(
        Image,
        [*changed, 10**9],
        {
            "caption": [*TEXTS[-4:], "nobody"],
            "date_taken": [None, date(2021, 2, 3), None, date(2021, 2, 4), None],
            "filemaker_metadata": [{"n": n, "t": TEXTS[4]} for n in range(5)],
            "sha256": ["a" * 64] * 5,
            "uploaded_at": [datetime(2027, 1, 1, tzinfo=UTC)] * 5,
        },
    )
    rows = {image.pk: image for image in Image.objects.all()}
    assert [rows[key].caption for key in changed] == TEXTS[-4:]
    assert [rows[key].date_taken for key in changed] == [None, date(2021, 2, 3), None, date(2021, 2, 4)]
    assert [rows[key].filemaker_metadata for key in changed] == [{"n": n, "t": TEXTS[4]} for n in range(4)]
    assert {rows[key].sha256 for key in changed} == {"a" * 64}
    assert rows[keys[0]].caption == TEXTS[0]
    assert len(rows) == len(TEXTS)


def test_all_or_nothing_also_while_it_overlaps(database: str) -> None:
    home = batch()
    given = {"batch_id": [home.pk] * 3, "key": ["a", "b", "c"], "filemaker_id": ["1", "2", "1"]}
    with pytest.raises(IntegrityError):
        bulk.insert(Image, given)
    with pytest.raises(IntegrityError), transaction.atomic(), bulk.overlapped():  # noqa: PT012 - it may be raised by either
        bulk.insert(Patient, {"filemaker_id": ["P1"], "last_name": ["X"]})
        bulk.insert(Image, given)
    assert (Image.objects.count(), Patient.objects.count()) == (0, 0)
    with transaction.atomic(), bulk.overlapped():
        keys = bulk.insert(Image, given | {"filemaker_id": ["1", "2", "3"]})
        assert Image.objects.filter(pk__in=keys).count() == 3  # whoever asks waits for them
        bulk.insert(Patient, {"filemaker_id": ["P1"], "last_name": ["X"]})
    assert (Image.objects.count(), Patient.objects.count()) == (3, 1)
    assert connection.is_usable()


def test_what_cannot_be_written_is_said(database: str) -> None:
    with pytest.raises(ValueError, match="no column colour"):
        bulk.insert(Image, {"colour": ["red"]})
    with pytest.raises(ValueError, match="differ in length"):
        bulk.insert(Image, {"key": ["a"], "caption": []})
    assert bulk.insert(Image, {"key": []}) == []
