"""The pool against children that crash, hang and swell: each costs its own file the thumbnail, and nobody else anything."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.media import samples
from tests.media.test_decode import CUTS
from unlade.cargo import Content, Parcel
from unlade.errors import Interrupted, UnladeError
from unlade.media import DecoderPool

BAD = "tests.media.bad_decoders:misbehave"
JPEG = samples.encoded(samples.corners(), "JPEG", exif=samples.exif(6, "2016:10:18 14:03:09"))


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(2, decoder=BAD, time_limit=20) as pool:
        yield pool


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Parcel]:
    def make(name: str, data: bytes = JPEG) -> Parcel:
        return samples.parcel(samples.put(tmp_path, data, name))

    return make


def test_a_picture_from_end_to_end(pool: DecoderPool, file: Callable[..., Parcel]) -> None:
    parcel = file("a.bin")
    found = pool.inspect(parcel, name="IMG 1.png")
    assert (found.mime_type, found.extension, found.size, found.sha256) == (
        "image/jpeg",
        ".jpg",
        len(JPEG),
        parcel.sha256,
    )
    assert (found.width, found.height, found.orientation) == (480, 640, 6)
    assert found.taken_naive is not None and found.taken_naive.isoformat() == "2016-10-18T14:03:09"
    assert found.thumbnail is not None
    assert (found.thumbnail.width, found.thumbnail.height) == (225, 300)
    assert (found.damage, found.thumbnail_error, found.notes) == (None, None, ("extension .png corrected to .jpg",))


def test_what_needs_no_decoder_starts_none(file: Callable[..., Parcel]) -> None:
    with DecoderPool(1, decoder="no.such.module:at_all") as pool:
        docx = pool.inspect(file("a", samples.zipped("[Content_Types].xml", "word/document.xml")), name="a.docx")
        assert (docx.extension, docx.width, docx.thumbnail_error, docx.damage) == (".docx", None, None, None)
        assert (
            pool.inspect(file("b", b"<html>502</html>"), name="b.jpg").damage
            == "the source sent an HTML page in place of a file"
        )
        assert pool.inspect(file("c", b""), name="c.jpg").damage == "the file has no bytes"
        assert pool.inspect(file("d", b"<html>502</html>"), name="d.html").damage is None
        broken = pool.inspect(file("e"))
        assert broken.thumbnail_error == "no decoder process could be started"
        assert (broken.mime_type, broken.damage) == ("image/jpeg", None)


def test_a_pool_can_be_tried_before_a_run(pool: DecoderPool) -> None:
    pool.start()
    with DecoderPool(1, decoder="no.such.module:at_all") as broken, pytest.raises(UnladeError, match="No decoder"):
        broken.start()


def test_damage_comes_through(pool: DecoderPool, file: Callable[..., Parcel]) -> None:
    found = pool.inspect(file("cut", JPEG[: len(JPEG) // 2]))
    assert found.damage == "the picture is cut off"
    assert (found.thumbnail, found.thumbnail_error) == (None, None)
    assert (found.width, found.orientation) == (480, 6)


def test_a_header_that_states_absurd_numbers(pool: DecoderPool, file: Callable[..., Parcel]) -> None:
    data = bytearray(samples.encoded(samples.corners(), "BMP"))
    data[18:22] = (0x7FFFFFFF).to_bytes(4, "little")
    data[22:26] = (-0x7FFFFFFE & 0xFFFFFFFF).to_bytes(4, "little")
    found = pool.inspect(file("absurd", bytes(data)))
    assert found.thumbnail_error and "pixels are more than the limit" in found.thumbnail_error
    data[22:26] = (0x80000001).to_bytes(4, "little")
    assert pool.inspect(file("absurd-2", bytes(data))).damage is None


@pytest.mark.slow
def test_files_with_bytes_changed_at_random_never_break_a_decoder(
    pool: DecoderPool, file: Callable[..., Parcel]
) -> None:
    chance = random.Random(4711)
    for kind, (_, make) in CUTS.items():
        data = make() if "large" not in kind else b""
        for n in range(12 if data else 0):
            changed = bytearray(data)
            for _ in range(chance.choice((1, 4, 20))):
                changed[chance.randrange(min(len(data), 600 if n % 2 else len(data)))] = chance.randrange(256)
            error = pool.inspect(file(f"fine-{n}", bytes(changed))).thumbnail_error or ""
            assert "failed with" not in error, (kind, n, error)
            assert "crashed" not in error, (kind, n, error)


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("crash", "the decoder crashed on this file"),
        ("raise", "the decoder failed with ZeroDivisionError"),
        ("garble", "the decoder crashed on this file"),
    ],
)
def test_a_decoder_that_fails_costs_the_thumbnail(
    pool: DecoderPool, file: Callable[..., Parcel], action: str, error: str
) -> None:
    for _ in range(3):
        found = pool.inspect(file(action))
        assert (found.thumbnail_error, found.damage, found.mime_type) == (error, None, "image/jpeg")
    assert pool.inspect(file("fine")).thumbnail is not None


def test_what_a_decoder_prints_does_not_come_between(pool: DecoderPool, file: Callable[..., Parcel]) -> None:
    for _ in range(3):
        assert pool.inspect(file("babble")).thumbnail is not None


def test_a_decoder_that_hangs_is_ended_at_its_deadline_while_others_go_on(file: Callable[..., Parcel]) -> None:
    with DecoderPool(2, decoder=BAD, time_limit=0.6) as pool, ThreadPoolExecutor(2) as threads:
        hanging = threads.submit(pool.inspect, file("hang"))
        others = 0
        while not hanging.done():
            assert pool.inspect(file("fine")).thumbnail is not None
            others += 1
        assert hanging.result().thumbnail_error == "decoding it took longer than 0.6 s"
        assert others > 3
        assert pool.inspect(file("fine")).thumbnail is not None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps RLIMIT_AS")
def test_a_decoder_that_swells_meets_the_system_s_limit(file: Callable[..., Parcel]) -> None:
    with DecoderPool(1, decoder=BAD, memory_limit=200_000_000) as pool:
        assert pool.inspect(file("swell")).thumbnail_error == "decoding it takes more memory than allowed"
        assert pool.inspect(file("fine")).thumbnail is not None


def test_a_decoder_that_swells_is_ended_by_the_parent_where_the_system_has_no_limit(
    file: Callable[..., Parcel],
) -> None:
    with DecoderPool(1, decoder=BAD, memory_limit=200_000_000, system_limit=False) as pool:
        assert pool.inspect(file("swell")).thumbnail_error == "decoding it takes more memory than allowed"
        assert pool.inspect(file("fine")).thumbnail is not None


def test_a_child_is_replaced_after_its_share_of_files(file: Callable[..., Parcel]) -> None:
    with DecoderPool(1, decoder=BAD, jobs_per_child=3) as pool:
        pids = [pool.inspect(file("pid")).width for _ in range(7)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


def test_an_old_child_s_death_is_not_held_against_the_file(file: Callable[..., Parcel]) -> None:
    with DecoderPool(1, decoder=BAD) as pool:
        assert all(pool.inspect(file("aged")).thumbnail is not None for _ in range(3))


def test_many_threads_share_few_children(file: Callable[..., Parcel]) -> None:
    parcels = [file(f"{'crash' if n % 7 == 0 else 'fine'}-{n}") for n in range(60)]
    before = psutil.Process().children()
    with DecoderPool(2, decoder=BAD) as pool, ThreadPoolExecutor(8) as threads:
        found: list[Content] = list(threads.map(pool.inspect, parcels))
        assert len(psutil.Process().children()) <= len(before) + 2
    for n, (parcel, content) in enumerate(zip(parcels, found, strict=True)):
        assert (content.thumbnail is None) == (n % 7 == 0), content
        assert content.sha256 == parcel.sha256


def test_children_learn_no_secrets(file: Callable[..., Parcel], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FILEMAKER_PASSWORD", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "DJANGO_SECRET_KEY"):
        monkeypatch.setenv(name, "secret")
    with DecoderPool(1, decoder=BAD) as pool:
        names = (pool.inspect(file("environment")).thumbnail_error or "").split(",")
    assert "PYTHONPATH" in names
    assert not [n for n in names if n.startswith(("FILEMAKER", "AWS", "DATABASE", "DJANGO"))]


def test_closing_ends_all_children_and_interrupts_those_who_wait(file: Callable[..., Parcel]) -> None:
    before = psutil.Process().children()
    pool = DecoderPool(1, decoder=BAD)
    parcel = file("hang")
    outcomes: list[BaseException | Content] = []

    def work() -> None:
        try:
            outcomes.append(pool.inspect(parcel))
        except Interrupted as error:
            outcomes.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    _until(lambda: bool(pool._busy) and pool._busy[0].child.pid > 0)
    pool.close()
    for thread in threads:
        thread.join(20)
    assert len(outcomes) == 3 and all(isinstance(o, Interrupted) for o in outcomes), outcomes
    assert psutil.Process().children() == before
    pool.close()
    with pytest.raises(Interrupted):
        pool.inspect(file("fine"))


PARENT = """
import sys, threading
from pathlib import Path
from unlade.cargo import Parcel
from unlade.media import DecoderPool
if __name__ == "__main__":
    pool = DecoderPool(2, decoder="tests.media.bad_decoders:misbehave")
    for name in sys.argv[1:]:
        path = Path(name)
        threading.Thread(target=pool.inspect, args=(Parcel(path, "f", 1, "", ""),), daemon=True).start()
    threading.Event().wait()
"""


def _parent_with_busy_children(*parcels: Parcel) -> tuple[subprocess.Popen[bytes], list[psutil.Process]]:
    root = str(Path(__file__).parents[2])
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *(str(p.path) for p in parcels)],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    family = psutil.Process(parent.pid)
    _until(lambda: all(p.path.with_suffix(".busy").exists() for p in parcels))
    return parent, family.children(recursive=True)


def test_no_child_outlives_a_parent_that_was_killed(file: Callable[..., Parcel]) -> None:
    parent, children = _parent_with_busy_children(file("hang-1"), file("hang-2"))
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


@pytest.mark.skipif(os.name != "posix", reason="process groups of a terminal")
def test_ctrl_c_on_a_terminal_does_not_reach_the_children(file: Callable[..., Parcel]) -> None:
    parent, children = _parent_with_busy_children(file("hang-1"), file("hang-2"))
    try:
        assert all(os.getpgid(child.pid) != os.getpgid(parent.pid) for child in children)
        for child in children:
            child.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs(children, timeout=0.3)
        assert len(alive) == 2
    finally:
        parent.kill()
        said, _ = parent.communicate()
    assert b"Traceback" not in said


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 30 s"
        time.sleep(0.01)
