"""A new item is the same, whichever way it is made."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from unlade.ledger.models import Item, Source
from unlade.ledger.writing import enter, new_item


def test_new_items_are_items_with_their_defaults_and_share_nothing() -> None:
    values: dict[str, Any] = {
        "source": Source(pk=7, name="images"),
        "record_id": "17",
        "road": "folder",
        "known_size": None,
        "seen_at": timezone.now(),
    }
    one, other, plain = new_item(**values), new_item(**values), Item(**values)
    kept = [field.attname for field in Item._meta.concrete_fields]
    assert {name: getattr(one, name) for name in kept} == {name: getattr(plain, name) for name in kept}
    assert (one.source, one.pk, one._state.adding) == (values["source"], None, True)
    one.attempts.append("x")
    one.digests["x"] = 1
    assert (other.attempts, other.digests, Item().attempts) == ([], {}, [])
    assert one._state is not other._state


@pytest.mark.django_db
def test_they_can_be_entered_and_saved() -> None:
    source = Source.objects.create(name="images")
    items = [new_item(source=source, record_id=str(number), seen_at=timezone.now()) for number in range(3)]
    enter(items)
    items[1].reason = "because"
    items[1].save()
    assert list(Item.objects.order_by("pk").values_list("record_id", "reason")) == [
        ("0", ""),
        ("1", "because"),
        ("2", ""),
    ]
    alone = new_item(source=source, record_id="alone", seen_at=timezone.now())
    alone.save()
    assert Item.objects.get(pk=alone.pk).record_id == "alone"
