"""Thumbnails: files a second through the decoder pool, against the two ways that one would write by hand.

    python -m bench.thumbnails [--files 40] [--rounds 3] [--cores N]

Every way runs on all cores and turns the picture upright or not as it says; the files are 12-megapixel JPEGs with EXIF
orientation 6 and an sRGB profile. The second table is a clinic's smaller picture of about 100 KB. Best of the rounds.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from PIL import Image, ImageCms, ImageFilter, ImageOps
from rich.console import Console
from rich.table import Table

from bench.figures import Figure, told
from unlade.cargo import Parcel
from unlade.media import DecoderPool, digest_file

BOX = (300, 300)


def bare_thumbnail(path: str) -> int:
    """`Image.thumbnail()` and nothing else: not upright, not sRGB, not saved."""
    with Image.open(path) as image:
        image.thumbnail(BOX)
        return image.width


def saved_thumbnail(path: str) -> int:
    """`Image.thumbnail()` and a plain save: not upright, not sRGB."""
    with Image.open(path) as image:
        image.thumbnail(BOX)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG")
        return len(buffer.getvalue())


def decode_then_resize(path: str) -> int:
    """What tutorials do: upright first, then small, then saved."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        image.thumbnail(BOX)
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "JPEG")
        return len(buffer.getvalue())


def picture(size: tuple[int, int], grain: float) -> Image.Image:
    """Something with a camera's mixture of smooth areas, edges and grain."""
    small = Image.merge("RGB", [Image.effect_noise((size[0] // 40, size[1] // 40), 90) for _ in range(3)])
    smooth = small.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    noise = Image.merge("RGB", [Image.effect_noise(size, 60) for _ in range(3)])
    return Image.blend(smooth, noise, grain)


def write_files(folder: Path, count: int, size: tuple[int, int], grain: float, quality: int) -> list[Path]:
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    first = folder / "0.jpg"
    picture(size, grain).save(first, "JPEG", quality=quality, exif=exif, icc_profile=profile)
    paths = [first] + [folder / f"{n}.jpg" for n in range(1, count)]
    for path in paths[1:]:
        shutil.copy(first, path)
    return paths


def by_processes(way: Callable[[str], int], paths: list[Path], cores: int) -> Callable[[], None]:
    pool = multiprocessing.get_context("spawn").Pool(cores)
    names = [str(path) for path in paths]
    pool.map(way, names[:cores], chunksize=1)

    def run() -> None:
        for _ in pool.imap_unordered(way, names, chunksize=1):
            pass

    return run


def by_pool(pool: DecoderPool, paths: list[Path], cores: int) -> Callable[[], None]:
    parcels = [Parcel(path, "photo", path.stat().st_size, "", "") for path in paths]
    threads = ThreadPoolExecutor(cores * 2)

    def run() -> None:
        for content in threads.map(lambda parcel: pool.inspect(parcel, box=BOX), parcels):
            assert content.thumbnail is not None, content

    run()
    return run


def measured(ways: dict[str, Callable[[], None]], files: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Per way: files a second of the best round, and the median round's CPU milliseconds a file, children included.

    The ways take turns, so that a busy moment of the machine hits them all.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            started, used = time.perf_counter(), cpu_seconds()
            run()
            seconds[name].append(time.perf_counter() - started)
            cpu[name].append(cpu_seconds() - used)
    return {name: (files / min(seconds[name]), statistics.median(cpu[name]) / files * 1000) for name in ways}


def cpu_seconds() -> float:
    me = psutil.Process()
    return sum(sum(p.cpu_times()[:2]) for p in (me, *me.children(recursive=True)))


def show(title: str, figures: dict[str, tuple[float, float]], ours: str) -> None:
    table = Table(title=title)
    for heading in ("way", "files/s", "CPU ms a file", "ours is"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for name, (rate, cpu) in figures.items():
        table.add_row(name, f"{rate:.1f}", f"{cpu:.1f}", "" if name == ours else f"{figures[ours][0] / rate:.2f} x")
    Console().print(table)


def run(scale: float) -> list[Figure]:
    """For `python -m bench`: 12-megapixel pictures, all ways; files a second of all cores together, and CPU a file."""
    files, cores = max(8, int(40 * scale)), os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder, DecoderPool(cores) as pool:
        paths = write_files(Path(folder), files, (4000, 3000), 0.12, 88)
        ways = {
            "decoder pool: upright, sRGB, checked, saved": by_pool(pool, paths, cores),
            "Image.thumbnail(), saved": by_processes(saved_thumbnail, paths, cores),
            "exif_transpose, then thumbnail, saved": by_processes(decode_then_resize, paths, cores),
        }
        found = measured(ways, files, 3)
    figures = []
    for name, (rate, cpu) in found.items():
        figures += [told(name, rate, "/s"), told(f"{name}: CPU a file", cpu, "ms")]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    ours = "decoder pool: upright, sRGB, checked, saved"
    for size, grain, quality, count in (
        ((4000, 3000), 0.12, 88, options.files),
        ((1100, 825), 0.1, 80, options.files * 10),
    ):
        with tempfile.TemporaryDirectory() as folder, DecoderPool(options.cores) as pool:
            paths = write_files(Path(folder), count, size, grain, quality)
            ways = {
                ours: by_pool(pool, paths, options.cores),
                "Image.thumbnail(), not saved": by_processes(bare_thumbnail, paths, options.cores),
                "Image.thumbnail(), saved": by_processes(saved_thumbnail, paths, options.cores),
                "exif_transpose, then thumbnail, saved": by_processes(decode_then_resize, paths, options.cores),
            }
            figures = measured(ways, count, options.rounds)
            weight = paths[0].stat().st_size
            show(
                f"{count} JPEGs of {size[0]} x {size[1]}, {weight / 1000:.0f} kB, {options.cores} cores", figures, ours
            )
            started = time.perf_counter()
            for path in paths:
                digest_file(path)
            Console().print(f"sha256 and md5 of one: {(time.perf_counter() - started) / count * 1000:.2f} ms")


if __name__ == "__main__":
    main()
