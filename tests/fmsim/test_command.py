"""`python -m fmsim` as outsiders start it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from fmsim.__main__ import main
from fmsim.folder import read, write
from fmsim.switches import Switches
from fmsim.units import parse_seconds, parse_size
from tests.fmsim.sample import data_set


@contextmanager
def running(*words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "fmsim", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stderr
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield process, json.loads(line)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
        process.stderr.close()


def test_it_prints_one_line_and_serves_until_told_to_stop(tmp_path: Path) -> None:
    write(data_set(), tmp_path / "set")
    (tmp_path / "faults.json").write_text(json.dumps([{"on": "metadata", "times": 1, "do": {"status": 502}}]))
    words = [
        "--dataset",
        str(tmp_path / "set"),
        "--latency",
        "1ms",
        "--bandwidth",
        "10MB/s",
        "--streaming",
        "open",
        "--meter-limit",
        "1GB",
    ]
    words += [
        "--switch",
        "range=on",
        "--switch",
        "etag=true",
        "--faults",
        str(tmp_path / "faults.json"),
        "--port",
        "0",
        "--seed",
        "3",
    ]
    with running(*words) as (process, info):
        assert set(info) >= {"url", "database", "account", "password", "ca_file"}
        assert (info["database"], info["account"], info["password"], info["ca_file"]) == (
            "Test Base",
            "reader",
            "s3cret-Wörd",
            None,
        )
        with pytest.raises(Exception, match="502"):
            urllib.request.urlopen(info["url"] + "/fmi/data/v1/productInfo")
        with urllib.request.urlopen(info["url"] + "/fmi/data/v1/productInfo") as reply:
            assert json.load(reply)["messages"][0]["code"] == "0"
        with urllib.request.urlopen(info["url"] + "/-/stats") as reply:
            assert json.load(reply)["statuses"] == {"200": 1, "502": 1}
        process.terminate()
        assert process.wait(20) == 0
        assert process.stdout and process.stdout.read() == ""


def test_the_clinic_over_tls() -> None:
    import ssl

    with running("--tls", "--images", "1", "--patients", "1") as (_, info):
        context = ssl.create_default_context(cafile=info["ca_file"])
        with urllib.request.urlopen(info["url"] + "/fmi/data/v1/databases", context=context) as reply:
            assert json.load(reply)["response"]["databases"] == [{"name": info["database"]}]


def test_write_makes_a_folder_that_can_be_served(tmp_path: Path) -> None:
    assert main(["write", str(tmp_path), "--images", "2", "--documents", "1", "--patients", "1", "--seed", "5"]) == 0
    data = read(tmp_path)
    assert len(data.tables["Images"]) == 2


def test_switches_are_listed_with_default_and_certainty(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--switches"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(fields(Switches))
    assert any(line.startswith("range=off") and "[U]" in line for line in lines)


@pytest.mark.parametrize(
    "words",
    [["--switch", "nope=1"], ["--switch", "range=maybe"], ["--switch", "cloud=perhaps"], ["--dataset", "/nowhere"]],
)
def test_what_cannot_be_served_ends_with_1_and_a_sentence(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    assert capsys.readouterr().err.startswith("fmsim: ")


@pytest.mark.parametrize("words", [["--latency", "soon"], ["--bandwidth", "fast"], ["--streaming", "odd"], ["--nope"]])
def test_wrong_usage_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "size"),
    [("1GB", 10**9), ("10MB/s", 10**7), ("1 GiB", 2**30), ("512KiB", 2**19), ("500", 500), ("1.5kB", 1500), ("7B", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("120ms", 0.12), ("90s", 90), ("5m", 300), ("6h", 21600), ("2d", 172800), ("0.5", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == pytest.approx(seconds)


def test_switch_names_take_either_dash() -> None:
    assert Switches.of(["link-port=443"]).link_port == Switches.of({"link_port": 443}).link_port == "443"
    assert Switches.of({"cloud": True, "session_cap": 3}).session_cap == 3
