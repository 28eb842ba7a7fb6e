"""The decoder child: takes jobs from its standard input, answers on its standard output, and ends with its parent.

Started by `workers.py` as `python -m unlade.media.child MEMORY_LIMIT DECODER`. A thread does nothing but read the pipe,
so that a parent that was killed is noticed in the middle of a job; a decoder that hangs without ever letting Python
run is ended by a timer that needs no interpreter lock.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import BinaryIO

from unlade.media.messages import Decoded, Garbled, Job, decoded_message, read_job, receive, send

#: The parent ends a job at its time limit; this much later the child does so itself, should the parent be gone.
_GRACE = 5.0


def main(memory_limit: int, decoder: str) -> None:
    """Serve until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes us
    jobs, results = _own_pipes()
    nowhere = open(os.devnull, "w")  # noqa: SIM115, PTH123  (kept open for as long as we live)
    decode = _load(decoder)
    queue: SimpleQueue[Job] = SimpleQueue()
    threading.Thread(target=_listen, args=(jobs, queue), daemon=True).start()
    limited = _limit_memory(memory_limit)
    send(results, {"pid": os.getpid(), "limited": limited})
    while True:
        job = queue.get()
        faulthandler.dump_traceback_later(job.time_limit + _GRACE, exit=True, file=nowhere)
        message, blob = decoded_message(_run(decode, job))
        faulthandler.cancel_dump_traceback_later()
        send(results, message, blob)


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Both pipes under numbers of our own: what a decoder prints must not come between our frames."""
    jobs, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    return jobs, results


def _load(dotted: str) -> Callable[[Job], Decoded]:
    module, _, name = dotted.partition(":")
    decode: Callable[[Job], Decoded] = getattr(importlib.import_module(module), name)
    return decode


def _listen(jobs: BinaryIO, queue: SimpleQueue[Job]) -> None:
    try:
        while True:
            queue.put(read_job(receive(jobs)[0]))
    except (Garbled, OSError):
        os._exit(0)


def _run(decode: Callable[[Job], Decoded], job: Job) -> Decoded:
    try:
        return decode(job)
    except MemoryError:
        return Decoded(failed="decoding it takes more memory than allowed", exhausted=True)
    except Exception as error:  # noqa: BLE001  (told to the parent: one odd file must not end the child)
        return Decoded(failed=f"the decoder failed with {type(error).__name__}")


def _limit_memory(allowed: int) -> bool:
    """Let the system refuse what goes `allowed` bytes beyond what we have mapped now; False where it cannot; 0: no limit."""
    if not allowed or not sys.platform.startswith("linux"):
        return False  # Windows has no rlimit, macOS does not keep to this one
    import resource

    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = mapped + allowed
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold a patient's picture
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
