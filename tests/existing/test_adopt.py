"""What an earlier script left, with random suffixes and ids in JSON, enters the ledger; nothing is fetched again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.existing.test_metadata_only import command
from tests.folder.exports import by_script, bytes_of
from tests.voyage.harness import FULL, MISSING, Port, PortMaker, cargo, jpeg, name_of, record
from unlade.errors import Interrupted
from unlade.existing import adopting
from unlade.importer import get_import
from unlade.options import RunOptions
from unlade.rigging import utc_now


def leave(port: Port, key: str, data: bytes) -> str:
    path = Path(port.store.root) / key  # type: ignore[attr-defined]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return key


def test_rows_and_objects_of_an_earlier_script(
    make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clinic.images.models import Image, ImageBatch
    from clinic.patients.models import Patient

    data = cargo(12)
    rows = data.tables["Images"]
    ids = {number: name_of("image", number) for number in range(1, 13)}
    files = {number: bytes_of(rows[number - 1].values[FULL]) for number in range(1, 13)}
    report = tmp_path / "report.json"
    with make_port(data) as port:
        patient = Patient.objects.get(filemaker_id=rows[0].values["id_Contact"])
        batch = ImageBatch.objects.create(patient=patient, name="old")
        alone = ImageBatch.objects.create(name="nobody's")

        def row(key: str, **values: object) -> Image:
            return Image.objects.create(key=key, **{"batch": batch, **values})

        in_json = row(leave(port, "old/scan_x7Gh2k1.jpg", files[1]), filemaker_metadata={"id": ids[1].lower()})
        by_column = row(leave(port, "old/b.jpg", files[2]), filemaker_id=ids[2], batch=alone)
        by_key = row(leave(port, f"old/{ids[3]}_aB3dE9z.jpg", files[3]))
        by_bytes = row(leave(port, "old/nameless.jpg", files[4]))
        lost = row("old/never-there.jpg", filemaker_metadata={"id": ids[5]})
        twins = [row(leave(port, f"old/t{n}.jpg", files[6]), filemaker_metadata={"id": ids[6]}) for n in (1, 2)]
        leave(port, f"old/{ids[7]}-K9.jpg", files[7])
        for n in (1, 2):
            leave(port, f"old/{ids[8]}_{n}.jpg", files[8])
        leave(port, "old/what-is-this.jpg", jpeg("unknown"))
        export = by_script(data, tmp_path / "export")
        arguments = ["images", "--prefix", "old", "--from", str(export), "--report", str(report)]
        dry = command(port, monkeypatch, *arguments, "--dry-run", name="filemaker_adopt")[1]
        assert (dry["rows"], dry["objects"], port.items()) == (4, 1, {})
        code, said = command(port, monkeypatch, *arguments, name="filemaker_adopt")
        assert (code, said["rows"], said["objects"], said["known"]) == (3, 4, 1, 0)
        told = json.loads(report.read_text())
        assert told["counts"] == {
            "row_adopted": 4, "object_adopted": 1, "row_without_object": 1, "two_rows": 2, "two_objects": 2,
            "object_unmatched": 1,
        }  # fmt: skip
        how = {entry["identity"]: entry["detail"].rpartition(" ")[2] for entry in told["findings"]}
        assert [how[ids[n]] for n in (1, 2, 3, 4)] == ["filemaker_id", "filemaker_id", "key", "content"]
        items = {item.identity_key: item for item in port.items().values()}
        assert (items[ids[1]].state, items[ids[1]].owner_key) == ("imported", patient.filemaker_id)
        assert items[ids[2]].state == "unlinked"
        for image, number in ((in_json, 1), (by_column, 2), (by_key, 3), (by_bytes, 4)):
            image.refresh_from_db()
            assert (image.filemaker_id, items[ids[number]].row) == (ids[number], str(image.pk))
        assert Image.objects.get(filemaker_id=ids[7]).batch.patient is not None
        again = command(port, monkeypatch, *arguments, name="filemaker_adopt")[1]
        assert (again["rows"], again["objects"], again["known"]) == (0, 0, 5)
        # The rest comes over the API; what was adopted does not.
        ended = port.run()
        assert ended["totals"]["failed"] == 0
        fetched = {int(record_id) for record_id, _ in port.downloads()}
        assert fetched == {5, 6, 8, 9, 10, 11, 12}
        assert lost.pk and len(twins) == 2


def test_an_object_belongs_to_a_record_that_was_listed_and_is_open(
    make_port: PortMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cargo(3)
    with make_port(data) as port:
        leave(port, f"old/{name_of('image', 2)}_x1.jpg", bytes_of(data.tables["Images"][1].values[FULL]))
        code, said = command(port, monkeypatch, "images", "--prefix", "old", name="filemaker_adopt")
        assert (code, said["objects"], said["findings"]) == (3, 0, {"object_unmatched": 1})
        port.run(limit=1, concurrency=1)
        code, said = command(port, monkeypatch, "images", "--prefix", "old", name="filemaker_adopt")
        assert (code, said["objects"]) == (0, 1)
        item = port.items()["2"]
        assert (item.state, item.road, item.key) == ("imported", "api", f"old/{item.identity}_x1.jpg")
        assert port.run()["totals"]["imported"] == 3
        assert {record_id for record_id, _ in port.downloads()} == {"1", "3"}


def test_adopting_goes_on_where_it_was_broken_off(make_port: PortMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    from clinic.images.models import Image, ImageBatch

    data = cargo(9)
    monkeypatch.setattr(adopting, "_PORTION", 2)
    with make_port(data) as port:
        batch = ImageBatch.objects.create(name="old")
        for number in range(1, 8):
            key = leave(port, f"old/{number}.jpg", bytes_of(data.tables["Images"][number - 1].values[FULL]))
            Image.objects.create(key=key, batch=batch, filemaker_metadata={"id": name_of("image", number)})
        leave(port, "old/twin.jpg", jpeg("a twin"))
        Image.objects.create(key="old/twin.jpg", batch=batch, filemaker_metadata={"id": name_of("image", 7)})
        portions = iter([False, True])
        store = port.store

        def run(stopped: Callable[[], bool]) -> adopting.Adoption:
            return adopting.adopt(
                get_import("images"), store, RunOptions(), prefix="old", clock=utc_now, stopped=stopped
            )

        with pytest.raises(Interrupted):
            run(lambda: next(portions))
        assert len(port.items()) == 2
        result = run(lambda: False)
        assert (result.rows, result.known, result.findings["two_rows"]) == (4, 2, 2)
        assert len(port.items()) == 6
        assert run(lambda: False).rows == 0


def test_a_row_that_was_left_goes_to_whom_a_person_chose(make_port: PortMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    from clinic.images.models import Image, ImageBatch
    from clinic.patients.models import Patient
    from unlade.ledger.models import Item

    data = cargo(3, special={number: record(number, **{FULL: MISSING}) for number in (2, 3)})
    with make_port(data) as port:
        port.run()
        one, other = "2", "3"
        owner, chosen = (Patient.objects.get(filemaker_id=name_of("patient", number)) for number in (0, 4))
        batch = ImageBatch.objects.create(patient=owner, name="old")
        for number in map(int, (one, other)):
            key = leave(port, f"old/{name_of('image', number)}.jpg", jpeg(f"found {number}"))
            Image.objects.create(key=key, batch=batch)
        words = ("--items", one, "--to", f"pk:{chosen.pk}", "--reason", "x")
        told = command(port, monkeypatch, *words, name="reassign_filemaker_images")[1]
        assert told["counts"] == {"waits": 1}
        code, said = command(port, monkeypatch, "images", "--prefix", "old", name="filemaker_adopt")
        assert (code, said["rows"]) == (0, 2), said
        owners = {item.record_id: Image.objects.get(pk=item.row).batch.patient for item in Item.objects.exclude(row="")}
        assert (owners[one], owners[other]) == (chosen, owner)
        assert not [
            each
            for each in command(port, monkeypatch, name="filemaker_verify")[1]["sources"]["images"]["differences"]
            if each["kind"] == "row_owner"
        ]
