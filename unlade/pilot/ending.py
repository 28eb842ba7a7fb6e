"""How a pilot ends: its page is written, and what was learnt is told."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from unlade.cargo import Road
from unlade.errors import UnladeError
from unlade.importer import ContainerImport
from unlade.importing import Ended
from unlade.pilot.learning import Learnt, learn
from unlade.pilot.page import write_page
from unlade.rigging import Rigging

log = logging.getLogger(__name__)


def learnt(importer: ContainerImport, ended: Ended, rig: Rigging) -> Learnt:
    """What the pilot learnt, its page written beside the spool (`reports`). A page that cannot be written costs it."""
    now = rig.clock()
    budget = rig.budget() if ended.books.road == Road.API else None
    found = learn(importer, ended, budget, now)
    folder = Path(rig.settings.need("UNLADE_SPOOL")).absolute().parent / "reports"
    try:
        return replace(found, page=str(write_page(found, folder, now, zone=rig.zone())))
    except (OSError, UnladeError) as error:
        log.warning("the pilot's page could not be written: %s", error)
        return found
