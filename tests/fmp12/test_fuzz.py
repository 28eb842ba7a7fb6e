"""Damage anywhere: a clean error or a report, never a crash, a hang, or wrong bytes that are said to be right.

    python -m tests.fmp12.test_fuzz 20000 [seed]

runs as many cases as asked for and prints how they ended; the tests run a few hundred.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.fmp12 import writer
from tests.fmp12.damage import DAMAGES, digests, read_all
from tests.fmp12.samples import NAMES, folder
from tests.fmp12.writer import FieldSpec, FileSpec, Layout, ObjectSpec, RecordSpec, Ref, Styled, TableSpec


def small(seed: int) -> bytes:
    """A file with a bit of everything, small enough that damage hits something."""
    rng = random.Random(seed)
    fields = [
        FieldSpec(1, "note"),
        FieldSpec(2, "photo", "container", repetitions=3),
        FieldSpec(3, "day", "date"),
        FieldSpec(4, "logo", "container", is_global=True),
    ]
    records = [
        RecordSpec(
            n,
            {
                (1, 1): "é" * rng.randrange(900),
                (1, 2): Styled("日" * rng.randrange(900)),
                (2, 1): Ref(n % 5 + 1),
                (3, 1): "5/31/2024",
            },
            n,
        )
        for n in range(1, 30)
    ]
    objects = [
        ObjectSpec(n, writer.picture(rng.randbytes(rng.choice((50, 1000, 1001, 9000))), f"{n}.jpg", (3, 4)))
        for n in range(1, 6)
    ]
    objects.append(ObjectSpec(7, writer.outside_streams(b"x", "a.jpg", "pics/"), outside=b"x"))
    tables = [
        TableSpec(129, "Images", fields, records, {(4, 1): Ref(2)}, objects),
        TableSpec(131, "Notes", fields[:1], [RecordSpec(n, {}, 0) for n in (3, 5)]),
    ]
    layout = Layout(rng.choice((None, seed)), rng.randrange(3), rng.choice((2, 5, 40)), rng.choice((1500, 4076)))
    return writer.build(FileSpec(tables, bases=("Clinic/",), layout=layout))


def run(data: bytes, right: set[str], path: Path, rng: random.Random) -> tuple[str, str]:
    damaged = rng.choice(DAMAGES)(data, rng)
    path.write_bytes(damaged)
    return read_all(path, salvage=False, right=right), read_all(path, salvage=True, right=right)


@pytest.mark.parametrize("seed", range(4))
def test_damage_to_made_files(tmp_path: Path, seed: int) -> None:
    data, path, rng = small(seed), tmp_path / "a.fmp12", random.Random(seed)
    path.write_bytes(data)
    right = digests(path)
    assert len(right) == 5
    endings = Counter(run(data, right, path, rng) for _ in range(40))
    assert {strict for strict, _ in endings} >= {"faulty", "refused"}, endings


@pytest.mark.parametrize("name", ["test_external.fmp12", "contacts.fmp12"])
def test_damage_to_real_files(tmp_path: Path, name: str) -> None:
    source = folder() / name
    if not source.is_file():
        pytest.skip(f"the real file {name} is not here; name its folder in UNLADE_FMP12_SAMPLES")
    data, rng = source.read_bytes(), random.Random(name)
    right = digests(source)
    for _ in range(8):
        run(data, right, tmp_path / "a.fmp12", rng)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_much_damage() -> None:
    assert sum(many(3000, 99).values()) == 3000


def many(count: int, seed: int) -> Counter[tuple[str, str]]:
    """`count` cases over made files and, where they are here, real ones; three made ones for each real one."""
    rng, endings = random.Random(seed), Counter[tuple[str, str]]()
    real = [folder() / name for name in NAMES if (folder() / name).is_file() and name != "testdb.fmp12"]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "a.fmp12"
        done = 0
        while done < count:
            source = rng.choice(real) if real and rng.random() < 0.25 else None
            data = source.read_bytes() if source else small(rng.randrange(1000))
            path.write_bytes(data)
            right = digests(source or path)
            for _ in range(min(10 if source else 50, count - done)):
                case = rng.randrange(1 << 30)
                try:
                    endings[run(data, right, path, random.Random(case))] += 1
                except BaseException:
                    kept = Path(tempfile.gettempdir()) / f"fuzz-{case}.fmp12"
                    kept.write_bytes(path.read_bytes())
                    print(f"case {case} of {source or 'a made file'}: kept as {kept}", file=sys.stderr)
                    raise
                done += 1
    return endings


if __name__ == "__main__":
    start = os.times()
    found = many(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for ending, times in found.most_common():
        print(f"{times:7,}  {ending[0]}, then {ending[1]}")
    print(f"{os.times().elapsed - start.elapsed:.0f} s")
