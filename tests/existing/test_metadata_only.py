"""Rows for files that are in the store already; nothing is moved, copied or read unless asked for."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.folder.exports import as_csv, as_tree, as_xml, by_script, flat
from tests.voyage.harness import FULL, Port, PortMaker, cargo, jpeg, photo, record
from unlade.ledger.models import Item
from unlade.store import open_store


def put(port: Port, folder: Path, prefix: str) -> dict[str, bytes]:
    """What `aws s3 sync FOLDER s3://bucket/PREFIX` does; the keys with their bytes."""
    keys = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            keys[f"{prefix}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    if port.store_url.startswith("file:"):
        root = Path(port.store.root)  # type: ignore[attr-defined]
        for key, data in keys.items():
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            (root / key).write_bytes(data)
    else:
        import obstore

        for key, data in keys.items():
            obstore.put(port.store._store, key, data)  # type: ignore[attr-defined]
    return keys


def command(
    port: Port, monkeypatch: pytest.MonkeyPatch, *arguments: str, name: str = "import_filemaker_images_metadata_only"
) -> tuple[int, dict[str, Any]]:
    """A command in this process: exit code and JSON object."""
    for key, value in port.settings().items():
        monkeypatch.setenv(key, value)
    out = StringIO()
    try:
        call_command(name, *arguments, "--json", stdout=out, stderr=out)
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(out.getvalue().strip().splitlines()[-1])


def untouched(port: Port, keys: dict[str, bytes]) -> None:
    store = port.store
    for key, data in keys.items():
        with store.open(key) as chunks:
            assert b"".join(chunks) == data


@pytest.mark.parametrize("kind", ["script", "tree", "csv", "xml"])
def test_rows_from_metadata_alone(
    make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    data = cargo(12, special={5: record(5, **{FULL: ""})})  # type: ignore[arg-type]
    folder = tmp_path / "export"
    arguments: list[str] = ["--prefix", "uploads/2026", "--no-thumbnails"]
    with make_port(data) as port:
        if kind == "script":
            folder = by_script(data, folder)
            arguments += ["--from", str(folder)]
        elif kind == "tree":
            as_tree(data, folder)
        else:
            flat(data, folder, by="id" if kind == "csv" else "record")
            make = as_csv if kind == "csv" else as_xml
            arguments += ["--metadata", str(make(data, tmp_path / f"rows.{kind}"))]
        keys = put(port, folder, "uploads/2026")
        code, said = command(port, monkeypatch, *arguments)
        missing = {"script": ("empty", 1, 0), "tree": ("empty", 0, 0)}.get(kind, ("failed", 1, 3))
        assert (code, said["totals"]["imported"], said["totals"][missing[0]]) == (missing[2], 11, missing[1])
        assert said["proof"] == "listed"
        items = Item.objects.filter(state="imported")
        assert {item.sha256 for item in items} == {""}
        assert {item.key for item in items} <= set(keys)
        untouched(port, keys)
        assert [info.key for info in port.store.list() if info.key not in keys] == []
        from clinic.images.models import Image

        rows = {image.filemaker_id: image for image in Image.objects.select_related("batch")}
        for item in items:
            image = rows[item.identity_key]
            assert (str(image.pk), image.key, image.sha256) == (item.row, item.key, "")
            assert image.batch.patient is not None
            assert image.batch.captured_on == item.day is not None
            assert image.file_size == len(keys[item.key])
        again = command(port, monkeypatch, *arguments)[1]
        assert (again["this_run"]["imported"], Image.objects.count()) == (0, 11)
        assert port.run()["this_run"]["imported"] == 0
        assert port.downloads() == {}


def test_what_does_not_fit_is_named(make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = cargo(8)
    folder = by_script(data, tmp_path / "export")
    files = {path.name.partition("~")[2].partition("-")[0]: path for path in folder.rglob("*.jpg")}
    files["2"].unlink()
    files["3"].write_bytes(b"")
    files["4"].write_bytes(files["4"].read_bytes()[:-10])
    (folder / "stray.jpg").write_bytes(jpeg("stray"))
    report = tmp_path / "report.json"
    with make_port(data) as port:
        put(port, folder, "up")
        code, said = command(
            port, monkeypatch, "--prefix", "up", "--from", str(folder), "--no-thumbnails", "--report", str(report)
        )
        assert code == 3
        assert said["totals"] | {"pending": 0} == {
            "pending": 0, "imported": 5, "empty": 0, "unlinked": 0, "quarantined": 2, "failed": 1, "accepted": 0
        }  # fmt: skip
        states = {item.record_id: (item.state, item.reason) for item in port.items().values()}
        assert (states["2"], states["3"]) == (("failed", "file_missing"), ("quarantined", "zero_bytes"))
        assert states["4"] == ("quarantined", "truncated")
        # The missing one comes over the API, nothing else does.
        assert port.run()["totals"]["imported"] == 6
        assert set(port.downloads()) == {("2", FULL)}
    told = json.loads(report.read_text())
    by_kind = {entry["what"]: entry for entry in told["findings"]}
    assert by_kind["row_without_file"]["record_id"] == "2"
    assert by_kind["file_without_row"]["path"] == "stray.jpg"
    assert by_kind["zero_bytes"]["path"].endswith("~3-1-1.jpg")
    assert by_kind["damaged"]["record_id"] == "4"


def test_thumbnails_and_digests_come_with_reading(
    any_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cargo(6, special={2: record(2, **{FULL: photo("cut")})})  # type: ignore[arg-type]
    folder = as_tree(data, tmp_path / "export")
    broken = next(path for path in folder.rglob("*.jpg") if path.stem == data.tables["Images"][1].values["id"])
    broken.write_bytes(broken.read_bytes()[:-700])
    with any_port(data) as port:
        keys = put(port, folder, "up")
        command(port, monkeypatch, "--prefix", "up", "--no-thumbnails")
        code, said = command(port, monkeypatch, name="make_thumbnails")
        read = said["sources"]["images"]
        assert (code, read["read"], read["thumbnails"], read["damaged"], read["left"]) == (3, 6, 5, 1, 0)
        untouched(port, keys)
        port.check(books="")
        assert all(len(item.sha256) == 64 for item in port.items().values())
        again = command(port, monkeypatch, name="make_thumbnails")[1]["sources"]["images"]
        assert again["whole"] == 0
        assert list(port.spool.glob("reading-*")) == []


def test_a_check_that_reads_proves_what_was_only_listed(
    make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cargo(5)
    folder = as_tree(data, tmp_path / "export")
    with make_port(data) as port:
        put(port, folder, "up")
        command(port, monkeypatch, "--prefix", "up", "--no-thumbnails")
        code, _ = command(port, monkeypatch, "images", name="filemaker_verify")
        assert (code, {(item.sha256, item.proven_at) for item in port.items().values()}) == (0, {("", None)})
        code, _ = command(port, monkeypatch, "images", "--read", name="filemaker_verify")
        assert code == 0
        for item in port.items().values():
            assert (item.sha256, item.proven_at is None) == (port.store.sha256(item.key), False)
        path = Path(port.store.root) / next(iter(port.items().values())).key  # type: ignore[attr-defined]
        path.write_bytes(path.read_bytes()[::-1])
        code, _ = command(port, monkeypatch, "images", "--read", "--again", name="filemaker_verify")
        assert code == 1


def test_copies_to_the_declared_key_only_when_asked(
    any_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cargo(4)
    folder = as_tree(data, tmp_path / "export")
    with any_port(data) as port:
        keys = put(port, folder, "up")
        code, said = command(port, monkeypatch, "--prefix", "up", "--copy-to-key")
        assert (code, said["read"]["copied"], said["read"]["thumbnails"]) == (0, 4, 4)
        for item in port.items().values():
            assert item.key.startswith(f"patients/filemaker-import/images/{item.owner_ref}/")
            assert open_store(port.store_url).sha256(item.key) == item.sha256
        untouched(port, keys)


def test_numbers_that_are_record_ids_and_identities(
    make_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cargo(5)
    for row in data.tables["Images"]:
        row.values["id"] = str(int(row.record_id) + 1)  # every name is one record's id and another's identity
    folder = flat(data, tmp_path / "export")
    rows = as_xml(data, tmp_path / "rows.xml")
    with make_port(data) as port:
        put(port, folder, "up")
        common = ["--prefix", "up", "--metadata", str(rows), "--no-thumbnails"]
        code, said = command(port, monkeypatch, *common)
        assert (code, said["totals"]["imported"], said["findings"]["ambiguous_file"]) == (3, 1, 4)
        code, said = command(port, monkeypatch, *common, "--match", "record")
        assert (code, said["totals"]["imported"]) == (0, 5)
        for item in port.items().values():
            assert item.key == f"up/{item.record_id}.jpg"


@pytest.mark.real
def test_matched_by_the_stores_own_md5(
    make_big_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cargo(5)
    export = by_script(data, tmp_path / "export")
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for number, path in enumerate(sorted(export.rglob("*.jpg"))):
        (renamed / f"{number:03}.jpg").write_bytes(path.read_bytes())
    with make_big_port(data) as port:
        put(port, renamed, "up")
        code, said = command(
            port, monkeypatch, "--prefix", "up", "--from", str(export), "--match", "md5", "--no-thumbnails"
        )
        assert (code, said["totals"]["imported"]) == (0, 5)


@pytest.mark.real
def test_objects_that_tell_no_md5_are_compared_by_their_parts_or_read(
    make_big_port: PortMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import obstore

    data = cargo(4, special={2: record(2, size=11_000_000), 3: record(3, size=12_000_000)})
    export = by_script(data, tmp_path / "export")
    files = {path.name.partition("~")[2].partition("-")[0]: path for path in export.rglob("*.jpg")}
    manifest = tmp_path / "manifest alone"
    manifest.mkdir()
    for part in export.glob("manifest-*"):
        (manifest / part.name).write_bytes(part.read_bytes())
    with make_big_port(data) as port:
        for number, path in files.items():
            part = {"2": 5, "3": 9}.get(number, 8) << 20  # 9 MiB is no size that anybody would guess
            obstore.put(port.store._store, f"up/x{number}.jpg", path, chunk_size=part)  # type: ignore[attr-defined]
        common = ["--prefix", "up", "--match", "md5", "--no-thumbnails"]
        code, said = command(port, monkeypatch, *common, "--from", str(manifest))
        assert (code, said["totals"]["imported"], said["findings"]["not_compared"]) == (3, 2, 2)
        code, said = command(port, monkeypatch, *common, "--from", str(export))
        assert (code, said["totals"]["imported"], said["findings"]["not_compared"]) == (3, 3, 1)
        assert port.items()["2"].key == "up/x2.jpg"
        code, said = command(port, monkeypatch, *common, "--from", str(manifest), "--read")
        assert (code, said["totals"]["imported"]) == (0, 4)
        assert port.items()["3"].key == "up/x3.jpg"
