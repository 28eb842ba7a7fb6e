"""One process at a time for one source; the lock dies with its holder (CONTRACT B3)."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection
from filelock import FileLock, Timeout

from unlade.errors import LockedElsewhere
from unlade.ledger.models import Run
from unlade.states import RunOutcome


@contextmanager
def source_lock(name: str) -> Iterator[None]:
    """Hold the lock of the source `name`. Raises `LockedElsewhere` at once when another process has it."""
    holder = _advisory if connection.vendor == "postgresql" else _file
    with holder(name):
        yield


@contextmanager
def _file(name: str) -> Iterator[None]:
    database = str(connection.settings_dict["NAME"])
    in_memory = ":memory:" in database or "mode=memory" in database
    base = Path(tempfile.gettempdir()) / "unlade-memory" if in_memory else Path(database)
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    lock = FileLock(base.with_name(f"{base.name}.unlade-{digest}.lock"), mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LockedElsewhere(_who(name), remedy="Wait for it, or stop it, and run this again.") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _advisory(name: str) -> Iterator[None]:
    key = int.from_bytes(hashlib.sha256(f"unlade:{name}".encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        row = cursor.fetchone()
    if not row or not row[0]:
        raise LockedElsewhere(_who(name), remedy="Wait for it, or stop it, and run this again.")
    try:
        yield
    finally:
        # A session that broke has let go by itself.
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def _who(name: str) -> str:
    run = Run.objects.filter(source__name=name, outcome=RunOutcome.RUNNING).order_by("-number").first()
    if run is None:
        return f"Another process works on {name!r}."
    return (
        f"Run {run.number} of {name!r} is at work since {run.started_at:%Y-%m-%d %H:%M} UTC"
        f" (process {run.process} on {run.machine})."
    )
