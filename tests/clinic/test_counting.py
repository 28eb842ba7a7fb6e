"""The image count of a batch is right after everything that can be done to images, by whomever."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from clinic.images import counting
from clinic.images.models import Image, ImageBatch
from tests.databases import side_by_side
from unlade import bulk


def batch(name: str) -> ImageBatch:
    return ImageBatch.objects.create(name=name, owner_ref=name, source="images")


def image(where: ImageBatch, number: int) -> Image:
    return Image(batch=where, key=f"k/{number}", sha256=f"{number:064}", filemaker_id=f"ID-{number}")


def counts() -> dict[str, int]:
    return dict(ImageBatch.objects.values_list("name", "image_count"))


def check() -> None:
    true = Counter(Image.objects.values_list("batch__name", flat=True))
    assert counts() == {name: true[name] for name in ImageBatch.objects.values_list("name", flat=True)}


def test_every_way_to_write_images(database: str) -> None:
    a, b, c = batch("a"), batch("b"), batch("c")
    image(a, 1).save()
    Image.objects.bulk_create(image(a if n % 3 else b, n) for n in range(2, 1502))
    check()
    Image.objects.filter(filemaker_id__endswith="7").update(batch=c)
    check()
    moved = list(Image.objects.filter(batch=b)[:400])
    for each in moved:
        each.batch = a
    Image.objects.bulk_update(moved, ["batch"])
    check()
    Image.objects.bulk_create(
        [image(c, 1), image(c, 9001)], update_conflicts=True, unique_fields=["filemaker_id"], update_fields=["batch"]
    )
    check()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE images_image SET batch_id = %s WHERE batch_id = %s", [b.pk, c.pk])
        cursor.execute("DELETE FROM images_image WHERE id %% 5 = 0", [])
    check()
    Image.objects.filter(batch=a).delete()
    assert counts()["a"] == 0 and counts()["b"] > 0
    check()
    Image.objects.update(caption="touched")
    check()


def columns(homes: list[int], first: int) -> dict[str, list[Any]]:
    numbers = range(first, first + len(homes))
    return {
        "batch_id": homes,
        "key": [f"k/{n}" for n in numbers],
        "sha256": [f"{n:064}" for n in numbers],
        "filemaker_id": [f"ID-{n}" for n in numbers],
    }


@pytest.mark.parametrize("many", [1, 10_000])
def test_thousands_at_once(database: str, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_MANY", many)
    a, b, _ = batch("a"), batch("b"), batch("c")
    image(a, 1).save()
    homes = [a.pk if n % 3 else b.pk for n in range(1200)]
    with transaction.atomic(), counting.counted_at_once(connection, homes):
        bulk.insert(Image, columns(homes, 2))
    assert counts() == {"a": 801, "b": 400, "c": 0}
    check()
    twice = {name: values * 2 for name, values in columns(homes, 5000).items()}
    with pytest.raises(IntegrityError), transaction.atomic(), counting.counted_at_once(connection, homes):
        bulk.insert(Image, twice)
    check()
    assert set(counting._present(connection)) == counting._expected(connection)
    image(b, 9001).save()
    Image.objects.bulk_create([image(b, 9002), image(a, 9003)])
    check()


def test_what_is_rolled_back_does_not_count(database: str) -> None:
    a = batch("a")
    image(a, 1).save()
    with transaction.atomic():
        image(a, 2).save()
        assert counts() == {"a": 2}
        transaction.set_rollback(True)
    assert counts() == {"a": 1}
    check()


def test_a_stale_or_invented_count_is_overruled(database: str) -> None:
    a = batch("a")
    stale = ImageBatch.objects.get(pk=a.pk)
    image(a, 1).save()
    stale.name = "a"
    stale.save()
    assert counts() == {"a": 1}
    ImageBatch.objects.update(image_count=77)
    assert counts() == {"a": 1}
    ImageBatch.objects.bulk_create([ImageBatch(name="b", owner_ref="b", image_count=5)])
    check()


def test_fixtures_count_themselves_whatever_their_order(database: str, tmp_path: Path) -> None:
    a = batch("a")
    Image.objects.bulk_create(image(a, n) for n in range(3))
    for order in (["images.imagebatch", "images.image"], ["images.image", "images.imagebatch"]):
        path = tmp_path / f"{order[0]}.json"
        with path.open("w") as out:
            call_command("dumpdata", *order, stdout=out)
        Image.objects.all().delete()
        ImageBatch.objects.all().delete()
        call_command("loaddata", str(path), verbosity=0)
        assert counts() == {"a": 3}


def test_writers_side_by_side(database: str) -> None:
    batches = [batch(name) for name in "abc"]

    def writer(seed: int) -> None:
        chance = random.Random(seed)
        for n in range(12):
            mine = [image(chance.choice(batches), seed * 1000 + n * 10 + k) for k in range(4)]
            with transaction.atomic():
                Image.objects.bulk_create(mine)
            with transaction.atomic():
                Image.objects.filter(pk__in=[mine[0].pk, mine[1].pk]).update(batch=chance.choice(batches))
            mine[2].delete()

    side_by_side([lambda seed=seed: writer(seed) for seed in range(4)])
    assert Image.objects.count() == 4 * 12 * 3
    check()


@pytest.mark.real
def test_a_truncated_table_counts_nothing(postgres_url: str, django_db_blocker: object) -> None:
    from tests.databases import use_database

    with django_db_blocker.unblock(), use_database(postgres_url):  # type: ignore[attr-defined]
        image(batch("a"), 1).save()
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE images_image")
        assert counts() == {"a": 0}


def test_altered_tables_keep_their_counts(database: str) -> None:
    """What `migrate` does around a later migration that rebuilds both tables (SQLite) or alters them."""
    a = batch("a")
    image(a, 1).save()
    config, plan = apps.get_app_config("images"), [(apps.get_app_config("images"), False)]
    plan[0][0].app_label = "images"  # type: ignore[attr-defined] # stands for a migration
    counting.before_migrate(sender=config, using="default", plan=plan)
    assert counting._present(connection) == {}
    image(a, 2).save()
    assert counts() == {"a": 1}
    with connection.schema_editor() as editor:
        for model, name in ((ImageBatch, "name"), (Image, "caption")):
            old, new = model._meta.get_field(name), model._meta.get_field(name).clone()
            new.set_attributes_from_name(name)
            new.null, new.model = True, model
            editor.alter_field(model, old, new)
    for _ in range(2):
        counting.after_migrate(sender=config, using="default")
    assert set(counting._present(connection)) == counting._expected(connection)
    image(a, 3).save()
    assert counts() == {"a": 3}


def test_triggers_of_another_version_are_replaced(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "VERSION", counting.VERSION + 1)
    call_command("migrate", verbosity=0)
    assert set(counting._present(connection)) == counting._expected(connection)
    image(batch("a"), 1).save()
    check()


def test_migrating_to_zero_and_back(database: str) -> None:
    call_command("migrate", "images", "zero", verbosity=0)
    assert counting._present(connection) == {}
    call_command("migrate", verbosity=0)
    image(batch("a"), 1).save()
    check()


def test_models_and_migrations_agree(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
