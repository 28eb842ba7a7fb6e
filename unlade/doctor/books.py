"""What the doctor's requests to the host pass: every byte is booked at once, and a host that rests is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import transaction

from unlade.cargo import Wire
from unlade.errors import SignInRefused
from unlade.filemaker import DataApiSource, FileMakerConfig
from unlade.governor.breaker import BreakerState
from unlade.governor.governor import Governor
from unlade.hostline import save_breaker
from unlade.importer import ContainerImport
from unlade.ledger.allowance import Allowance, Ticket
from unlade.rigging import Rigging
from unlade.source import Booking, RequestKind


class DirectBooking:
    """A reservation of the only thread there is."""

    def __init__(self, allowance: Allowance, ticket: Ticket) -> None:
        self._allowance = allowance
        self._ticket = ticket

    def raise_to(self, total: int) -> None:
        """See `source.Booking`."""
        with transaction.atomic():
            self._ticket = self._allowance.raise_to(self._ticket, total)

    def settle(self, wire: Wire) -> None:
        """See `source.Booking`."""
        with transaction.atomic():
            self._allowance.settle(self._ticket, wire)


class DirectToll:
    """Books from the calling thread; for commands that make few requests, one after the other."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance

    def reserve(self, kind: RequestKind, expected: int) -> Booking:
        """See `source.Toll`."""
        with transaction.atomic():
            return DirectBooking(self._allowance, self._allowance.reserve(kind, expected))


class HostBooks:
    """Toll and gate of one host for one command."""

    def __init__(self, rig: Rigging) -> None:
        self._rig = rig
        self._host = rig.host()
        allowance = Allowance(self._host, rig.limits(), run=None, clock=rig.clock, others=rig.others())
        self.toll = DirectToll(allowance)
        self.gate = Governor(
            rig.governor_settings(1),
            BreakerState.from_json(self._host.breaker),
            clock=rig.clock,
            on_change=lambda state: save_breaker(self._host, state),
        )

    def sign_in(self, source: DataApiSource) -> None:
        """Sign in. That the host refused is remembered: nobody signs in again with the same password (CONTRACT B4)."""
        try:
            source.ensure_authenticated()
        except SignInRefused as error:
            if self.gate.state.phase != "open":
                with suppress(SignInRefused), self.gate.passage("login"):
                    raise error from None
            raise

    @contextmanager
    def source(self, config: FileMakerConfig, importer: ContainerImport) -> Iterator[DataApiSource]:
        """The import's layout over the Data API, logged out of at the end.

        All containers of the layout are read, not the declared ones alone: what is wrong with those is to be found out.
        """
        source = DataApiSource(
            config,
            layout=importer.layout,
            response_layout=importer.response_layout or None,
            toll=self.toll,
            gate=self.gate,
            clock=self._rig.clock,
        )
        self.gate.probe = source.ping
        try:
            yield source
        finally:
            source.close()
