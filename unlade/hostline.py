"""The line to a FileMaker host over the Data API: its allowance, its breaker, its permits (see `unlade.roads`)."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction

from unlade.cargo import SourceRecord
from unlade.crew import Bridge, LedgerToll
from unlade.errors import SettingsError
from unlade.filemaker import DataApiSource
from unlade.filemaker.edit import DataApiMarkerWriter
from unlade.governor.breaker import BreakerState, newer
from unlade.governor.governor import Governor
from unlade.importer import ContainerImport
from unlade.ledger.allowance import Allowance
from unlade.ledger.models import Host, Run
from unlade.ledger.permits import SharedPermits
from unlade.options import RunOptions
from unlade.rigging import Rigging
from unlade.roads import Line


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


__all__ = ["ApiLine", "save_breaker", "sort_of"]
