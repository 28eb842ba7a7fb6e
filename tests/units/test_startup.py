"""Every command of a project begins by loading unlade: what it does not need must not be loaded with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import unlade.filemaker

HEAVY = ["httpx2", "rich.console", "unlade.checks", "unlade.filemaker.source", "unlade.fmp12", "pypdfium2", "PIL"]


@pytest.mark.parametrize("loaded", ["unlade.ledger.models", "unlade.commands", "unlade.desktop.source"])
def test_what_is_not_needed_is_not_loaded(loaded: str) -> None:
    code = (
        "import sys, importlib, django; django.setup(); "
        f"importlib.import_module({loaded!r}); print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_the_clients_names_are_there_when_they_are_asked_for() -> None:
    for name in unlade.filemaker.__all__:
        assert getattr(unlade.filemaker, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_thing"):
        unlade.filemaker.no_such_thing  # noqa: B018
