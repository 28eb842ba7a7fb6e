"""The roads that files come by, each with what belongs to it: the source, what paces it, what books it.

Over the API that is a host with an allowance, a breaker and permits (`unlade.hostline`); a folder or a database file on
our own disk has none of them. The voyage is the same.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from unlade.cargo import Road, SourceRecord
from unlade.crew import Bridge, LocalToll, Tolls
from unlade.errors import Interrupted, SettingsError, UsageError
from unlade.importer import ContainerImport
from unlade.ledger.models import Run
from unlade.options import RunOptions
from unlade.places import settle_place
from unlade.rigging import Rigging
from unlade.source import Gatekeeper, OpenGate, Source


class Line(ABC):
    """The line to one source. Belongs to the run loop's thread; `source`, `gate` and `nap` to any."""

    notes: tuple[str, ...] = ()  #: what a person should know before the run
    bridge: Bridge
    source: Source
    gate: Gatekeeper
    toll: Tolls

    def bind(self, run: Run) -> None:  # noqa: B027 - nothing to do on most roads
        """Work for this run from now on."""

    def share_permits(self) -> None:  # noqa: B027 - nothing to do on most roads
        """Look at other runs on the same host, about every second, in a transaction."""

    def troubles(self) -> list[int]:
        """How many downloads were done when the host gave trouble, each time."""
        return []

    def nap(self, seconds: float) -> None:
        """Sleep in short naps; raises what the gate says when nothing may pass any more."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.gate.check()
            time.sleep(min(left, 0.1))

    @abstractmethod
    def marker(self, importer: ContainerImport, rig: Rigging) -> Callable[[SourceRecord], str]:
        """What stamps a record in the source. Raises `SettingsError` where that cannot be."""

    def hang_up(self) -> None:
        """Book what was still on its way to the books."""
        self.bridge.serve(0)
        self.bridge.close()


class LocalGate(OpenGate):
    """The gate of our own disk: open until the run is interrupted."""

    on_trial = False

    def __init__(self) -> None:
        self._stopping = False

    def check(self) -> None:
        """Raise `Interrupted` once the run is to stop."""
        if self._stopping:
            raise Interrupted

    def stop(self) -> None:
        """Let nothing new begin."""
        self._stopping = True

    def beat(self) -> None:
        """Nothing to notice."""


class LocalLine(Line):
    """A folder or file on our own disk: no host, no allowance, no permits."""

    def __init__(self, source: Source) -> None:
        self.notes = getattr(source, "notes", ())
        if hasattr(source, "nap"):
            source.nap = self.nap  # a wait that the run's end breaks off
        self.bridge, self.source, self.gate, self.toll = Bridge(), source, LocalGate(), LocalToll()

    def marker(self, importer: ContainerImport, rig: Rigging) -> Callable[[SourceRecord], str]:
        """Raises `SettingsError`: nothing can be written back on this road."""
        raise SettingsError(
            "UNLADE_WRITE_MARKER is on, but a folder or file cannot be written back to",
            remedy="Switch it off for this run: UNLADE_WRITE_MARKER=0.",
        )


def open_line(importer: ContainerImport, rig: Rigging, options: RunOptions) -> Line:
    """The line that the options ask for: the API, or what lies at `options.from_path`.

    Raises `SettingsError`, `UsageError`, `SourceError`.
    """
    if not options.from_path:
        from unlade.hostline import ApiLine

        return ApiLine(importer, rig, options)
    options = settle_place(importer, options)
    return LocalLine(open_path(importer, Path(options.from_path), options))


def open_path(importer: ContainerImport, path: Path, options: RunOptions) -> Source:
    """The source that lies at `path`. Raises `UsageError` when nothing there can be read as one."""
    from unlade.consent import is_database
    from unlade.records.declaring import RecordImport

    if not path.exists():
        raise UsageError(f"--from {path}: there is nothing there", remedy="Name an export folder or a .fmp12 file.")
    if isinstance(importer, RecordImport):
        from unlade.records.roads import open_records

        return open_records(path, importer, options)
    if is_database(path):
        from unlade.fileroad import open_database

        return open_database(path, importer, options)
    from unlade.desktop.source import open_folder

    return open_folder(path, importer, options)


__all__ = ["Line", "LocalLine", "Road", "open_line", "open_path"]
