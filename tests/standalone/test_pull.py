"""`unlade survey`, `pull` and `verify`: everything comes out, proven, once, and is found again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.fmp12 import writer
from tests.fmp12.samples import sample
from tests.fmp12.test_samples import COUNTS
from tests.fmp12.writer import FieldSpec, FileSpec, ObjectSpec, RecordSpec, Ref, TableSpec
from tests.servers import S3Server
from tests.standalone.files import Unlade, images, jpeg
from unlade.fmp12 import open_file
from unlade.standalone.targets import open_target
from unlade.store import Store

MEMBERS = ["table", "record", "modification", "field", "repetition", "file", "original_name", "mime_type", "size"]
MEMBERS += ["sha256", "proof", "state"]


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def sums_hold(folder: Path) -> int:
    """Check `SHA256SUMS` as its own tool does; how many files it names."""
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    for line in lines:
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    return len(lines)


def stamps(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and "." not in p.name[:1]}


@pytest.mark.parametrize("name", COUNTS)
def test_real_files(unlade: Unlade, tmp_path: Path, name: str) -> None:
    path = sample(name)
    tables, fields, records, values, _ = COUNTS[name]
    code, told = unlade("survey", path, "--objects", "--yes")
    assert code == 0
    assert (len(told["tables"]), sum(table["fields"] for table in told["tables"])) == (tables, fields)
    assert sum(table["records"] for table in told["tables"]) == records
    assert sum(field["filled"] for table in told["tables"] for field in table["containers"]) == values
    assert told["proof"]["ok"]
    code, told = unlade("pull", path, "--to", tmp_path / "out", "--yes")
    outside = 2 * (name == "test_external.fmp12")
    assert code == (3 if outside else 0)
    expected = {"verified": values - outside, "outside-file-missing": outside}
    assert told["states"] == {state: number for state, number in expected.items() if number}
    assert sums_hold(tmp_path / "out") == values - outside
    for line in manifest(tmp_path / "out"):
        if (line["mime_type"] or "").startswith("image/"):
            Image.open(io.BytesIO((tmp_path / "out" / line["file"]).read_bytes())).load()
    assert unlade("verify", tmp_path / "out" / "manifest.jsonl", tmp_path / "out")[0] == 0


def test_the_survey_as_a_page(unlade: Unlade, tmp_path: Path) -> None:
    fields = [FieldSpec(1, "<script>photo</script>", "container"), FieldSpec(2, "name")]
    records = [RecordSpec(1, {(1, 1): Ref(1), (2, 1): "secret value"})]
    table = TableSpec(
        129, "Images & more", fields, records, {}, [ObjectSpec(1, writer.picture(jpeg(1), "private.jpg"))]
    )
    writer.write(tmp_path / "in.fmp12", FileSpec([table]))
    page = tmp_path / "page.html"
    assert unlade("survey", tmp_path / "in.fmp12", "--html", page, "--yes")[0] == 0
    text = page.read_text(encoding="utf-8")
    assert "Images &amp; more" in text and "&lt;script&gt;photo" in text and "<script" not in text
    assert ".jpg 1" in text and "secret" not in text and "private" not in text
    assert os.name == "nt" or page.stat().st_mode & 0o077 == 0


def test_open_storage_beside_the_file(unlade: Unlade, tmp_path: Path) -> None:
    data = jpeg(7)
    streams = writer.outside_streams(data, "far.jpg", "Images/photo/")
    table = TableSpec(
        129,
        "Images",
        [FieldSpec(1, "photo", "container", flags=0x30)],
        [RecordSpec(1, {(1, 1): Ref(1)})],
        {},
        [ObjectSpec(1, streams, outside=data)],
    )
    path = tmp_path / "Clinic.fmp12"
    writer.write(path, FileSpec([table], bases=("RC_Data_FMS/Clinic/",)))
    elsewhere = tmp_path / "elsewhere" / "Images" / "photo"
    elsewhere.mkdir(parents=True)
    (elsewhere / "far.jpg").write_bytes(data)
    code, told = unlade("pull", path, "--to", tmp_path / "a", "--yes")
    assert (code, told["states"]) == (3, {"outside-file-missing": 1})
    code, told = unlade("pull", path, "--to", tmp_path / "a", "--yes", "--outside", tmp_path / "elsewhere")
    assert (code, told["states"]) == (0, {"verified-outside": 1})
    (line,) = manifest(tmp_path / "a")
    assert line["proof"] == "md5-external"


def test_files_manifest_and_sums(unlade: Unlade, tmp_path: Path) -> None:
    path = images(tmp_path / "Clinic.fmp12")
    out = tmp_path / "out"
    code, told = unlade("pull", path, "--to", out, "--yes")
    assert (code, told["found"], told["this_run"]["written"]) == (0, 12, 12)
    assert told["proof"]["ok"]
    lines = manifest(out)
    assert [list(line) for line in lines] == [MEMBERS] * 12
    assert lines[0]["file"] == "Images/1/photo.jpg"
    assert (out / lines[0]["file"]).read_bytes() == jpeg(1)
    assert lines[0]["original_name"] == "IMG 1.jpg" and lines[0]["modification"] == "1"
    assert (lines[1]["repetition"], lines[1]["file"], lines[1]["mime_type"]) == (
        2,
        "Images/1/photo%282%29.txt",
        "text/plain",
    )
    assert (lines[-1]["record"], lines[-1]["modification"], lines[-1]["file"]) == (
        "global",
        None,
        "Images/global/logo.jpg",
    )
    assert sums_hold(out) == 12
    assert sorted(p.name for p in out.iterdir()) == ["Images", "SHA256SUMS", "manifest.jsonl"]


def test_a_second_run_writes_nothing(unlade: Unlade, tmp_path: Path) -> None:
    path, out = images(tmp_path / "Clinic.fmp12"), tmp_path / "out"
    unlade("pull", path, "--to", out, "--yes")
    before = stamps(out / "Images")
    kept = (out / "manifest.jsonl").read_bytes()
    code, told = unlade("pull", path, "--to", out, "--yes")
    assert (code, told["this_run"]) == (0, {"written": 0, "skipped": 12, "bytes": 0})
    assert stamps(out / "Images") == before
    assert (out / "manifest.jsonl").read_bytes() == kept


def test_it_goes_on_where_it_was_stopped(unlade: Unlade, tmp_path: Path) -> None:
    path, out = images(tmp_path / "Clinic.fmp12"), tmp_path / "out"
    unlade("pull", path, "--to", out, "--yes")
    whole = (out / "manifest.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    (out / "manifest.jsonl").write_bytes(b"".join(lines[:5]) + lines[5][:30])  # died while it wrote
    (out / "Images" / "2" / "photo.jpg").unlink()
    (out / "Images" / "3" / "photo.jpg").write_bytes(b"short")
    code, told = unlade("pull", path, "--to", out, "--yes")
    assert (code, told["this_run"]["skipped"]) == (0, 3)
    lines_now = manifest(out)
    assert len(lines_now) == 12
    assert (out / "Images" / "2" / "photo.jpg").read_bytes() == jpeg(2)
    moved = next(line for line in lines_now if line["record"] == "3")["file"]
    assert moved == "Images/3/photo~1.jpg" and (out / moved).read_bytes() == jpeg(3)
    assert (out / "Images" / "3" / "photo.jpg").read_bytes() == b"short"  # never replaced


@pytest.mark.slow
def test_killed_and_run_again(unlade: Unlade, tmp_path: Path) -> None:
    path, out = images(tmp_path / "Clinic.fmp12", 3000), tmp_path / "out"
    program = [sys.executable, "-m", "unlade", "pull", str(path), "--to", str(out), "--yes"]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        if (out / "manifest.jsonl").exists() and (out / "manifest.jsonl").stat().st_size > 100_000:
            process.kill()
            break
        time.sleep(0.01)
    process.wait()
    noted = len((out / "manifest.jsonl").read_bytes().splitlines()) - 1
    assert 0 < noted < 3002
    code, told = unlade("pull", path, "--to", out, "--yes")
    assert code == 0 and told["this_run"]["skipped"] >= noted
    assert len(manifest(out)) == sums_hold(out) == 3002


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_interrupted(tmp_path: Path, unlade: Unlade) -> None:
    path, out = images(tmp_path / "Clinic.fmp12", 3000), tmp_path / "out"
    program = [sys.executable, "-m", "unlade", "pull", str(path), "--to", str(out), "--yes"]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not ((out / "manifest.jsonl").exists() and (out / "manifest.jsonl").stat().st_size > 50_000):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said
    assert not (out / ".unlade").exists()
    noted = len(manifest(out))
    assert unlade("pull", path, "--to", out, "--yes")[1]["this_run"]["skipped"] == noted


def test_what_gives_no_proven_file_is_named(unlade: Unlade, tmp_path: Path) -> None:
    path, out = images(tmp_path / "Clinic.fmp12", damaged=(4,), reference=6), tmp_path / "out"
    code, told = unlade("pull", path, "--to", out, "--yes")
    assert (code, told["states"]) == (3, {"mismatch": 1, "reference-only": 1, "verified": 10})
    lines = {line["record"]: line for line in manifest(out)}
    assert (lines["4"]["proof"], lines["4"]["state"]) == ("none", "mismatch")
    assert (out / lines["4"]["file"]).read_bytes() == jpeg(4)
    assert (lines["6"]["file"], lines["6"]["size"], lines["6"]["state"]) == (None, None, "reference-only")
    assert sums_hold(out) == 11
    code, text = unlade.say("pull", path, "--to", out, "--yes")
    assert code == 3 and "Images, record 6, photo: reference-only" in text


def test_a_later_copy_of_the_database(unlade: Unlade, tmp_path: Path) -> None:
    out = tmp_path / "out"
    unlade("pull", images(tmp_path / "Monday.fmp12"), "--to", out, "--yes")
    code, told = unlade("pull", images(tmp_path / "Friday.fmp12", 12, changed=(3,)), "--to", out, "--yes")
    assert (code, told["found"], told["this_run"]["skipped"]) == (0, 14, 11)
    line = next(line for line in manifest(out) if line["record"] == "3")
    assert line["file"] == "Images/3/photo~2.jpg" and (out / line["file"]).read_bytes() == jpeg(1003)
    assert (out / "Images" / "3" / "photo.jpg").read_bytes() == jpeg(3)


def test_fields_and_keys(unlade: Unlade, tmp_path: Path) -> None:
    path = images(tmp_path / "Clinic.fmp12")
    _, told = unlade("pull", path, "images.LOGO", "--to", tmp_path / "a", "--key", "{record}-{name}{ext}", "--yes")
    assert [line["file"] for line in manifest(tmp_path / "a")] == ["global-logo.jpg"] and told["found"] == 1
    code, _ = unlade("pull", path, "Images.portrait", "--to", tmp_path / "b", "--yes")
    assert code == 2 and "Images.photo" in unlade.err
    for pattern in ("{table}/{record}{ext}", "{record}", "{identity}/{record}/{field}{ext}", "{table}/{field}{ext}"):
        code, _ = unlade("pull", path, "--to", tmp_path / "c", "--key", pattern, "--yes")
        assert code == 2, pattern
    assert not (tmp_path / "b").exists() and not (tmp_path / "c").exists()


def test_verify_names_exactly_what_is_wrong(unlade: Unlade, tmp_path: Path) -> None:
    path, out = images(tmp_path / "Clinic.fmp12", reference=6), tmp_path / "out"
    unlade("pull", path, "--to", out, "--yes")
    code, told = unlade("verify", out / "manifest.jsonl", out)
    assert (code, told["good"], told["files"], told["without_file"], told["extra"]) == (0, 11, 11, 1, 0)
    flipped = bytearray((out / "Images" / "2" / "photo.jpg").read_bytes())
    flipped[100] ^= 1
    (out / "Images" / "2" / "photo.jpg").write_bytes(flipped)
    (out / "Images" / "3" / "photo.jpg").unlink()
    (out / "Images" / "4" / "photo.jpg").write_bytes(b"")
    (out / "Images" / "other.jpg").write_bytes(b"x")
    code, told = unlade("verify", out / "manifest.jsonl", out)
    assert (code, told["good"], told["extra"]) == (1, 8, 1)
    assert told["missing"] == ["Images/3/photo.jpg"]
    assert sorted(told["different"]) == ["Images/2/photo.jpg", "Images/4/photo.jpg"]


@pytest.mark.parametrize("file", ["../outside.jpg", "/etc/passwd", "a\\..\\b"])
def test_a_manifest_never_leads_out_of_its_folder(unlade: Unlade, tmp_path: Path, file: str) -> None:
    path, out = images(tmp_path / "Clinic.fmp12", 1), tmp_path / "out"
    unlade("pull", path, "--to", out, "--yes")
    line = {**manifest(out)[0], "file": file}
    (tmp_path / "hostile.jsonl").write_text(json.dumps(line) + "\n")
    assert unlade("verify", tmp_path / "hostile.jsonl", out)[0] == 2


def test_names_are_safe_whatever_the_database_calls_them(unlade: Unlade, tmp_path: Path) -> None:
    fields = [FieldSpec(1, "../../evil", "container"), FieldSpec(2, "aux", "container")]
    records = [RecordSpec(1, {(1, 1): Ref(1), (2, 1): Ref(2)})]
    objects = [ObjectSpec(n, writer.picture(jpeg(n), "../../x\\y:z.jpg")) for n in (1, 2)]
    writer.write(tmp_path / "in.fmp12", FileSpec([TableSpec(129, "..", fields, records, {}, objects)]))
    out = tmp_path / "deep" / "out"
    assert unlade("pull", tmp_path / "in.fmp12", "--to", out, "--yes")[0] == 0
    files = [line["file"] for line in manifest(out)]
    assert len(set(files)) == sums_hold(out) == 2
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]


def test_damage_to_the_file_itself(unlade: Unlade, tmp_path: Path) -> None:
    path = images(tmp_path / "Clinic.fmp12", 40)
    with open_file(path) as database:
        pages = database.header.pages
    data = bytearray(path.read_bytes())
    place = (pages // 2) * 4096
    data[place : place + 4096] = b"\xff" * 4096
    path.write_bytes(data)
    code, _ = unlade("pull", path, "--to", tmp_path / "a", "--yes")
    assert code == 1 and "page" in unlade.err and "salvage" in unlade.err
    code, told = unlade("pull", path, "--to", tmp_path / "b", "--yes", "--salvage")
    assert code == 3 and not told["salvage"]["nothing_lost"]
    assert told["states"]["verified"] >= 30
    assert sums_hold(tmp_path / "b") >= 30


def test_two_at_once_do_not_mix(unlade: Unlade, tmp_path: Path) -> None:
    path, out = images(tmp_path / "Clinic.fmp12", 2), tmp_path / "out"
    held = open_target(str(out), write=True)
    code, _ = unlade("pull", path, "--to", out, "--yes")
    assert code == 75 and "Another process" in unlade.err
    held.close()
    assert unlade("pull", path, "--to", out, "--yes")[0] == 0


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_only_the_owner_looks_into_it(unlade: Unlade, tmp_path: Path) -> None:
    path = images(tmp_path / "Clinic.fmp12", 2)
    unlade("pull", path, "--to", tmp_path / "out", "--yes")
    unlade("tables", path, "--to", tmp_path / "t.sqlite", "--yes")
    unlade("tables", path, "--to", tmp_path / "t", "--yes")
    unlade("dataset", path, tmp_path / "host", "--yes")
    assert all((tmp_path / name).stat().st_mode & 0o077 == 0 for name in ("out", "t.sqlite", "t", "host"))


def test_what_is_no_database(unlade: Unlade, tmp_path: Path) -> None:
    (tmp_path / "x.fmp12").write_bytes(b"PK" * 5000)
    assert unlade("survey", tmp_path / "x.fmp12", "--yes")[0] == 1
    assert unlade("survey", tmp_path / "nothing.fmp12", "--yes")[0] == 2
    assert unlade("pull", images(tmp_path / "C.fmp12", 1), "--to", tmp_path / "out")[0] == 2
    assert "--yes" in unlade.err and not (tmp_path / "out").exists()


def test_it_says_what_it_is_for(unlade: Unlade) -> None:
    code, text = unlade.say()
    assert code == 0
    assert "without FileMaker" in text and "unlade pull Clinic.fmp12 --to" in text and "exit codes" in text


@pytest.mark.real
def test_to_a_bucket_and_back(unlade: Unlade, tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # One is too large to be kept in memory on its way.
    path = images(tmp_path / "Clinic.fmp12", damaged=(4,), picture=lambda n: jpeg(n, 9_000_000 if n == 3 else 3000))
    for name, value in {**s3.env, "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(name, value)
    bucket = s3.url("pulled")
    state = tmp_path / "state"
    put, held = Store.put, []

    def noted(self: Store, key: str, body: Path | bytes, **more: Any) -> Any:
        held.append(len(body) if isinstance(body, bytes) else -1)
        return put(self, key, body, **more)

    monkeypatch.setattr(Store, "put", noted)
    code, told = unlade("pull", path, "--to", bucket, "--state", state, "--yes")
    assert (code, told["this_run"]["written"]) == (3, 12)
    assert held.count(-1) == 1 and len(held) == 12 and max(held) < 10_000
    code, told = unlade("pull", path, "--to", bucket, "--state", tmp_path / "another", "--yes")
    assert (code, told["this_run"]["skipped"]) == (3, 11)  # the manifest came from the bucket
    code, told = unlade("verify", state / "manifest.jsonl", bucket)
    assert (code, told["good"], told["extra"]) == (0, 12, 0)
    with closing(open_target(bucket, write=False)) as target:
        lines = manifest(state)
        for line in lines:
            assert target.sha256(line["file"]) == line["sha256"], line
        assert sorted(line["size"] > 9_000_000 for line in lines) == [False] * 11 + [True]
