"""The machine that the figures are of, and how much of it was taken by others while they were made."""

from __future__ import annotations

import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil


def machine() -> dict[str, Any]:
    """What a reader must know to compare."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # another system says it by itself
    return platform.processor() or platform.machine()


class Usage:
    """From now on: how much of the machine others use."""

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.monotonic(), _busy(), _own()

    def others(self) -> float:
        """Share of all cores' time, from 0 to 1. Children count as ours once they were waited for."""
        spent = _busy() - self._busy - (_own() - self._own)
        return max(0.0, spent / ((time.monotonic() - self._began) * (os.cpu_count() or 1)))


def _busy() -> float:
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Linux counts guests' time in `user` too.
    return sum(times) - idle - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)


def _own() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
