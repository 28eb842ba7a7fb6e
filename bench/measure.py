"""A command as its own process, measured from outside: wall time, CPU time, and the most memory it ever held."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Time between two looks at the process; what it does in its last moment is missed by so much at the most.
_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Measured:
    """One process that ended. Seconds and bytes; `cpu` is of the main process, `cpu_children` of those it started."""

    exit_code: int
    wall: float
    cpu: float
    cpu_children: float
    peak_rss: int
    out: str
    err: str

    @property
    def cpu_all(self) -> float:
        return self.cpu + self.cpu_children


def run(command: Sequence[str], environ: Mapping[str, str], folder: Path, *, timeout: float = 1800) -> Measured:
    """Run `command` to its end and measure it.

    Raises `TimeoutError` after `timeout` seconds; the process is killed then.
    """
    out, err = folder / "stdout", folder / "stderr"
    before = os.times()
    with out.open("wb") as out_file, err.open("wb") as err_file:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=dict(environ), stdout=out_file, stderr=err_file)
        peak = cpu = 0.0
        seen: dict[int, float] = {}
        watched = psutil.Process(process.pid)
        ended = began
        while process.poll() is None:
            with suppress(psutil.Error):
                peak = max(peak, _peak(watched))
                times = watched.cpu_times()
                cpu = times.user + times.system
                if not hasattr(os, "wait4"):
                    for child in watched.children(recursive=True):
                        with suppress(psutil.Error):
                            seen[child.pid] = sum(child.cpu_times()[:2])
            ended = time.perf_counter()
            if ended - began > timeout:
                process.kill()
                process.wait()
                raise TimeoutError(f"{' '.join(command)} took more than {timeout} s")
            time.sleep(_LOOK)
        wall = time.perf_counter() - began
    after = os.times()
    if hasattr(os, "wait4"):  # the system adds what a child's children used when they are waited for
        total = after.children_user + after.children_system - before.children_user - before.children_system
        cpu_children = max(0.0, total - cpu)
    else:
        cpu_children = sum(seen.values())
    text = out.read_text(encoding="utf-8", errors="replace")
    return Measured(
        process.returncode, wall, cpu, cpu_children, int(peak), text, err.read_text(encoding="utf-8", errors="replace")
    )


def _peak(process: psutil.Process) -> float:
    """The most memory that was ever resident; where the system does not keep it, what is resident now."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        with suppress(OSError, ValueError):
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024.0
    info = process.memory_info()
    return float(getattr(info, "peak_wset", info.rss))
