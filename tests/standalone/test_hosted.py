"""`unlade pull --url`: the Data API without a project, as a process of its own against a simulated host."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fmsim import Simulator
from fmsim.dataset import ContainerValue, DataSet
from fmsim.folder import read
from tests.servers import S3Server
from tests.standalone.files import Unlade, images
from tests.voyage.harness import jpeg
from unlade.errors import SettingsError, UsageError
from unlade.filemaker.metadata import Layout, LayoutField
from unlade.standalone.layoutfields import check_api_key, choose_fields, container_fields
from unlade.standalone.project import settings_of, sign_in

ROOT = Path(__file__).resolve().parents[2]


class Command:
    """`unlade` as a process; `environ` comes on top of what every run gets."""

    def __init__(self, sim: Simulator, **environ: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FILEMAKER_", "UNLADE_"))}
        account = {"FILEMAKER_ACCOUNT": sim.account, "FILEMAKER_PASSWORD": sim.password}
        self._environ = {**kept, **account, "UNLADE_PACE": "off", "PYTHONPATH": str(ROOT), **environ}
        self.host = ("--url", sim.url, "--database", sim.database)

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "unlade", *map(str, words), "--json"]
        return subprocess.Popen(
            command,
            env=self._environ,
            cwd=ROOT / "tests",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str | Path) -> tuple[int, dict[str, Any]]:
        process = self.start(*words)
        out, self.err = process.communicate(timeout=300)
        assert "Traceback" not in self.err, self.err
        return process.returncode, json.loads(out.splitlines()[-1])


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]


def values(folder: Path) -> set[tuple[Any, ...]]:
    """What came, by whose value it is."""
    names = ("table", "record", "field", "repetition", "sha256", "file")
    return {tuple(line[name] for name in names) for line in lines(folder)}


def sums(folder: Path) -> dict[str, str]:
    """`SHA256SUMS`, each line held against its file."""
    found = {}
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        found[name] = digest
    return found


def downloads(sim: Simulator) -> Counter[tuple[str, str]]:
    stats = sim.stats()["downloads"]
    return Counter({(record, field): count for record, fields in stats.items() for field, count in fields.items()})


def hosted(unlade: Unlade, folder: Path, count: int = 10, **more: Any) -> DataSet:
    """The data set of a generated file, as the simulator serves it."""
    path = images(folder / "Clinic.fmp12", count, picture=lambda number: jpeg(f"picture {number}"), **more)
    assert unlade("dataset", path, folder / "host", "--yes")[0] in (0, 3)
    return read(folder / "host")


def test_both_roads_bring_the_same(unlade: Unlade, tmp_path: Path) -> None:
    data = hosted(unlade, tmp_path)
    by_file, by_api = tmp_path / "file", tmp_path / "api"
    assert unlade("pull", tmp_path / "Clinic.fmp12", "--to", by_file, "--yes")[0] == 0
    with Simulator(data) as sim:
        command = Command(sim)
        code, told = command("pull", *command.host, "--layout", "Images", "--to", by_api)
        assert (code, told["outcome"], told["files"], told["found"]) == (0, "done", 12, 12)
        assert values(by_api) == values(by_file)  # a repetition and a global value among them
        assert sums(by_api) == sums(by_file)
        (shared,) = (line for line in lines(by_api) if line["record"] == "global")
        assert (shared["modification"], shared["state"], shared["proof"]) == (None, "imported", "none")
        assert max(downloads(sim).values()) == 1 and sum(downloads(sim).values()) == 12

        before, requests = (by_api / "manifest.jsonl").read_bytes(), sim.stats()["requests"]["container"]
        code, told = command("pull", "--to", by_api, "--allowance", "144GB", "--reset", "03-10")
        assert (code, told["this_run"]["imported"]) == (0, 0)
        assert (by_api / "manifest.jsonl").read_bytes() == before
        assert sim.stats()["requests"]["container"] == requests
        code, told = command("status", by_api)
        assert (code, told["files"], told["totals"]["imported"]) == (0, 12, 12)
    code, told = unlade("verify", by_api / "manifest.jsonl", by_api)
    assert (code, told["good"], told["extra"]) == (0, 12, 0)
    # A folder belongs to one road, and a pull to one database and key.
    assert unlade("pull", tmp_path / "Clinic.fmp12", "--to", by_api, "--yes")[0] == 2
    assert unlade("pull", "--url", sim.url, "--layout", "Images", "--to", by_file)[0] == 2
    assert unlade("pull", "--to", by_api, "--key", "{record}{ext}")[0] == 2 and "--key" in unlade.err


def test_step_by_step_and_without_its_ledger(unlade: Unlade, tmp_path: Path) -> None:
    data, out = hosted(unlade, tmp_path), tmp_path / "out"
    with Simulator(data) as sim:
        command = Command(sim)
        code, told = command("pull", *command.host, "--layout", "Images", "photo", "--to", out, "--dry-run")
        assert (code, told["dry_run"]["Images"]["would"]) == (0, {"fetched": 10})
        assert sum(downloads(sim).values()) == 0 and lines_or_none(out) is None
        code, told = command("pull", *command.host, "--layout", "Images", "images.PHOTO", "--to", out, "--limit", "4")
        assert (code, told["outcome"], told["files"]) == (0, "limit", 4)
        assert {line["field"] for line in lines(out)} == {"photo"} and len(sums(out)) == 4
        code, told = command("pull", "--layout", "Images", "logo", "--to", out)  # more fields; what was begun goes on
        assert (code, told["files"]) == (0, 12)
        assert sorted(told["layouts"]) == ["Images", "Images (global)"]
        once = downloads(sim)
        assert max(once.values()) == 1
        # The ledger is lost: what lies in the target says whose it is.
        for path in sorted((out / ".unlade" / "state").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        code, told = command("pull", *command.host, "--layout", "Images", "--to", out)
        assert (code, told["files"], told["bytes"]["container"]) == (0, 12, 0)
        assert downloads(sim) == once and len(sums(out)) == 12


def lines_or_none(folder: Path) -> list[dict[str, Any]] | None:
    return lines(folder) if (folder / "manifest.jsonl").exists() else None


def test_killed_and_run_again(unlade: Unlade, tmp_path: Path) -> None:
    data, out = hosted(unlade, tmp_path, 60), tmp_path / "out"
    with Simulator(data, latency=0.02) as sim:
        command = Command(sim)
        process = command.start("pull", *command.host, "--layout", "Images", "--to", out, "--concurrency", "2")
        while process.poll() is None and sim.stats()["requests"]["container"] < 15:
            time.sleep(0.01)
        process.kill()
        process.communicate()
        there = {path.parent.name for path in (out / "Images").rglob("photo.jpg")}
        code, told = command("pull", "--to", out)
        assert (code, told["files"], told["totals"]["pending"]) == (0, 62, 0)
        again = {record for (record, _), count in downloads(sim).items() if count > 1}
        assert not again & there and len(again) <= 6  # what was in the line, and no more
    assert len(sums(out)) == len(lines(out)) == 62
    assert unlade("verify", out / "manifest.jsonl", out)[0] == 0


def test_what_cannot_be_had_is_named(unlade: Unlade, tmp_path: Path) -> None:
    data, out = hosted(unlade, tmp_path, reference=6), tmp_path / "out"
    data.tables["Images"][3].values["photo"] = ContainerValue(None, "IMG.jpg", "image/jpeg", missing=True)
    with Simulator(data) as sim:
        command = Command(sim)
        code, told = command("pull", *command.host, "--layout", "Images", "--to", out)
        assert (code, told["totals"]["failed"], told["files"]) == (3, 2, 10)
        bad = {line["record"]: line for line in lines(out) if line["state"] == "failed"}
        assert {record: line["reason"] for record, line in bad.items()} == {"4": "missing", "6": "reference_only"}
        assert all(line["file"] is None and line["sha256"] is None for line in bad.values())
        data.tables["Images"][3].values["photo"] = data.tables["Images"][4].values["photo"]
        code, told = command("pull", "--to", out, "--retry-failed")
        assert (code, told["files"], told["totals"]["failed"]) == (3, 11, 1)
        assert sum(count - 1 for count in downloads(sim).values()) == 0


def test_edited_records_of_an_oddly_named_layout(unlade: Unlade, tmp_path: Path) -> None:
    data, out, name = hosted(unlade, tmp_path), tmp_path / "out", "Bilder » @ Ü/2"
    data.layouts[0] = replace(data.layouts[0], name=name)
    with Simulator(data) as sim:
        command = Command(sim)
        assert command("pull", *command.host, "--layout", name, "--to", out)[0] == 0
        before = {(line["record"], line["field"], line["repetition"]): line for line in lines(out)}
        # The first record gets other files in both repetitions.
        sim.set_faults([{"on": "records", "times": 1, "do": {"replace": 1}}])
        code, told = command("pull", "--to", out)
        assert (code, told["bytes"]["container"]) == (0, 0)  # edits are looked for when it is said
        code, told = command("pull", "--to", out, "--changed")
        assert (code, told["this_run"]["imported"]) == (0, 2)
    after = {(line["record"], line["field"], line["repetition"]): line for line in lines(out)}
    assert after.keys() == before.keys()
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {("1", "photo", 1), ("1", "photo", 2)}
    line = after["1", "photo", 1]
    assert (line["table"], line["modification"]) == (name, "2") and line["file"].endswith("/1/photo~2.jpg")
    assert line["sha256"] != before["1", "photo", 1]["sha256"] and len(sums(out)) == 12
    code, told = unlade("verify", out / "manifest.jsonl", out)
    assert (code, told["good"], told["extra"]) == (0, 12, 2)  # what was there before is never replaced


def test_a_host_in_trouble_is_left_alone(unlade: Unlade, tmp_path: Path) -> None:
    data, out = hosted(unlade, tmp_path, 20), tmp_path / "out"
    storm = {"on": "container", "nth": {"from": 6, "to": 1000}, "do": {"status": 502, "body": "html"}}
    with Simulator(data, faults=[storm]) as sim:
        command = Command(sim)
        code, told = command("pull", *command.host, "--layout", "Images", "--to", out, "--concurrency", "1")
        assert (code, told["outcome"]) == (75, "paused") and told["retry_at"]
        assert 0 < told["files"] < 20 and len(sums(out)) == told["files"]
        asked = sum(sim.stats()["requests"].values())
        code, told = command("pull", "--to", out)
        assert (code, told["outcome"]) == (75, "paused")
        assert sum(sim.stats()["requests"].values()) == asked  # it knows, and asks nothing
        spent = command("status", out)[1]
        assert spent["files"] == told["files"]


@pytest.mark.real
def test_into_a_bucket(unlade: Unlade, tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    data, bucket, state = hosted(unlade, tmp_path), s3.url("over-api"), tmp_path / "state"
    environ = {**s3.env, "AWS_ALLOW_HTTP": "true"}
    with Simulator(data) as sim:
        command = Command(sim, **environ)
        code, told = command("pull", *command.host, "--layout", "Images", "--to", bucket, "--state", state)
        assert (code, told["files"]) == (0, 12)
        code, told = command("pull", "--to", bucket, "--state", state, "--thumbnails")
        assert (code, told["bytes"]["container"]) == (0, 0)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    code, told = unlade("verify", state / "manifest.jsonl", bucket)
    assert (code, told["good"], told["extra"]) == (0, 12, 0)


# What needs no host.

PHOTO, SCAN, RELATED = LayoutField("photo", "container", max_repeat=3, repetition_end=2), LayoutField("scan", "container"), LayoutField("Other::x", "container")  # fmt: skip
LOGO = LayoutField("logo", "container", is_global=True)


def shown() -> dict[str, Any]:
    fields = (LayoutField("id", "text"), PHOTO, LOGO, RELATED)
    return {
        "Images": container_fields(Layout("Images", fields)),
        "Documents": container_fields(Layout("Documents", (SCAN,))),
    }


def test_fields_of_layouts() -> None:
    def names(*given: str) -> list[list[str]]:
        return [[one.name for one in asked.fields] for asked in choose_fields(shown(), given)]

    assert names() == [["photo", "logo"], ["scan"]]
    assert names("PHOTO", "images.other::x") == [["photo", "Other::x"], []]
    images_asked = choose_fields(shown(), [])[0]
    assert images_asked.fields[0].spellings == ("photo", "photo(2)")
    assert images_asked.value_of("photo(2)") == ("photo", 2)
    with pytest.raises(UsageError, match="portrait") as caught:
        names("portrait")
    assert "Documents.scan" in caught.value.remedy


@pytest.mark.parametrize(
    ("pattern", "names", "fits"),
    [
        ("{table}/{record}/{field}{ext}", [], True),
        ("{record}{ext}", ["scan"], True),
        ("{record}-{field}{ext}", ["photo"], True),
        ("{record}{ext}", ["photo"], False),  # its repetitions would share a key
        ("{record}/{field}{ext}", [], False),
        ("{table}/{field}{ext}", [], False),
        ("{table}/{record}/{name}{ext}", [], False),
        ("{identity}/{table}/{record}/{field}{ext}", [], False),
    ],
)
def test_keys_over_the_api(pattern: str, names: list[str], fits: bool) -> None:
    asked = choose_fields(shown(), names)
    if fits:
        check_api_key(pattern, asked)
    else:
        with pytest.raises(UsageError):
            check_api_key(pattern, asked)


def test_who_signs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FILEMAKER_ACCOUNT", "FILEMAKER_PASSWORD", "FILEMAKER_AUTH", "FILEMAKER_CLARIS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    given = {"FILEMAKER_URL": "https://fm.example.com"}
    settings = settings_of(tmp_path, given, None)
    with pytest.raises(SettingsError, match="FILEMAKER_ACCOUNT and FILEMAKER_PASSWORD are not set"):
        sign_in(settings, tmp_path, given, None, terminal=False)
    asked: list[str] = []

    def secretly(prompt: str) -> str:
        asked.append(prompt)
        return "secret"

    found = sign_in(settings, tmp_path, given, None, terminal=True, ask=lambda _: "reader", ask_secretly=secretly)
    assert (found.text("FILEMAKER_ACCOUNT"), found.text("FILEMAKER_PASSWORD")) == ("reader", "secret")
    assert asked == ["Password of reader: "]
    monkeypatch.setenv("FILEMAKER_AUTH", "oauth")
    assert (
        sign_in(settings_of(tmp_path, given, None), tmp_path, given, None, terminal=False)["FILEMAKER_AUTH"] == "oauth"
    )


def test_what_belongs_to_one_road_only(unlade: Unlade, tmp_path: Path) -> None:
    path = images(tmp_path / "Clinic.fmp12", 1)
    assert unlade("pull", path, "--to", tmp_path / "a", "--limit", "3", "--yes")[0] == 2 and "--limit" in unlade.err
    assert unlade("pull", "--to", tmp_path / "a")[0] == 2 and "--layout" in unlade.err
    assert unlade("status", tmp_path / "a")[0] == 2
    assert not (tmp_path / "a").exists()
