"""The roads that files come by, each with what belongs to it: the source, what paces it, what books it.

Over the API that is a host with an allowance, a breaker and permits; a folder or a database file on our own disk has
none of them. The voyage is the same.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from django.db import transaction

from unlade.cargo import Road, SourceRecord
from unlade.crew import Bridge, LedgerToll, LocalToll, Tolls
from unlade.errors import Interrupted, SettingsError, UsageError
from unlade.filemaker import DataApiSource
from unlade.filemaker.edit import DataApiMarkerWriter
from unlade.governor.breaker import BreakerState, newer
from unlade.governor.governor import Governor
from unlade.importer import ContainerImport
from unlade.ledger.allowance import Allowance
from unlade.ledger.models import Host, Run
from unlade.ledger.permits import SharedPermits
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


class ApiLine(Line):
    """A FileMaker host over the Data API."""

    source: DataApiSource

    def __init__(self, importer: ContainerImport, rig: Rigging, options: RunOptions) -> None:
        config, host = rig.filemaker_config(), rig.host()
        self._rig, self._options, self.host = rig, options, host
        self._permits: SharedPermits | None = None
        self.bridge = Bridge()
        self.allowance = Allowance(host, rig.limits(options.max_bytes), run=None, clock=rig.clock, others=rig.others())
        self.toll = LedgerToll(self.bridge, self.allowance)
        self.governor = self.gate = Governor(
            rig.governor_settings(options.concurrency),
            BreakerState.from_json(host.breaker),
            clock=rig.clock,
            on_change=lambda state: self.bridge.post(lambda: save_breaker(host, state)),
            permits=self,
        )
        self.source = DataApiSource(
            config,
            layout=importer.layout,
            containers=importer.containers,
            portals=importer.portals,
            response_layout=importer.response_layout or None,
            sort=sort_of(importer, options.order),
            toll=self.toll,
            gate=self.governor,
            clock=rig.clock,
            sleep=self.nap,
        )
        self.governor.probe = self.source.ping

    def bind(self, run: Run) -> None:
        """From now on bytes are booked for this run, and permits shared with other runs on this host."""
        self.allowance.run = run
        with transaction.atomic():
            run.host = self.host
            run.save(update_fields=["host"])
            self._permits = SharedPermits(
                run,
                self.host,
                self._options.concurrency,
                self._rig.clock,
                post=self.bridge.soon,
                adopt=self.governor.adopt,
            )
            self._permits.refresh(lambda: 0)

    def share_permits(self) -> None:
        """See `Line.share_permits`."""
        if self._permits is not None:
            self._permits.refresh(lambda: self.governor.permits_in_use)
            # Another process may have found the host in trouble, or well again.
            seen = Host.objects.values_list("breaker", flat=True).get(pk=self.host.pk)
            if seen:
                self.governor.adopt(BreakerState.from_json(seen))

    def share(self, most: int) -> int:
        """See `governor.PermitSource`: all of them while no run is open."""
        return self._permits.share(most) if self._permits else most

    def may_try(self, openings: int) -> bool:
        """See `governor.PermitSource`: a command that is no run may."""
        return self._permits.may_try(openings) if self._permits else True

    def troubles(self) -> list[int]:
        """See `Line.troubles`."""
        return [trouble.downloads for trouble in self.governor.troubles][:100]

    def marker(self, importer: ContainerImport, rig: Rigging) -> Callable[[SourceRecord], str]:
        """Stamps a record in FileMaker and returns its new modification id.

        Raises `SettingsError` when the declaration names no marker field.
        """
        if not importer.marker:
            raise SettingsError(
                f"UNLADE_WRITE_MARKER is on, but the import {importer.name!r} declares no marker field",
                remedy="Declare `marker`, or switch UNLADE_WRITE_MARKER off.",
            )
        writer = DataApiMarkerWriter(self.source, zone=rig.zone())
        return lambda record: writer.mark(record, importer.marker, rig.clock().isoformat())


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
        return ApiLine(importer, rig, options)
    options = settle_place(importer, options)
    return LocalLine(open_path(importer, Path(options.from_path), options))


def open_path(importer: ContainerImport, path: Path, options: RunOptions) -> Source:
    """The source that lies at `path`. Raises `UsageError` when nothing there can be read as one."""
    from unlade.desktop.source import open_folder
    from unlade.fileroad import is_database, open_database
    from unlade.records.declaring import RecordImport
    from unlade.records.roads import open_records

    if not path.exists():
        raise UsageError(f"--from {path}: there is nothing there", remedy="Name an export folder or a .fmp12 file.")
    if isinstance(importer, RecordImport):
        return open_records(path, importer, options)
    if is_database(path):
        return open_database(path, importer, options)
    return open_folder(path, importer, options)


def sort_of(importer: ContainerImport, order: str) -> list[tuple[str, str]]:
    """The host's sort for an order (CONTRACT B4); [] for its own. Raises `SettingsError` without the field for it."""
    order = order or importer.order
    field = {
        "newest first": importer.taken_on.field if importer.taken_on else "",
        "owners first": importer.owner.fields[0] if importer.owner else "",
    }.get(order)
    if field is None:
        return []
    if not field:
        raise SettingsError(
            f"The import {importer.name!r} cannot be taken {order}: it declares no field for that",
            remedy="Declare `taken_on` or `owner`, or leave the host's own order.",
        )
    return [(field, "descend" if order == "newest first" else "ascend")]


def save_breaker(host: Host, state: BreakerState) -> None:
    """Remember the breaker for every process (DESIGN 5.5); what another one knows better stands."""
    with transaction.atomic():
        row = Host.objects.select_for_update().get(pk=host.pk)
        chosen = newer(BreakerState.from_json(row.breaker or {}), state)
        resting = chosen.phase == "open"
        row.breaker = chosen.to_json()
        row.retry_at = chosen.retry_at if resting else None
        row.resting_because = (chosen.detail or chosen.cause)[:200] if resting else ""
        row.save(update_fields=["breaker", "retry_at", "resting_because", "updated_at"])


__all__ = ["ApiLine", "Line", "LocalLine", "Road", "open_line", "open_path", "save_breaker", "sort_of"]
