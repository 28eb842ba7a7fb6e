"""Who decides: the name that is kept with what a person did."""

from __future__ import annotations

import getpass


def me() -> str:
    """This account's name on this machine; `somebody` where it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"
