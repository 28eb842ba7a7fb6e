"""What a progress bar asks while an import runs."""

from __future__ import annotations

from unlade.importer import ContainerImport
from unlade.plan.left import TimeLeft
from unlade.plan.stock import stock_of
from unlade.rigging import Rigging


def time_left_of(importer: ContainerImport, rig: Rigging) -> TimeLeft:
    """Time left of `importer` by the plan: call it with the items still to come and the rate a second (None: unknown).

    Reads the ledger every ten seconds, so it belongs to the run loop's thread.
    """
    return TimeLeft(lambda: stock_of(importer).outlook, rig.budget, rig.clock, rig.zone())
