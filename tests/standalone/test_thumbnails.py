"""`unlade pull --thumbnails`: beside the files, named in the manifest, made again where they are gone, never in the way."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fmsim import Simulator
from fmsim.folder import read
from tests.standalone.files import Unlade, images
from tests.standalone.files import jpeg as broken
from tests.standalone.test_hosted import Command
from tests.voyage.harness import jpeg


def lines(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    found = (json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines())
    return {(line["record"], line["repetition"]): line for line in found}


def some(number: int) -> bytes:
    """Real pictures, but for the third."""
    return broken(number) if number == 3 else jpeg(f"picture {number}")


def test_from_a_file(unlade: Unlade, tmp_path: Path) -> None:
    path, out = images(tmp_path / "Clinic.fmp12", 4, picture=some), tmp_path / "out"
    code, told = unlade("pull", path, "--to", out, "--yes", "--thumbnails", "40x40")
    # A picture that cannot be decoded is proven all the same.
    assert (code, told["states"], told["thumbnails"], told["thumbnail_errors"]) == (0, {"verified": 6}, 4, 1)
    found = lines(out)
    assert found["1", 1]["thumbnail"] == "Images/1/photo.thumb.jpg" and "thumbnail_error" not in found["1", 1]
    with Image.open(io.BytesIO((out / "Images" / "1" / "photo.thumb.jpg").read_bytes())) as thumb:
        assert thumb.size == (40, 30)
    assert found["3", 1]["thumbnail_error"] and "thumbnail" not in found["3", 1]
    assert not {"thumbnail", "thumbnail_error"} & set(found["1", 2])  # a text has none
    assert ".thumb" not in (out / "SHA256SUMS").read_text(encoding="utf-8")

    kept = (out / "manifest.jsonl").read_bytes()
    code, told = unlade("pull", path, "--to", out, "--yes", "--thumbnails", "40x40")
    assert (code, told["this_run"]["written"]) == (0, 0) and (out / "manifest.jsonl").read_bytes() == kept
    code, told = unlade("verify", out / "manifest.jsonl", out)
    assert (code, told["good"], told["thumbnails"], told["extra"]) == (0, 6, 4, 0)
    (out / "Images" / "2" / "photo.thumb.jpg").unlink()
    code, told = unlade("verify", out / "manifest.jsonl", out)
    assert (code, told["good"], told["thumbnails_missing"]) == (1, 6, 1)
    unlade("pull", path, "--to", out, "--yes", "--thumbnails", "40x40")
    assert unlade("verify", out / "manifest.jsonl", out)[0] == 0
    assert lines(out)["2", 1]["file"] == "Images/2/photo.jpg"


def test_asked_for_later(unlade: Unlade, tmp_path: Path) -> None:
    path, out = images(tmp_path / "Clinic.fmp12", 3, picture=lambda n: jpeg(f"picture {n}")), tmp_path / "out"
    unlade("pull", path, "--to", out, "--yes")
    assert all("thumbnail" not in line for line in lines(out).values())
    code, told = unlade("pull", path, "--to", out, "--yes", "--thumbnails")
    assert (code, told["thumbnails"]) == (0, 4)
    assert sorted(path.name for path in (out / "Images" / "2").iterdir()) == ["photo.jpg", "photo.thumb.jpg"]


def test_over_the_api_without_fetching_twice(unlade: Unlade, tmp_path: Path) -> None:
    path, out = images(tmp_path / "Clinic.fmp12", 3, picture=lambda n: jpeg(f"picture {n}")), tmp_path / "out"
    unlade("dataset", path, tmp_path / "host", "--yes")
    with Simulator(read(tmp_path / "host")) as sim:
        command = Command(sim)
        code, _ = command("pull", *command.host, "--layout", "Images", "--to", out)
        asked = sim.stats()["requests"]["container"]
        code, told = command("pull", "--to", out, "--thumbnails", "40x40")
        assert (code, told["thumbnails"], sim.stats()["requests"]["container"]) == (0, 4, asked)
    assert lines(out)["1", 1]["thumbnail"] == "Images/1/photo.thumb.jpg"
    code, told = unlade("verify", out / "manifest.jsonl", out)
    assert (code, told["good"], told["thumbnails"], told["extra"]) == (0, 5, 4, 0)


@pytest.mark.parametrize("size", ["0x300", "300", "Images.photo", "99999x1"])
def test_what_is_no_size(unlade: Unlade, tmp_path: Path, size: str) -> None:
    with pytest.raises(SystemExit) as ended:
        unlade("pull", "Clinic.fmp12", "--to", tmp_path / "out", "--thumbnails", size)
    assert ended.value.code == 2
