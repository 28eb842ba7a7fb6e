"""Signals for the rest of a project: a search index, a cache, a message to somebody.

    @receiver(item_settled)
    def index(sender, importer, item, row, **kwargs): ...

All are sent after the transaction that they speak of is committed, in the thread that runs the import, with the
declaration's class as `sender`. A receiver that raises costs nobody anything: the error is logged by Django
(`django.dispatch`) and the next receiver is called. A slow receiver slows the run. A process that is killed between
the commit and the signal never sends it: what must not be missed is read from the ledger or the rows, not from here.

`run_started`   `importer`, `run` (ledger's `Run`)
`item_settled`  `importer`, `item` (ledger's `Item`: `state`, `reason`, `key`, `row`, ...), `row` (the project's row or
                None), `consignment` (None without a stored file, and for imports of records). Once for each time that
                an item ends in a state: a failed one that is tried again is settled again.
`item_linked`   `importer`, `item`, `owner`: relinking found the owner of a file that had none, or a person chose one.
`item_gone`     `importer`, `item`: the record is no longer in FileMaker; file and row stay.
`run_finished`  `importer`, `run`, `outcome` (done, limit, paused, interrupted, failed), `exit_code`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.dispatch import Signal

if TYPE_CHECKING:
    from unlade.importer import ContainerImport

run_started = Signal()
item_settled = Signal()
item_linked = Signal()
item_gone = Signal()
run_finished = Signal()


def send(signal: Signal, importer: ContainerImport, **facts: Any) -> None:
    """Send once the open transaction is committed (at once where there is none). Costs nothing where nobody listens."""
    sender = type(importer)
    if signal.has_listeners(sender):
        transaction.on_commit(lambda: _send(signal, sender, importer, facts), robust=True)


def _send(signal: Signal, sender: type[ContainerImport], importer: ContainerImport, facts: dict[str, Any]) -> None:
    signal.send_robust(sender, importer=importer, **facts)


__all__ = ["item_gone", "item_linked", "item_settled", "run_finished", "run_started", "send"]
