"""What a decoder child is made to do in tests: the file's name says how its decoder misbehaves."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from unlade.media.decode import decode
from unlade.media.messages import Decoded, Job


def misbehave(job: Job) -> Decoded:
    """Crash, hang, swell, babble, lie, or tell about the environment; else decode."""
    action = Path(job.path).stem.partition("-")[0]
    if action == "crash":
        os._exit(139)
    if action == "hang":
        Path(job.path).with_suffix(".busy").touch()
        while True:
            time.sleep(60)
    if action == "swell":
        return Decoded(failed=str(len(_swell())))
    if action == "babble":
        print("noise on stdout", flush=True)
        os.write(1, b"more noise")
        sys.stderr.write("noise on stderr")
    if action == "raise":
        raise ZeroDivisionError
    if action == "garble":
        return Decoded(width="wide")  # type: ignore[arg-type]
    if action == "environment":
        return Decoded(failed=",".join(sorted(os.environ)))
    if action == "pid":
        return Decoded(width=os.getpid())
    if action == "slow":
        time.sleep(0.2)
        return Decoded(width=os.getpid())
    if action == "aged":
        return _die_of_age(job)
    return decode(job)


def _swell() -> list[bytearray]:
    held: list[bytearray] = []
    while len(held) < 4000:
        held.append(bytearray(b"x" * 1_000_000))
        time.sleep(0.0005)
    return held


_seen: list[str] = []


def _die_of_age(job: Job) -> Decoded:
    """Fails in a child that did something before, not in a new one."""
    if _seen:
        os._exit(1)
    _seen.append(job.path)
    return decode(job)
