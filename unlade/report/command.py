"""What the reporting commands share."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any, TypedDict

from unlade.errors import SettingsError
from unlade.governor.budget import Budget
from unlade.report.paper import WIDTH, fancy_for
from unlade.rigging import Rigging


class PaperOptions(TypedDict):
    """How a report is drawn."""

    fancy: bool
    width: int


def paper_options(stream: Any, options: Mapping[str, Any]) -> PaperOptions:
    """Colours and width for `stream`, by the command's own `--no-color` and `--force-color` first."""
    fancy = bool(options.get("force_color")) or fancy_for(stream, no_color=bool(options.get("no_color")))
    return {"fancy": fancy, "width": shutil.get_terminal_size((WIDTH, 24)).columns if fancy else WIDTH}


def known_host(rig: Rigging) -> tuple[Budget | None, str | None]:
    """The books and the key of the host; None for both while nobody has said which host it is."""
    try:
        return rig.budget(), rig.host().key
    except SettingsError:
        return None, None
