"""What is written by the thousand is what is written one by one: the same items, events, rows and counts."""

from __future__ import annotations

import csv
import logging
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.conftest import _sql
from tests.existing.test_metadata_only import command
from tests.voyage.conftest import _port
from tests.voyage.harness import Port, cargo, name_of
from unlade.errors import SourceError
from unlade.existing import listed
from unlade.existing.turns import Turns
from unlade.ledger.fresh import settle_fresh
from unlade.ledger.models import Event, Item, Run
from unlade.media import DecoderPool

ROWS = 260

#: What a column of FileMaker's may hold, and what COPY and SQL would stumble over.
TEXTS = ["Dorsal", "", "back\\slash \\N \\.", "tab\there", "two\nlines", 'it\'s "so"', "名前 🦶", "x" * 300, "\x01\x7f"]


def fill(port: Port, folder: Path) -> Path:
    """Files and rows: about every tenth has something odd about it. The metadata file."""
    root = Path(port.store.root)  # type: ignore[attr-defined]
    rows: list[list[str]] = []
    for number in range(ROWS):
        owner = name_of("patient", number % 6) if number % 9 else ["", "NOBODY-WE-KNOW"][number % 2]
        day = "" if number % 13 == 5 else f"{number % 12 + 1:02}/{13 + number % 15:02}/20{16 + number % 4}"
        identity = {17: "", 18: name_of("image", 19), 23: name_of("image", 22).lower(), 40: "y" * 260}.get(
            number, name_of("image", number)
        )
        rows.append([identity, owner, day, TEXTS[number % len(TEXTS)], f"{TEXTS[number % 7]}.jpg"])
        if number % 31 == 3:
            continue  # a row without a file
        iso = f"{day[6:]}-{day[:2]}-{day[3:5]}" if day else "no-date"
        place = owner or "no-owner"
        if number % 50 == 7:
            place = "ANOTHER-OWNER"
        path = root / "up" / place / iso / f"{name_of('image', number)}.{['jpg', 'png', 'JPG', 'xyz'][number % 4]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if number % 60 == 11 else b"x" * (number + 1))
        if number % 70 == 13:
            path.with_suffix(".tif").write_bytes(b"a second one")
    (root / "up" / "stray.jpg").write_bytes(b"stray")
    metadata = folder / "records.csv"
    with metadata.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writerows([["id", "id_Contact", "date", "Type", "Name of file"], *rows])
    return metadata


def books(said: dict[str, Any]) -> dict[str, Any]:
    """Everything that a run left, without what must differ: primary keys and times."""
    from clinic.images.models import Image, ImageBatch

    keys = {str(image.pk): image.filemaker_id for image in Image.objects.all()}
    items, events = [], []
    for item in Item.objects.all():
        values = {field.attname: getattr(item, field.attname) for field in Item._meta.concrete_fields}
        for name in ("id", "source_id", "settled_in_id", "seen_at"):
            values.pop(name)
        for name in ("settled_at", "next_try_at"):
            values[name] = values[name] is not None
        values["row"] = keys.get(values["row"], values["row"])
        items.append(values)
    for event in Event.objects.select_related("item", "run"):
        detail = {**event.detail}
        detail |= {"row": keys.get(detail.get("row", ""), ""), "next_try_at": bool(detail.get("next_try_at"))}
        events.append((event.item.record_id, event.what, event.run is not None, detail))
    images = []
    for image in Image.objects.select_related("batch"):
        values = {field.attname: getattr(image, field.attname) for field in Image._meta.concrete_fields}
        for name in ("id", "batch_id", "uploaded_at"):
            values.pop(name)
        batch = image.batch
        images.append((values, batch.patient_id is not None, batch.owner_ref, batch.captured_on, batch.name))
    batches = [(b.owner_ref, b.captured_on, b.image_count, b.name, b.source) for b in ImageBatch.objects.all()]
    run = Run.objects.order_by("-number").first()
    assert run is not None
    counted = {
        name: getattr(run, name) for name in ("imported", "empty", "unlinked", "quarantined", "failed", "skipped")
    }
    said = {name: said[name] for name in ("this_run", "totals", "found", "findings", "exit")}
    return {
        "items": sorted(items, key=lambda values: values["record_id"]),
        "events": sorted(events, key=repr),
        "images": sorted(images, key=repr),
        "batches": sorted(batches, key=repr),
        "run": counted,
        "said": said,
    }


def _counted(patched: pytest.MonkeyPatch) -> list[int]:
    """How many records each portion writes by the thousand."""
    portions: list[int] = []

    def settle(books: Any, entries: Any, now: Any) -> Any:
        portions.append(len(entries))
        return settle_fresh(books, entries, now)

    patched.setattr(listed, "settle_fresh", settle)
    return portions


@pytest.mark.parametrize("first", [0, 60])
def test_the_same_by_the_thousand_and_one_by_one(
    fresh_port: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, first: int
) -> None:
    told = []
    for way in ("one by one", "by the thousand"):
        with fresh_port(way) as port, monkeypatch.context() as patched:
            metadata = fill(port, port.folder)
            arguments = ["--prefix", "up", "--metadata", str(metadata), "--no-thumbnails"]
            if first:  # a first run that knew only some of the records
                lines = metadata.read_text(encoding="utf-8").split("\r\n")
                some = port.folder / "some.csv"
                some.write_text("\r\n".join(lines[: first + 1]) + "\r\n", encoding="utf-8", newline="")
                command(port, patched, *arguments[:3], str(some), "--no-thumbnails")
            many = _counted(patched)
            patched.setattr(listed, "FRESH_PORTION", 50)  # several, each of them read ahead
            if way == "one by one":
                patched.setattr(listed, "is_plain", lambda importer: False)
            with caplog.at_level(logging.WARNING, logger="unlade"):
                code, said = command(port, patched, *arguments)
            assert code == 3
            told.append(books(said))
            assert (sum(many) > 0.7 * (ROWS - first)) == (way == "by the thousand"), many
    assert caplog.records == []
    assert told[0]["said"]["this_run"]["imported"] > 100
    for part in told[0]:
        assert told[0][part] == told[1][part], part


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.real)])
def fresh_port(
    request: pytest.FixtureRequest, tmp_path: Path, pool: DecoderPool, django_db_blocker: DjangoDbBlocker
) -> Callable[[str], AbstractContextManager[Port]]:
    """`fresh_port(name)`: a port with a database and a folder of its own, on SQLite and on PostgreSQL."""

    @contextmanager
    def make(name: str) -> Iterator[Port]:
        folder = tmp_path / name
        folder.mkdir()
        if request.param == "sqlite":
            shutil.copyfile(request.getfixturevalue("sqlite_template"), folder / "db.sqlite3")
            url, server, made = f"sqlite:///{(folder / 'db.sqlite3').as_posix()}", None, ""
        else:
            server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_template")
            made = f"test_{uuid.uuid4().hex[:12]}"
            _sql(server, f"CREATE DATABASE {made} TEMPLATE {template}")
            url = server.url(made)
        with _port(cargo(6), folder, url, (folder / "store").as_uri(), pool, django_db_blocker, {}) as port:
            yield port
        if server is not None:
            _sql(server, f"DROP DATABASE {made} WITH (FORCE)")

    return make


def test_what_cannot_be_read_ahead_ends_the_run_and_is_not_passed_over(
    fresh_port: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_port("ahead") as port:
        metadata = fill(port, port.folder)
        arguments = ["--prefix", "up", "--metadata", str(metadata), "--no-thumbnails"]
        with monkeypatch.context() as patched:
            patched.setattr(listed, "FRESH_PORTION", 50)
            read, reads = Turns._read, []

            def fails(self: Turns, first: int, last: int, now: Any) -> Any:
                reads.append(first)
                if len(reads) == 4:
                    raise SourceError("the disk with the rows is gone", remedy="Plug it in.")
                return read(self, first, last, now)

            patched.setattr(Turns, "_read", fails)
            code, said = command(port, patched, *arguments)
        assert code == 1 and "the disk with the rows is gone" in said["reason"]
        assert Item.objects.count() < ROWS // 2
        code, said = command(port, monkeypatch, *arguments)
        assert code == 3 and said["totals"]["imported"] > 100


def test_a_hook_that_fails_after_the_commit_costs_no_row(
    fresh_port: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from clinic.images.imports import ImageImport

    def fails(self: ImageImport, item: Any, row: Any) -> None:
        raise ZeroDivisionError

    with fresh_port("hook") as port:
        metadata = fill(port, port.folder)
        monkeypatch.setattr(ImageImport, "after_commit", fails)
        code, said = command(port, monkeypatch, "--prefix", "up", "--metadata", str(metadata), "--no-thumbnails")
        assert code == 3 and said["totals"]["imported"] > 100
        assert any("after_commit failed" in record.message for record in caplog.records)
