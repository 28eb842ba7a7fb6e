"""The command, killed by itself at a named spot: `python -m tests.voyage.crash SPOT ARGUMENTS`.

A spot is `module:Class.method@before` or `@after`, with `#n` for the n-th call (else the first). The process dies by
SIGKILL, as a power cut or an out-of-memory killer would have it: nothing is flushed, closed or said.
"""

from __future__ import annotations

import importlib
import itertools
import os
import signal
import sys
from typing import Any


def die() -> None:
    """End at once."""
    if hasattr(signal, "SIGKILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(9)


def arm(spot: str) -> None:
    """Put the trap at `spot`."""
    place, _, nth = spot.partition("#")
    path, _, when = place.partition("@")
    module, _, names = path.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = names.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    real, calls, mine = getattr(owner, name), itertools.count(1), int(nth or 1)

    def trapped(*args: Any, **kwargs: Any) -> Any:
        number = next(calls)
        if number == mine and when == "before":
            die()
        answer = real(*args, **kwargs)
        if number == mine:
            die()
        return answer

    setattr(owner, name, trapped)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
    import django
    from django.core.management import execute_from_command_line

    django.setup()
    arm(sys.argv[1])
    execute_from_command_line(["manage.py", *sys.argv[2:]])
