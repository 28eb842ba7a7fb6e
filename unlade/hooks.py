"""Calls hooks of the project that come after a commit: what they raise is logged and costs nobody anything."""

from __future__ import annotations

import logging
from typing import Any

from unlade.importer import ContainerImport

log = logging.getLogger(__name__)


def after_commit(importer: ContainerImport, landed: tuple[Any, Any] | None, record_id: str) -> None:
    """Call `importer.after_commit` with what `settle` returned; nothing without it."""
    if landed is None:
        return
    try:
        importer.after_commit(*landed)
    except Exception:
        # The project's own code; the row is committed, and the other items must not pay for it.
        log.exception("record %s: after_commit failed; its file and row are written", record_id)


__all__ = ["after_commit"]
